package sidecar

import "strings"

// values returns the values of all fields, in the order of the text. The error
// is a fault, whose place counts in the file that was parsed.
func (d *document) values() ([]Value, error) {
	var list []Value
	for i := range d.properties {
		p := &d.properties[i]
		field, ok := fieldOf(p.space, p.local)
		if !ok {
			continue
		}
		// Any kind of array will do, and a single value for one.
		values := p.items
		if p.shape == plain {
			values = []value{p.value}
		}
		for _, v := range values {
			if v.shape != plain {
				continue
			}
			text, err := d.value(v)
			if err == nil {
				list, err = appendValue(list, field, text, v.characters.from)
			}
			if err != nil {
				f := err.(*fault)
				return nil, &fault{d.encoding.original(d.text, f.at), f.text}
			}
		}
	}
	for _, raw := range d.marks {
		if m := d.mark(raw); m.Label != "" {
			list = append(list, m.value())
		}
	}
	return list, nil
}

// valuesOf returns the values of an XMP document.
func valuesOf(text string) ([]Value, error) {
	d, err := parse(text)
	if err != nil {
		return nil, err
	}
	return d.values()
}

func fieldOf(space, local string) (Field, bool) {
	for i := range fields {
		if row := &fields[i]; row.local == local && row.space == space {
			return row.field, true
		}
	}
	return "", false
}

// appendValue appends a value unless it is blank. Its characters are at byte at.
func appendValue(list []Value, field Field, text string, at int) ([]Value, error) {
	if strings.TrimSpace(text) == "" {
		return list, nil
	}
	if field != Categories {
		// Cloned, so as not to keep the whole document in memory.
		return append(list, Value{field, strings.Clone(text)}), nil
	}
	assigned, err := categories(text)
	if err != nil {
		return nil, faultAt(at, "acdsee:categories, byte %d: %v", err.(*fault).at, err)
	}
	for _, c := range assigned {
		list = append(list, Value{field, c.path})
	}
	return list, nil
}

// A category is one that is assigned to a photo.
type category struct {
	path string // with "|"
	at   int    // where the 1 of Assigned="1" stands
}

// categories returns the assigned categories of ACDSee, which are elements in
// each other:
//
//	<Categories><Category Assigned="0">animals<Category Assigned="1">owl</Category></Category></Categories>
func categories(text string) ([]category, error) {
	type element struct {
		tag, name string
		place     int // in the list, -1 if it is not assigned
	}
	var list []category
	open := []element{{place: -1}} // around all
	s := scanner{text: text}
	for {
		if err := s.next(); err != nil {
			return nil, err
		}
		top := &open[len(open)-1]
		switch s.kind {
		case tokenEnd:
			if len(open) > 1 {
				return nil, faultAt(s.at, "a category is not closed")
			}
			return list, nil
		case tokenText:
			name, err := decode(text, s.span, false)
			if err != nil {
				return nil, err
			}
			top.name += name
		case tokenStart:
			if len(open) > maxDepth {
				return nil, faultAt(s.span.from, "categories nested deeper than %d", maxDepth)
			}
			c := element{tag: s.name, place: -1}
			for _, a := range s.attributes {
				if a.name == "Assigned" && a.value.of(text) == "1" {
					c.place = len(list)
					list = append(list, category{at: a.value.from})
				}
			}
			if !s.empty {
				open = append(open, c)
			}
		case tokenClose:
			if s.name != top.tag {
				return nil, faultAt(s.span.from, "</%s> ends no category that is open", s.name)
			}
			if top.place >= 0 {
				var names []string
				for _, c := range open[1:] {
					if name := clean(c.name); name != "" { // of Categories: none
						names = append(names, name)
					}
				}
				list[top.place].path = strings.Join(names, "|")
			}
			open = open[:len(open)-1]
		}
	}
}
