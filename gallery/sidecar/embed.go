package sidecar

import (
	"errors"
	"io"
	"slices"
	"strings"
)

// Embed returns a JPEG in which the tags are as the change says, as Edit does it
// with a sidecar: in the XMP packet, which a photo that has none gets, and in the
// keywords of IPTC if there are any, whose digest is kept consistent. All other
// segments, the picture and what follows it keep every byte, but for the offsets
// of further pictures (MPF), which move with them. EXIF is never changed. With
// the last tag that was set the file is what it was, to the byte.
//
// A photo that cannot be edited like that is refused; the error says why.
func Embed(photo []byte, c Change) ([]byte, error) {
	e, err := openEnvelope(string(photo))
	if err != nil {
		return nil, err
	}
	if _, err := e.end(); err != nil {
		return nil, err
	}
	own, others, err := e.values()
	if err != nil {
		return nil, err
	}
	c.coding = e.iptc.coding
	s, err := settle(own, c, []File{{fileElsewhere, others}})
	if err != nil || s.same {
		return photo, err
	}
	before, after, err := e.edit(s, Marks(own))
	if err != nil {
		return nil, err
	}
	base, err := e.with(before.packet, before.iptc)
	if err != nil {
		return nil, err
	}
	file, err := e.with(after.packet, after.iptc)
	if err != nil {
		return nil, err
	}
	return []byte(file), e.verify(file, base, before, append(s.written(), others...))
}

// Embeddable returns why a JPEG cannot take in tags, as far as what is before
// its picture tells; nil if it can, as it seems.
func Embeddable(path string) error {
	f, err := open(path)
	if err != nil {
		return &Error{path, -1, cause(err)}
	}
	defer f.Close()
	for size := 1 << 18; ; size *= 8 { // a head is seldom longer
		text, err := io.ReadAll(io.LimitReader(f, int64(size)))
		if err != nil {
			return &Error{path, -1, cause(err)}
		}
		e, err := openEnvelope(string(text))
		if err == nil {
			_, _, err = e.values()
		}
		if !errors.Is(err, errCut) || len(text) < size || size > maxFile {
			return err
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return &Error{path, -1, cause(err)}
		}
	}
}

// values returns the values of fields that are edited, and keywords in other
// places.
func (e *envelope) values() (own, others []Value, err error) {
	if packet := e.packet.of(e.file); packet != "" {
		if own, err = valuesOf(packet); err != nil {
			return nil, nil, placed(err)
		}
	}
	own = append(own, e.iptc.values()...)
	all, err := valuesIn(e.file)
	if err != nil {
		return nil, nil, err
	}
	if !equalSets(keywords(all), append(keywords(own), texted(all, XPKeywords)...)) {
		return nil, nil, errors.New("it has keywords in extended XMP or in its EXIF, which are not edited")
	}
	return own, texted(all, XPKeywords), nil
}

// valuesIn returns the values of a photo in memory. What is wrong with it is an
// error.
func valuesIn(file string) ([]Value, error) {
	m := metadata{}
	m.read(io.NewSectionReader(strings.NewReader(file), 0, int64(len(file))))
	if len(m.errs) > 0 {
		return nil, m.errs[0].Err
	}
	return m.values, nil
}

// keywords returns the values of keyword fields and the marks.
func keywords(values []Value) []Value {
	return slices.DeleteFunc(slices.Clone(values), func(v Value) bool {
		_, ok := placeOf(v)
		return !ok && v.Field != Provenance
	})
}

// texted returns the values of a field.
func texted(values []Value, f Field) []Value {
	return slices.DeleteFunc(slices.Clone(values), func(v Value) bool { return v.Field != f })
}

// An edition is what is written of a photo.
type edition struct{ packet, iptc string }

// edit returns what is written of a photo without what this program set, and
// after a settlement.
func (e *envelope) edit(s settlement, old []Mark) (before, after edition, err error) {
	packet := e.packet.of(e.file)
	if packet == "" {
		packet = roomy
	}
	if before.packet, after.packet, err = editPacket(packet, s); err != nil {
		return before, after, err
	}
	ours := make(map[place]int)
	for _, m := range old {
		for _, p := range m.places() {
			ours[p]++
		}
	}
	before.iptc = e.iptc.strip(ours, s.reject)
	var words []string
	for _, m := range s.marks {
		if slices.Contains(m.Fields, Keywords) {
			words = append(words, Keywords.spell(split(m.Label, "|")))
		}
	}
	after.iptc, err = e.iptc.insert(before.iptc, words)
	return before, after, err
}

// editPacket returns an XMP packet without what this program set, and after a
// settlement. One that says nothing is none.
func editPacket(packet string, s settlement) (before, after string, err error) {
	s.others = slices.DeleteFunc(slices.Clone(s.others), func(v Value) bool { return v.Field == Keywords })
	d, err := parse(packet)
	if err != nil {
		return "", "", placed(err)
	}
	if err := d.editable(packet); err != nil {
		return "", "", err
	}
	text, err := d.edit(s)
	if err != nil {
		return "", "", err
	}
	s.marks = nil
	base, err := d.edit(s)
	if err != nil {
		return "", "", err
	}
	before, after = d.encoding.encode(base), d.encoding.encode(text)
	if before == roomy {
		before = ""
	}
	if after == roomy {
		after = ""
	}
	return before, after, nil
}

// written returns what is to be read of the fields that are edited.
func (s settlement) written() []Value {
	values := s.after()
	for _, m := range s.marks {
		values = append(values, m.value())
	}
	return values
}

// verify checks an edited photo by reading it again: it has the values that it
// should have, what is not edited is as it was, and taking out what this
// program set gives the file without it.
func (e *envelope) verify(file, base string, before edition, want []Value) error {
	got, err := valuesIn(file)
	if err != nil {
		return err
	}
	if !equalSets(keywords(got), want) {
		return errors.New("the result would not read as it should")
	}
	after, err := openEnvelope(file)
	if err != nil {
		return err
	}
	if !slices.Equal(e.kept(), after.kept()) || e.file[e.scan:] != file[after.scan:] {
		return errors.New("the result would not be the same picture")
	}
	if again, err := after.with(before.packet, before.iptc); err != nil || again != base {
		return errors.New("what is written could not be taken back to the byte")
	}
	return nil
}

// kept are the segments that are not edited, without the numbers that count
// bytes of the file, and what else is in Photoshop's block.
func (e *envelope) kept() (list []string) {
	for _, s := range e.segments {
		text := s.data().of(e.file)
		switch {
		case s.marker == 0xe1 && strings.HasPrefix(text, markXMP):
			continue
		case s.marker == 0xed && strings.HasPrefix(text, markPhotoshop):
			continue
		case s.marker == 0xe2 && strings.HasPrefix(text, markMPF):
			text = text[:min(len(text), len(markMPF)+8)]
		}
		list = append(list, string(s.marker)+text)
	}
	b := &e.iptc
	eachResource(b.block.data, func(id uint16, from, to int) {
		if id != resourceIPTC && !(id == resourceDigest && b.fits) {
			list = append(list, b.block.data[from:to])
		}
	})
	return list
}
