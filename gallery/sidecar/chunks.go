package sidecar

import (
	"bufio"
	"compress/zlib"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
)

// maxChunks bounds the chunks of a PNG or WebP that are looked at. A PNG's data
// may come in chunks of 8 KB.
const maxChunks = 1 << 16

// What the texts of a PNG that are read begin with.
const (
	markText    = "XML:com.adobe.xmp\x00"
	markProfile = "Raw profile type iptc\x00"
)

// png reads the iTXt chunk of XMP, the eXIf chunk, and the text chunk that
// ImageMagick, exiftool and exiv2 put IPTC in. They may stand behind the
// picture's data.
func (m *metadata) png() {
	at := int64(8)
	var head [8 + len(markProfile)]byte
	for range maxChunks {
		n, _ := m.file.ReadAt(head[:], at)
		if n < 8 {
			return
		}
		r := region{at + 8, int64(binary.BigEndian.Uint32(head[:]))}
		switch kind, begins := string(head[4:8]), string(head[8:n]); {
		case kind == "iTXt" && strings.HasPrefix(begins, markText):
			if b, ok := m.take("XMP", r.behind(len(markText))); ok {
				m.text(b)
			}
		case (kind == "tEXt" || kind == "zTXt") && begins == markProfile:
			if b, ok := m.take("IPTC", r.behind(len(markProfile))); ok {
				m.profile(b, kind == "zTXt")
			}
		case kind == "eXIf":
			m.tiff(r)
		case kind == "IEND":
			return
		}
		at += 8 + r.size + 4 // and a checksum
	}
}

// profile reads IPTC in a text chunk: lines with a name, a length, and
// hexadecimal digits, of an image resource or of IPTC itself.
func (m *metadata) profile(b block, packed bool) {
	text := b.data
	var err error
	if packed && text != "" {
		text, err = m.inflate(text[1:]) // behind the method
	}
	lines := strings.SplitN(strings.TrimLeft(text, "\n"), "\n", 3)
	if err != nil || len(lines) < 3 {
		m.fail(b.offset(0), "IPTC: the text is no profile")
		return
	}
	data, err := hex.DecodeString(strings.Join(strings.Fields(lines[2]), ""))
	if err != nil {
		m.fail(b.offset(0), "IPTC: %w", err)
		return
	}
	b = block{string(data), b.pieces, true}
	if strings.HasPrefix(b.data, "8BIM") {
		m.photoshop(b)
	} else {
		m.iptc(b)
	}
}

// text reads XMP in an iTXt chunk: behind the keyword come two bytes that say
// whether it is compressed, a language and a translated keyword.
func (m *metadata) text(b block) {
	if len(b.data) < 2 {
		m.fail(b.offset(0), "XMP: the chunk is too short")
		return
	}
	_, rest, _ := strings.Cut(b.data[2:], "\x00")
	_, rest, ok := strings.Cut(rest, "\x00")
	if !ok {
		m.fail(b.offset(0), "XMP: the chunk is too short")
		return
	}
	packet := b.cut(len(b.data)-len(rest), len(b.data))
	packet.packed = b.data[0] == 1
	m.xmp(packet)
}

// inflate unpacks data, as far as the photo has not unpacked enough already.
func (m *metadata) inflate(data string) (string, error) {
	z, err := zlib.NewReader(strings.NewReader(data))
	if err != nil {
		return "", err
	}
	var b strings.Builder
	n, err := io.Copy(&b, io.LimitReader(z, int64(maxFile-m.unpacked)+1))
	if m.unpacked += int(n); err == nil && m.unpacked > maxFile {
		err = fmt.Errorf("larger than %d MB when unpacked", maxFile>>20)
	}
	return b.String(), err
}

// webp reads the chunks "XMP " and "EXIF". Some writers put the prefix of JPEG
// in front of the latter.
func (m *metadata) webp() {
	at := int64(12)
	var head [14]byte
	for range maxChunks {
		n, _ := m.file.ReadAt(head[:], at)
		if n < 8 {
			return
		}
		size := int64(binary.LittleEndian.Uint32(head[4:]))
		switch string(head[:4]) {
		case "XMP ":
			if b, ok := m.take("XMP", region{at + 8, size}); ok {
				m.xmp(b)
			}
		case "EXIF":
			r := region{at + 8, size}
			if strings.HasPrefix(string(head[8:n]), markExif) {
				r = r.behind(len(markExif) + 1)
			}
			m.tiff(r)
		}
		at += 8 + size + size&1
	}
}

// gif reads the application extension "XMP DataXMP". The packet is stored as it
// is. Behind it, 258 bytes make sure that a reader who takes its characters for
// the lengths of blocks comes out at the end (XMP Specification Part 3).
func (m *metadata) gif() {
	g := gifReader{r: bufio.NewReaderSize(io.NewSectionReader(m.file, 0, m.file.Size()), 1<<15)}
	screen := g.take(13)
	if len(screen) == 13 {
		g.colours(screen[10])
	}
	for {
		switch introducer := g.take(1); string(introducer) {
		case "\x21":
			label := g.take(1)
			if string(label) != "\xff" {
				g.blocks()
				continue
			}
			if n := g.take(1); len(n) == 0 || string(g.take(int(n[0]))) != "XMP DataXMP" {
				g.blocks()
				continue
			}
			from := g.at
			if !g.blocks() || g.at-from < 258 {
				m.fail(from, "XMP has no end")
				return
			}
			if b, ok := m.take("XMP", region{from, g.at - from - 258}); ok {
				m.xmp(b)
			}
		case "\x2c":
			if image := g.take(9); len(image) == 9 {
				g.colours(image[8])
			}
			g.take(1) // bits of a code
			g.blocks()
		default: // end
			return
		}
	}
}

// A gifReader goes through the blocks of a GIF. Reading ends where the file does.
type gifReader struct {
	r  *bufio.Reader
	at int64
}

// take returns the next n bytes, fewer at the end. They are valid until the
// next call.
func (g *gifReader) take(n int) []byte {
	b, _ := g.r.Peek(n)
	g.r.Discard(len(b))
	g.at += int64(len(b))
	return b
}

// colours skips the colour table that flags announce.
func (g *gifReader) colours(flags byte) {
	if flags&0x80 != 0 {
		g.take(3 << (flags&7 + 1))
	}
}

// blocks skips data blocks, and reports whether their end is there.
func (g *gifReader) blocks() bool {
	for {
		n := g.take(1)
		if len(n) == 0 {
			return false
		}
		if n[0] == 0 {
			return true
		}
		g.take(int(n[0]))
	}
}
