package query

import (
	"fmt"
	"strconv"
	"strings"
)

// maxWeight is far above what makes sense and keeps sums of vectors finite.
const maxWeight = 1000

// A parser takes one word after the other and builds terms and filters.
type parser struct {
	line    string
	isPhoto func(string) bool
	query   Query

	// The term that is being read.
	operator string // "+" or "-" before it, "" if there is none
	weight   string // as written, "" if there is none
	words    []string
	at       int  // where it starts: the operator, weight or first word
	number   bool // its only word is a number, which a "*" may follow

	filter string // the word before, if it was a filter
}

func (p *parser) errorf(at int, format string, args ...any) error {
	return &Error{Line: p.line, Offset: at, Text: fmt.Sprintf(format, args...)}
}

func (p *parser) word(w word) error {
	if w.open {
		return p.errorf(w.quote, `a quote is not closed: end it with ", and write "" for a quote within it`)
	}
	before := p.filter
	p.filter = ""
	if name, length, ok := w.filterName(); ok {
		return p.addFilter(w, name, length)
	}
	if before != "" && w.begins("<>=") {
		return p.errorf(w.at, "leave out the white space between %s and %s", before, w.text)
	}
	if w.begins("+-") {
		if err := p.operate(w.text[:1], w.at); err != nil {
			return err
		}
		if w = w.from(1); w.text == "" {
			return nil
		}
		if w.begins("+-") {
			return p.errorf(w.at, "two operators follow each other: put a text between them, or quotes around %s", quote(w.text))
		}
	}
	return p.addWord(w)
}

// operate ends the term before an operator and begins the one behind it.
func (p *parser) operate(operator string, at int) error {
	if p.operator != "" && p.weight == "" && len(p.words) == 0 {
		return p.errorf(at, "two operators follow each other: put a text between them, or quotes around %s", quote(operator))
	}
	if err := p.endTerm(); err != nil {
		return err
	}
	p.operator, p.at = operator, at
	return nil
}

// addWord adds a word that is no operator to the term.
func (p *parser) addWord(w word) error {
	if p.operator == "" && p.weight == "" && len(p.words) == 0 {
		p.at = w.at
	}
	if p.number && w.begins("*") {
		p.weight, p.words, p.number = p.words[0], nil, false
		w = w.from(1)
	} else if n := w.weight(); n > 0 && p.weight == "" {
		if len(p.words) == 0 {
			p.weight = w.text[:n]
			w = w.from(n + 1)
		} else if w.text[n] == '*' {
			return p.errorf(w.at, "a weight stands at the start of a term: write + %s, or quotes around it", w.text)
		}
	}
	if w.text == "" && p.weight != "" && len(p.words) == 0 {
		return nil // the text is the next word
	}
	if _, _, ok := w.filterName(); ok {
		return p.errorf(w.at, "a filter has no weight: put quotes around %s if it is a text", quote(w.text))
	}
	p.number = len(p.words) == 0 && p.weight == "" && w.digits() == len(w.text) && w.text != ""
	p.words = append(p.words, w.text)
	return nil
}

// digits returns the length of the number at the start of the word, not quoted.
func (w word) digits() int {
	n := len(w.text) - len(strings.TrimLeft(w.text, "0123456789."))
	if !w.bare(n) || strings.Count(w.text[:n], ".") > 1 || strings.Trim(w.text[:n], ".") == "" {
		return 0
	}
	return n
}

// weight returns the length of the number of the weight that the word begins
// with, or 0.
func (w word) weight() int {
	n := w.digits()
	if n == 0 || !w.bare(n+1) {
		return 0
	}
	rest := w.text[n+1:]
	switch w.text[n] {
	case '*':
		return n
	case ':':
		if rest != "" && (w.quoted[n+1] || rest[0] < '0' || rest[0] > '9') {
			return n
		}
	}
	return 0
}

// endTerm adds the term that was being read, if any, to the query.
func (p *parser) endTerm() error {
	t := Term{Weight: 1, Text: strings.Join(p.words, " ")}
	switch {
	case len(p.words) > 0 && strings.TrimSpace(t.Text) == "":
		return p.errorf(p.at, "a text is empty: write something between its quotes")
	case len(p.words) > 0:
	case p.weight != "":
		return p.errorf(p.at, "nothing follows the weight %s: write a text or the path of a photo behind it", p.weight)
	case p.operator != "":
		return p.errorf(p.at, "nothing follows the %s: write a text or the path of a photo behind it", p.operator)
	default:
		return nil
	}
	if p.weight != "" {
		weight, err := strconv.ParseFloat(p.weight, 64)
		if err != nil || weight <= 0 || weight > maxWeight {
			return p.errorf(p.at, "weight %s: want a number above 0 and at most %d", p.weight, maxWeight)
		}
		t.Weight = weight
	}
	if p.operator == "-" {
		t.Weight = -t.Weight
	}
	t.Photo = p.isPhoto != nil && p.isPhoto(t.Text)
	p.query.Terms = append(p.query.Terms, t)
	p.operator, p.weight, p.words, p.number = "", "", nil, false
	return nil
}

// addFilter adds the filter that a word is. The first length bytes of the word
// are before its value.
func (p *parser) addFilter(w word, name string, length int) error {
	switch {
	case len(p.words) > 0:
	case p.weight != "":
		return p.errorf(w.at, "a filter has no weight: put quotes around %s if it is a text", quote(w.text))
	case p.operator == "-":
		return p.errorf(w.at, "the - before %s is not part of it: write -%[1]s without white space to exclude, or move the filter to the end", w.text)
	case p.operator == "+":
		return p.errorf(w.at, "filters are not added: leave out the + before %s", w.text)
	}
	if w.begins("+") {
		return p.errorf(w.at, "filters are not added: leave out the + before %s", w.text[1:])
	}
	k := kindOf(name)
	if k == nil {
		return p.errorf(w.at, "%s; a text with a colon needs quotes", unknown(name))
	}
	f := filter{kind: k, not: w.begins("-")}
	value := w.from(length)
	if value.text == "" {
		return p.errorf(w.at, "%s: has no value: want %s", name, k.want)
	}
	for _, alternative := range value.split() {
		if alternative.text == "" {
			return p.errorf(w.at, "%s: has an empty value beside a comma: want %s", name, k.want)
		}
		t, ok := k.parse(alternative)
		if !ok {
			return p.errorf(w.at, "%s:%s: want %s", name, alternative.text, k.want)
		}
		f.tests = append(f.tests, t)
	}
	p.query.filters = append(p.query.filters, f)
	p.filter = p.line[w.at:w.end]
	return nil
}
