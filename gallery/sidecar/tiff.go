package sidecar

import (
	"encoding/binary"
	"strings"
)

// Tags of a TIFF directory that hold metadata.
const (
	tagXMP        = 700
	tagIPTC       = 33723
	tagPhotoshop  = 34377
	tagXPKeywords = 0x9c9e
)

// maxEntries bounds the entries of a TIFF directory.
const maxEntries = 1 << 10

// tagNames are the tags that are read.
var tagNames = map[uint16]string{tagXMP: "XMP", tagIPTC: "IPTC", tagPhotoshop: "Photoshop's block", tagXPKeywords: "XPKeywords"}

// typeSizes are the bytes of a value of each type that these tags come in:
// BYTE, ASCII, SHORT, LONG, UNDEFINED.
var typeSizes = map[uint16]int64{1: 1, 2: 1, 3: 2, 4: 4, 7: 1}

func (m *metadata) tiffFile() { m.tiff(region{0, m.file.Size()}) }

// tiff reads the first directory of a TIFF structure: a whole file, or an EXIF
// block. As in package photo, a block without a readable directory is as good
// as none.
func (m *metadata) tiff(r region) {
	var head [8]byte
	if _, err := m.file.ReadAt(head[:], r.offset); err != nil || r.size < int64(len(head)) {
		return
	}
	order := binary.ByteOrder(binary.LittleEndian)
	switch string(head[:2]) {
	case "II":
	case "MM":
		order = binary.BigEndian
	default:
		return
	}
	at := r.offset + int64(order.Uint32(head[4:]))
	if _, err := m.file.ReadAt(head[:2], at); err != nil {
		return
	}
	entries := make([]byte, 12*min(int(order.Uint16(head[:])), maxEntries))
	n, _ := m.file.ReadAt(entries, at+2)
	found := make(map[uint16]region)
	for i := 0; i+12 <= n; i += 12 {
		e := entries[i : i+12]
		tag := order.Uint16(e)
		size := int64(order.Uint32(e[4:])) * typeSizes[order.Uint16(e[2:])]
		if _, again := found[tag]; again || tagNames[tag] == "" || size == 0 {
			continue
		}
		place := region{at + 2 + int64(i) + 8, size}
		if offset := int64(order.Uint32(e[8:])); size > 4 {
			if offset+size > r.size {
				m.fail(place.offset, "%s: %d bytes at %d lie outside of the directory's %d bytes", tagNames[tag], size, offset, r.size)
				continue
			}
			place.offset = r.offset + offset
		}
		found[tag] = place
	}
	for _, tag := range []uint16{tagXMP, tagIPTC, tagPhotoshop, tagXPKeywords} {
		if place, ok := found[tag]; ok {
			if b, ok := m.take(tagNames[tag], place); ok {
				m.tag(tag, b)
			}
		}
	}
}

// tag reads what a TIFF directory has under a tag.
func (m *metadata) tag(tag uint16, b block) {
	switch tag {
	case tagXMP:
		m.xmp(b)
	case tagIPTC:
		m.iptc(b)
	case tagPhotoshop:
		m.photoshop(b)
	case tagXPKeywords:
		m.xpKeywords(b.data)
	}
}

// xpKeywords reads what Windows writes: UTF-16, always little endian, with ";"
// between words and a zero at the end.
func (m *metadata) xpKeywords(data string) {
	text, _, _ := strings.Cut(fromUTF16(data, binary.LittleEndian), "\x00")
	for word := range strings.SplitSeq(text, ";") {
		m.values, _ = appendValue(m.values, XPKeywords, word, 0)
	}
}
