package photo

import (
	"encoding/binary"
	"io"
	"strings"
	"time"
)

// Tags of TIFF 6.0 and EXIF 2.32 that are read.
const (
	tagOrientation        = 0x0112
	tagThumbnail          = 0x0201 // JPEGInterchangeFormat
	tagThumbnailLength    = 0x0202
	tagExifIFD            = 0x8769
	tagDateTimeOriginal   = 0x9003
	tagOffsetTimeOriginal = 0x9011
)

// Bounds on what a file can make the reader do. Real files stay far below.
const (
	maxSegments  = 1 << 10 // of a JPEG or WebP
	maxChunks    = 1 << 16 // of a PNG, whose data may come in chunks of 8 KB
	maxEntries   = 1 << 10 // of a directory
	maxThumbnail = 1 << 20 // bytes, and pixels
)

// exif is what is read of an EXIF block.
type exif struct {
	orientation int // 1 … 8
	taken       time.Time
	thumbnail   *io.SectionReader // a JPEG, turned as the picture is; nil if there is none
}

var noExif = exif{orientation: 1}

// readExif reads a block, which is a small TIFF file: IFD0, the EXIF directory
// it points to, and the thumbnail's IFD1 behind it. Each is visited once, so
// loops of pointers end; counts and offsets that lie beyond the block end the
// reading of that part. A broken block is as good as none: it is the picture
// that counts.
func readExif(r *io.SectionReader) exif {
	if r == nil {
		return noExif
	}
	b, ok := openBlock(r)
	if !ok || b.version != versionTIFF {
		return noExif
	}
	e := b.exif()
	if e.orientation == 0 {
		e.orientation = 1
	}
	return e
}

// openBlock reads the beginning of a block.
func openBlock(r *io.SectionReader) (b block, ok bool) {
	var head [8]byte
	if _, err := r.ReadAt(head[:], 0); err != nil {
		return b, false
	}
	b.r = r
	if b.order = byteOrder(head[:2]); b.order == nil {
		return b, false
	}
	b.version, b.first = b.order.Uint16(head[2:]), b.order.Uint32(head[4:])
	return b, true
}

// byteOrder returns the order that "II" or "MM" stands for, nil for others.
func byteOrder(mark []byte) binary.ByteOrder {
	switch string(mark) {
	case "II":
		return binary.LittleEndian
	case "MM":
		return binary.BigEndian
	}
	return nil
}

// exif reads the first directory, the EXIF directory it points to, and the
// thumbnail's behind it. The orientation is 0 if the block does not say one.
func (b block) exif() exif {
	var e exif
	main := b.directory(int64(b.first))
	if v, ok := main.number(tagOrientation); ok && v >= 1 && v <= 8 {
		e.orientation = int(v)
	}
	if at, ok := main.number(tagExifIFD); ok {
		e.taken = b.directory(int64(at)).taken()
	}
	if main.next != 0 {
		second := b.directory(int64(main.next))
		at, ok := second.number(tagThumbnail)
		n, ok2 := second.number(tagThumbnailLength)
		if ok && ok2 && n > 0 && n <= maxThumbnail && int64(at)+int64(n) <= b.r.Size() {
			e.thumbnail = io.NewSectionReader(b.r, int64(at), int64(n))
		}
	}
	return e
}

// taken returns the date in an EXIF directory, the zero time if there is none.
func (d directory) taken() time.Time {
	return clock(d.text(tagDateTimeOriginal), d.text(tagOffsetTimeOriginal))
}

// clock returns the time written as "2006:01:02 15:04:05", in the zone written
// as "+02:00", and the zero time for anything else, such as all zeros or blanks.
func clock(date, zone string) time.Time {
	t, err := time.Parse("2006:01:02 15:04:05", date)
	if err != nil {
		return time.Time{}
	}
	if z, err := time.Parse("-07:00", zone); err == nil {
		_, seconds := z.Zone()
		return t.Add(-time.Duration(seconds) * time.Second).In(time.FixedZone(zone, seconds))
	}
	return t
}

// A block is an EXIF block; offsets count from its first byte.
type block struct {
	r       *io.SectionReader
	order   binary.ByteOrder
	version uint16 // says TIFF, or stands for a camera's own format
	first   uint32 // offset of the first directory
}

const versionTIFF = 42

// A directory is an IFD: entries of 12 bytes each (tag, type, count, and the
// value or its offset), and the offset of the next directory.
type directory struct {
	block
	entries []byte
	next    uint32
}

// directory returns the IFD at offset at, empty if it does not fit the block.
func (b block) directory(at int64) directory {
	d := directory{block: b}
	var word [4]byte
	if _, err := b.r.ReadAt(word[:2], at); err != nil {
		return d
	}
	n := 12 * int64(b.order.Uint16(word[:]))
	if n > 12*maxEntries || at+2+n > b.r.Size() {
		return d
	}
	d.entries = make([]byte, n)
	if _, err := b.r.ReadAt(d.entries, at+2); err != nil && err != io.EOF {
		d.entries = nil
		return d
	}
	if _, err := b.r.ReadAt(word[:], at+2+n); err == nil {
		d.next = b.order.Uint32(word[:])
	}
	return d
}

// find returns type, count and the four value bytes of tag.
func (d directory) find(tag uint16) (kind uint16, count uint32, value []byte, ok bool) {
	for e := d.entries; len(e) >= 12; e = e[12:] {
		if d.order.Uint16(e) == tag {
			return d.order.Uint16(e[2:]), d.order.Uint32(e[4:]), e[8:12], true
		}
	}
	return 0, 0, nil, false
}

// number returns a single BYTE, SHORT, LONG or IFD.
func (d directory) number(tag uint16) (uint32, bool) {
	kind, count, value, ok := d.find(tag)
	if !ok || count != 1 {
		return 0, false
	}
	switch kind {
	case 1:
		return uint32(value[0]), true
	case 3:
		return uint32(d.order.Uint16(value)), true
	case 4, 13:
		return d.order.Uint32(value), true
	}
	return 0, false
}

// text returns an ASCII value of 5 to 64 bytes without its end mark, "" if
// there is none. (Up to 4 bytes would lie in the entry; no text read here does.)
func (d directory) text(tag uint16) string {
	kind, count, value, ok := d.find(tag)
	if !ok || kind != 2 || count < 5 || count > 64 {
		return ""
	}
	s := make([]byte, count)
	if _, err := d.r.ReadAt(s, int64(d.order.Uint32(value))); err != nil && err != io.EOF {
		return ""
	}
	return strings.TrimRight(string(s), "\x00 ")
}

// exifInTIFF: a TIFF file is an EXIF block itself.
func exifInTIFF(r *io.SectionReader) *io.SectionReader { return r }

// exifInJPEG returns the content of the APP1 segment "Exif" before the scan.
func exifInJPEG(r *io.SectionReader) (block *io.SectionReader) {
	segments(r, func(marker byte, body *io.SectionReader) bool {
		if marker != 0xe1 {
			return true
		}
		var head [6]byte // "Exif\0" and a pad byte
		if _, err := body.ReadAt(head[:], 0); err == nil && string(head[:5]) == "Exif\x00" {
			block = io.NewSectionReader(body, 6, body.Size()-6)
		}
		return block == nil
	})
	return block
}

// segments calls visit with the segments of a JPEG before the scan, until it
// returns false.
func segments(r *io.SectionReader, visit func(marker byte, body *io.SectionReader) bool) {
	at := int64(2)
	var head [4]byte // FF, marker, length with its own two bytes
	for range maxSegments {
		if n, _ := r.ReadAt(head[:], at); n < 4 || head[0] != 0xff {
			return
		}
		marker, length := head[1], int64(binary.BigEndian.Uint16(head[2:]))
		switch {
		case marker == 0xff: // fill byte
			at++
			continue
		case marker == 0xda || marker == 0xd9 || length < 2: // scan, end
			return
		}
		if !visit(marker, io.NewSectionReader(r, at+4, length-2)) {
			return
		}
		at += 2 + length
	}
}

// exifInPNG returns the content of the eXIf chunk, which may stand behind the
// picture's data.
func exifInPNG(r *io.SectionReader) *io.SectionReader {
	at := int64(8)
	var head [8]byte
	for range maxChunks {
		if _, err := r.ReadAt(head[:], at); err != nil {
			return nil
		}
		n := int64(binary.BigEndian.Uint32(head[:]))
		if string(head[4:]) == "eXIf" {
			return io.NewSectionReader(r, at+8, n)
		}
		at += 8 + n + 4 // and a checksum
	}
	return nil
}

// exifInWebP returns the content of the EXIF chunk. Some writers put the
// prefix of JPEG in front.
func exifInWebP(r *io.SectionReader) *io.SectionReader {
	at := int64(12)
	var head [14]byte
	for range maxSegments {
		n, _ := r.ReadAt(head[:], at)
		if n < 8 {
			return nil
		}
		length := int64(binary.LittleEndian.Uint32(head[4:]))
		if string(head[:4]) == "EXIF" {
			if n == len(head) && length >= 6 && string(head[8:13]) == "Exif\x00" {
				return io.NewSectionReader(r, at+14, length-6)
			}
			return io.NewSectionReader(r, at+8, length)
		}
		at += 8 + length + length&1
	}
	return nil
}
