package query

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Facts are what filters look at of one photo. Its texts are folded: whoever
// fills it calls Fold once for each, not at every query.
type Facts struct {
	Name   string // Fold of the path below the folder that was opened, with slashes
	Format string // Fold of the name of the file's format, such as jpeg; "" if unknown
	// Date is when the photo was taken or, if that is unknown, the file's date.
	// Its own time zone says which day that is. Zero if nothing is known.
	Date          time.Time
	Bytes         int64
	Width, Height int      // upright, in pixels; 0 if unknown
	Tags          []string // Fold of each; "a|b|c" is c below b below a
	Rating        int      // stars, 0 to 5, or -1 for rejected
	Rated         bool     // without it Rating is 0
	Failed        bool     // the photo could not be read
	// Accepted and Rejected count a person's answers to labels of the photo.
	Accepted, Rejected int
	// Label returns the probability of the label of that name, and whether it is
	// above the label's own threshold. The name is as it stands in the line. Not
	// ok: there is no such label, or no probability yet. nil: there are none.
	Label func(name string) (p float64, above, ok bool)
}

// Fold maps texts that differ only in case, or in how accents are composed, to
// one text. It is idempotent.
func Fold(s string) string {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return norm.NFC.String(strings.Map(foldRune, norm.NFC.String(s)))
		}
	}
	return strings.ToLower(s)
}

// foldRune is one letter for all that differ in case only, as strings.EqualFold
// has it. (cases.Fold of x/text turns small Cherokee letters into capitals and
// these into small ones.)
func foldRune(r rune) rune {
	least := r
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		least = min(least, f)
	}
	return unicode.ToLower(least)
}

// A pattern is a folded text in which * stands for any characters and ? for one.
type pattern struct {
	text string
	wild bool
}

func newPattern(s string) pattern {
	return pattern{Fold(s), strings.ContainsAny(s, "*?")}
}

// matches reports whether the pattern is all of a folded text.
func (p pattern) matches(s string) bool {
	if !p.wild {
		return p.text == s
	}
	// On a mismatch the last * takes one character more: earlier ones need not,
	// as what follows them was found as early as can be.
	star, from := -1, 0
	i, j := 0, 0
	for j < len(s) {
		_, n := utf8.DecodeRuneInString(s[j:])
		c, m := utf8.DecodeRuneInString(p.text[i:])
		switch {
		case m > 0 && c == '*':
			star, from = i, j
			i += m
		case m > 0 && (c == '?' || p.text[i:i+m] == s[j:j+n]):
			i, j = i+m, j+n
		case star >= 0:
			_, n := utf8.DecodeRuneInString(s[from:])
			from += n
			i, j = star+1, from
		default:
			return false
		}
	}
	return strings.Trim(p.text[i:], "*") == ""
}

// A trail is a pattern for names that follow each other in a path of names:
// "2024/summer" is in "photos/2024/summer/beach", and so is "sum*".
type trail struct {
	separator string
	text      string    // the names with separators between
	names     []pattern // if any of them is wild
}

// newTrail splits s into names. It is not ok if there are none.
func newTrail(s, separator string) (t trail, ok bool) {
	var names []string
	wild := false
	for name := range strings.SplitSeq(s, separator) {
		if name = strings.TrimSpace(name); name != "" {
			p := newPattern(name)
			names = append(names, p.text)
			t.names = append(t.names, p)
			wild = wild || p.wild
		}
	}
	if !wild {
		t.names = nil
	}
	t.separator, t.text = separator, strings.Join(names, separator)
	return t, t.text != ""
}

// in reports whether the trail's names are among those of a folded path.
func (t trail) in(path string) bool {
	if t.names != nil {
		return t.wildIn(path)
	}
	for from := 0; ; {
		i := strings.Index(path[from:], t.text)
		if i < 0 {
			return false
		}
		start := from + i
		end := start + len(t.text)
		if (start == 0 || path[start-1] == t.separator[0]) && (end == len(path) || path[end] == t.separator[0]) {
			return true
		}
		from = start + 1
	}
}

func (t trail) wildIn(path string) bool {
	for more := true; more; {
		if t.leads(path) {
			return true
		}
		_, path, more = strings.Cut(path, t.separator)
	}
	return false
}

// leads reports whether the path begins with the trail's names.
func (t trail) leads(path string) bool {
	more := true
	for _, p := range t.names {
		var name string
		if !more {
			return false
		}
		name, path, more = strings.Cut(path, t.separator)
		if !p.matches(name) {
			return false
		}
	}
	return true
}
