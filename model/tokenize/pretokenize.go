package tokenize

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// metaspaceRune stands for a space in SentencePiece's pieces.
const metaspaceRune = '▁'

// A preTokenizer cuts text into words, which the model encodes one by one, and
// appends them to words. first tells that text stands at the very beginning.
type preTokenizer func(words []string, text string, first bool) []string

// preTokenizerFile is a pre_tokenizer of a tokenizer.json, of any type.
type preTokenizerFile struct {
	Type           string
	Pretokenizers  []json.RawMessage // Sequence
	Replacement    string            // Metaspace
	PrependScheme  string            `json:"prepend_scheme"`
	AddPrefixSpace *bool             `json:"add_prefix_space"` // an older form of it; ByteLevel
	Split          *bool
	Pattern        json.RawMessage // Split
	Behavior       string
	Invert         bool
	UseRegex       *bool `json:"use_regex"` // ByteLevel
}

// parsePreTokenizer reads the pre_tokenizer of a tokenizer.json. It returns
// nil for none.
func parsePreTokenizer(raw json.RawMessage) (preTokenizer, error) {
	if isNull(raw) {
		return nil, nil
	}
	var p preTokenizerFile
	if err := json.Unmarshal(raw, &p); err != nil {
		return nil, err
	}
	switch p.Type {
	case "Sequence":
		return parseSteps(p.Pretokenizers)
	case "WhitespaceSplit":
		return func(words []string, text string, _ bool) []string {
			return append(words, strings.Fields(text)...)
		}, nil
	case "Metaspace":
		return p.metaspace()
	case "Split":
		return p.splitter()
	case "ByteLevel":
		return byteLevel{isTrue(p.AddPrefixSpace), isTrue(p.UseRegex)}.cut, nil
	}
	return nil, fmt.Errorf("unknown type %q", p.Type)
}

// isTrue reads a setting whose default is true.
func isTrue(setting *bool) bool { return setting == nil || *setting }

func (p preTokenizerFile) metaspace() (preTokenizer, error) {
	m := metaspace{mark: p.Replacement, prepend: p.PrependScheme, split: isTrue(p.Split)}
	switch m.prepend {
	case "always", "first", "never":
	case "":
		m.prepend = "always"
		if !isTrue(p.AddPrefixSpace) {
			m.prepend = "never"
		}
	default:
		return nil, fmt.Errorf("metaspace: unknown prepend_scheme %q", m.prepend)
	}
	if m.mark == "" {
		return nil, errors.New("metaspace: replacement is missing")
	}
	return m.cut, nil
}

func (p preTokenizerFile) splitter() (preTokenizer, error) {
	literal, re, err := parsePattern(p.Pattern)
	if err != nil {
		return nil, err
	}
	s := splitter{literal: literal, re: re, words: p.Invert}
	switch p.Behavior {
	case "Removed":
	case "MergedWithPrevious":
		s.keep = true
	default:
		return nil, fmt.Errorf("split: behavior %q is not supported", p.Behavior)
	}
	return s.cut, nil
}

// parseSteps makes one pre-tokenizer of several: each cuts the words of the
// one before it.
func parseSteps(raws []json.RawMessage) (preTokenizer, error) {
	var steps []preTokenizer
	for _, raw := range raws {
		step, err := parsePreTokenizer(raw)
		if err != nil {
			return nil, err
		}
		if step != nil {
			steps = append(steps, step)
		}
	}
	return func(words []string, text string, first bool) []string {
		list := []string{text}
		for _, step := range steps {
			var next []string
			for i, word := range list {
				next = step(next, word, first && i == 0)
			}
			list = next
		}
		return append(words, list...)
	}, nil
}

// metaspace writes spaces as a mark and puts one before the text, so that a
// word has the same pieces at the beginning as elsewhere.
type metaspace struct {
	mark    string
	prepend string // "always", "first" or "never"
	split   bool   // each mark begins a word
}

func (m metaspace) cut(words []string, text string, first bool) []string {
	if text == "" {
		return words
	}
	if m.prepend == "first" && !first {
		m.prepend = "never"
	}
	text = m.replace(text)
	for m.split {
		// The next mark after the first byte of this word.
		at := strings.Index(text[1:], m.mark)
		if at < 0 {
			break
		}
		words = append(words, text[:at+1])
		text = text[at+1:]
	}
	return append(words, text)
}

// replace puts the marks into text.
func (m metaspace) replace(text string) string {
	text = strings.ReplaceAll(text, " ", m.mark)
	if m.prepend != "never" && text != "" && !strings.HasPrefix(text, m.mark) {
		text = m.mark + text
	}
	return text
}

// splitter cuts text by a pattern.
type splitter struct {
	literal string // the pattern, unless re is set
	re      *regexp.Regexp
	words   bool // what matches are the words, and what lies between separates
	keep    bool // a separator stays with the word before it, else it goes
}

func (s splitter) cut(list []string, text string, _ bool) []string {
	start := -1 // of the last word, -1 if there is none to keep a separator
	add := func(from, to int, word bool) {
		switch {
		case from == to:
		case word || s.keep && start < 0:
			list = append(list, text[from:to])
			if start = from; !word {
				start = -1
			}
		case s.keep:
			list[len(list)-1] = text[start:to]
			start = -1
		}
	}
	done := 0
	for done < len(text) {
		from, to := s.find(text[done:])
		if from < 0 {
			break
		}
		add(done, done+from, !s.words)
		add(done+from, done+to, s.words)
		done += to
	}
	add(done, len(text), !s.words)
	return list
}

// find returns the first match that is not empty, or -1.
func (s splitter) find(text string) (from, to int) {
	if s.re == nil {
		from = strings.Index(text, s.literal)
		return from, from + len(s.literal)
	}
	for at := 0; at < len(text); {
		m := s.re.FindStringIndex(text[at:])
		if m == nil {
			break
		}
		if m[0] < m[1] {
			return at + m[0], at + m[1]
		}
		_, width := utf8.DecodeRuneInString(text[at+m[1]:])
		at += m[1] + width
	}
	return -1, -1
}
