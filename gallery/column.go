package gallery

import (
	"slices"
	"sort"
)

// tailSize is how long a column's tail may grow before it is merged.
const tailSize = 256

// A column is the logits of one label, in two ascending lists: new ones are
// merged into the short tail, and the tail into the long list only when it has
// grown to a fraction of it. So adding a photo costs about the same in a
// gallery of any size. The lists of a column are never changed.
type column struct {
	long, tail []float32
}

// with returns the column with values added; it sorts them.
func (c column) with(values []float32) column {
	slices.Sort(values)
	tail := merge(c.tail, values)
	if len(tail) < tailSize+len(c.long)/16 {
		return column{c.long, tail}
	}
	return column{merge(c.long, tail), nil}
}

func (c column) count(cut float32) int {
	return countFrom(c.long, cut) + countFrom(c.tail, cut)
}

// countFrom returns how many of the ascending values are cut or above.
func countFrom(values []float32, cut float32) int {
	return len(values) - sort.Search(len(values), func(i int) bool { return values[i] >= cut })
}

// merge returns the ascending union of two ascending lists.
func merge(a, b []float32) []float32 {
	if len(a) == 0 {
		return b
	}
	out := make([]float32, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if a[0] <= b[0] {
			out, a = append(out, a[0]), a[1:]
		} else {
			out, b = append(out, b[0]), b[1:]
		}
	}
	return append(append(out, a...), b...)
}
