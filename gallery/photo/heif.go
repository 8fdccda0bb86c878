package photo

import (
	"encoding/binary"
	"io"
)

// maxItemTable is the most bytes of an item table that are read; an iPhone's
// photo of 48 tiles has 1 KB.
const maxItemTable = 1 << 16

// exifInHEIF returns the EXIF block of a HEIF file (ISO/IEC 23008-12): iinf has
// the kinds of the items, iloc their places. The item begins with the offset of
// the block behind these four bytes.
func exifInHEIF(r *io.SectionReader) (block *io.SectionReader) {
	c := &cr3{left: maxBoxes}
	var id uint32
	var places []byte
	c.boxes(r, 0, func(kind string, meta *io.SectionReader) {
		if kind != "meta" {
			return
		}
		c.boxes(meta, 4, func(kind string, body *io.SectionReader) {
			switch kind {
			case "iinf":
				id = c.exifItem(body)
			case "iloc":
				places = make([]byte, min(body.Size(), maxItemTable))
				if _, err := body.ReadAt(places, 0); err != nil && err != io.EOF {
					places = nil
				}
			}
		})
	})
	at, n, ok := itemPlace(places, id)
	if !ok || at < 0 || n < 4 || at > r.Size()-n {
		return nil
	}
	var lead [4]byte
	if _, err := r.ReadAt(lead[:], at); err != nil {
		return nil
	}
	begin := 4 + int64(binary.BigEndian.Uint32(lead[:]))
	if begin >= n {
		return nil
	}
	return io.NewSectionReader(r, at+begin, n-begin)
}

// exifItem returns the number of the EXIF item in an iinf box, 0 if there is
// none.
func (c *cr3) exifItem(iinf *io.SectionReader) (id uint32) {
	var version [1]byte
	if _, err := iinf.ReadAt(version[:], 0); err != nil {
		return 0
	}
	begin := int64(6) // version and flags, count
	if version[0] > 0 {
		begin = 8
	}
	c.boxes(iinf, begin, func(kind string, body *io.SectionReader) {
		var head [14]byte // version and flags; number of 2 bytes, of 4 from version 3 on; protection; kind
		n, _ := body.ReadAt(head[:], 0)
		switch {
		case kind != "infe" || id != 0:
		case head[0] == 2 && n >= 12 && string(head[8:12]) == "Exif":
			id = uint32(binary.BigEndian.Uint16(head[4:]))
		case head[0] == 3 && n >= 14 && string(head[10:14]) == "Exif":
			id = binary.BigEndian.Uint32(head[4:])
		}
	})
	return id
}

// itemPlace returns offset and length of an item of one piece from an iloc box.
func itemPlace(iloc []byte, id uint32) (at, n int64, ok bool) {
	number := func(size byte) (v uint64) {
		if len(iloc) < int(size) {
			iloc, ok = nil, false
			return 0
		}
		for _, b := range iloc[:size] {
			v = v<<8 | uint64(b)
		}
		iloc = iloc[size:]
		return v
	}
	version := number(4) >> 24
	sizes := number(2)
	offset, length, base, index := byte(sizes>>12), byte(sizes>>8&15), byte(sizes>>4&15), byte(sizes&15)
	wide := byte(2)
	if version == 2 {
		wide = 4
	}
	if version == 0 {
		index = 0
	}
	for count := number(wide); count > 0 && len(iloc) > 0; count-- {
		ok = true
		item := uint32(number(wide))
		inFile := true
		if version > 0 {
			inFile = number(2) == 0
		}
		number(2) // another file
		begin := number(base)
		pieces := number(2)
		for i := uint64(0); i < pieces && len(iloc) > 0; i++ {
			number(index)
			at, n = int64(begin+number(offset)), int64(number(length))
		}
		if item == id && id != 0 {
			return at, n, ok && inFile && pieces == 1
		}
	}
	return 0, 0, false
}
