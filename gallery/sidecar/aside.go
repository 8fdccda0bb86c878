package sidecar

import (
	"slices"
	"strings"
)

// A property that can take no further value is set aside when one is to be
// added: dc:subject is renamed to sigla:dc-subject, with the project's
// namespace declared behind it, and its values are copied into a new array.
// The name says how it was called, so that it can be put back.

// asideName returns the local name of a property that is set aside, from its
// name as written. Without a prefix, it keeps its name.
func asideName(name string) string { return strings.Replace(name, ":", "-", 1) }

// asideField returns the field that a property of the project's namespace was,
// if it was set aside.
func asideField(local string) (Field, bool) {
	name := local[strings.LastIndexByte(local, '-')+1:]
	for _, row := range fields {
		if row.local == name && (slices.Contains(written, row.field) || slices.Contains(alsoWritten, row.field)) {
			return row.field, true
		}
	}
	return "", false
}

func (p property) isAside() bool {
	_, ok := asideField(p.local)
	return ok && p.space == spaceSigla
}

// names returns where the name of a property stands: in an attribute, or in
// the start tag and the end tag of an element.
func (d *document) names(p *property) []span {
	at := p.span.from
	if !p.attribute {
		at++
	}
	end := at
	for inName[d.text[end]] {
		end++
	}
	list := []span{{at, end}}
	if !p.attribute && !strings.HasSuffix(p.span.of(d.text), "/>") {
		at := p.span.from + strings.LastIndex(p.span.of(d.text), "</") + len("</")
		list = append(list, span{at, at + end - list[0].from})
	}
	return list
}

// setAside renames a property. declare says that the namespace is not declared
// in its start tag.
func (w *inserter) setAside(p *property, declare bool) {
	for i, s := range w.names(p) {
		w.add = append(w.add, splice{s, w.sigla + ":" + asideName(s.of(w.text))})
		if i > 0 || !declare {
			continue
		}
		if p.attribute {
			s = p.span
		}
		w.add = append(w.add, splice{span{s.to, s.to}, " " + w.declare(w.sigla, spaceSigla+"/")})
	}
}

// restore puts a property back under its name.
func (s *stripper) restore(p *property) {
	for _, n := range s.names(p) {
		_, local, _ := strings.Cut(n.of(s.text), ":")
		if i := strings.LastIndexByte(local, '-'); i >= 0 {
			local = local[:i] + ":" + local[i+1:]
		}
		s.cut = append(s.cut, splice{n, local})
	}
	if !p.attribute {
		s.undeclare(p.span)
	}
}
