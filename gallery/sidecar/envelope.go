package sidecar

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// maxSegment is what a segment of a JPEG holds, in bytes without its marker and
// length.
const maxSegment = 1<<16 - 1 - 2

// What other segments begin with that matter to who changes a file.
const (
	markMPF  = "MPF\x00"
	markJFIF = "JFIF\x00"
	markJFXX = "JFXX\x00"
)

var errCut = errors.New("the picture is cut off")

// An envelope is a JPEG as who edits its metadata sees it. Only the XMP packet,
// the IPTC block with its digest, and the offsets of further pictures are ever
// changed; all else keeps its bytes.
type envelope struct {
	file     string
	segments []jpegSegment // before the first scan
	scan     int           // where that begins
	packet   span          // "" if there is no XMP
	place    int           // where a packet would go
	iptc     iptcBlock
}

// A jpegSegment is a marker, two bytes of length, and data.
type jpegSegment struct {
	marker byte
	span
}

func (s jpegSegment) data() span { return span{s.from + 4, s.to} }

// An iptcBlock is where IPTC lies in a file. Photoshop's block, which it is a
// part of, may be spread over segments.
type iptcBlock struct {
	block      // Photoshop's
	data  span // within the block; empty if there is none
	sets  []iptcSet
	coding
	digest span // within the block
	fits   bool // the digest is that of the data
}

// openEnvelope reads the segments of a JPEG before its first scan. The file may
// end behind them. What cannot be edited safely is refused.
func openEnvelope(file string) (*envelope, error) {
	e := &envelope{file: file}
	if err := e.walk(); err != nil {
		return nil, err
	}
	var photoshop []chunk
	packets, size := 0, int64(0)
	e.place = 2
	for i, s := range e.segments {
		data := s.data()
		text := data.of(file)
		leads := s.from-e.place == strings.Count(file[e.place:s.from], "\xff") // with fill bytes between
		switch {
		case s.marker == 0xe0 && leads && (strings.HasPrefix(text, markJFIF) || strings.HasPrefix(text, markJFXX)):
			e.place = s.to
		case s.marker == 0xe1 && strings.HasPrefix(text, markXMP):
			packets++
			e.packet = span{data.from + len(markXMP), data.to}
		case s.marker == 0xe1 && strings.HasPrefix(text, markExif) && leads:
			e.place = s.to
		case s.marker == 0xed && strings.HasPrefix(text, markPhotoshop):
			n := int64(len(text) - len(markPhotoshop))
			photoshop = append(photoshop, chunk{size, region{int64(data.to) - n, n}})
			size += n
		case s.marker == 0xeb && strings.Contains(text, "c2pa"):
			return nil, errors.New("it has content credentials (C2PA), which a change would break")
		}
		if i >= maxSegments {
			return nil, fmt.Errorf("it has more than %d segments", maxSegments)
		}
	}
	if packets > 1 {
		return nil, fmt.Errorf("it has %d XMP packets; which one counts is not defined", packets)
	}
	return e, e.iptc.find(file, photoshop)
}

// walk finds the segments.
func (e *envelope) walk() error {
	if !strings.HasPrefix(e.file, "\xff\xd8") {
		return errors.New("it is not a JPEG")
	}
	for at := 2; ; {
		if len(e.file)-at < 4 {
			return errCut
		}
		marker := e.file[at+1]
		switch {
		case e.file[at] != 0xff || marker == 0 || marker == 0xd8 || marker == 0xd9:
			return fmt.Errorf("byte %d: there is no segment where one is expected", at)
		case marker == 0xff: // fill byte
			at++
			continue
		case marker == 0xda:
			e.scan = at
			return nil
		}
		end := at + 2 + int(binary.BigEndian.Uint16([]byte(e.file[at+2:at+4])))
		if end < at+4 {
			return fmt.Errorf("byte %d: a segment has no length", at)
		}
		if end > len(e.file) {
			return errCut
		}
		e.segments = append(e.segments, jpegSegment{marker, span{at, end}})
		at = end
	}
}

// end returns where the picture ends: behind its last scan. What follows are
// further pictures, videos, and what programs have appended.
func (e *envelope) end() (int, error) {
	for at := e.scan; ; {
		n := strings.IndexByte(e.file[at:], 0xff)
		if n < 0 || at+n+1 >= len(e.file) {
			return 0, errCut
		}
		at += n
		switch marker := e.file[at+1]; {
		case marker == 0xd9:
			return at + 2, nil
		case marker == 0xff:
			at++
		case marker == 0 || marker >= 0xd0 && marker <= 0xd7 || marker == 0x01:
			at += 2
		case len(e.file)-at < 4:
			return 0, errCut
		default: // between scans
			at += 2 + int(binary.BigEndian.Uint16([]byte(e.file[at+2:at+4])))
			if at >= len(e.file) {
				return 0, errCut
			}
		}
	}
}

// find finds IPTC in the segments of Photoshop.
func (b *iptcBlock) find(file string, segments []chunk) error {
	for _, c := range segments {
		b.pieces = append(b.pieces, piece{int(c.at), c.offset})
		b.block.data += file[c.offset : c.offset+c.size]
	}
	blocks := 0
	_, err := eachResource(b.block.data, func(id uint16, from, to int) {
		switch id {
		case resourceIPTC:
			blocks++
			b.data = span{from, to}
		case resourceDigest:
			b.digest = span{from, to}
		}
	})
	if err != nil {
		return fmt.Errorf("image resources of Photoshop: %w", err)
	}
	if blocks > 1 {
		return fmt.Errorf("it has %d IPTC blocks; which one counts is not defined", blocks)
	}
	text := b.data.of(b.block.data)
	if b.sets, _, err = dataSets(text); err != nil {
		return err
	}
	b.coding = codingOf(text, b.sets)
	b.fits = b.digest.of(b.block.data) == digestOf(text)
	return nil
}

// with returns the file with another XMP packet and other IPTC data. An empty
// packet is none.
func (e *envelope) with(packet, iptc string) (string, error) {
	var list []splice
	switch old := e.packet.of(e.file); {
	case packet == old:
	case old == "":
		if len(markXMP)+len(packet) > maxSegment {
			return "", errLong(len(markXMP) + len(packet))
		}
		head := binary.BigEndian.AppendUint16([]byte{0xff, 0xe1}, uint16(2+len(markXMP)+len(packet)))
		list = append(list, splice{span{e.place, e.place}, string(head) + markXMP + packet})
	case packet == "":
		list = append(list, splice{span: span{e.packet.from - len(markXMP) - 4, e.packet.to}})
	default:
		list = append(list, splice{e.packet, packet})
	}
	more, err := e.iptc.splices(iptc)
	if err != nil {
		return "", err
	}
	list = append(list, more...)
	if list, err = e.lengthen(list); err != nil {
		return "", err
	}
	if list, err = e.move(list); err != nil {
		return "", err
	}
	return spliced(e.file, list), nil
}

func errLong(n int) error {
	return fmt.Errorf("its metadata would take %d bytes, and a segment of a JPEG holds %d", n, maxSegment)
}

// lengthen adds the new lengths of segments within which something changes.
func (e *envelope) lengthen(list []splice) ([]splice, error) {
	for _, s := range e.segments {
		growth := 0
		for _, c := range list {
			// A new packet is between segments, what is added to IPTC may be at the end of one.
			if data := s.data(); c.from >= data.from && c.to <= data.to && (c.from < data.to || s.marker == 0xed) {
				growth += len(c.text) - (c.to - c.from)
			}
		}
		if growth == 0 {
			continue
		}
		n := s.to - s.from - 2 + growth
		if n-2 > maxSegment {
			return nil, errLong(n - 2)
		}
		list = append(list, splice{span{s.from + 2, s.from + 4}, string(binary.BigEndian.AppendUint16(nil, uint16(n)))})
	}
	return list, nil
}

// move adds what has to change because bytes of the file move: the offsets and
// sizes of further pictures. It refuses files in which something else counts
// bytes that would move.
func (e *envelope) move(list []splice) ([]splice, error) {
	m := shift(list)
	if len(m) == 0 {
		return list, nil
	}
	end, err := e.end()
	if err != nil {
		return nil, err
	}
	for _, s := range e.segments {
		switch text := s.data().of(e.file); {
		case s.marker == 0xe2 && strings.HasPrefix(text, markMPF):
			more, err := e.moveFurther(s, m)
			if err != nil {
				return nil, err
			}
			list = append(list, more...)
		case s.marker == 0xe1 && strings.HasPrefix(text, markExif):
			if e.pointsBehind(s, m, end) {
				return nil, errors.New("its EXIF counts on where data behind it lies, which a change would move")
			}
		case s.marker == 0xe1 && strings.HasPrefix(text, markXMP) && countsLength(text, end):
			return nil, errors.New("its XMP says how many bytes the picture has, which a change would alter")
		}
	}
	return list, nil
}

// countsLength reports whether XMP says that a picture has so many bytes.
func countsLength(xmp string, n int) bool {
	number := strconv.Itoa(n)
	return strings.Contains(xmp, `Length="`+number+`"`) || strings.Contains(xmp, "Length='"+number+"'") || strings.Contains(xmp, "Length>"+number+"<")
}

// A mover says by how much bytes of a file move.
type mover []struct{ at, by int }

// shift returns what moves after splices; nothing if all keep their lengths.
func shift(list []splice) (m mover) {
	for _, c := range list {
		if by := len(c.text) - (c.to - c.from); by != 0 {
			m = append(m, struct{ at, by int }{c.to, by})
		}
	}
	return m
}

// of returns where a byte lies afterwards.
func (m mover) of(at int) int {
	to := at
	for _, s := range m {
		if s.at <= at {
			to += s.by
		}
	}
	return to
}

// pointsBehind reports whether an EXIF block has an offset of what lies behind it
// and moves: a preview that its maker put there. Where makers note such offsets is
// known of few, so that any four bytes count that are the offset of where a
// picture begins, or what follows the first one.
func (e *envelope) pointsBehind(s jpegSegment, m mover, end int) bool {
	base := s.data().from + len(markExif) + 1
	targets := make(map[uint32]bool)
	add := func(at int) { // as counted from the beginning of the file, and of EXIF
		if m.of(at) != at {
			targets[uint32(at)] = true
		}
		if m.of(at)-at != m.of(base)-base {
			targets[uint32(at-base)] = true
		}
	}
	if end < len(e.file) {
		add(end)
		if n := strings.IndexFunc(e.file[end:], func(r rune) bool { return r != 0 }); n > 0 {
			add(end + n)
		}
	}
	for at := s.to; ; {
		n := strings.Index(e.file[at:], "\xff\xd8\xff")
		if n < 0 {
			break
		}
		add(at + n)
		at += n + 3
	}
	text := []byte(s.data().of(e.file))
	for i := range max(0, len(text)-3) {
		if targets[binary.LittleEndian.Uint32(text[i:])] || targets[binary.BigEndian.Uint32(text[i:])] {
			return true
		}
	}
	return false
}

// moveFurther returns the splices that fix the list of further pictures (CIPA
// DC-007, Multi-Picture Format): their sizes, and their offsets from the
// header of the list.
func (e *envelope) moveFurther(s jpegSegment, m mover) ([]splice, error) {
	bad := errors.New("its list of further pictures (MPF) is damaged")
	base := s.data().from + len(markMPF)
	text := []byte(e.file[base:s.to])
	var order binary.ByteOrder = binary.LittleEndian
	switch {
	case len(text) < 8:
		return nil, bad
	case string(text[:4]) == "MM\x00*":
		order = binary.BigEndian
	case string(text[:4]) != "II*\x00":
		return nil, bad
	}
	at := int64(order.Uint32(text[4:]))
	if at+2 > int64(len(text)) {
		return nil, bad
	}
	entries := int64(order.Uint16(text[at:]))
	if at+2+12*entries > int64(len(text)) {
		return nil, bad
	}
	var list []splice
	put := func(where, value int) {
		b := make([]byte, 4)
		order.PutUint32(b, uint32(value))
		list = append(list, splice{span{base + where, base + where + 4}, string(b)})
	}
	for field := range slices.Chunk(text[at+2:at+2+12*entries], 12) {
		if order.Uint16(field) != 0xb002 {
			continue
		}
		size, from := int64(order.Uint32(field[4:])), int64(order.Uint32(field[8:]))
		if size%16 != 0 || from+size > int64(len(text)) {
			return nil, bad
		}
		for i := from; i < from+size; i += 16 {
			length, offset := int(order.Uint32(text[i+4:])), int(order.Uint32(text[i+8:]))
			begins := 0 // the first one has no offset
			if offset > 0 {
				begins = base + offset
			}
			if begins+length > len(e.file) {
				return nil, errors.New("its list of further pictures (MPF) points behind the end of the file")
			}
			put(int(i)+4, m.of(begins+length)-m.of(begins))
			if offset > 0 {
				put(int(i)+8, m.of(begins)-m.of(base))
			}
		}
	}
	return list, nil
}
