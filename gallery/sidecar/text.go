package sidecar

import (
	"encoding/binary"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// An encoding is how the characters of a document are stored.
type encoding uint8

const (
	utf8Text encoding = iota // with or without a byte order mark
	utf16LE
	utf16BE
)

// toUTF8 returns a document in UTF-8. UTF-8 is returned as it is, with its
// byte order mark, so that places in it are places in the file; what is in
// UTF-16 is transcoded, and its byte order mark with it.
func toUTF8(data string) (string, encoding, error) {
	starts := func(s string) bool { return strings.HasPrefix(data, s) }
	e := utf8Text
	switch {
	case starts("\xff\xfe\x00\x00"), starts("\x00\x00\xfe\xff"), starts("<\x00\x00\x00"), starts("\x00\x00\x00<"):
		return "", e, faultAt(0, "UTF-32 is not supported; store it as UTF-8")
	case starts("\xff\xfe"), starts("<\x00"):
		e = utf16LE
	case starts("\xfe\xff"), starts("\x00<"):
		e = utf16BE
	default:
		return data, e, nil
	}
	if len(data)%2 != 0 {
		return "", e, faultAt(len(data)-1, "half a character of UTF-16 at the end")
	}
	order := binary.ByteOrder(binary.LittleEndian)
	if e == utf16BE {
		order = binary.BigEndian
	}
	return fromUTF16(data, order), e, nil
}

// encode returns a text as it is stored. It is the inverse of toUTF8, but for
// surrogates without their partner.
func (e encoding) encode(text string) string {
	if e == utf8Text {
		return text
	}
	order := binary.AppendByteOrder(binary.LittleEndian)
	if e == utf16BE {
		order = binary.BigEndian
	}
	b := make([]byte, 0, 2*len(text))
	for _, r := range text {
		if r1, r2 := utf16.EncodeRune(r); r1 != utf8.RuneError {
			b = order.AppendUint16(order.AppendUint16(b, uint16(r1)), uint16(r2))
		} else {
			b = order.AppendUint16(b, uint16(r))
		}
	}
	return string(b)
}

// fromUTF16 transcodes whole units. Surrogates without their partner become
// U+FFFD each.
func fromUTF16(data string, order binary.ByteOrder) string {
	var b strings.Builder
	b.Grow(len(data))
	unit := func(i int) rune {
		if i+1 >= len(data) {
			return 0
		}
		return rune(order.Uint16([]byte{data[i], data[i+1]}))
	}
	for i := 0; i+1 < len(data); i += 2 {
		r := unit(i)
		if utf16.IsSurrogate(r) {
			if r = utf16.DecodeRune(r, unit(i+2)); r != utf8.RuneError {
				i += 2
			}
		}
		b.WriteRune(r)
	}
	return b.String()
}

// original returns where in the data the byte at of its UTF-8 text was.
func (e encoding) original(text string, at int) int {
	if e == utf8Text {
		return at
	}
	units := 0
	for _, r := range text[:at] {
		units += utf16.RuneLen(r)
	}
	return 2 * units
}

// decode returns what characters stand for in a value: references and CDATA
// are resolved, line ends unified, comments and instructions dropped. In the
// value of an attribute, white space becomes blanks.
//
// Bytes that are not UTF-8 are taken for Windows' Latin-1, as Adobe's programs
// do: what was written by a program that knew of no encoding stays readable.
func decode(text string, s span, quoted bool) (string, error) {
	raw := s.of(text)
	special := "&<\r"
	if quoted {
		special = "&\r\n\t"
	}
	i := strings.IndexAny(raw, special)
	if i < 0 {
		return fromLatin(raw), nil
	}
	var b strings.Builder
	for ; i >= 0; i = strings.IndexAny(raw, special) {
		b.WriteString(raw[:i])
		raw = raw[i:]
		n := 1
		switch raw[0] {
		case '&':
			r, size, err := reference(raw, s.to-len(raw))
			if err != nil {
				return "", err
			}
			b.WriteRune(r)
			n = size
		case '<':
			m := scanner{text: text[:s.to], at: s.to - len(raw)}
			if err := m.next(); err != nil {
				return "", err
			}
			if m.kind == tokenCDATA {
				b.WriteString(newlines.Replace(text[m.span.from+len("<![CDATA[") : m.span.to-len("]]>")]))
			}
			n = m.span.to - m.span.from
		default: // white space
			if strings.HasPrefix(raw, "\r\n") {
				n = 2
			}
			if quoted {
				b.WriteByte(' ')
			} else {
				b.WriteByte('\n')
			}
		}
		raw = raw[n:]
	}
	b.WriteString(raw)
	return fromLatin(b.String()), nil
}

var newlines = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// reference returns the character that the reference at the start of raw
// stands for, and the bytes it takes. Its place in the text is at.
func reference(raw string, at int) (rune, int, error) {
	const longest = len("&#x0010FFFF;")
	n := strings.IndexByte(raw[:min(len(raw), longest)], ';')
	if n < 0 {
		return 0, 0, faultAt(at, "& that begins no reference")
	}
	name := raw[1:n]
	switch name {
	case "amp":
		return '&', n + 1, nil
	case "lt":
		return '<', n + 1, nil
	case "gt":
		return '>', n + 1, nil
	case "quot":
		return '"', n + 1, nil
	case "apos":
		return '\'', n + 1, nil
	}
	number, ok := strings.CutPrefix(name, "#")
	if !ok {
		return 0, 0, faultAt(at, "&%s; is not known", name)
	}
	base := 10
	if hex, ok := strings.CutPrefix(number, "x"); ok {
		number, base = hex, 16
	}
	r, err := strconv.ParseUint(number, base, 32)
	if err != nil || r == 0 || r > utf8.MaxRune || utf16.IsSurrogate(rune(r)) {
		return 0, 0, faultAt(at, "&%s; is no character", name)
	}
	return rune(r), n + 1, nil
}

// fromLatin returns s with every byte that is not part of a UTF-8 character
// taken for one of Windows-1252.
func fromLatin(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for s != "" {
		r, n := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && n == 1 {
			r = charmap.Windows1252.DecodeByte(s[0])
		}
		b.WriteRune(r)
		s = s[n:]
	}
	return b.String()
}
