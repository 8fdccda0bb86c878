package gallery

import (
	"cmp"
	"math"
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
	ascend(values)
	tail := merge(c.tail, values)
	if len(tail) < tailSize+len(c.long)/16 {
		return column{c.long, tail}
	}
	return column{merge(c.long, tail), nil}
}

// without returns the column without values that are in it; it sorts them.
func (c column) without(values []float32) column {
	ascend(values)
	var kept column
	kept.long, values = subtract(c.long, values)
	kept.tail, _ = subtract(c.tail, values)
	return kept
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

// subtract returns the ascending list a without the values of b that are in it,
// and those that are not.
func subtract(a, b []float32) (without, rest []float32) {
	without = make([]float32, 0, len(a))
	for _, v := range a {
		for len(b) > 0 && cmp.Less(b[0], v) {
			rest, b = append(rest, b[0]), b[1:]
		}
		if len(b) > 0 && cmp.Compare(b[0], v) == 0 {
			b = b[1:]
			continue
		}
		without = append(without, v)
	}
	return without, append(rest, b...)
}

// digitBits is how many bits of a number are sorted by at a time.
const digitBits = 11

// ascend sorts numbers; those that are none come first. Many are sorted digit
// by digit, the lowest first: 100,000 take a tenth of the time of comparing
// them.
func ascend(values []float32) {
	if len(values) < 1<<digitBits {
		slices.Sort(values)
		return
	}
	const digits = (32 + digitBits - 1) / digitBits
	var starts [digits][1 << digitBits]int32
	keys, sorted := make([]uint32, len(values)), make([]uint32, len(values))
	digit := func(key uint32, d int) uint32 { return key >> (d * digitBits) & (1<<digitBits - 1) }
	for i, x := range values {
		keys[i] = sortKey(x)
		for d := range digits {
			starts[d][digit(keys[i], d)]++
		}
	}
	for d := range digits {
		sum := int32(0)
		for i, n := range starts[d] {
			starts[d][i], sum = sum, sum+n
		}
		for _, key := range keys {
			at := &starts[d][digit(key, d)]
			sorted[*at] = key
			*at++
		}
		keys, sorted = sorted, keys
	}
	for i, key := range keys {
		values[i] = sortValue(key)
	}
}

// sortKey returns an integer whose order is that of the numbers.
func sortKey(x float32) uint32 {
	switch b := math.Float32bits(x); {
	case x != x:
		return 0
	case b>>31 == 1:
		return ^b
	default:
		return b | 1<<31
	}
}

// sortValue returns the number of a key.
func sortValue(key uint32) float32 {
	if key>>31 == 1 {
		return math.Float32frombits(key &^ (1 << 31))
	}
	return math.Float32frombits(^key)
}
