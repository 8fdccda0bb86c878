package safetensors

import (
	"encoding/binary"
	"math"
	"unsafe"
)

var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// widen converts len(dst) little-endian elements of type t, at any alignment.
func widen(dst []float32, src []byte, t DType) {
	switch t {
	case F32:
		widenF32(dst, src)
	case F16:
		src = src[:2*len(dst)]
		for i := range dst {
			dst[i] = halfToFloat(binary.LittleEndian.Uint16(src[2*i:]))
		}
	case BF16: // the upper half of a float32
		src = src[:2*len(dst)]
		for i := range dst {
			dst[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(src[2*i:])) << 16)
		}
	}
}

func widenF32(dst []float32, src []byte) {
	src = src[:4*len(dst)]
	if littleEndian && len(dst) > 0 {
		// The destination is seen as bytes, not the source as floats: src may
		// begin anywhere, a float32 may not.
		copy(unsafe.Slice((*byte)(unsafe.Pointer(&dst[0])), len(src)), src)
		return
	}
	for i := range dst {
		dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(src[4*i:]))
	}
}

// halfToFloat widens an IEEE 754 binary16: 1 sign bit, 5 bits of exponent with
// bias 15, 10 of fraction. It is small enough to be inlined.
func halfToFloat(h uint16) float32 {
	rest := uint32(h & 0x7fff)
	bits := rest<<13 + (127-15)<<23
	if rest-0x0400 >= 0x7c00-0x0400 { // not normal; the difference wraps below 0x0400
		bits = oddHalf(rest)
	}
	return math.Float32frombits(uint32(h&0x8000)<<16 | bits)
}

// oddHalf returns the float32 bits of a binary16 without sign that is zero,
// subnormal, infinite or NaN.
func oddHalf(rest uint32) uint32 {
	if rest >= 0x7c00 {
		return 0x7f800000 | rest<<13
	}
	return math.Float32bits(float32(rest) * 0x1p-24) // exact: 10 bits times a power of two
}
