package cpu

import "slices"

// A span is the numbers lo … hi−1.
type span struct{ lo, hi int }

// spans are sorted and apart from each other.
type spans []span

// covers reports whether all of x is in s.
func (s spans) covers(x span) bool {
	for _, v := range s {
		if v.lo <= x.lo && x.hi <= v.hi {
			return true
		}
	}
	return false
}

// add takes x in.
func (s *spans) add(x span) {
	if x.hi <= x.lo {
		return
	}
	i := 0
	for i < len(*s) && (*s)[i].hi < x.lo {
		i++
	}
	j := i
	for j < len(*s) && (*s)[j].lo <= x.hi {
		x = span{min(x.lo, (*s)[j].lo), max(x.hi, (*s)[j].hi)}
		j++
	}
	*s = slices.Replace(*s, i, j, x)
}

// cut takes x out and returns what of it was there.
func (s *spans) cut(x span) (out []span) {
	for i := 0; i < len(*s); i++ {
		v := (*s)[i]
		both := span{max(v.lo, x.lo), min(v.hi, x.hi)}
		if both.hi <= both.lo {
			continue
		}
		out = append(out, both)
		var rest []span
		for _, r := range []span{{v.lo, both.lo}, {both.hi, v.hi}} {
			if r.hi > r.lo {
				rest = append(rest, r)
			}
		}
		*s = slices.Replace(*s, i, i+1, rest...)
		i += len(rest) - 1
	}
	return out
}
