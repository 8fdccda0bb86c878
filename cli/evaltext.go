package cli

import (
	"fmt"
	"math"
	"strings"

	"sigla/finetune"
)

// evalText is what eval has found, for people.
func evalText(r evaluated) string {
	var b strings.Builder
	measured := 0
	for _, l := range r.Labels {
		if !math.IsNaN(l.Before.AveragePrecision.Value) {
			measured++
		}
	}
	fmt.Fprintf(&b, "%d photos", r.Photos)
	if r.Groups < r.Photos {
		fmt.Fprintf(&b, ", %d that differ", r.Groups)
	}
	fmt.Fprintf(&b, "; %d labels, %d of them with photos that show them and photos that do not\nknown by: %s\n", len(r.Labels), measured, printable(r.Known))
	for _, d := range r.Disputes {
		fmt.Fprintln(&b, printable(d))
	}
	if measured == 0 {
		b.WriteString("\nNothing can be measured: reject photos of a label in the explorer, name a CSV file with 0 and 1, or say --complete if what is not tagged is not so.\n")
		return b.String()
	}
	writeLabels(&b, r)
	if len(r.Thresholds) > 0 {
		b.WriteString("\nthresholds that fit these photos, with 95 % intervals\n")
		for _, t := range r.Thresholds {
			fmt.Fprintf(&b, "  %s\n", printable(t.String()))
		}
	}
	if len(r.Confused) > 0 {
		b.WriteString("\ntaken for each other, above the threshold of what they do not show\n")
		for _, c := range r.Confused {
			fmt.Fprintf(&b, "  %4d of %-4d  %s\n", c.Photos, c.Of, printable(c.Shown+" → "+c.Taken))
		}
	}
	if len(r.Doubts) > 0 {
		b.WriteString("\ndoubtful, judged by the other photos\n")
		for _, d := range r.Doubts {
			shown := "shows"
			if !d.Shown {
				shown = "does not show"
			}
			fmt.Fprintf(&b, "  %.3f  %s  %s %s, says the %s\n", d.Probability, printable(d.Path), shown, printable(d.Label), d.By)
		}
	}
	return b.String()
}

// writeLabels writes a table: a line a label, and the mean.
func writeLabels(b *strings.Builder, r evaluated) {
	wide := len("mean")
	for _, l := range r.Labels {
		wide = min(28, max(wide, len([]rune(printable(l.Label)))))
	}
	kept := make(map[string]string)
	for _, v := range r.Verdicts {
		switch {
		case !v.Kept:
			kept[v.Label] = "as before: " + v.Reason
		case v.As == finetune.Calibrate:
			kept[v.Label] = "calibrated"
		default:
			kept[v.Label] = "learned"
		}
	}
	head := fmt.Sprintf("\n%-*s  %5s %5s  %-19s  %9s  %6s  %11s", wide, "label", "shown", "not", "average precision", "precision", "recall", "calibration")
	if r.After != nil {
		head += fmt.Sprintf("  │ %-19s  %9s  %6s  %11s", "after", "precision", "recall", "calibration")
	}
	fmt.Fprintln(b, strings.TrimRight(head, " "))
	line := func(name string, shown, not int, before finetune.Measures, after *finetune.Measures, verdict string) {
		row := fmt.Sprintf("%-*s  %5d %5d  %s", wide, shorten(printable(name), wide), shown, not, figures(before))
		if after != nil {
			row += "  │ " + figures(*after)
		}
		fmt.Fprintln(b, strings.TrimRight(row+"  "+verdict, " "))
	}
	var shown, not int
	for _, l := range r.Labels {
		shown, not = shown+l.Shown, not+l.NotShown
		line(l.Label, l.Shown, l.NotShown, l.Before, l.After, kept[l.Label])
	}
	line("mean", shown, not, r.Before, r.After, "")
	if r.Gain != nil {
		fmt.Fprintf(b, "\naverage precision %+.3f (%+.3f to %+.3f)\n", r.Gain.Value, r.Gain.Low, r.Gain.High)
	}
}

// figures are those of a label on a line.
func figures(m finetune.Measures) string {
	number := func(x float64) string {
		if math.IsNaN(x) {
			return "-"
		}
		return fmt.Sprintf("%.3f", x)
	}
	precision := number(m.AveragePrecision.Value)
	if !math.IsNaN(m.AveragePrecision.Low) {
		precision += fmt.Sprintf(" (%.2f to %.2f)", m.AveragePrecision.Low, m.AveragePrecision.High)
	}
	return fmt.Sprintf("%-19s  %9s  %6s  %11s", precision, number(m.Precision.Value), number(m.Recall.Value), number(m.CalibrationError.Value))
}

// shorten cuts a name to so many characters.
func shorten(name string, most int) string {
	if r := []rune(name); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return name
}
