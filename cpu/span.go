package cpu

import (
	"cmp"
	"slices"
)

// A span is the numbers lo … hi−1.
type span struct{ lo, hi int }

// spans are sorted and apart from each other.
type spans []span

// after is the number of the first span that ends behind lo.
func (s spans) after(lo int) int {
	i, _ := slices.BinarySearchFunc(s, lo+1, func(v span, lo int) int { return cmp.Compare(v.hi, lo) })
	return i
}

// covers reports whether all of x is in s.
func (s spans) covers(x span) bool {
	i := s.after(x.lo)
	return i < len(s) && s[i].lo <= x.lo && x.hi <= s[i].hi
}

// add takes x in.
func (s *spans) add(x span) {
	if x.hi <= x.lo {
		return
	}
	i := s.after(x.lo - 1) // one that ends at x.lo, too
	j := i
	for ; j < len(*s) && (*s)[j].lo <= x.hi; j++ {
		x = span{min(x.lo, (*s)[j].lo), max(x.hi, (*s)[j].hi)}
	}
	*s = slices.Replace(*s, i, j, x)
}

// cut takes x out and returns what of it was there.
func (s *spans) cut(x span) (out []span) {
	if x.hi <= x.lo {
		return nil
	}
	var rest []span
	i := s.after(x.lo)
	j := i
	for ; j < len(*s) && (*s)[j].lo < x.hi; j++ {
		v := (*s)[j]
		out = append(out, span{max(v.lo, x.lo), min(v.hi, x.hi)})
		for _, r := range []span{{v.lo, x.lo}, {x.hi, v.hi}} {
			if r.hi > r.lo {
				rest = append(rest, r)
			}
		}
	}
	*s = slices.Replace(*s, i, j, rest...)
	return out
}
