package tokenize

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// A charsmap is SentencePiece's table of character sequences and what they
// become: a double-array trie (the layout of darts-clone) whose values are
// offsets of NUL-terminated strings.
type charsmap struct {
	units   []uint32
	strings string
}

// parseCharsmap reads a precompiled_charsmap: the trie's size in bytes as a
// little-endian u32, the trie, the strings. An empty one changes nothing.
func parseCharsmap(blob []byte) (normalizer, error) {
	if len(blob) == 0 {
		return nil, nil
	}
	if len(blob) < 4 {
		return nil, errors.New("precompiled_charsmap: it is cut off")
	}
	size, rest := binary.LittleEndian.Uint32(blob), blob[4:]
	if size%4 != 0 || uint64(size) > uint64(len(rest)) {
		return nil, fmt.Errorf("precompiled_charsmap: a trie of %d bytes in %d", size, len(rest))
	}
	c := charsmap{units: make([]uint32, size/4), strings: string(rest[size:])}
	for i := range c.units {
		c.units[i] = binary.LittleEndian.Uint32(rest[4*i:])
	}
	return c.normalize, nil
}

// normalize replaces the longest sequence of the table at every place.
func (c charsmap) normalize(text string) string {
	var b strings.Builder
	done := 0 // text[:done] is in b
	for i := 0; i < len(text); {
		to, length := c.longest(text[i:])
		if length == 0 {
			_, width := utf8.DecodeRuneInString(text[i:])
			i += width
			continue
		}
		b.WriteString(text[done:i])
		b.WriteString(to)
		i += length
		done = i
	}
	if done == 0 {
		return text
	}
	b.WriteString(text[done:])
	return b.String()
}

// longest returns the replacement of the longest sequence that text begins
// with, and the length of that sequence; 0 if there is none.
//
// A unit holds a label (the byte that leads to it; bit 31 marks a value), an
// offset that is XORed to its place to reach its children, and in bit 8 whether
// one of these, the one of label 0, is a value.
func (c charsmap) longest(text string) (to string, length int) {
	place := uint32(0)
	unit, ok := c.unit(place)
	if !ok {
		return "", 0
	}
	for i := 0; i < len(text); i++ {
		place ^= unitOffset(unit) ^ uint32(text[i])
		if unit, ok = c.unit(place); !ok || unit&0x800000ff != uint32(text[i]) {
			break
		}
		if unit&0x100 == 0 {
			continue
		}
		value, ok := c.unit(place ^ unitOffset(unit))
		if at := value & 0x7fffffff; ok && uint64(at) < uint64(len(c.strings)) {
			to, _, _ = strings.Cut(c.strings[at:], "\x00")
			length = i + 1
		}
	}
	return to, length
}

func (c charsmap) unit(place uint32) (uint32, bool) {
	if uint64(place) >= uint64(len(c.units)) {
		return 0, false
	}
	return c.units[place], true
}

func unitOffset(unit uint32) uint32 { return unit >> 10 << (unit & 0x200 >> 6) }
