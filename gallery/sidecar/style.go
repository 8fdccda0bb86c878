package sidecar

import (
	"fmt"
	"strings"
)

// A style is how a document is written, for what is added to it.
type style struct {
	doc        *document
	before     string // white space before a description
	outer      string // white space before the end tag of rdf:RDF, when it has to be made
	between    string // white space before a declaration
	newline    string // "", "\n" or "\r\n"
	indent     string // of a description
	unit       string // of indentation
	quote      string
	rdf        string // prefix of rdf:Description with its colon
	declareRDF bool   // the prefix is not declared around the description
	about      string // the attribute rdf:about with a blank before it
}

func styleOf(d *document) style {
	s := style{doc: d, between: " ", unit: " ", quote: `"`, rdf: "rdf:", about: ` rdf:about=""`}
	indentOf := func(at int) string {
		space := d.withSpace(span{at, at}).of(d.text)
		return space[strings.LastIndexByte(space, '\n')+1:]
	}
	if d.roots > 0 {
		prefix, _, ok := strings.Cut(nameAt(d.text, d.root.open.from+1), ":")
		if s.rdf = prefix + ":"; !ok { // the default namespace, which attributes are not in
			s.rdf, s.declareRDF = s.prefix("rdf", spaceRDF)+":", true
		}
		s.outer = d.withSpace(span{d.root.open.from, d.root.open.from}).of(d.text)
		s.before = s.outer
		if strings.Contains(s.outer, "\n") {
			s.before += s.unit
		}
		s.like(d.root.open)
	}
	s.about = " " + s.rdf + "about=" + s.quote + s.quote
	if n := len(d.descriptions); n > 0 {
		last := d.descriptions[n-1]
		s.before = d.withSpace(span{last.span.from, last.span.from}).of(d.text)
		s.like(last.open)
		if outer, inner := indentOf(d.root.open.from), indentOf(last.span.from); strings.Contains(s.before, "\n") &&
			len(inner) > len(outer) && strings.HasPrefix(inner, outer) {
			s.unit = inner[len(outer):]
		}
	}
	if i := strings.LastIndexByte(s.before, '\n'); i >= 0 {
		s.indent = s.before[i+1:]
		if s.newline = "\n"; i > 0 && s.before[i-1] == '\r' {
			s.newline = "\r\n"
		}
		if len(d.descriptions) == 0 {
			s.between = s.line(2)
		}
	}
	return s
}

// like takes what a start tag says of the style: the quotes, where declarations
// stand, and which resource is described.
func (s *style) like(open span) {
	text := s.doc.text
	t := scanner{text: text, at: open.from}
	if t.next() != nil {
		return
	}
	between := ""
	for _, a := range t.attributes {
		s.quote = text[a.value.to : a.value.to+1]
		if _, ok := declared(a.name); ok && between == "" {
			at := a.span.from
			for isSpace(text[at-1]) {
				at--
			}
			between = text[at:a.span.from]
		}
		if _, local, _ := strings.Cut(a.name, ":"); local == "about" || a.name == "about" {
			s.about = " " + s.rdf + "about=" + text[a.value.from-1:a.value.to+1]
		}
	}
	if between != "" && open != s.doc.root.open {
		s.between = between
	}
}

// line returns the white space before a line that is so much deeper than the
// description.
func (s *style) line(depth int) string {
	if s.newline == "" {
		return ""
	}
	return s.newline + s.indent + strings.Repeat(s.unit, depth)
}

func (s *style) declare(prefix, space string) string {
	return "xmlns:" + prefix + "=" + s.quote + space + s.quote
}

// prefix returns a prefix that nothing but the namespace has in the document:
// the usual one, if possible. To some programs a prefix is the same everywhere.
func (s *style) prefix(usual, space string) string {
	for n := 0; ; n++ {
		prefix := usual
		if n > 0 {
			prefix = fmt.Sprint(usual, n)
		}
		if !s.inUse(prefix, space) {
			return prefix
		}
	}
}

// inUse reports whether a prefix stands for another namespace somewhere.
func (s *style) inUse(prefix, space string) bool {
	rest := s.doc.text
	for {
		_, after, ok := strings.Cut(rest, "xmlns:"+prefix)
		if !ok {
			return false
		}
		rest = after
		value := strings.TrimLeft(after, " \t\r\n")
		if value, ok = strings.CutPrefix(value, "="); !ok {
			continue // a longer prefix
		}
		if value = strings.TrimLeft(value, " \t\r\n"); value == "" {
			continue
		}
		value, _, _ = strings.Cut(value[1:], value[:1])
		if strings.TrimSuffix(value, "/") != space {
			return true
		}
	}
}

// escape returns a text as characters of an element or of an attribute.
func (s *style) escape(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '&':
			b.WriteString("&amp;")
		case r == '<':
			b.WriteString("&lt;")
		case r == '>':
			b.WriteString("&gt;")
		case r == '"' && s.quote == `"`:
			b.WriteString("&quot;")
		case r == '\'' && s.quote == "'":
			b.WriteString("&apos;")
		case r < ' ' || s.doc.ascii && r > '~':
			fmt.Fprintf(&b, "&#x%X;", r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
