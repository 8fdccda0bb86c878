package sidecar

import (
	"encoding/binary"
	"slices"
	"strings"

	"golang.org/x/text/encoding/charmap"
)

// signatures are those of image resources: Photoshop's own and other programs'.
var signatures = []string{"8BIM", "PHUT", "AgHg", "DCSR", "MeSa"}

// photoshop reads image resources: each has a signature, a number, a name, and
// data; names and data are padded to an even length. 0x0404 is IPTC.
func (m *metadata) photoshop(b block) {
	data := b.data
	for at := 0; at < len(data); {
		if s := data[at:min(at+4, len(data))]; !slices.Contains(signatures, s) {
			if strings.Trim(data[at:], "\x00") != "" { // padding
				m.fail(b.offset(at), "Photoshop's block: no image resource where one is expected")
			}
			return
		}
		if len(data)-at < 12 {
			m.fail(b.offset(at), "Photoshop's block ends within an image resource")
			return
		}
		id := binary.BigEndian.Uint16([]byte(data[at+4 : at+6]))
		from := at + 6 + (int(data[at+6])+2)&^1
		if from+4 > len(data) {
			m.fail(b.offset(at), "Photoshop's block ends within image resource %#04x", id)
			return
		}
		size := int64(binary.BigEndian.Uint32([]byte(data[from : from+4])))
		from += 4
		if int64(from)+size > int64(len(data)) {
			m.fail(b.offset(at), "Photoshop's block ends within image resource %#04x", id)
			return
		}
		to := from + int(size)
		if id == 0x0404 {
			m.iptc(b.cut(from, to))
		}
		at = to + int(size&1)
	}
}

// iptc reads the keywords of IPTC-IIM 4: data sets of a marker, record and
// number, a length, and data. 1:90 says how the text is encoded, 2:25 is a
// keyword.
func (m *metadata) iptc(b block) {
	var words []string
	decode := fromLatin // without 1:90, what is UTF-8 is taken for it
	data := b.data
	at := 0
	for len(data)-at >= 5 && data[at] == 0x1c {
		record, number := data[at+1], data[at+2]
		size, from := int(binary.BigEndian.Uint16([]byte(data[at+3:at+5]))), at+5
		if size&0x8000 != 0 { // the length of the length
			n := size & 0x7fff
			if n > 4 || from+n > len(data) {
				m.fail(b.offset(at), "IPTC: data set %d:%d has no length", record, number)
				return
			}
			size = 0
			for _, c := range []byte(data[from : from+n]) {
				size = size<<8 | int(c)
			}
			from += n
		}
		if size > len(data)-from {
			m.fail(b.offset(at), "IPTC ends within data set %d:%d", record, number)
			return
		}
		switch value := data[from : from+size]; {
		case record == 1 && number == 90 && (value == "\x1b.A" || value == "\x1b-A"):
			decode = latin1
		case record == 2 && number == 25:
			words = append(words, value)
		}
		at = from + size
	}
	if rest := data[at:]; strings.Trim(rest, "\x00") != "" {
		m.fail(b.offset(at), "IPTC: no data set where one is expected")
		return
	}
	for _, w := range words {
		m.values, _ = appendValue(m.values, Keywords, decode(w), 0)
	}
}

// latin1 is what 1:90 may say instead of UTF-8.
func latin1(s string) string {
	var b strings.Builder
	for i := range len(s) {
		b.WriteRune(charmap.Windows1252.DecodeByte(s[i]))
	}
	return b.String()
}
