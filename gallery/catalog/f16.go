package catalog

import "math"

// half returns x as an IEEE 754 binary16, rounded to the nearest, of two
// equally near ones to the even. What is too large becomes an infinity.
func half(x float32) uint16 {
	b := math.Float32bits(x)
	sign := uint16(b >> 16 & 0x8000)
	b &= 0x7fffffff
	switch {
	case b > 0x7f800000: // NaN stays NaN
		return sign | 0x7e00
	case b >= 0x477ff000: // 65520 and more: nearer to 65536 than to 65504
		return sign | 0x7c00
	case b >= 0x38800000: // 2^-14 and more: normal
		b -= 112 << 23 // exponent bias 127 → 15
		b += 0xfff + b>>13&1
		return sign | uint16(b>>13)
	}
	// Subnormal, in units of 2^-24. Adding a number whose own unit is 2^-24
	// makes the processor round.
	const magic = 0.5
	return sign | uint16(math.Float32bits(math.Float32frombits(b)+magic)-math.Float32bits(magic))
}

// wide returns the value of a binary16.
func wide(h uint16) float32 {
	sign := uint32(h&0x8000) << 16
	exponent, fraction := uint32(h>>10&0x1f), uint32(h&0x3ff)
	switch exponent {
	case 0:
		return math.Float32frombits(sign | math.Float32bits(float32(fraction)*0x1p-24))
	case 0x1f:
		return math.Float32frombits(sign | 0x7f800000 | fraction<<13)
	}
	return math.Float32frombits(sign | (exponent+112)<<23 | fraction<<13)
}

// Narrow writes numbers as binary16 into dst, which is as long: what Put makes
// of a vector.
func Narrow(dst []uint16, src []float32) {
	dst = dst[:len(src)]
	for i, x := range src {
		dst[i] = half(x)
	}
}

// Norm returns the length of a vector of finite binary16 numbers.
func Norm(v []uint16) float64 {
	// As a float32 the bits are a number whose exponent is 112 too small.
	var sums [4]float64
	square := func(h uint16) float64 {
		x := float64(math.Float32frombits(uint32(h&0x7fff)<<13) * 0x1p112)
		return x * x
	}
	for len(v) >= 4 {
		sums[0] += square(v[0])
		sums[1] += square(v[1])
		sums[2] += square(v[2])
		sums[3] += square(v[3])
		v = v[4:]
	}
	for i, h := range v {
		sums[i] += square(h)
	}
	return math.Sqrt(sums[0] + sums[1] + sums[2] + sums[3])
}

// Widen writes the values of binary16 numbers, such as those of a Block, into
// dst, which is as long. It is exact.
func Widen(dst []float32, src []uint16) {
	dst = dst[:len(src)]
	for i, h := range src {
		dst[i] = wide(h)
	}
}
