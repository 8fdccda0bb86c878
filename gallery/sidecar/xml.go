package sidecar

import (
	"fmt"
	"strings"
)

// A span is the bytes [from, to) of a text.
type span struct{ from, to int }

func (s span) of(text string) string { return text[s.from:s.to] }

// A fault is what is wrong with a text, and at which byte of it.
type fault struct {
	at   int
	text string
}

func (f *fault) Error() string { return f.text }

func faultAt(at int, format string, args ...any) error {
	return &fault{at, fmt.Sprintf(format, args...)}
}

// maxAttributes bounds the attributes of an element. Camera Raw writes 300.
const maxAttributes = 4096

// A kind is that of a token.
type kind uint8

const (
	tokenEnd kind = iota
	tokenText
	tokenCDATA
	tokenComment
	tokenInstruction // <?target …?>
	tokenStart
	tokenClose
)

// An attribute is one of a start tag.
type attribute struct {
	name  string // as written, with its prefix
	span  span   // from the name to the closing quote
	value span   // what is between the quotes
}

// A scanner cuts a text into the tokens of XML 1.0. It knows where each one is
// and changes nothing. Document types are refused, and with them entities that
// are not XML's own; names are not checked against XML's list of letters.
type scanner struct {
	text string
	at   int // first byte after the token

	// The token.
	kind       kind
	span       span
	name       string      // of a tag, as written; target of an instruction
	attributes []attribute // of a start tag; overwritten by the next one
	empty      bool        // a start tag that is its own end: <a/>
}

// next reads a token. The error is a fault.
func (s *scanner) next() error {
	from := s.at
	rest := s.text[from:]
	switch {
	case rest == "":
		s.token(tokenEnd, from)
	case rest[0] != '<':
		n := strings.IndexByte(rest, '<')
		if n < 0 {
			n = len(rest)
		}
		s.token(tokenText, from+n)
	case strings.HasPrefix(rest, "</"):
		return s.endTag()
	case strings.HasPrefix(rest, "<?"):
		at, err := s.scanName(from + 2)
		if err != nil {
			return err
		}
		s.name = s.text[from+2 : at]
		return s.until(tokenInstruction, at, "?>")
	case strings.HasPrefix(rest, "<!--"):
		return s.until(tokenComment, from+4, "-->")
	case strings.HasPrefix(rest, "<![CDATA["):
		return s.until(tokenCDATA, from+9, "]]>")
	case strings.HasPrefix(rest, "<!"):
		return faultAt(from, "a document type (<!DOCTYPE) is not accepted in XMP")
	default:
		return s.startTag()
	}
	return nil
}

// token makes the bytes up to to a token.
func (s *scanner) token(k kind, to int) {
	s.kind, s.span, s.at = k, span{s.at, to}, to
}

// until makes a token that ends with the mark, which is at or after byte at.
func (s *scanner) until(k kind, at int, mark string) error {
	n := strings.Index(s.text[at:], mark)
	if n < 0 {
		return faultAt(s.at, "no %s ends what begins here", mark)
	}
	s.token(k, at+n+len(mark))
	return nil
}

func (s *scanner) endTag() error {
	at, err := s.scanName(s.at + 2)
	if err != nil {
		return err
	}
	s.name = s.text[s.at+2 : at]
	if at = s.skipSpace(at); at >= len(s.text) || s.text[at] != '>' {
		return faultAt(s.at, "the tag </%s has no end", s.name)
	}
	s.token(tokenClose, at+1)
	return nil
}

func (s *scanner) startTag() error {
	at, err := s.scanName(s.at + 1)
	if err != nil {
		return err
	}
	s.name, s.empty, s.attributes = s.text[s.at+1:at], false, s.attributes[:0]
	for {
		gap := at
		at = s.skipSpace(at)
		rest := s.text[at:]
		switch {
		case rest == "":
			return faultAt(s.at, "the tag <%s has no end", s.name)
		case rest[0] == '>':
			s.token(tokenStart, at+1)
			return nil
		case strings.HasPrefix(rest, "/>"):
			s.empty = true
			s.token(tokenStart, at+2)
			return nil
		case gap == at:
			return faultAt(at, "the tag <%s goes on without white space", s.name)
		case len(s.attributes) == maxAttributes:
			return faultAt(at, "the tag <%s has more than %d attributes", s.name, maxAttributes)
		}
		if at, err = s.attribute(at); err != nil {
			return err
		}
	}
}

// attribute reads the attribute at byte at and returns what follows it.
func (s *scanner) attribute(from int) (int, error) {
	at, err := s.scanName(from)
	if err != nil {
		return 0, err
	}
	a := attribute{name: s.text[from:at]}
	if at = s.skipSpace(at); at >= len(s.text) || s.text[at] != '=' {
		return 0, faultAt(from, "the attribute %s has no value", a.name)
	}
	at = s.skipSpace(at + 1)
	if at >= len(s.text) || s.text[at] != '"' && s.text[at] != '\'' {
		return 0, faultAt(from, "the attribute %s has no value in quotes", a.name)
	}
	n := strings.IndexByte(s.text[at+1:], s.text[at])
	if n < 0 {
		return 0, faultAt(from, "the value of %s has no end", a.name)
	}
	a.value = span{at + 1, at + 1 + n}
	a.span = span{from, a.value.to + 1}
	if n := strings.IndexByte(a.value.of(s.text), '<'); n >= 0 {
		return 0, faultAt(a.value.from+n, "< in the value of %s", a.name)
	}
	s.attributes = append(s.attributes, a)
	return a.span.to, nil
}

// scanName returns where the name at byte at ends.
func (s *scanner) scanName(at int) (int, error) {
	from := at
	for at < len(s.text) && inName[s.text[at]] {
		at++
	}
	if at == from || strings.IndexByte("-.0123456789", s.text[from]) >= 0 {
		return 0, faultAt(from, "no name where one is expected")
	}
	return at, nil
}

func (s *scanner) skipSpace(at int) int {
	for at < len(s.text) && isSpace(s.text[at]) {
		at++
	}
	return at
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

// inName are the bytes a name can have: of ASCII, letters, digits and four
// marks; all others are taken to be parts of letters.
var inName = func() (in [256]bool) {
	for c := range in {
		in[c] = c >= 0x80 || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' ||
			c >= '0' && c <= '9' || c == ':' || c == '_' || c == '-' || c == '.'
	}
	return in
}()
