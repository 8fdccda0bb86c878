package photo

import (
	"encoding/binary"
	"io"
)

// Boxes of Canon's own inside a CR3 file, which else is an MP4 file
// (ISO/IEC 14496-12).
const (
	uuidCanon   = "\x85\xc0\xb6\x87\x82\x0f\x11\xe0\x81\x11\xf4\xce\x46\x2b\x6a\x48" // in moov: EXIF data, thumbnail
	uuidPreview = "\xea\xf4\x2b\x5e\x1c\x98\x4b\x88\xb9\xfb\xb7\xdc\x40\x6e\x4d\x16"
)

// maxBoxes is the most boxes that are visited; real files have about 100.
const maxBoxes = 1 << 12

// A cr3 is a CR3 file being read.
type cr3 struct {
	raw
	file *io.SectionReader
	left int // boxes that may still be visited
}

// readCR3 reads Canon's CR3. Three of its pictures are JPEGs: a thumbnail, a
// preview of 1620×1080, and one of full size, the sample of the first track;
// the other tracks are the sensor's.
func readCR3(r *io.SectionReader) raw {
	c := &cr3{file: r, left: maxBoxes}
	c.boxes(r, 0, func(kind string, body *io.SectionReader) {
		switch kind {
		case "moov":
			c.boxes(body, 0, c.movie)
		case uuidPreview:
			c.boxes(body, 8, func(kind string, body *io.SectionReader) {
				if kind == "PRVW" {
					c.add(body, 0, body.Size())
				}
			})
		}
	})
	return c.raw
}

// movie reads what is in the moov box.
func (c *cr3) movie(kind string, body *io.SectionReader) {
	switch kind {
	case uuidCanon:
		c.boxes(body, 0, c.canon)
	case "trak":
		var sample struct{ at, size int64 }
		c.tables(body, func(kind string, table *io.SectionReader) {
			var head [20]byte // version and flags; then by kind, big-endian
			n, _ := table.ReadAt(head[:], 0)
			switch {
			case kind == "stsz" && n >= 12: // one size for all, or 0; count; sizes
				if sample.size = int64(binary.BigEndian.Uint32(head[4:])); sample.size == 0 && n >= 16 {
					sample.size = int64(binary.BigEndian.Uint32(head[12:]))
				}
			case kind == "co64" && n >= 16: // count; offsets
				sample.at = int64(binary.BigEndian.Uint64(head[8:]))
			case kind == "stco" && n >= 12:
				sample.at = int64(binary.BigEndian.Uint32(head[8:]))
			}
		})
		c.add(c.file, sample.at, sample.size)
	}
}

// tables visits the boxes of the sample table of a track.
func (c *cr3) tables(track *io.SectionReader, visit func(kind string, body *io.SectionReader)) {
	down := visit
	for _, path := range []string{"stbl", "minf", "mdia"} {
		below := down
		down = func(kind string, body *io.SectionReader) {
			if kind == path {
				c.boxes(body, 0, below)
			}
		}
	}
	c.boxes(track, 0, down)
}

// canon reads the EXIF data, whose directories are a block each, and the
// thumbnail.
func (c *cr3) canon(kind string, body *io.SectionReader) {
	switch kind {
	case "CMT1":
		if b, ok := openBlock(body); ok {
			c.exif.orientation = b.exif().orientation
		}
	case "CMT2":
		if b, ok := openBlock(body); ok {
			c.exif.taken = b.directory(int64(b.first)).taken()
		}
	case "THMB":
		before := len(c.previews)
		c.add(body, 0, body.Size())
		if len(c.previews) > before && c.previews[before].Size() <= maxThumbnail {
			c.exif.thumbnail = c.previews[before]
		}
	}
}

// boxes calls visit with the boxes in r from offset at on: their kind, for
// boxes of kind uuid the 16 bytes of that, and what is inside. A box that does
// not fit ends it.
func (c *cr3) boxes(r *io.SectionReader, at int64, visit func(kind string, body *io.SectionReader)) {
	var head [32]byte // size, kind; 8 bytes of size if that is 1; 16 of uuid
	for ; c.left > 0; c.left-- {
		n, _ := r.ReadAt(head[:], at)
		if n < 8 {
			return
		}
		size, begin, kind := int64(binary.BigEndian.Uint32(head[:])), int64(8), string(head[4:8])
		switch size {
		case 0: // the last one
			size = r.Size() - at
		case 1:
			if n < 16 {
				return
			}
			size, begin = int64(binary.BigEndian.Uint64(head[8:])), 16
		}
		if kind == "uuid" {
			if int64(n) < begin+16 {
				return
			}
			kind = string(head[begin : begin+16])
			begin += 16
		}
		if size > r.Size()-at {
			c.cut = true
			return
		}
		if size < begin {
			return
		}
		visit(kind, io.NewSectionReader(r, at+begin, size-begin))
		at += size
	}
}
