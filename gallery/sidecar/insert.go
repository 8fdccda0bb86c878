package sidecar

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// An inserter puts tags into a document that has none of ours.
type inserter struct {
	*document
	style
	add   []splice
	sigla string // prefix of the project's namespace
	taken int    // bytes of the packet's padding that are used
}

// insert returns the text of the document with the tags of marks, and with the
// marks themselves.
func (d *document) insert(marks []Mark) (string, error) {
	w := inserter{document: d, style: styleOf(d)}
	w.sigla = w.prefix("sigla", spaceSigla)
	texts := make(map[Field][]string)
	for _, m := range marks {
		path := split(m.Label, "|")
		for _, f := range m.Fields {
			texts[f] = append(texts[f], f.spell(path))
		}
	}
	var fresh []array
	aside := make(map[int]bool) // descriptions whose start tag declares sigla for an attribute
	for _, f := range slices.Concat(written, alsoWritten) {
		if len(texts[f]) == 0 || f == Keywords {
			continue
		}
		if p := d.taker(f); p != nil {
			w.extend(p, texts[f])
			continue
		}
		old, err := w.setAsideAll(f, aside)
		if err != nil {
			return "", err
		}
		fresh = append(fresh, array{f, append(old, texts[f]...)})
	}
	return w.place(fresh, marks)
}

// An array is a field with the values of a new property.
type array struct {
	field Field
	texts []string
}

// taker returns the property of a field that values can be added to: an array
// with something in it, and the only one, for of several each program sees
// another. In alternatives, which are of different languages, there is no room
// for more.
func (d *document) taker(f Field) *property {
	var taker *property
	for i := range d.properties {
		p := &d.properties[i]
		if field, ok := fieldOf(p.space, p.local); !ok || field != f {
			continue
		}
		if taker != nil || p.shape != bag && p.shape != seq || len(p.items) == 0 {
			return nil
		}
		taker = p
	}
	return taker
}

// setAsideAll sets all properties of a field aside and returns their values.
func (w *inserter) setAsideAll(f Field, declared map[int]bool) ([]string, error) {
	var texts []string
	for i := range w.properties {
		p := &w.properties[i]
		if field, ok := fieldOf(p.space, p.local); !ok || field != f {
			continue
		}
		more, err := w.texts(p)
		if err != nil {
			return nil, err
		}
		for _, text := range more {
			if strings.TrimSpace(text) != "" {
				texts = append(texts, text)
			}
		}
		w.setAside(p, !p.attribute || !declared[p.description])
		declared[p.description] = declared[p.description] || p.attribute
	}
	return texts, nil
}

// extend adds values to an array, after its last item and like it: on lines of
// their own or not, rdf:li or rdf:_4.
func (w *inserter) extend(p *property, texts []string) {
	last := p.items[len(p.items)-1].span
	space := w.withSpace(last)
	space.to = last.from
	prefix, _, ok := strings.Cut(nameAt(w.text, p.array.from+1), ":")
	if ok {
		prefix += ":"
	} else {
		prefix = ""
	}
	number := 0
	_, local, ok := strings.Cut(nameAt(w.text, last.from+1), "_")
	if ok {
		if _, err := fmt.Sscan(local, &number); err != nil {
			number = 0
		}
	}
	var b strings.Builder
	for i, text := range texts {
		name := prefix + "li"
		if number > 0 {
			name = fmt.Sprint(prefix, "_", number+1+i)
		}
		b.WriteString(space.of(w.text) + "<" + name + ">" + w.escape(text) + "</" + name + ">")
	}
	w.add = append(w.add, splice{span{last.to, last.to}, b.String()})
}

// nameAt returns the name at a byte of a text.
func nameAt(text string, at int) string {
	end := at
	for end < len(text) && inName[text[end]] {
		end++
	}
	return text[at:end]
}

// place adds the description with the new arrays and the marks and returns the
// text. A packet with room in it keeps its length.
func (w *inserter) place(arrays []array, marks []Mark) (string, error) {
	pad := w.padding()
	for {
		end, err := w.enclose(w.before + w.description(arrays, marks))
		if err != nil {
			return "", err
		}
		all := slices.Concat(w.add, end)
		growth := 0
		for _, s := range all {
			growth += len(s.text) - (s.to - s.from)
		}
		switch {
		case growth > pad.most: // there is no room, or not enough
			if w.taken == 0 {
				return spliced(w.text, all), nil
			}
			pad.most, w.taken = 0, 0
		case growth == w.taken:
			return spliced(w.text, append(all, splice{span: span{pad.from, pad.from + growth}})), nil
		default: // the number is a part of what is added
			w.taken = growth
		}
	}
}

// enclose returns the splices that put a description into the document.
func (w *inserter) enclose(description string) ([]splice, error) {
	root, meta := w.root, w.meta
	// What was <a/> becomes <a> … </a >. The blank says so.
	open := func(e element, inner string) []splice {
		return []splice{{span: span{e.open.to - 2, e.open.to - 1}},
			{span{e.span.to, e.span.to}, inner + "</" + nameAt(w.text, e.open.from+1) + " >"}}
	}
	at := root.inner.from
	switch n := len(w.descriptions); {
	case n > 0:
		at = w.descriptions[n-1].span.to
	case w.roots > 0 && root.span == root.open:
		return open(root, description+w.outer), nil
	case w.roots > 0:
	case meta.open.to == 0:
		return nil, errors.New("it has no rdf:RDF")
	default:
		description = "<rdf:RDF " + w.declare("rdf", spaceRDF) + " " + w.declare(w.sigla, spaceSigla+"/") + ">" + description + "</rdf:RDF>"
		if meta.span == meta.open {
			return open(meta, description), nil
		}
		at = meta.inner.from
	}
	return []splice{{span{at, at}, description}}, nil
}

// description returns an rdf:Description with arrays and marks.
func (w *inserter) description(arrays []array, marks []Mark) string {
	var b strings.Builder
	line := func(depth int, text string) { b.WriteString(w.line(depth) + text) }
	b.WriteString("<" + w.rdf + "Description" + w.about)
	declare := func(prefix, space string) { b.WriteString(w.between + w.declare(prefix, space)) }
	if w.declareRDF {
		declare(strings.TrimSuffix(w.rdf, ":"), spaceRDF)
	}
	names := make([]string, len(arrays))
	for i, a := range arrays {
		prefix, local, _ := strings.Cut(string(a.field), ":")
		space := a.field.space()
		prefix = w.prefix(prefix, space)
		names[i] = prefix + ":" + local
		declare(prefix, space+"/")
	}
	declare(w.sigla, spaceSigla+"/")
	if w.taken > 0 {
		b.WriteString(w.between + w.sigla + ":" + paddingLocal + "=" + w.quote + strconv.Itoa(w.taken) + w.quote)
	}
	b.WriteString(">")
	for i, a := range arrays {
		container := w.rdf + "Bag"
		if a.field == TagsList {
			container = w.rdf + "Seq"
		}
		line(1, "<"+names[i]+">")
		line(2, "<"+container+">")
		for _, text := range a.texts {
			line(3, "<"+w.rdf+"li>"+w.escape(text)+"</"+w.rdf+"li>")
		}
		line(2, "</"+container+">")
		line(1, "</"+names[i]+">")
	}
	name := w.sigla + ":" + marksLocal
	line(1, "<"+name+">")
	line(2, "<"+w.rdf+"Bag>")
	for _, m := range marks {
		line(3, "<"+w.rdf+"li")
		for _, a := range m.attributes() {
			b.WriteString(" " + w.sigla + ":" + a[0] + "=" + w.quote + w.escape(a[1]) + w.quote)
		}
		b.WriteString("/>")
	}
	line(2, "</"+w.rdf+"Bag>")
	line(1, "</"+name+">")
	line(0, "</"+w.rdf+"Description>")
	return b.String()
}

// space returns the namespace of a field, without a final slash.
func (f Field) space() string {
	for _, row := range fields {
		if row.field == f {
			return row.space
		}
	}
	return ""
}
