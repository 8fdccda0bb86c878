package query

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// A word is a stretch of the line between white space that is not quoted.
type word struct {
	at, end int    // its place in the line, in bytes
	text    string // without quotes
	quoted  []bool // of each byte of text
	open    bool   // its last quote is not closed,
	quote   int    // which is here in the line
}

// nextWord returns the first word of the line at or after a byte.
func nextWord(line string, at int) (word, bool) {
	at = len(line) - len(strings.TrimLeftFunc(line[at:], unicode.IsSpace))
	if at == len(line) {
		return word{}, false
	}
	w := word{at: at, end: at}
	var text strings.Builder
	for w.end < len(line) {
		r, n := utf8.DecodeRuneInString(line[w.end:])
		if !w.open && unicode.IsSpace(r) {
			break
		}
		if r == '"' && !(w.open && strings.HasPrefix(line[w.end+1:], `"`)) {
			w.open, w.quote = !w.open, w.end
			w.end++
			continue
		}
		text.WriteString(line[w.end:][:n])
		for range n {
			w.quoted = append(w.quoted, w.open)
		}
		if r == '"' {
			n = 2 // the second of two
		}
		w.end += n
	}
	w.text = text.String()
	return w, true
}

// bare reports whether the first n bytes of the word are there, and not quoted.
func (w word) bare(n int) bool {
	if n > len(w.text) {
		return false
	}
	for _, quoted := range w.quoted[:n] {
		if quoted {
			return false
		}
	}
	return true
}

// begins reports whether the word begins with one of the characters, not quoted.
func (w word) begins(characters string) bool {
	return w.bare(1) && strings.IndexByte(characters, w.text[0]) >= 0
}

// from returns the word without its first n bytes.
func (w word) from(n int) word {
	w.text, w.quoted = w.text[n:], w.quoted[n:]
	return w
}

// to returns the first n bytes of the word.
func (w word) to(n int) word {
	w.text, w.quoted = w.text[:n], w.quoted[:n]
	return w
}

// index returns where the first of the characters is that is not quoted, or -1.
func (w word) index(characters string) int {
	for i := range len(w.text) {
		if !w.quoted[i] && strings.IndexByte(characters, w.text[i]) >= 0 {
			return i
		}
	}
	return -1
}

// split returns what is between commas that are not quoted.
func (w word) split() []word {
	var list []word
	for {
		i := w.index(",")
		if i < 0 {
			return append(list, w)
		}
		list = append(list, w.to(i))
		w = w.from(i + 1)
	}
}

// filterName returns the name of the filter that the word is, in lower case, and
// the length of what is before its value. The name may be unknown.
func (w word) filterName() (name string, length int, ok bool) {
	start := 0
	if w.begins("+-") {
		start = 1
	}
	colon := strings.IndexByte(w.text, ':')
	// A single letter is the drive of a path.
	if colon < start+2 || !w.bare(colon+1) {
		return "", 0, false
	}
	name = strings.ToLower(w.text[start:colon])
	for _, c := range []byte(name) {
		if c < 'a' || c > 'z' {
			return "", 0, false
		}
	}
	return name, colon + 1, true
}

func quote(text string) string {
	return `"` + strings.ReplaceAll(text, `"`, `""`) + `"`
}

// quoteValue quotes the value of a filter if it needs that.
func quoteValue(value string) string {
	if value == "" || strings.ContainsAny(value, `",<>=`) || strings.ContainsFunc(value, unicode.IsSpace) {
		return quote(value)
	}
	return value
}
