package photo

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// A tiffFile is a TIFF-like file being written: what a directory points to
// comes before it.
type tiffFile struct {
	order binary.AppendByteOrder
	b     []byte
}

// newTIFF begins a file with the byte order, and the version that stands for a
// format: the first four bytes.
func newTIFF(begin string) *tiffFile {
	f := &tiffFile{order: binary.LittleEndian, b: []byte(begin + "\x00\x00\x00\x00")}
	if begin[0] == 'M' {
		f.order = binary.BigEndian
	}
	return f
}

// A tag is an entry of a directory. Its value is a uint16 (SHORT), a uint32
// (LONG), a []uint32, a string (ASCII) or a []byte (UNDEFINED).
type tag struct {
	id    uint16
	value any
}

// data appends bytes and returns where they are.
func (f *tiffFile) data(b []byte) uint32 {
	at := len(f.b)
	f.b = append(f.b, b...)
	return uint32(at)
}

// directory appends a directory and returns where it is.
func (f *tiffFile) directory(next uint32, tags ...tag) uint32 {
	return f.data(f.encode(next, tags))
}

// reserve keeps room for a directory of n tags, which fill writes.
func (f *tiffFile) reserve(n int) uint32 { return f.data(make([]byte, 2+12*n+4)) }

func (f *tiffFile) fill(at uint32, tags ...tag) {
	d := f.encode(0, tags)
	copy(f.b[at:], d)
}

func (f *tiffFile) encode(next uint32, tags []tag) []byte {
	b := f.order.AppendUint16(nil, uint16(len(tags)))
	for _, t := range tags {
		kind, count, value := f.entry(t.value)
		b = f.order.AppendUint16(b, t.id)
		b = f.order.AppendUint16(b, kind)
		b = f.order.AppendUint32(b, count)
		b = append(b, value...)
	}
	return f.order.AppendUint32(b, next)
}

// entry returns type, count and the four last bytes of an entry.
func (f *tiffFile) entry(v any) (kind uint16, count uint32, value []byte) {
	switch v := v.(type) {
	case uint16:
		return 3, 1, append(f.order.AppendUint16(nil, v), 0, 0)
	case uint32:
		return 4, 1, f.order.AppendUint32(nil, v)
	case []uint32:
		var all []byte
		for _, n := range v {
			all = f.order.AppendUint32(all, n)
		}
		if len(v) == 1 {
			return 4, 1, all
		}
		return 4, uint32(len(v)), f.order.AppendUint32(nil, f.data(all))
	case string:
		return 2, uint32(len(v) + 1), f.order.AppendUint32(nil, f.data([]byte(v+"\x00")))
	case []byte:
		return 7, uint32(len(v)), f.order.AppendUint32(nil, f.data(v))
	}
	panic("no such value")
}

// picture appends a JPEG and returns the two tags that say where it is.
func (f *tiffFile) picture(offset, length uint16, jpeg []byte) []tag {
	return []tag{{offset, f.data(jpeg)}, {length, uint32(len(jpeg))}}
}

// file returns the file, whose first directory is at offset first.
func (f *tiffFile) file(first uint32) []byte {
	f.order.(binary.ByteOrder).PutUint32(f.b[4:], first)
	return f.b
}

// box returns a box of an MP4 file. A kind of 16 bytes is that of a uuid box.
func box(kind string, content ...[]byte) []byte {
	if len(kind) == 16 {
		content = append([][]byte{[]byte(kind)}, content...)
		kind = "uuid"
	}
	all := bytes.Join(content, nil)
	return append(append(binary.BigEndian.AppendUint32(nil, uint32(8+len(all))), kind...), all...)
}

// The pictures of a synthetic raw file, and what else is in there.
type parts struct{ full, middle, small []byte }

func newParts(t testing.TB) parts {
	return parts{asJPEG(t, ramp(120, 80)), asJPEG(t, ramp(60, 40)), asJPEG(t, ramp(16, 12))}
}

// sensorJPEG is the beginning of a lossless JPEG, as it holds the sensor's data
// in CR2 and DNG.
var sensorJPEG = []byte("\xff\xd8\xff\xc4\x00\x04\x00\x00\xff\xc3\x00\x0e\x0e\x0f\xa0\x17\x70\x02\x00\x11\x00\x01\x11\x00\xff\xda\x00\x0a\x02\x00\x00\x01\x00\x01\x00\x00\x12\x34")

// shot are the date and orientation of every synthetic raw file.
const (
	shotDate = "2024:05:06 07:08:09"
	shotTurn = uint16(6)
)

func (f *tiffFile) exif(more ...tag) uint32 {
	return f.directory(0, append([]tag{{tagDateTimeOriginal, shotDate}}, more...)...)
}

// Photometric interpretations and the sensor's strip.
func (f *tiffFile) sensorTags() []tag {
	return []tag{{tagCompression, uint16(1)}, {tagPhotometric, uint16(32803)}, {tagStrip, f.data(make([]byte, 999))}, {tagStripLength, uint32(999)}}
}

// rawFiles returns a file of every raw format, by name.
func rawFiles(t testing.TB) map[string][]byte {
	p := newParts(t)
	return map[string][]byte{
		"CR2": p.cr2(), "CR3": p.cr3(), "NEF": p.nef(), "NRW": p.nrw(), "ARW": p.arw(), "DNG": p.dng(), "ORF": p.orf("IIRO"),
		"ORF big-endian": p.orf("MMOR"), "RW2": p.rw2(), "RAF": p.raf(), "PEF": p.pef(), "SRW": p.srw(),
		"NEF with its preview in the maker note": p.nefNote(), "PEF with its preview in the maker note": p.pefNote(),
		"ORF of an old camera": p.orfOld(), "ARW with its preview in the maker note": p.arwNote(),
	}
}

func join(tags ...[]tag) []tag {
	var all []tag
	for _, t := range tags {
		all = append(all, t...)
	}
	return all
}

func (p parts) cr2() []byte {
	f := newTIFF("II*\x00")
	f.b = append(f.b, "CR\x02\x00\x00\x00\x00\x00"...)
	sensor := f.directory(0, join([]tag{{tagCompression, uint16(6)}}, f.picture(tagStrip, tagStripLength, sensorJPEG))...)
	plain := f.directory(sensor, tag{tagCompression, uint16(1)}, tag{tagPhotometric, uint16(2)}, tag{tagStrip, f.data(make([]byte, 999))}, tag{tagStripLength, uint32(999)})
	small := f.directory(plain, f.picture(tagThumbnail, tagThumbnailLength, p.small)...)
	return f.file(f.directory(small, join([]tag{{tagCompression, uint16(6)}, {tagMake, "Canon"}, {tagOrientation, shotTurn}, {tagExifIFD, f.exif()}},
		f.picture(tagStrip, tagStripLength, p.full))...))
}

func (p parts) nef() []byte {
	f := newTIFF("MM\x00*")
	full := f.directory(0, join([]tag{{tagCompression, uint16(6)}}, f.picture(tagThumbnail, tagThumbnailLength, p.full))...)
	middle := f.directory(0, f.picture(tagThumbnail, tagThumbnailLength, p.middle)...)
	sensor := f.directory(0, f.sensorTags()...)
	return f.file(f.directory(0, tag{tagMake, "NIKON CORPORATION"}, tag{tagModel, "NIKON D850"}, tag{tagOrientation, shotTurn},
		tag{tagSubIFDs, []uint32{full, sensor, middle}}, tag{tagExifIFD, f.exif()}))
}

func (p parts) nefNote() []byte {
	note := newTIFF("MM\x00*") // offsets count from here
	main := note.reserve(1)
	inner := note.directory(0, note.picture(tagThumbnail, tagThumbnailLength, p.full)...)
	note.fill(main, tag{0x0011, inner})
	f := newTIFF("MM\x00*")
	sensor := f.directory(0, f.sensorTags()...)
	exif := f.exif(tag{tagMakerNote, append([]byte("Nikon\x00\x02\x10\x00\x00"), note.file(main)...)})
	return f.file(f.directory(0, tag{tagMake, "NIKON CORPORATION"}, tag{tagOrientation, shotTurn}, tag{tagSubIFDs, []uint32{sensor}}, tag{tagExifIFD, exif}))
}

func (p parts) nrw() []byte {
	f := newTIFF("II*\x00")
	full := f.directory(0, f.picture(tagThumbnail, tagThumbnailLength, p.full)...)
	sensor := f.directory(0, f.sensorTags()...)
	return f.file(f.directory(0, join([]tag{{tagMake, "NIKON"}, {tagModel, "COOLPIX P7000"}, {tagOrientation, shotTurn}, {tagCompression, uint16(6)},
		{tagSubIFDs, []uint32{full, sensor}}, {tagExifIFD, f.exif()}}, f.picture(tagThumbnail, tagThumbnailLength, p.small))...))
}

// arw has the preview of full size behind the thumbnail, as cameras of 2021 and
// later write it.
func (p parts) arw() []byte {
	f := newTIFF("II*\x00")
	sensor := f.directory(0, f.sensorTags()...)
	full := f.directory(0, f.picture(tagThumbnail, tagThumbnailLength, p.full)...)
	small := f.directory(full, f.picture(tagThumbnail, tagThumbnailLength, p.small)...)
	return f.file(f.directory(small, join([]tag{{tagMake, "SONY"}, {tagOrientation, shotTurn}, {tagSubIFDs, []uint32{sensor}}, {tagExifIFD, f.exif()}},
		f.picture(tagThumbnail, tagThumbnailLength, p.middle))...))
}

func (p parts) arwNote() []byte {
	f := newTIFF("II*\x00")
	sensor := f.directory(0, tag{tagCompression, uint16(32767)})
	preview := append(bytes.Repeat([]byte{7}, 32), p.full...) // behind a header of Sony's
	note := append([]byte("SONY DSC \x00\x00\x00"), f.encode(0, []tag{{0x2001, preview}})...)
	small := f.directory(0, f.picture(tagThumbnail, tagThumbnailLength, p.small)...)
	return f.file(f.directory(small, tag{tagMake, "SONY"}, tag{tagOrientation, shotTurn}, tag{tagSubIFDs, []uint32{sensor}}, tag{tagExifIFD, f.exif(tag{tagMakerNote, note})}))
}

func (p parts) dng() []byte {
	f := newTIFF("II*\x00")
	sensor := f.directory(0, join([]tag{{tagCompression, uint16(7)}, {tagPhotometric, uint16(32803)}}, f.picture(tagStrip, tagStripLength, sensorJPEG))...)
	full := f.directory(0, join([]tag{{tagCompression, uint16(7)}, {tagPhotometric, uint16(6)}}, f.picture(tagStrip, tagStripLength, p.full))...)
	small := f.directory(0, join([]tag{{tagCompression, uint16(7)}, {tagPhotometric, uint16(6)}}, f.picture(tagStrip, tagStripLength, p.small))...)
	return f.file(f.directory(0, tag{tagMake, "NIKON CORPORATION"}, tag{tagOrientation, shotTurn}, tag{tagPhotometric, uint16(2)},
		tag{tagSubIFDs, []uint32{sensor, small, full}}, tag{tagExifIFD, f.exif()}, tag{tagDNGVersion, uint32(0x401)}))
}

func (p parts) orf(begin string) []byte {
	f := newTIFF(begin)
	note := newTIFF("OLYMPUS\x00") // offsets count from here
	note.order = f.order
	note.b = append(note.b[:8], "II\x03\x00"...)
	if begin[0] == 'M' {
		copy(note.b[8:], "MM\x00\x03")
	}
	main := note.reserve(1)
	settings := note.directory(0, note.picture(0x0101, 0x0102, p.full)...)
	note.fill(main, tag{0x2020, settings})
	small := f.directory(0, f.picture(tagThumbnail, tagThumbnailLength, p.small)...)
	return f.file(f.directory(small, tag{tagMake, "OLYMPUS CORPORATION"}, tag{tagOrientation, shotTurn}, tag{tagExifIFD, f.exif(tag{tagMakerNote, note.b})}))
}

// orfOld has the settings as a value in the maker note, whose offsets count
// from the beginning of the file.
func (p parts) orfOld() []byte {
	f := newTIFF("IIRS")
	settings := f.encode(0, f.picture(0x0101, 0x0102, p.full))
	note := append([]byte("OLYMP\x00\x01\x00"), f.encode(0, []tag{{0x2020, settings}})...)
	return f.file(f.directory(0, tag{tagOrientation, shotTurn}, tag{tagExifIFD, f.exif(tag{tagMakerNote, note})}))
}

// rw2 has an EXIF block in the preview, which says the same once more.
func (p parts) rw2() []byte {
	f := newTIFF("IIU\x00")
	return f.file(f.directory(0, tag{tagPanasonicJPEG, p.turned(p.full)}, tag{tagMake, "Panasonic"}, tag{tagOrientation, shotTurn}, tag{tagStrip, uint32(99)}))
}

// turned returns a JPEG with an EXIF block as a camera writes it.
func (p parts) turned(jpeg []byte) []byte {
	return withSegment(jpeg, exifFile{binary.LittleEndian, shotTurn, shotDate, "", p.small}.block())
}

func (p parts) raf() []byte {
	f := []byte("FUJIFILMCCD-RAW 0201FF159501X-T3")
	f = append(f, make([]byte, 0x94-len(f))...)
	preview := p.turned(p.full)
	binary.BigEndian.PutUint32(f[0x54:], uint32(len(f)))
	binary.BigEndian.PutUint32(f[0x58:], uint32(len(preview)))
	return append(append(f, preview...), make([]byte, 999)...)
}

func (p parts) pef() []byte {
	f := newTIFF("MM\x00*")
	full := f.directory(0, f.picture(tagThumbnail, tagThumbnailLength, p.full)...)
	small := f.directory(full, f.picture(tagThumbnail, tagThumbnailLength, p.small)...)
	return f.file(f.directory(small, join(f.sensorTags(), []tag{{tagMake, "RICOH IMAGING COMPANY, LTD."}, {tagOrientation, shotTurn}, {tagExifIFD, f.exif()}})...))
}

func (p parts) pefNote() []byte {
	f := newTIFF("MM\x00*")
	note := append([]byte("AOC\x00MM"), f.encode(0, f.picture(0x0004, 0x0003, p.full))...)
	small := f.directory(0, f.picture(tagThumbnail, tagThumbnailLength, p.small)...)
	return f.file(f.directory(small, tag{tagCompression, uint16(65535)}, tag{tagMake, "PENTAX Corporation "}, tag{tagOrientation, shotTurn}, tag{tagExifIFD, f.exif(tag{tagMakerNote, note})}))
}

func (p parts) srw() []byte {
	f := newTIFF("II*\x00")
	full := f.directory(0, f.picture(tagThumbnail, tagThumbnailLength, p.full)...)
	sensor := f.directory(0, f.sensorTags()...)
	inner := f.directory(0, f.picture(tagThumbnail, tagThumbnailLength, p.small)...)
	small := f.directory(0, tag{tagSubIFDs, []uint32{inner}})
	return f.file(f.directory(small, tag{tagMake, "SAMSUNG"}, tag{tagOrientation, shotTurn}, tag{tagSubIFDs, []uint32{full, sensor}}, tag{tagExifIFD, f.exif()}))
}

// cr3 has the three pictures a camera writes, and a track of the sensor's.
func (p parts) cr3() []byte {
	be16, be32, be64 := binary.BigEndian.AppendUint16, binary.BigEndian.AppendUint32, binary.BigEndian.AppendUint64
	main := newTIFF("II*\x00")
	main.file(main.directory(0, tag{tagMake, "Canon"}, tag{tagOrientation, shotTurn}))
	camera := newTIFF("II*\x00")
	camera.file(camera.exif())
	thumb := be16(be16(be32(be16(be16(be32(nil, 0), 160), 120), uint32(len(p.small))), 1), 0)
	canon := box(uuidCanon, box("CNCV", []byte("CanonCR3_001/00.11.00/00.00.00")), box("CMT1", main.b), box("CMT2", camera.b),
		box("THMB", thumb, p.small, make([]byte, 7)))
	track := func(at, size int) []byte {
		return box("trak", box("tkhd", make([]byte, 84)), box("mdia", box("mdhd", make([]byte, 24)), box("minf", box("stbl",
			box("stsz", be32(be32(be32(nil, 0), uint32(size)), 1)), box("co64", be64(be32(be32(nil, 0), 1), uint64(at)))))))
	}
	preview := be32(be16(be16(be16(be16(be32(nil, 0), 1), 1620), 1080), 1), uint32(len(p.middle)))
	between := box(uuidPreview, make([]byte, 8), box("PRVW", preview, p.middle))
	begin := box("ftyp", []byte("crx \x00\x00\x00\x01crx isom"))
	sensor := make([]byte, 999)
	movie := func(at int) []byte {
		return box("moov", canon, box("mvhd", make([]byte, 100)), track(at, len(p.full)), track(at+len(p.full), len(sensor)))
	}
	at := len(begin) + len(movie(0)) + len(between) + 16 // the size of mdat has 64 bits
	mdat := be64(append(be32(nil, 1), "mdat"...), uint64(16+len(p.full)+len(sensor)))
	return bytes.Join([][]byte{begin, movie(at), between, mdat, p.full, sensor}, nil)
}
