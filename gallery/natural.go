package gallery

import (
	"cmp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// CompareNames orders the names of photos (Photo.Name) of one root as Scan
// finds them: of a folder first its own photos, then those of its sub-folders,
// both in natural order.
func CompareNames(a, b string) int {
	for {
		x, restX, inX := strings.Cut(a, "/")
		y, restY, inY := strings.Cut(b, "/")
		switch {
		case inX != inY && inX:
			return +1
		case inX != inY:
			return -1
		}
		if c := compareNatural(x, y); c != 0 || !inX {
			return c
		}
		a, b = restX, restY
	}
}

// compareNatural orders names as people do: numbers by value, so that img2
// comes before img10, and letters without regard to case. Names that are the
// same in that sense are ordered by their bytes, so the order is total.
func compareNatural(a, b string) int {
	x, y := a, b
	for x != "" && y != "" {
		c, n, m := 0, 0, 0
		if isDigit(x[0]) && isDigit(y[0]) {
			n, m = digits(x), digits(y)
			c = compareNumbers(x[:n], y[:m])
		} else {
			var r, s rune
			r, n = utf8.DecodeRuneInString(x)
			s, m = utf8.DecodeRuneInString(y)
			c = cmp.Compare(unicode.ToLower(r), unicode.ToLower(s))
		}
		if c != 0 {
			return c
		}
		x, y = x[n:], y[m:]
	}
	return cmp.Or(cmp.Compare(len(x), len(y)), strings.Compare(a, b))
}

// compareNumbers compares decimal numbers of any length.
func compareNumbers(a, b string) int {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
}

// digits returns how many digits s starts with.
func digits(s string) int {
	n := 0
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	return n
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
