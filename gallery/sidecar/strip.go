package sidecar

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// A stripper takes out of a document what this program wrote.
type stripper struct {
	*document
	loose   bool // do not put back what was set aside
	cut     []splice
	removed []int  // properties gone, by description
	ours    []bool // descriptions with properties of the project's namespace
}

// strip returns the text of the document without what insert has put in, and
// without the values at rejected places. After an edit it is the exact inverse;
// when another program has written the document since, values are found by what
// they say, and what became empty goes.
func (d *document) strip(reject map[place]bool) (string, error) {
	var text string
	var err error
	aside := slices.ContainsFunc(d.properties, property.isAside)
	for _, loose := range []bool{false, true} {
		s := stripper{document: d, loose: loose, removed: make([]int, len(d.descriptions)), ours: make([]bool, len(d.descriptions))}
		if err = s.run(reject); err != nil {
			return "", err
		}
		if text = d.text; len(s.cut) > 0 {
			text = spliced(d.text, s.cut)
		}
		if !aside {
			break
		}
		// Another program may have moved what was set aside away from the
		// declaration of its prefix. Then its values stay where they were copied to.
		if _, err = parse(text); err == nil {
			break
		}
	}
	return text, err
}

func (s *stripper) run(reject map[place]bool) error {
	ours := make(map[place]int)
	for _, raw := range s.marks {
		for _, p := range s.mark(raw).places() {
			ours[p]++
		}
	}
	for i := range s.properties {
		if p := &s.properties[i]; p.isAside() && !s.loose {
			if err := s.count(p, ours); err != nil {
				return err
			}
		}
	}
	for i := range slices.Backward(s.properties) {
		if err := s.property(&s.properties[i], ours, reject); err != nil {
			return err
		}
	}
	s.envelope()
	return nil
}

// count adds the values of a property that was set aside to those that were
// copied into arrays.
func (s *stripper) count(p *property, ours map[place]int) error {
	field, _ := asideField(p.local)
	texts, err := s.texts(p)
	for _, text := range texts {
		if place, ok := placeOf(Value{field, text}); ok && place.key != "" {
			ours[place]++
		}
	}
	return err
}

// texts returns the plain values of a property.
func (d *document) texts(p *property) ([]string, error) {
	values := p.items
	if p.shape == plain {
		values = []value{p.value}
	}
	var texts []string
	for _, v := range values {
		if v.shape != plain {
			continue
		}
		text, err := d.value(v)
		if err != nil {
			return nil, err
		}
		texts = append(texts, text)
	}
	return texts, nil
}

// property takes out a property, or items of it.
func (s *stripper) property(p *property, ours map[place]int, reject map[place]bool) error {
	if p.space == spaceSigla {
		s.ours[p.description] = true
		if p.isAside() && !s.loose {
			s.restore(p)
		} else {
			s.remove(p)
		}
		if p.local == paddingLocal && p.shape == plain {
			return s.refill(p)
		}
		return nil
	}
	field, ok := fieldOf(p.space, p.local)
	if _, keywords := field.keywords(); !ok || !keywords {
		return nil
	}
	if field == Categories {
		return s.unassign(p, reject)
	}
	values := p.items
	if p.shape == plain {
		values = []value{p.value}
	}
	var gone []splice
	for _, v := range slices.Backward(values) {
		if v.shape != plain {
			continue
		}
		text, err := s.value(v)
		if err != nil {
			return err
		}
		place, _ := placeOf(Value{field, text})
		switch {
		case p.shape >= bag && ours[place] > 0:
			ours[place]--
		case !reject[place]:
			continue
		}
		gone = append(gone, splice{span: s.withSpace(v.span)})
	}
	if len(gone) > 0 && len(gone) == len(values) {
		s.remove(p)
	} else {
		s.cut = append(s.cut, gone...)
	}
	return nil
}

// withSpace returns a span with the white space before it.
func (d *document) withSpace(s span) span {
	for s.from > 0 && isSpace(d.text[s.from-1]) {
		s.from--
	}
	return s
}

func (s *stripper) remove(p *property) {
	s.removed[p.description]++
	s.cut = append(s.cut, splice{span: s.withSpace(p.span)})
}

// unassign takes rejected categories of ACDSee back: Assigned="1" becomes "0".
// The category itself belongs to the tree that the program keeps.
func (s *stripper) unassign(p *property, reject map[place]bool) error {
	values := p.items
	if p.shape == plain {
		values = []value{p.value}
	}
	for _, v := range values {
		if v.shape != plain || len(reject) == 0 {
			continue
		}
		text, err := s.value(v)
		if err != nil {
			return err
		}
		list, err := categories(text)
		if err != nil {
			return err
		}
		for _, c := range list {
			if place, _ := placeOf(Value{Categories, c.path}); reject[place] {
				if at, ok := s.written(v, c.at); ok {
					s.cut = append(s.cut, splice{at, "0"})
				}
			}
		}
	}
	return nil
}

// written returns where the character stands that is byte n of a value.
func (d *document) written(v value, n int) (span, bool) {
	for at := v.characters.from; at < v.characters.to; {
		_, size := utf8.DecodeRuneInString(d.text[at:v.characters.to])
		next := at + size
		switch rest := d.text[at:v.characters.to]; {
		case rest[0] == '&':
			_, size, err := reference(rest, at)
			if err != nil {
				return span{}, false
			}
			next = at + size
		case rest[0] == '<' && !v.quoted: // CDATA is read by decode, comments are nothing
			m := scanner{text: d.text[:v.characters.to], at: at}
			if m.next() != nil {
				return span{}, false
			}
			if open := len("<![CDATA["); m.kind == tokenCDATA && n < m.span.to-at-open-len("]]>") {
				return span{at + open + n, at + open + n + 1}, true
			}
			next = m.span.to
		case strings.HasPrefix(rest, "\r\n"):
			next = at + 2
		}
		text, err := decode(d.text, span{at, next}, v.quoted)
		if err != nil {
			return span{}, false
		}
		if n < len(text) {
			return span{at, next}, true
		}
		n -= len(text)
		at = next
	}
	return span{}, false
}

// envelope takes out elements that became empty, and declarations of the
// project's namespace.
func (s *stripper) envelope() {
	voids := 0
	for i := range s.descriptions {
		d := &s.descriptions[i]
		if s.void(i) {
			voids++
			s.replace(s.withSpace(d.span), "")
			continue
		}
		if s.ours[i] {
			s.undeclare(d.open)
		}
	}
	if voids == 0 || voids < len(s.descriptions) {
		return
	}
	e := s.root
	rest, at := "", e.inner.from
	for _, d := range s.descriptions {
		rest += s.text[at:d.span.from]
		at = d.span.to
	}
	switch {
	case strings.TrimSpace(rest+s.text[at:e.inner.to]) != "":
		return
	case s.declares(e.open):
		s.replace(e.span, "")
		if e = s.meta; !s.closedByUs(e) || e.inner != s.root.span {
			return
		}
	case !s.closedByUs(e):
		return
	}
	s.replace(span{e.open.to - 1, e.span.to}, "/>")
}

// replace puts a text in the place of a span and of all cuts within it.
func (s *stripper) replace(whole span, text string) {
	s.cut = slices.DeleteFunc(s.cut, func(c splice) bool { return c.from >= whole.from && c.to <= whole.to })
	s.cut = append(s.cut, splice{whole, text})
}

// void reports whether nothing of a description is left.
func (s *stripper) void(description int) bool {
	d := &s.descriptions[description]
	rest, at, n := "", d.inner.from, 0
	for i := range s.properties {
		p := &s.properties[i]
		if p.description != description {
			continue
		}
		if n++; !p.attribute {
			rest += s.text[at:p.span.from]
			at = p.span.to
		}
	}
	return n > 0 && n == s.removed[description] && strings.TrimSpace(rest+s.text[at:d.inner.to]) == ""
}

// closedByUs: an element that was <a/> gets the end tag </a >.
func (d *document) closedByUs(e element) bool { return strings.HasSuffix(e.span.of(d.text), " >") }

// declaration returns the attribute of a start tag that declares the project's
// namespace.
func (d *document) declaration(open span) (attribute, bool) {
	s := scanner{text: d.text, at: open.from}
	if s.next() != nil || s.kind != tokenStart {
		return attribute{}, false
	}
	for _, a := range s.attributes {
		if _, ok := declared(a.name); ok && strings.TrimSuffix(a.value.of(d.text), "/") == spaceSigla {
			return a, true
		}
	}
	return attribute{}, false
}

func (d *document) declares(open span) bool { _, ok := d.declaration(open); return ok }

func (s *stripper) undeclare(open span) {
	if a, ok := s.declaration(open); ok {
		s.cut = append(s.cut, splice{span: s.withSpace(a.span)})
	}
}
