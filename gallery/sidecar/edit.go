package sidecar

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Edit returns a sidecar in which the tags of the photo are as the change says,
// and every other byte is as it was. If nothing changes, that is the document
// itself.
//
// A tag is written to dc:subject (its last name), lr:hierarchicalSubject and
// digiKam:TagsList, and to MicrosoftPhoto:LastKeywordXMP and
// mediapro:CatalogSets if they are in use; tags that others wrote to some of
// these fields only, or that are known, are copied to the rest, so that whatever
// field a program looks at, it sees all tags. Values join the array that is
// there, in the manner of their neighbours. What is new goes into an
// rdf:Description of its own, with the provenance that says what was written
// (see Mark). With the last tag that was set, all of that goes again and the
// document is what it was, to the byte.
//
// A property that is no array, or an empty one, or one of several of its name,
// cannot take a value. It is set aside: renamed into the project's namespace,
// where it waits to be put back.
//
// What cannot be edited like that is refused: a document that does not parse,
// of several packets, without a place for properties, or in which the result
// would not read as it should. The error says why.
func Edit(doc []byte, c Change) ([]byte, error) {
	if len(doc) > maxFile {
		return nil, fmt.Errorf("larger than %d MB", maxFile>>20)
	}
	data := string(doc)
	d, err := parse(data)
	if err != nil {
		return nil, placed(err)
	}
	values, err := d.values()
	if err != nil {
		return nil, placed(err)
	}
	s, err := settle(values, c, nil)
	if err != nil || s.same {
		return doc, err
	}
	if err := d.editable(data); err != nil {
		return nil, err
	}
	text, err := d.edit(s)
	if err != nil {
		return nil, err
	}
	if text = d.encoding.encode(text); len(text) > maxFile {
		return nil, fmt.Errorf("it would be larger than %d MB", maxFile>>20)
	}
	return []byte(text), nil
}

// placed returns a fault with its place.
func placed(err error) error {
	if f := (*fault)(nil); errors.As(err, &f) {
		return fmt.Errorf("byte %d: %w", f.at, err)
	}
	return err
}

// editable refuses documents whose meaning another program may see otherwise.
func (d *document) editable(data string) error {
	switch {
	case d.packets > 1:
		return fmt.Errorf("it has %d XMP packets; which one counts is not defined", d.packets)
	case d.roots > 1:
		return fmt.Errorf("it has %d elements rdf:RDF; which one counts is not defined", d.roots)
	case d.encoding.encode(d.text) != data:
		return errors.New("it has characters that are not valid UTF-16")
	}
	return nil
}

// edit returns the text of the document after a settlement, checked.
func (d *document) edit(s settlement) (string, error) {
	base, err := d.without(nil)
	if err == nil && len(s.reject) > 0 { // also from what was set aside
		base, err = base.without(s.reject)
	}
	if err != nil {
		return "", placed(err)
	}
	text := base.text
	if len(s.marks) > 0 {
		if text, err = base.insert(s.marks); err != nil {
			return "", err
		}
	}
	return text, base.verify(text, s)
}

// without returns the document that strip leaves.
func (d *document) without(reject map[place]bool) (*document, error) {
	text, err := d.strip(reject)
	if err != nil || text == d.text {
		return d, err
	}
	return d.again(text)
}

// again parses a text that the document became.
func (d *document) again(text string) (*document, error) {
	after, err := parse(text)
	if err == nil {
		after.encoding = d.encoding // the text is decoded
	}
	return after, err
}

// verify checks an edit of the document by reading the result again: it has the
// values that it should have, and it is the document when they are taken out.
func (d *document) verify(text string, s settlement) error {
	before, err := d.values()
	if err != nil {
		return fmt.Errorf("without the tags it would not parse: %w", placed(err))
	}
	want := slices.DeleteFunc(before, func(v Value) bool { _, ok := placeOf(v); return !ok })
	if len(want) != len(s.others) {
		return fmt.Errorf("it has %d other keywords, not %d, without what is to go", len(want), len(s.others))
	}
	for _, m := range s.marks {
		path := split(m.Label, "|")
		for _, f := range m.Fields {
			if f != Keywords { // which is not in XMP
				want = append(want, Value{f, f.spell(path)})
			}
		}
		want = append(want, m.value())
	}
	after, err := d.again(text)
	if err != nil {
		return fmt.Errorf("the result would not parse: %w", placed(err))
	}
	values, err := after.values()
	if err != nil {
		return fmt.Errorf("the result would not parse: %w", placed(err))
	}
	got := slices.DeleteFunc(values, func(v Value) bool {
		_, ok := placeOf(v)
		return !ok && v.Field != Provenance
	})
	if !equalSets(got, want) {
		return errors.New("the result would not read as it should")
	}
	if len(s.marks) == 0 {
		return nil
	}
	again, err := after.strip(nil)
	if err != nil || again != d.text {
		return errors.New("what is written could not be taken back to the byte")
	}
	return nil
}

func equalSets(a, b []Value) bool {
	order := func(v, w Value) int {
		if v.Field != w.Field {
			return strings.Compare(string(v.Field), string(w.Field))
		}
		return strings.Compare(v.Text, w.Text)
	}
	slices.SortFunc(a, order)
	slices.SortFunc(b, order)
	return slices.Equal(a, b)
}

// A splice puts a text in the place of the bytes of a span.
type splice struct {
	span
	text string
}

// spliced returns the text after splices, which do not overlap. Two at one
// place stay in their order.
func spliced(text string, list []splice) string {
	slices.SortStableFunc(list, func(a, b splice) int { return a.from - b.from })
	var b strings.Builder
	at := 0
	for _, s := range list {
		b.WriteString(text[at:s.from])
		b.WriteString(s.text)
		at = s.to
	}
	b.WriteString(text[at:])
	return b.String()
}
