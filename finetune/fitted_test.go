package finetune

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"

	"sigla/cpu"
)

// TestFittedThresholds measures on test lists what thresholds are worth that were
// fitted by cross-validation on the examples, and writes the table of
// docs/TRAINING.md.
func TestFittedThresholds(t *testing.T) {
	u := openUnseen(t)
	var b strings.Builder
	b.WriteString("| photos | depth | examples a class | F1 at 0.5 | fitted for F1 | precision at 0.5 | fitted for 0.9 | recall at 0.5 | fitted for 0.9 |\n|---|---|---:|---:|---:|---:|---:|---:|---:|\n")
	for _, c := range []struct {
		name   string
		gather func() *collection
		labels func(class string) bool
	}{
		{"clothing, 10 classes", u.clothing, func(string) bool { return true }},
		{"caltech101, 20 classes that it has not seen", u.caltech101, func(class string) bool { return unseenCaltech[class] != "" }},
	} {
		photos := c.gather()
		for _, m := range []Method{Calibrate, LinearHead} {
			for _, n := range []int{5, 15, 50} {
				var sums fittedSums
				for seed := range uint64(3) {
					sums.add(t, photos, m, n, seed+1, c.labels)
				}
				row := fmt.Sprintf("| %s | %s | %d |%s\n", c.name, m, n, sums.cells())
				t.Log(row)
				b.WriteString(row)
			}
		}
	}
	t.Log("\n" + b.String())
	b.WriteString("\nMeans over classes and three seeds, on the test lists, of what the gate keeps; precision is over all that is tagged, all classes together. `SIGLA_DATA=… go test ./finetune -run FittedThresholds -useful`\n")
	if err := writeBetween("../docs/TRAINING.md", "fitted", b.String()); err != nil {
		t.Error(err)
	}
}

// fittedSums are of figures at 0.5, at thresholds of the best F1, and at those of
// a precision of 0.9.
type fittedSums struct {
	trials float64
	at     [3]struct{ f1, right, found, yes float64 }
}

func (s *fittedSums) add(t *testing.T, c *collection, m Method, n int, seed uint64, among func(string) bool) {
	t.Helper()
	e, err := cpu.New(cpu.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	rows := c.examples(n, seed)
	known := c.part(rows)
	choice, err := Choose(context.Background(), e, known, m, DefaultPrior, seed)
	if err != nil {
		t.Fatal(err)
	}
	heads, err := choice.Apply(context.Background(), e, c.Embedded, c.learned(t, e, m, rows), DefaultPrior, rows)
	if err != nil {
		t.Fatal(err)
	}
	scores, err := heads.Scores(e, at(c.Images, c.test))
	if err != nil {
		t.Fatal(err)
	}
	s.trials++
	for k, aim := range []Aim{AimNone, AimF1, "0.9"} {
		cuts := make([]float64, len(c.Labels))
		if aim != AimNone {
			fitted, err := known.FitThresholds(choice.After, upTo(len(rows)), aim)
			if err != nil {
				t.Fatal(err)
			}
			for i, f := range fitted {
				if f.Reason == "" {
					cuts[i] = math.Log(f.Value.Value) - math.Log1p(-f.Value.Value)
				}
			}
		}
		s.measure(k, c, scores, cuts, among)
	}
}

// measure adds the figures of the test list at thresholds.
func (s *fittedSums) measure(k int, c *collection, scores Scores, cuts []float64, among func(string) bool) {
	sum, n := 0.0, 0.0
	for i, l := range c.Labels {
		if !among(l.Name) {
			continue
		}
		column := c.column(scores, i, c.test)
		sum += column.measure(nil, cuts[i])[f1]
		n++
		for j, y := range column.truth {
			if y > 0 {
				s.at[k].yes++
			}
			if column.score[j] >= cuts[i] {
				s.at[k].found++
				if y > 0 {
					s.at[k].right++
				}
			}
		}
	}
	s.at[k].f1 += sum / n
}

func (s *fittedSums) cells() string {
	precision := func(k int) float64 { return s.at[k].right / s.at[k].found }
	recall := func(k int) float64 { return s.at[k].right / s.at[k].yes }
	var cells []string
	for _, x := range []float64{s.at[0].f1 / s.trials, s.at[1].f1 / s.trials, precision(0), precision(2), recall(0), recall(2)} {
		cells = append(cells, fmt.Sprintf(" %.3f |", x))
	}
	return strings.Join(cells, "")
}
