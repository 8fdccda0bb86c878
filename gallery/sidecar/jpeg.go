package sidecar

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strings"
)

// maxSegments bounds the segments of a JPEG that are looked at. 50 MB of
// extended XMP take 800.
const maxSegments = 1 << 12

// What the segments of a JPEG begin with (XMP Specification Part 3).
const (
	markXMP       = "http://ns.adobe.com/xap/1.0/\x00"
	markExtension = "http://ns.adobe.com/xmp/extension/\x00"
	markExif      = "Exif\x00"
	markPhotoshop = "Photoshop 3.0\x00"
)

// jpeg reads the segments before the first scan.
func (m *metadata) jpeg() {
	m.isJPEG = true
	var packets, exif, photoshop []region
	extended := make(map[string]*extension) // by name
	at := int64(2)
	head := make([]byte, 4+len(markExtension)+40)
	for range maxSegments {
		n, _ := m.file.ReadAt(head, at)
		if n < 4 || head[0] != 0xff || head[1] == 0xda || head[1] == 0xd9 {
			break
		}
		marker, length := head[1], int64(binary.BigEndian.Uint16(head[2:]))
		if marker == 0xff { // fill byte
			at++
			continue
		}
		if length < 2 {
			break
		}
		begins, data := string(head[4:n]), region{at + 4, length - 2}
		at += 2 + length
		switch {
		case marker == 0xe1 && strings.HasPrefix(begins, markXMP):
			packets = append(packets, data.behind(len(markXMP)))
		case marker == 0xe1 && strings.HasPrefix(begins, markExtension):
			m.extend(extended, begins[len(markExtension):], data)
		case marker == 0xe1 && strings.HasPrefix(begins, markExif):
			exif = append(exif, data.behind(len(markExif)+1))
		case marker == 0xed && strings.HasPrefix(begins, markPhotoshop):
			photoshop = append(photoshop, data.behind(len(markPhotoshop)))
		}
	}
	for _, r := range packets {
		b, ok := m.take("XMP", r)
		if !ok {
			continue
		}
		name := m.xmp(b)
		if e := extended[name]; e != nil {
			delete(extended, name)
			slices.SortStableFunc(e.chunks, func(a, b chunk) int { return cmp.Compare(a.at, b.at) })
			if b, ok := m.join("extended XMP", e.chunks, e.length); ok {
				m.xmp(b)
			}
		}
	}
	m.resources(photoshop)
	for _, r := range exif {
		m.tiff(r)
	}
}

// resources reads the segments of Photoshop, which splits what is long.
func (m *metadata) resources(segments []region) {
	var chunks []chunk
	at := int64(0)
	for _, r := range segments {
		chunks = append(chunks, chunk{at, r})
		at += r.size
	}
	if b, ok := m.join("Photoshop's block", chunks, at); ok {
		m.photoshop(b)
	}
}

// An extension is XMP that did not fit a segment of a JPEG, in any order.
type extension struct {
	length int64 // in all, as the segments say
	chunks []chunk
}

// A chunk is a part of what is spread over several segments.
type chunk struct {
	at int64 // within the whole
	region
}

// extend notes a segment of extended XMP: a name of 32 letters, the length of
// the whole and the place of this part in it, and the part.
func (m *metadata) extend(extended map[string]*extension, head string, r region) {
	if len(head) < 40 || r.size < int64(len(markExtension)+40) {
		m.fail(r.offset, "extended XMP: the segment is too short")
		return
	}
	name, numbers := head[:32], []byte(head[32:40])
	length, at := int64(binary.BigEndian.Uint32(numbers)), int64(binary.BigEndian.Uint32(numbers[4:]))
	if length == 0 {
		m.fail(r.offset, "extended XMP: its length is 0")
		return
	}
	e := extended[name]
	if e == nil {
		e = &extension{length: length}
		extended[name] = e
	}
	e.chunks = append(e.chunks, chunk{at, r.behind(len(markExtension) + 40)})
}

// join returns the chunks, in their order, as one block of that length. One
// that is there twice is read once.
func (m *metadata) join(what string, chunks []chunk, length int64) (block, bool) {
	if length > maxFile {
		m.fail(chunks[0].offset, "%s is larger than %d MB", what, maxFile>>20)
		return block{}, false
	}
	var whole block
	var text strings.Builder
	for _, c := range chunks {
		if c.at != int64(text.Len()) {
			continue
		}
		b, ok := m.take(what, c.region)
		if !ok {
			return block{}, false
		}
		whole.pieces = append(whole.pieces, piece{text.Len(), c.offset})
		text.WriteString(b.data)
	}
	if int64(text.Len()) != length {
		m.fail(chunks[0].offset, "%s: %d of %d bytes are there", what, text.Len(), length)
		return block{}, false
	}
	whole.data = text.String()
	return whole, true
}
