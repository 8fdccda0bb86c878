package tokenize

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// byteAlphabet writes each byte as a character that can be seen, as GPT-2's
// vocabulary does: the printable ones of Latin-1 as themselves, the others, in
// order, as U+0100, U+0101, ….
var byteAlphabet = func() (alphabet [256]string) {
	next := rune(0x100)
	for b := range 256 {
		r := rune(b)
		if printable := '!' <= r && r <= '~' || '¡' <= r && r <= '¬' || '®' <= r; !printable {
			r = next
			next++
		}
		alphabet[b] = string(r)
	}
	return alphabet
}()

// byteLevel writes words in the byte alphabet, cut as GPT-2 does if split is
// set.
type byteLevel struct {
	prefixSpace bool // a text begins with a space
	split       bool
}

func (l byteLevel) cut(words []string, text string, _ bool) []string {
	if l.prefixSpace && !strings.HasPrefix(text, " ") {
		text = " " + text
	}
	for text != "" {
		n := len(text)
		if l.split {
			n = gpt2Word(text)
		}
		words = append(words, spellBytes(text[:n]))
		text = text[n:]
	}
	return words
}

func spellBytes(text string) string {
	plain := true
	for i := 0; i < len(text) && plain; i++ {
		plain = '!' <= text[i] && text[i] <= '~'
	}
	if plain {
		return text
	}
	var b strings.Builder
	b.Grow(2 * len(text))
	for i := range len(text) {
		b.WriteString(byteAlphabet[text[i]])
	}
	return b.String()
}

// gpt2Start is the beginning of GPT-2's pattern. Its rest, \s+(?!\S)|\s+, leaves
// the last space of a run to the word after it; Go's patterns cannot say so.
var gpt2Start = regexp.MustCompile(`^(?:'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^` + unicodeClass['s'] + `\p{L}\p{N}]+)`)

// gpt2Word returns the length of the word that text begins with.
func gpt2Word(text string) int {
	if n := len(gpt2Start.FindString(text)); n > 0 {
		return n
	}
	run := len(text) - len(strings.TrimLeftFunc(text, unicode.IsSpace))
	_, last := utf8.DecodeLastRuneInString(text[:run])
	if run < len(text) && run > last {
		run -= last
	}
	return max(run, 1)
}
