package sidecar

import "strings"

// open handles a start tag: it finds the role of the element and notes where
// its value begins.
func (p *parser) open() error {
	if len(p.frames) > maxDepth {
		return faultAt(p.span.from, "elements nested deeper than %d", maxDepth)
	}
	parent := &p.frames[len(p.frames)-1]
	parent.children = true
	f := frame{role: roleOther, name: p.name, from: p.span.from, inner: p.span.to, bindings: len(p.bindings)}
	if parent.role != roleOther {
		if err := p.bind(); err != nil {
			return err
		}
		space, local, err := p.resolve(p.name, p.span.from, true)
		if err != nil {
			return err
		}
		if err := p.enter(&f, parent, space, local); err != nil {
			return err
		}
	}
	p.frames = append(p.frames, f)
	return nil
}

// enter gives the element its role, which depends on what it stands in.
func (p *parser) enter(f, parent *frame, space, local string) error {
	rdf := space == spaceRDF
	switch parent.role {
	case roleWrapper:
		f.role = roleWrapper
		p.wrap(f, rdf && local == "RDF", space == spaceX)
	case roleRoot:
		f.role = roleNode
		return p.describe(f)
	case roleNode:
		f.role = roleProperty
		err := p.add(property{value: value{span: span{f.from, f.inner}}, space: space, local: local})
		if err != nil {
			return err
		}
		return p.shorthand(f)
	case roleArray:
		if rdf && (local == "li" || strings.HasPrefix(local, "_")) {
			f.role, p.inItem = roleItem, true
			if err := p.count(); err != nil {
				return err
			}
			last := p.last()
			last.items = append(last.items, value{span: span{f.from, f.inner}})
			if p.inMarks {
				p.doc.marks = append(p.doc.marks, nil)
			}
			return p.shorthand(f)
		}
	case roleProperty, roleItem, roleCharacters:
		switch {
		case parent.fields:
			p.field(f, space, local)
		case parent.role == roleCharacters && p.inItem:
			// Nothing but characters is read of an item.
		case rdf && !p.inItem && arrays[local] != plain:
			f.role = roleArray
			last := p.last()
			if last.shape < bag {
				last.array = span{f.from, f.inner}
				last.shape = arrays[local]
			}
		case parent.role != roleCharacters:
			f.role = roleFields
			return p.shorthand(f)
		}
	case roleFields:
		p.field(f, space, local)
	}
	return nil
}

// wrap notes rdf:RDF and x:xmpmeta.
func (p *parser) wrap(f *frame, root, meta bool) {
	whole := span{f.from, f.inner}
	e := element{whole, whole, span{f.inner, f.inner}}
	switch {
	case root:
		f.role = roleRoot
		if p.doc.roots++; p.doc.roots == 1 {
			p.doc.root = e
		}
	case meta && !p.isXMP:
		p.doc.meta = e
	}
	p.isXMP = p.isXMP || root || meta
}

var arrays = map[string]shape{"Bag": bag, "Seq": seq, "Alt": alt}

// field: of the fields of a value, only the characters are read, and those of
// an item of sigla:tags.
func (p *parser) field(f *frame, space, local string) {
	switch {
	case space == spaceRDF && local == "value":
		f.role = roleCharacters
	case space == spaceSigla && p.inMarks && p.inItem:
		f.role = roleMark
		p.markField(rawField{local: local, characters: span{f.inner, f.inner}})
	}
}

// markField adds a field to the last item of sigla:tags.
func (p *parser) markField(f rawField) {
	last := len(p.doc.marks) - 1
	p.doc.marks[last] = append(p.doc.marks[last], f)
}

// close handles the end of the innermost element, whose content ends before
// byte to.
func (p *parser) close(to int) {
	f := p.frames[len(p.frames)-1]
	p.frames = p.frames[:len(p.frames)-1]
	p.bindings = p.bindings[:f.bindings]
	inner := span{f.inner, to}
	switch f.role {
	case roleWrapper:
		if p.doc.meta.open == (span{f.from, f.inner}) {
			p.doc.meta.span.to, p.doc.meta.inner = p.at, inner
		}
	case roleRoot:
		if p.doc.root.open == (span{f.from, f.inner}) {
			p.doc.root.span.to, p.doc.root.inner = p.at, inner
		}
	case roleNode:
		d := &p.doc.descriptions[len(p.doc.descriptions)-1]
		d.span.to, d.inner = p.at, inner
	case roleProperty, roleItem:
		v := p.current()
		v.span.to = p.at
		switch {
		case v.shape >= bag || v.set:
		case f.children:
			v.shape = structure
		default:
			v.characters = inner
		}
		p.inItem = false
	case roleArray:
		if last := p.last(); last.array.from == f.from {
			last.array.to = p.at
		}
	case roleCharacters:
		if !f.children {
			p.current().setCharacters(inner, false)
		}
	case roleMark:
		if mark := p.doc.marks[len(p.doc.marks)-1]; !f.children {
			mark[len(mark)-1].characters = inner
		}
	}
}

func (v *value) setCharacters(s span, quoted bool) {
	v.characters, v.quoted, v.set = s, quoted, true
}

func (p *parser) last() *property { return &p.doc.properties[len(p.doc.properties)-1] }

// current returns the value that is being read: the last property, or the
// item of it that is open.
func (p *parser) current() *value {
	last := p.last()
	if p.inItem {
		return &last.items[len(last.items)-1]
	}
	return &last.value
}

// add appends a property of the last description.
func (p *parser) add(v property) error {
	v.description = len(p.doc.descriptions) - 1
	p.inMarks = v.space == spaceSigla && v.local == marksLocal
	p.doc.properties = append(p.doc.properties, v)
	return p.count()
}

func (p *parser) count() error {
	if p.values++; p.values > maxValues {
		return faultAt(p.span.from, "more than %d values", maxValues)
	}
	return nil
}

// describe adds a description and the properties among its attributes: those
// of any namespace but RDF's and XML's.
func (p *parser) describe(f *frame) error {
	if err := p.count(); err != nil {
		return err
	}
	whole := span{f.from, f.inner}
	p.doc.descriptions = append(p.doc.descriptions, element{span: whole, open: whole})
	return p.eachAttribute(func(a attribute, space, local string) error {
		if space == spaceRDF {
			return nil
		}
		v := value{span: a.span, attribute: true}
		v.setCharacters(a.value, true)
		return p.add(property{value: v, space: space, local: local})
	})
}

// shorthand reads the attributes of an element that holds a value: characters
// of their own, the word that says that fields follow, or fields.
func (p *parser) shorthand(f *frame) error {
	return p.eachAttribute(func(a attribute, space, local string) error {
		switch {
		case space != spaceRDF:
			f.children = true
			if space == spaceSigla && p.inMarks && p.inItem {
				p.markField(rawField{local, a.value, true})
			}
		case local == "parseType":
			f.fields = a.value.of(p.text) == "Resource"
		case local == "value" || local == "resource" && f.role != roleFields:
			p.current().setCharacters(a.value, true)
		}
		return nil
	})
}

// eachAttribute calls visit for the attributes of the start tag that are in a
// namespace, but for those that XML itself defines.
func (p *parser) eachAttribute(visit func(a attribute, space, local string) error) error {
	for _, a := range p.attributes {
		if _, ok := declared(a.name); ok || strings.HasPrefix(a.name, "xml:") {
			continue
		}
		space, local, err := p.resolve(a.name, a.span.from, false)
		if err != nil {
			return err
		}
		if space == "" {
			continue
		}
		if err := visit(a, space, local); err != nil {
			return err
		}
	}
	return nil
}

// bind adds the namespaces that the start tag declares.
func (p *parser) bind() error {
	for _, a := range p.attributes {
		prefix, ok := declared(a.name)
		if !ok {
			continue
		}
		if len(p.bindings) == maxBindings {
			return faultAt(a.span.from, "more than %d namespaces", maxBindings)
		}
		space, err := decode(p.text, a.value, true)
		if err != nil {
			return err
		}
		p.bindings = append(p.bindings, binding{prefix, strings.TrimSuffix(space, "/")})
	}
	return nil
}

// declared returns the prefix that an attribute of this name declares; "" is
// the default namespace.
func declared(name string) (prefix string, ok bool) {
	if name == "xmlns" {
		return "", true
	}
	return strings.CutPrefix(name, "xmlns:")
}

// resolve returns the namespace, without a final slash, and the local part of
// a name that stands at byte at. Without a prefix, an element is in the default
// namespace and an attribute in none.
func (p *parser) resolve(name string, at int, element bool) (space, local string, err error) {
	prefix, local, ok := strings.Cut(name, ":")
	if !ok {
		prefix, local = "", name
		if !element {
			return "", local, nil
		}
	}
	for i := len(p.bindings) - 1; i >= 0; i-- {
		if b := &p.bindings[i]; b.prefix == prefix {
			return b.space, local, nil
		}
	}
	return "", "", faultAt(at, "the prefix of %s is not declared", name)
}
