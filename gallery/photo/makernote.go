package photo

import (
	"bytes"
	"io"
)

const tagMakerNote = 0x927c

// makerNotes are directories that makers keep inside the EXIF directory, and
// where in them the place of a preview stands. They are known by how they
// begin; the last one, of later Sony cameras, begins with its directory.
var makerNotes = []struct {
	begin     string
	order     int64  // where its byte order stands; 0: that of the file
	base      int64  // what offsets count from: a byte of the note, -1: the file
	directory int64  // where its directory begins
	inner     uint16 // tag of the directory inside it that has the preview, if it is not the note's
	offset    uint16
	length    uint16 // 0: the preview is the value of offset
}{
	{"Nikon\x00\x02", 10, 10, 18, 0x0011, 0x0201, 0x0202},
	{"OLYMPUS\x00", 8, 0, 12, 0x2020, 0x0101, 0x0102},
	{"OM SYSTEM\x00", 12, 0, 16, 0x2020, 0x0101, 0x0102},
	{"OLYMP\x00", 0, -1, 8, 0x2020, 0x0101, 0x0102},
	{"PENTAX \x00", 8, -1, 10, 0, 0x0004, 0x0003},
	{"AOC\x00", 4, -1, 6, 0, 0x0004, 0x0003},
	{"SONY ", 0, -1, 12, 0, 0x2001, 0},
	{"", 0, -1, 0, 0, 0x2001, 0},
}

// addMakerNote adds the preview of the maker note of main, the first directory.
func (w *raw) addMakerNote(b block, main directory) {
	at, ok := main.number(tagExifIFD)
	if !ok {
		return
	}
	kind, count, value, ok := b.directory(int64(at)).find(tagMakerNote)
	if !ok || kind != 7 || count < 18 {
		return
	}
	note := int64(b.order.Uint32(value))
	head := make([]byte, 18)
	if _, err := b.r.ReadAt(head, note); err != nil && err != io.EOF {
		return
	}
	for _, m := range makerNotes {
		if !bytes.HasPrefix(head, []byte(m.begin)) {
			continue
		}
		inside := block{r: b.r, order: b.order}
		if m.order > 0 {
			if order := byteOrder(head[m.order:][:2]); order != nil {
				inside.order = order
			}
		}
		base := int64(0)
		if m.base >= 0 {
			base = note + m.base
		}
		d := inside.directory(note + m.directory)
		if m.inner != 0 {
			// A number, or by older cameras the directory itself as a value.
			kind, count, value, ok := d.find(m.inner)
			if !ok || kind != 7 && count != 1 {
				return
			}
			d = inside.directory(base + int64(d.order.Uint32(value)))
		}
		w.addFrom(d, m.offset, m.length, base)
		return
	}
}
