// Package query is the line in which one says which photos are wanted: what
// they show, as a weighted sum of texts and photos, and filters on what is
// known of them. It knows neither a model nor a file.
//
//	a dog in the snow
//	beach + 0.5*sunset - people tag:italy,spain after:2023
//
// # Grammar
//
//	line        = { item }, with white space between items
//	item        = filter | operator | word
//	operator    = "+" | "-", alone or at the start of a word
//	term        = [ operator ] [ weight ] words up to the next operator
//	weight      = number ( "*" | ":" )
//	filter      = [ "-" ] name ":" alternative { "," alternative }
//	alternative = value [ comparison ] | comparison
//	comparison  = [ ">" | ">=" | "<" | "<=" ] number [ unit ]
//
// White space separates words and is otherwise without meaning. A double quote
// begins, anywhere, a stretch of characters that stand for themselves; two
// quotes within it are one. So "t-shirt - red" is a text, and so are "-5" and
// "http://a". Which characters are quoted is all that quotes change: a photo's
// path is one with and without them.
//
// Words between two operators are one term, joined by single spaces: filters
// among them are taken out. + and - are operators only where a word starts, so
// t-shirt and C++ are words. The weight is a number above 0 and at most 1000,
// written with digits and a point, 1 if there is none. It stands at the start
// of its term; white space may be around its "*". After its ":" comes something
// other than white space or a digit, so 16:9 is a text and 2:dog is not.
//
// A word that starts with two or more of the letters A to Z and a colon is a
// filter or, if no filter has that name, an error. Case does not count in
// names. White space ends a filter. The filters and their values are described
// in docs/QUERIES.md. Several filters must all match, of several alternatives
// one must, and "-" turns the whole filter round: a photo matches a filter or
// its negation, never both.
package query

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A Query is a line that was understood. The zero Query looks for nothing and
// matches every photo.
type Query struct {
	Terms   []Term // in the order of the line; none if it has filters only
	filters []filter
}

// A Term is one thing that photos shall show or, with a weight below 0, shall not.
type Term struct {
	Weight float64 // with its sign; never 0
	Text   string  // the text, or the path of the photo
	Photo  bool
}

// An Error is why a line cannot be understood.
type Error struct {
	Line   string
	Offset int    // bytes of Line before what is wrong
	Text   string // what is wrong, and what would be right
}

func (e *Error) Error() string {
	return fmt.Sprintf("query, character %d: %s", utf8.RuneCountInString(e.Line[:e.Offset])+1, e.Text)
}

// Parse reads a line. isPhoto says of the whole text of a term whether it is
// the path of a photo; nil means that none is. Every error is an *Error.
func Parse(line string, isPhoto func(string) bool) (Query, error) {
	p := parser{line: line, isPhoto: isPhoto}
	for at := 0; ; {
		w, ok := nextWord(line, at)
		if !ok {
			break
		}
		if err := p.word(w); err != nil {
			return Query{}, err
		}
		at = w.end
	}
	if err := p.endTerm(); err != nil {
		return Query{}, err
	}
	return p.query, nil
}

// Filtered reports whether the query has filters.
func (q Query) Filtered() bool { return len(q.filters) > 0 }

// Labels returns the names of labels in the filters, as they are written, each
// once apart from case, in the order of the line.
func (q Query) Labels() []string {
	var names []string
	seen := make(map[string]bool)
	for _, f := range q.filters {
		for _, t := range f.tests {
			if name := Fold(t.label); t.label != "" && !seen[name] {
				seen[name] = true
				names = append(names, t.label)
			}
		}
	}
	return names
}

// Match reports whether a photo passes all filters. Terms do not count.
func (q Query) Match(f *Facts) bool {
	for i := range q.filters {
		if !q.filters[i].match(f) {
			return false
		}
	}
	return true
}

// String returns the query as a line, terms first. Parse makes the same query
// of it, given the same isPhoto, and lines that differ only in white space,
// needless quotes or the writing of weights have one String.
func (q Query) String() string {
	var parts []string
	for i, t := range q.Terms {
		text := quoteText(t.Text)
		if w := max(t.Weight, -t.Weight); w != 1 {
			text = strconv.FormatFloat(w, 'f', -1, 64) + "*" + text
		}
		switch {
		case t.Weight < 0:
			parts = append(parts, "-")
		case i > 0:
			parts = append(parts, "+")
		}
		parts = append(parts, text)
	}
	for _, f := range q.filters {
		parts = append(parts, f.String())
	}
	return strings.Join(parts, " ")
}

// quoteText quotes a text that would not be read as one term otherwise.
func quoteText(text string) string {
	q, err := Parse(text, nil)
	if err == nil && len(q.Terms) == 1 && len(q.filters) == 0 && q.Terms[0] == (Term{Weight: 1, Text: text}) {
		return text
	}
	return quote(text)
}
