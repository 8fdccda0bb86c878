package sidecar

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// signatures are those of image resources: Photoshop's own and other programs'.
var signatures = []string{"8BIM", "PHUT", "AgHg", "DCSR", "MeSa"}

// photoshop reads image resources. 0x0404 is IPTC.
func (m *metadata) photoshop(b block) {
	at, err := eachResource(b.data, func(id uint16, from, to int) {
		if id == resourceIPTC {
			m.iptc(b.cut(from, to))
		}
	})
	if err != nil {
		m.fail(b.offset(at), "Photoshop's block: %w", err)
	}
}

// Numbers of image resources.
const (
	resourceIPTC   = 0x0404
	resourceDigest = 0x0425 // MD5 of that
)

// eachResource finds image resources: each has a signature, a number, a name,
// and data; names and data are padded to an even length. It returns where it
// went wrong.
func eachResource(data string, found func(id uint16, from, to int)) (at int, err error) {
	for at < len(data) {
		if s := data[at:min(at+4, len(data))]; !slices.Contains(signatures, s) {
			if strings.Trim(data[at:], "\x00") != "" { // padding
				return at, errors.New("no image resource where one is expected")
			}
			return at, nil
		}
		if len(data)-at < 12 {
			return at, errors.New("it ends within an image resource")
		}
		id := binary.BigEndian.Uint16([]byte(data[at+4 : at+6]))
		from := at + 6 + (int(data[at+6])+2)&^1 + 4
		if from > len(data) {
			return at, fmt.Errorf("it ends within image resource %#04x", id)
		}
		size := int64(binary.BigEndian.Uint32([]byte(data[from-4 : from])))
		if int64(from)+size > int64(len(data)) {
			return at, fmt.Errorf("it ends within image resource %#04x", id)
		}
		to := from + int(size)
		found(id, from, to)
		at = to + int(size&1)
	}
	return at, nil
}

// An iptcSet is one of IPTC-IIM 4 in its block.
type iptcSet struct {
	record, number byte
	span           // all of it
	value          span
}

// dataSets finds the data sets of IPTC: a marker, record and number, a length,
// and data. It returns where it went wrong.
func dataSets(data string) (list []iptcSet, at int, err error) {
	for len(data)-at >= 5 && data[at] == 0x1c {
		record, number := data[at+1], data[at+2]
		size, from := int(binary.BigEndian.Uint16([]byte(data[at+3:at+5]))), at+5
		if size&0x8000 != 0 { // the length of the length
			n := size & 0x7fff
			if n > 4 || from+n > len(data) {
				return list, at, fmt.Errorf("IPTC: data set %d:%d has no length", record, number)
			}
			size = 0
			for _, c := range []byte(data[from : from+n]) {
				size = size<<8 | int(c)
			}
			from += n
		}
		if size > len(data)-from {
			return list, at, fmt.Errorf("IPTC ends within data set %d:%d", record, number)
		}
		list = append(list, iptcSet{record, number, span{at, from + size}, span{from, from + size}})
		at = from + size
	}
	if strings.Trim(data[at:], "\x00") != "" {
		return list, at, errors.New("IPTC: no data set where one is expected")
	}
	return list, at, nil
}

// iptc reads the keywords of IPTC.
func (m *metadata) iptc(b block) {
	list, at, err := dataSets(b.data)
	if err != nil {
		m.fail(b.offset(at), "%w", err)
		return
	}
	m.coding = codingOf(b.data, list)
	for _, d := range list {
		if d.isKeyword() {
			m.values, _ = appendValue(m.values, Keywords, m.coding.decode(d.value.of(b.data)), 0)
		}
	}
}

// isKeyword: 2:25.
func (d iptcSet) isKeyword() bool { return d.record == 2 && d.number == 25 }

// A coding is how the text of IPTC is encoded. 1:90 says it; without, what is
// UTF-8 is taken for it.
type coding uint8

const (
	undeclared coding = iota // and nothing beyond ASCII that is UTF-8
	undeclaredUTF8
	declaredUTF8
	declaredLatin
	unknownCoding
)

func codingOf(data string, list []iptcSet) coding {
	c := undeclared
	for _, d := range list {
		value := d.value.of(data)
		switch {
		case d.record == 1 && d.number == 90 && (value == "\x1b.A" || value == "\x1b-A"):
			return declaredLatin
		case d.record == 1 && d.number == 90 && value == "\x1b%G":
			return declaredUTF8
		case d.record == 1 && d.number == 90:
			return unknownCoding
		case d.isKeyword() && utf8.ValidString(value) && !ascii(value):
			c = undeclaredUTF8
		}
	}
	return c
}

func (c coding) decode(s string) string {
	if c == declaredLatin {
		return latin1(s)
	}
	return fromLatin(s)
}

// encode returns a keyword as IPTC has it; ok is false if it has no place for
// it, or if other programs would read something else.
func (c coding) encode(word string) (text string, ok bool) {
	const most = 64 // bytes of a keyword
	text = word
	if !ascii(word) && (c == undeclared || c == declaredLatin) {
		var err error
		if text, err = charmap.Windows1252.NewEncoder().String(word); err != nil {
			return "", false
		}
	}
	return text, len(text) <= most && c.decode(text) == word && (c != unknownCoding || ascii(word))
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// latin1 is what 1:90 may say instead of UTF-8.
func latin1(s string) string {
	var b strings.Builder
	for i := range len(s) {
		b.WriteRune(charmap.Windows1252.DecodeByte(s[i]))
	}
	return b.String()
}
