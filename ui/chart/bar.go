// Package chart draws numbers in terminal cells. Its functions are pure and
// know no colours: they return the parts that a caller may paint differently.
package chart

import (
	"math"
	"strings"
)

// eighths are the left-aligned blocks of 0 to 8 eighths of a cell.
var eighths = [9]string{" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"}

// Bar draws value, from 0 to 1, as a bar in steps of an eighth of a cell,
// rounded, and padded with spaces to exactly cells. NaN is drawn as 0.
func Bar(value float64, cells int) string {
	if cells <= 0 {
		return ""
	}
	n := steps(value, cells)
	var b strings.Builder
	b.WriteString(strings.Repeat(eighths[8], n/8))
	if n < 8*cells {
		b.WriteString(eighths[n%8])
		b.WriteString(strings.Repeat(" ", cells-n/8-1))
	}
	return b.String()
}

// Meter is a Bar with a mark at one value, cut at the mark. The mark stands in
// the cell that contains its value and looks different where the bar has come
// to it: "│" against "┊". The three parts together are exactly cells wide.
func Meter(value, mark float64, cells int) (before, at, after string) {
	if cells <= 0 {
		return "", "", ""
	}
	cell := min(int(unit(mark)*float64(cells)), cells-1)
	n := steps(value, cells)
	bar := []rune(Bar(value, cells)) // every block is one rune and one cell
	at = "┊"
	if n >= 8*cell && n > 0 {
		at = "│"
	}
	return string(bar[:cell]), at, string(bar[cell+1:])
}

// Slider draws where value lies between lo and hi as a knob on a line, cut at
// the knob. Values outside stand at the ends. The three parts together are
// exactly cells wide.
func Slider(value, lo, hi float64, cells int) (before, knob, after string) {
	if cells <= 0 || hi <= lo {
		return "", "", ""
	}
	at := int(math.Round(unit((value-lo)/(hi-lo)) * float64(cells-1)))
	return strings.Repeat("─", at), "●", strings.Repeat("─", cells-at-1)
}

// steps is value in eighths of a cell.
func steps(value float64, cells int) int {
	return int(math.Round(unit(value) * float64(8*cells)))
}

// unit clamps v to 0 … 1.
func unit(v float64) float64 {
	if !(v > 0) { // also NaN
		return 0
	}
	return min(v, 1)
}
