package tokenize

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// An addedToken is a token that is cut out of the text before the model sees
// it: "</s>" and its like.
type addedToken struct {
	ID         int64
	Content    string
	SingleWord bool `json:"single_word"` // not inside a word
	Lstrip     bool // takes the white space before it along
	Rstrip     bool // and after it
	Normalized bool // looked for in the normalized text
	Special    bool
}

// An addedSet finds added tokens in a text.
type addedSet struct {
	tokens []addedToken
	index  *trie // values are indexes of tokens
}

func newAddedSet(tokens []addedToken) *addedSet {
	entries := make([]entry, len(tokens))
	for i, t := range tokens {
		entries[i] = entry{[]byte(t.Content), int32(i)}
	}
	return &addedSet{tokens, newTrie(entries)}
}

// A stretch is a part of a text: an added token, or text between two.
type stretch struct {
	text  string
	id    int32 // of an added token, -1 for text
	first bool  // it stands at the very beginning
}

// split cuts text into stretches, none of them empty: leftmost tokens first,
// of several at one place the longest.
func (a *addedSet) split(list []stretch, text string, first bool) []stretch {
	done := 0 // text[:done] is in list
	between := func(end int) {
		if end > done {
			list = append(list, stretch{text[done:end], -1, first && done == 0})
		}
	}
	for i := 0; i < len(text); i++ {
		k, length := a.index.longest(text[i:])
		if k < 0 || a.tokens[k].SingleWord && insideWord(text, i, i+length) {
			continue
		}
		start, end := i, i+length
		if a.tokens[k].Lstrip {
			start = max(done, len(strings.TrimRightFunc(text[:start], unicode.IsSpace)))
		}
		if a.tokens[k].Rstrip {
			end = len(text) - len(strings.TrimLeftFunc(text[end:], unicode.IsSpace))
		}
		between(start)
		list = append(list, stretch{text[start:end], int32(a.tokens[k].ID), first && start == 0})
		done, i = end, end-1
	}
	between(len(text))
	return list
}

func insideWord(text string, start, end int) bool {
	before, _ := utf8.DecodeLastRuneInString(text[:start])
	after, _ := utf8.DecodeRuneInString(text[end:])
	return isWord(before) || isWord(after)
}

func isWord(r rune) bool {
	return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r)
}
