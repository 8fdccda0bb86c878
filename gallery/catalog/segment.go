package catalog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"strings"
)

// A segment is a header and records of equal size, all little endian:
//
//	header  0 magic · 8 u32 format · 12 u32 dim · 16 u32 preprocess ·
//	        20 digest [64], padded with 0 · 124 u32 CRC of the bytes before it
//	record  0 hash [32] · 32 u32 CRC · 36 zeros · 64 f16 [dim] · zeros up to
//	        the next multiple of 64
//
// The CRC of a record (CRC-32C) continues that of the header and covers every
// byte of the record but itself. So a record that passes is one that was
// written for this model, for this photo, with this vector.
const (
	segmentMagic  = "sigla16\n"
	segmentFormat = 1
	headerSize    = 128
	digestSize    = 64
	recordHead    = 64 // bytes before the vector, which so begins a cache line
	maxDim        = 1 << 16
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A Model is what vectors were computed with. Two are the same if Digest and
// Preprocess are: only their vectors can be compared.
type Model struct {
	Digest     string // of the weights: 1 to 64 small letters, digits, - and _
	Preprocess int    // version of what is done to a picture before
	Dim        int    // values of a vector
	Name       string // for people
}

func (m Model) validate() error {
	const alphabet = "0123456789abcdefghijklmnopqrstuvwxyz-_"
	switch {
	case m.Digest == "" || len(m.Digest) > digestSize || strings.Trim(m.Digest, alphabet) != "":
		return fmt.Errorf("the model's digest %q is not 1 to %d small letters, digits, - and _", m.Digest, digestSize)
	case m.Preprocess < 0 || m.Preprocess > math.MaxInt32:
		return fmt.Errorf("the model's preprocessing has the version %d", m.Preprocess)
	case m.Dim < 1 || m.Dim > maxDim:
		return fmt.Errorf("the model has vectors of %d values, not 1 to %d", m.Dim, maxDim)
	}
	return nil
}

// is reports whether two models' vectors can be compared.
func (m Model) is(other Model) bool {
	return m.Digest == other.Digest && m.Preprocess == other.Preprocess && m.Dim == other.Dim
}

// A layout is where things lie in the segments of a model.
type layout struct {
	Model
	header []byte
	seed   uint32 // CRC of the header
	stride int    // bytes of a record
}

func layoutOf(m Model) layout {
	b := make([]byte, 0, headerSize)
	b = append(b, segmentMagic...)
	b = binary.LittleEndian.AppendUint32(b, segmentFormat)
	b = binary.LittleEndian.AppendUint32(b, uint32(m.Dim))
	b = binary.LittleEndian.AppendUint32(b, uint32(m.Preprocess))
	b = append(b, m.Digest...)
	b = append(b, make([]byte, headerSize-4-len(b))...)
	seed := crc32.Checksum(b, castagnoli)
	b = binary.LittleEndian.AppendUint32(b, seed)
	return layout{m, b, seed, recordHead + (2*m.Dim+63)&^63}
}

// parseHeader returns the model of a segment that begins with b.
func parseHeader(b []byte) (Model, error) {
	if len(b) < headerSize {
		return Model{}, errors.New("its header is cut off")
	}
	if string(b[:8]) != segmentMagic {
		return Model{}, errors.New("it does not begin as a segment of vectors")
	}
	if format := binary.LittleEndian.Uint32(b[8:]); format > segmentFormat {
		return Model{}, fmt.Errorf("%w: its format is %d, this program knows %d", ErrNewer, format, segmentFormat)
	}
	m := Model{
		Digest:     string(bytes.TrimRight(b[20:20+digestSize], "\x00")),
		Preprocess: int(binary.LittleEndian.Uint32(b[16:])),
		Dim:        int(binary.LittleEndian.Uint32(b[12:])),
	}
	if m.validate() != nil || !bytes.Equal(layoutOf(m).header, b[:headerSize]) {
		return Model{}, errors.New("its header does not match its checksum")
	}
	return m, nil
}

// offset returns where a row begins in the file.
func (l layout) offset(row int) int64 { return headerSize + int64(row)*int64(l.stride) }

// rows returns how many whole records a file of that size holds.
func (l layout) rows(size int64) int { return int(max(0, size-headerSize) / int64(l.stride)) }

// sum returns the checksum that a record should have.
func (l layout) sum(record []byte) uint32 {
	sum := crc32.Update(l.seed, castagnoli, record[:32])
	return crc32.Update(sum, castagnoli, record[36:])
}

// encode writes a record into dst, which is stride zeros.
func (l layout) encode(dst []byte, r Record) error {
	if len(r.Vector) != l.Dim {
		return fmt.Errorf("photo %s: a vector of %d values, not %d", r.Hash, len(r.Vector), l.Dim)
	}
	copy(dst, r.Hash[:])
	for i, x := range r.Vector {
		h := half(x)
		if h&0x7c00 == 0x7c00 {
			return fmt.Errorf("photo %s: its vector holds %v", r.Hash, x)
		}
		binary.LittleEndian.PutUint16(dst[recordHead+2*i:], h)
	}
	binary.LittleEndian.PutUint32(dst[32:], l.sum(dst))
	return nil
}

// decode returns whose a record is, and the zero Hash if it is damaged.
func (l layout) decode(record []byte) Hash {
	if binary.LittleEndian.Uint32(record[32:]) != l.sum(record) {
		return Hash{}
	}
	return Hash(record[:32])
}
