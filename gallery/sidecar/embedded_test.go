package sidecar

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"
)

// The photos of these tests have metadata and no picture worth the name.

func be16(n int) string { return string(binary.BigEndian.AppendUint16(nil, uint16(n))) }
func be32(n int) string { return string(binary.BigEndian.AppendUint32(nil, uint32(n))) }
func le32(n int) string { return string(binary.LittleEndian.AppendUint32(nil, uint32(n))) }

func segment(marker byte, data string) string {
	return "\xff" + string([]byte{marker}) + be16(2+len(data)) + data
}

func jpegWith(segments ...string) string {
	return "\xff\xd8" + segment(0xe0, "JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00") +
		strings.Join(segments, "") + segment(0xda, "scan") + segment(0xe1, markXMP+sidecarOf("behind")) + "\xff\xd9"
}

// extended returns segments of extended XMP of at most size bytes.
func extended(name, text string, size int) (segments []string) {
	for at := 0; at < len(text); at += size {
		part := text[at:min(at+size, len(text))]
		segments = append(segments, segment(0xe1, markExtension+name+be32(len(text))+be32(at)+part))
	}
	return segments
}

// withExtension is a packet that names an extension.
func withExtension(name string) string {
	return strings.Replace(sidecarOf("main"), "<rdf:Description ", `<rdf:Description xmlns:n="http://ns.adobe.com/xmp/note/" n:HasExtendedXMP="`+name+`" `, 1)
}

func pngChunk(kind, data string) string { return be32(len(data)) + kind + data + "\x00\x00\x00\x00" }

func pngWith(chunks ...string) string {
	return "\x89PNG\r\n\x1a\n" + pngChunk("IHDR", strings.Repeat("\x00", 13)) + strings.Join(chunks, "") + pngChunk("IEND", "")
}

func webpWith(chunks ...string) string {
	body := "WEBP"
	for i := 0; i < len(chunks); i += 2 {
		data := chunks[i+1]
		body += chunks[i] + le32(len(data)) + data + strings.Repeat("\x00", len(data)%2)
	}
	return "RIFF" + le32(len(body)) + body
}

// gifTrailer ends XMP in a GIF.
func gifTrailer() string {
	b := []byte{1}
	for i := 0xff; i >= 0; i-- {
		b = append(b, byte(i))
	}
	return string(append(b, 0))
}

func gifWith(xmp string) string {
	return "GIF89a\x01\x00\x01\x00\x80\x00\x00" + "\x00\x00\x00\xff\xff\xff" + // screen, two colours
		"\x21\xfe\x05hello\x00" + "\x21\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00" +
		"\x2c\x00\x00\x00\x00\x01\x00\x01\x00\x80\x00\x00\x00\xff\xff\xff\x02\x02\x44\x01\x00" + // image, two colours
		"\x21\xff\x0bXMP DataXMP" + xmp + gifTrailer() + "\x3b"
}

// An entry is one of a TIFF directory.
type entry struct {
	tag, kind int
	data      string
}

// tiffWith returns a TIFF file, or EXIF block, of one directory.
func tiffWith(order binary.AppendByteOrder, entries ...entry) string {
	mark := "II*\x00"
	if order == binary.AppendByteOrder(binary.BigEndian) {
		mark = "MM\x00*"
	}
	head := order.AppendUint32([]byte(mark), 8)
	head = order.AppendUint16(head, uint16(len(entries)))
	rest := ""
	for _, e := range entries {
		head = order.AppendUint16(head, uint16(e.tag))
		head = order.AppendUint16(head, uint16(e.kind))
		head = order.AppendUint32(head, uint32(len(e.data)/int(typeSizes[uint16(e.kind)])))
		if len(e.data) <= 4 {
			head = append(head, (e.data + "\x00\x00\x00\x00")[:4]...)
			continue
		}
		head = order.AppendUint32(head, uint32(8+2+12*len(entries)+4+len(rest)))
		rest += e.data + strings.Repeat("\x00", len(e.data)%2)
	}
	return string(head) + "\x00\x00\x00\x00" + rest
}

func utf16LEOf(s string) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return string(b)
}

// dataSet is one of IPTC-IIM.
func dataSet(record, number byte, value string) string {
	return "\x1c" + string([]byte{record, number}) + be16(len(value)) + value
}

const utf8Mark = "\x1b%G"

// resource is one image resource of Photoshop.
func resource(id int, name, data string) string {
	s := "8BIM" + be16(id) + string([]byte{byte(len(name))}) + name
	if len(name)%2 == 0 {
		s += "\x00"
	}
	return s + be32(len(data)) + data + strings.Repeat("\x00", len(data)%2)
}

// profile is IPTC as a text.
func profile(s string) string { return fmt.Sprintf("\nIPTC profile\n%8d\n%x\n", len(s), s) }

func zipped(s string) string {
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	z.Write([]byte(s))
	z.Close()
	return b.String()
}

var name32 = strings.Repeat("0123456789ABCDEF", 2)

// photos are photos of all kinds with what is to be read of them; also the
// seeds of FuzzRead.
func photos() []struct{ name, file, want string } {
	long := sidecarOf(strings.Repeat("owl ", 40_000) + "x")
	parts := extended(name32, long, 60_000)
	keywords := dataSet(1, 90, utf8Mark) + dataSet(2, 0, "\x00\x04") + dataSet(2, 25, "Käuzchen") + dataSet(2, 25, "Wald")
	xp := entry{tagXPKeywords, 1, utf16LEOf("owl;Käuzchen 🦉; ;\x00")}
	packet := sidecarOf("owl")
	type photo = struct{ name, file, want string }
	return []photo{
		{"jpeg-none", jpegWith(), ""},
		{"jpeg-xmp", jpegWith(segment(0xe1, markXMP+packet)), "dc:subject owl"},
		{"jpeg-fill", jpegWith("\xff\xff\xff" + segment(0xe1, markXMP+packet)[1:]), "dc:subject owl"},
		{"jpeg-two", jpegWith(segment(0xe1, markXMP+packet), segment(0xe1, markXMP+sidecarOf("forest"))), "dc:subject owl; dc:subject forest"},
		{"jpeg-extended", jpegWith(parts[1], segment(0xe1, markXMP+withExtension(name32)), parts[2], parts[0], parts[1]),
			"dc:subject main; dc:subject " + strings.Repeat("owl ", 40_000) + "x"},
		{"jpeg-extended-other", jpegWith(append(parts, segment(0xe1, markXMP+withExtension(strings.Repeat("x", 32))))...), "dc:subject main"},
		{"jpeg-exif", jpegWith(segment(0xe1, "Exif\x00\x00"+tiffWith(binary.BigEndian, xp))), "EXIF:XPKeywords owl; EXIF:XPKeywords Käuzchen 🦉"},
		{"jpeg-iptc", jpegWith(segment(0xed, markPhotoshop+resource(0x03ed, "", "odd")+resource(0x0404, "", keywords))),
			"IPTC:Keywords Käuzchen; IPTC:Keywords Wald"},
		{"jpeg-iptc-split", jpegWith(segment(0xed, markPhotoshop+resource(0x0404, "name", keywords)[:40]), segment(0xed, markPhotoshop+resource(0x0404, "name", keywords)[40:])),
			"IPTC:Keywords Käuzchen; IPTC:Keywords Wald"},
		{"jpeg-all", jpegWith(segment(0xed, markPhotoshop+resource(0x0404, "", keywords)), segment(0xe1, "Exif\x00\x00"+tiffWith(binary.LittleEndian, xp)), segment(0xe1, markXMP+packet)),
			"dc:subject owl; IPTC:Keywords Käuzchen; IPTC:Keywords Wald; EXIF:XPKeywords owl; EXIF:XPKeywords Käuzchen 🦉"},
		{"png", pngWith(pngChunk("IDAT", "picture"), pngChunk("iTXt", "Comment\x00\x00\x00\x00\x00hello"), pngChunk("iTXt", "XML:com.adobe.xmp\x00\x00\x00\x00\x00"+packet)), "dc:subject owl"},
		{"png-packed", pngWith(pngChunk("iTXt", "XML:com.adobe.xmp\x00\x01\x00en\x00XMP\x00"+zipped(packet))), "dc:subject owl"},
		{"png-iptc", pngWith(pngChunk("tEXt", "Raw profile type iptc\x00"+profile(resource(0x0404, "", keywords)))), "IPTC:Keywords Käuzchen; IPTC:Keywords Wald"},
		{"png-iptc-packed", pngWith(pngChunk("zTXt", "Raw profile type iptc\x00\x00"+zipped(profile(keywords)))), "IPTC:Keywords Käuzchen; IPTC:Keywords Wald"},
		{"png-exif", pngWith(pngChunk("eXIf", tiffWith(binary.BigEndian, xp))), "EXIF:XPKeywords owl; EXIF:XPKeywords Käuzchen 🦉"},
		{"webp", webpWith("VP8X", "0123456789", "ICCP", "odd", "XMP ", packet), "dc:subject owl"},
		{"webp-exif", webpWith("EXIF", tiffWith(binary.LittleEndian, xp)), "EXIF:XPKeywords owl; EXIF:XPKeywords Käuzchen 🦉"},
		{"webp-exif-prefix", webpWith("EXIF", "Exif\x00\x00"+tiffWith(binary.LittleEndian, xp)), "EXIF:XPKeywords owl; EXIF:XPKeywords Käuzchen 🦉"},
		{"gif", gifWith(packet), "dc:subject owl"},
		{"tiff", tiffWith(binary.LittleEndian, entry{256, 3, "\x01\x00"}, entry{tagXMP, 1, packet}, entry{tagIPTC, 4, keywords + strings.Repeat("\x00", 4-len(keywords)%4)}, xp),
			"dc:subject owl; IPTC:Keywords Käuzchen; IPTC:Keywords Wald; EXIF:XPKeywords owl; EXIF:XPKeywords Käuzchen 🦉"},
		{"tiff-big-endian", tiffWith(binary.BigEndian, entry{tagXMP, 7, packet}, entry{tagPhotoshop, 1, resource(0x0404, "", keywords)}), "dc:subject owl; IPTC:Keywords Käuzchen; IPTC:Keywords Wald"},
		{"orf", "IIRO" + tiffWith(binary.LittleEndian, entry{tagXMP, 1, packet})[4:], "dc:subject owl"},
		{"jpeg-exif-junk", jpegWith(segment(0xe1, "Exif\x00\x00"), segment(0xe1, "Exif\x00\x00junk and more"), segment(0xe1, "Exif\x00\x00II*\x00\xff\xff\xff\xff")), ""},
		{"jpeg-length", "\xff\xd8\xff\xe1\x00\x01\xff\xd9", ""},
		{"tiff-twice", tiffWith(binary.LittleEndian, entry{tagXMP, 1, packet}, entry{tagXMP, 1, packet}), "dc:subject owl"},
		{"bmp", "BM" + strings.Repeat("\x00", 64), ""},
		{"empty", "", ""},
	}
}

func joined(values []Value) string {
	var s []string
	for _, v := range values {
		s = append(s, string(v.Field)+" "+v.Text)
	}
	return strings.Join(s, "; ")
}

func TestEmbedded(t *testing.T) {
	for _, p := range photos() {
		path := filepath.Join(t.TempDir(), "a.bin")
		write(t, path, p.file)
		values, err := ReadFile(path)
		if got := joined(values); err != nil || got != p.want {
			t.Errorf("%s: %.200q, %v, want %.200q", p.name, got, err, p.want)
		}
	}
}

// TestEmbeddedBroken: what is wrong with a part is told with its place in the
// file, and the other parts are read.
func TestEmbeddedBroken(t *testing.T) {
	bad := "<x:xmpmeta xmlns:x='adobe:ns:meta/'><here"
	good := segment(0xed, markPhotoshop+resource(0x0404, "", dataSet(2, 25, "Wald")))
	extension := extended(name32, strings.Repeat(" ", 100)+bad, 90)
	packet := segment(0xe1, markXMP+withExtension(name32))
	tests := []struct{ name, file, at, want, values string }{
		{"xmp", jpegWith(segment(0xe1, markXMP+bad), good), "<here", "XMP: the tag <here has no end", "IPTC:Keywords Wald"},
		{"extended", jpegWith(append(extension, packet)...), "<here", "XMP: the tag <here has no end", "dc:subject main"},
		{"extended-gap", jpegWith(extension[0], packet), strings.Repeat(" ", 90), "extended XMP: 90 of 141 bytes are there", "dc:subject main"},
		{"extended-short", jpegWith(segment(0xe1, markExtension+name32)), markExtension, "extended XMP: the segment is too short", ""},
		{"extended-empty", jpegWith(segment(0xe1, markExtension+name32+be32(0)+be32(5)), packet), markExtension, "extended XMP: its length is 0", "dc:subject main"},
		{"cut", jpegWith(good, segment(0xe1, markXMP+sidecarOf("owl")))[:150], "<x:xmpmeta", "XMP goes on beyond the end of the file", "IPTC:Keywords Wald"},
		{"resource", jpegWith(segment(0xed, markPhotoshop+resource(0x0404, "", dataSet(2, 25, "Wald"))+"8BIMxx\x00\x00\x00\x00\x00\x00junk")), "junk", "no image resource", "IPTC:Keywords Wald"},
		{"resource-cut", jpegWith(segment(0xed, markPhotoshop+resource(0x0404, "", dataSet(2, 25, "Wald"))[:18])), "8BIM", "ends within image resource 0x0404", ""},
		{"iptc-cut", jpegWith(segment(0xed, markPhotoshop+resource(0x0404, "", dataSet(2, 25, "Wald")[:8]))), "\x1c\x02\x19", "IPTC ends within data set 2:25", ""},
		{"iptc-junk", jpegWith(segment(0xed, markPhotoshop+resource(0x0404, "", dataSet(2, 25, "Wald")+"junk"))), "junk", "IPTC: no data set", ""},
		{"iptc-length", jpegWith(segment(0xed, markPhotoshop+resource(0x0404, "", "\x1c\x02\x19\x80\x09Wald"))), "\x1c\x02\x19", "data set 2:25 has no length", ""},
		{"png-short", pngWith(pngChunk("iTXt", "XML:com.adobe.xmp\x00\x00\x00here\x00")), "\x00\x00here", "XMP: the chunk is too short", ""},
		{"png-empty", pngWith(pngChunk("iTXt", "XML:com.adobe.xmp\x00")), "\x00\x00\x00\x00\x00\x00\x00\x00IEND", "XMP: the chunk is too short", ""},
		{"png-size", "\x89PNG\r\n\x1a\n\x00\x00\x00\x00iTXtXML:com.adobe.xmp\x00here", "here", "XMP: what should hold it is too short", ""},
		{"png-profile", pngWith(pngChunk("tEXt", "Raw profile type iptc\x00\niptc\n 2\n0g")), "\niptc", "IPTC: encoding/hex: invalid byte", ""},
		{"png-profile-cut", pngWith(pngChunk("zTXt", "Raw profile type iptc\x00\x00"+zipped(profile("owl"))[:9])), "\x00" + zipped(profile("owl"))[:9], "IPTC: the text is no profile", ""},
		{"png-zip", pngWith(pngChunk("iTXt", "XML:com.adobe.xmp\x00\x01\x00\x00\x00junk")), "junk", "XMP: zlib: invalid header", ""},
		{"png-packed", pngWith(pngChunk("iTXt", "XML:com.adobe.xmp\x00\x01\x00\x00\x00"+zipped(bad))), zipped(bad), "XMP: the tag <here has no end", ""},
		{"gif-cut", gifWith(bad)[:140], bad, "XMP has no end", ""},
		{"tiff", tiffWith(binary.BigEndian, entry{tagXMP, 1, sidecarOf("owl")})[:100], be32(26), "XMP: 202 bytes at 26 lie outside of the directory's 100 bytes", ""},
	}
	for _, c := range tests {
		path := filepath.Join(t.TempDir(), "a.bin")
		write(t, path, c.file)
		values, err := ReadFile(path)
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), c.want) || joined(values) != c.values {
			t.Errorf("%s: %q, %v, want %q and an error with %q", c.name, joined(values), err, c.values, c.want)
			continue
		}
		if at := strings.Index(c.file, c.at); e.Offset != int64(at) || e.File != path {
			t.Errorf("%s: %v, want byte %d", c.name, err, at)
		}
	}
}

// TestUnpackedBound: what is packed in a photo may be only so large in all.
func TestUnpackedBound(t *testing.T) {
	packet := sidecarOf("owl")
	chunk := pngChunk("iTXt", "XML:com.adobe.xmp\x00\x01\x00\x00\x00"+zipped(packet))
	file := pngWith(chunk, chunk)
	m := metadata{unpacked: maxFile - len(packet)}
	m.read(io.NewSectionReader(strings.NewReader(file), 0, int64(len(file))))
	if joined(m.values) != "dc:subject owl" || len(m.errs) != 1 || !strings.Contains(m.errs[0].Error(), "larger than 50 MB when unpacked") {
		t.Errorf("%v, %v", m.values, m.errs)
	}
}

// TestSeveralErrors: each broken part of a photo is told.
func TestSeveralErrors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.jpg")
	write(t, path, jpegWith(segment(0xe1, markXMP+"<a"), segment(0xe1, markXMP+"<b")))
	if _, err := ReadFile(path); err == nil || strings.Count(err.Error(), "read tags of "+path) != 2 {
		t.Error(err)
	}
}

// TestKeywordsEncoding: 1:90 says what the bytes are; without it they are
// UTF-8 if they can be.
func TestKeywordsEncoding(t *testing.T) {
	for _, c := range []struct{ mark, raw, want string }{
		{utf8Mark, "K\xc3\xa4uzchen", "Käuzchen"},
		{"", "K\xc3\xa4uzchen", "Käuzchen"},
		{"", "K\xe4uzchen", "Käuzchen"},
		{"", "5 \x80", "5 €"},
		{"\x1b.A", "K\xe4uzchen", "Käuzchen"},
		{"\x1b.A", "\xc3\xa4", "Ã¤"},
		{utf8Mark, "K\xe4uzchen", "Käuzchen"}, // is not what it says
	} {
		sets := ""
		if c.mark != "" {
			sets = dataSet(1, 90, c.mark)
		}
		m := metadata{file: io.NewSectionReader(strings.NewReader(""), 0, 0)}
		m.iptc(block{data: sets + dataSet(2, 25, c.raw), pieces: []piece{{}}})
		if got := joined(m.values); got != "IPTC:Keywords "+c.want || len(m.errs) > 0 {
			t.Errorf("1:90 %q, 2:25 %q: %q, %v, want %q", c.mark, c.raw, got, m.errs, c.want)
		}
	}
}

// TestExtendedDataSet: more than 32 KB have a length of their own length.
func TestExtendedDataSet(t *testing.T) {
	long := strings.Repeat("x", 40_000)
	m := metadata{file: io.NewSectionReader(strings.NewReader(""), 0, 0)}
	m.iptc(block{data: "\x1c\x02\x19\x80\x04" + be32(len(long)) + long + dataSet(2, 25, "Wald"), pieces: []piece{{}}})
	if got, want := joined(m.values), fmt.Sprintf("IPTC:Keywords %s; IPTC:Keywords Wald", long); got != want {
		t.Errorf("%d bytes, want %d", len(got), len(want))
	}
}
