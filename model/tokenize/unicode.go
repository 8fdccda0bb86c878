package tokenize

import (
	"slices"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// unicodeForm returns the normalizer of a Unicode normalization form.
//
// The library cuts runs of more than 30 combining marks with a U+034F
// (UAX #15, stream-safe text), which those that checkpoints were published for
// do not. Texts with such runs go the slow way.
func unicodeForm(form, decomposed norm.Form, compose bool) normalizer {
	return func(text string) string {
		if !longRun(text) {
			return form.String(text)
		}
		runes, classes := decompose(text, decomposed)
		if compose {
			runes = recompose(runes, classes)
		}
		return string(runes)
	}
}

// longRun reports a run of combining marks near the library's limit.
func longRun(text string) bool {
	run := 0
	for i := 0; i < len(text); {
		if text[i] < utf8.RuneSelf {
			run = 0
			i++
			continue
		}
		p := norm.NFKD.PropertiesString(text[i:])
		if run++; p.LeadCCC() == 0 {
			run = 0 // itself a starter, though it may bring marks
		}
		if run > 8 { // each may be three when taken apart
			return true
		}
		i += p.Size()
	}
	return false
}

// decompose returns the characters of text, taken apart and in canonical
// order, and their combining classes.
func decompose(text string, form norm.Form) (runes []rune, classes []uint8) {
	for _, r := range text {
		for _, d := range form.String(string(r)) {
			class := form.PropertiesString(string(d)).CCC()
			at := len(runes)
			for class > 0 && at > 0 && classes[at-1] > class {
				at-- // marks of one class keep their order
			}
			runes = slices.Insert(runes, at, d)
			classes = slices.Insert(classes, at, class)
		}
	}
	return runes, classes
}

// recompose joins every mark with the starter before it if there is a character
// for both and no mark between them of the same class or a higher one.
func recompose(runes []rune, classes []uint8) []rune {
	out := runes[:0]
	starter := -1 // index in out
	last := -1    // class of the mark before this one since the starter, -1: none
	for i, r := range runes {
		class := int(classes[i])
		if starter >= 0 && last < class {
			pair := norm.NFC.String(string(out[starter]) + string(r))
			if joined, size := utf8.DecodeRuneInString(pair); size == len(pair) {
				out[starter] = joined
				continue
			}
		}
		if class == 0 {
			starter, last = len(out), -1
		} else {
			last = class
		}
		out = append(out, r)
	}
	return out
}
