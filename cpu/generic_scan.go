package cpu

import (
	"math"
	"sync/atomic"
	"unsafe"
)

// dots4 multiplies four rows, whose sums do not wait for each other.
func dots4(dst *float32, rows, _ **float32, query *float32, n, ld int) {
	r := unsafe.Slice(rows, scanRows)
	a, b, c, d := vector(r[0], n), vector(r[1], n), vector(r[2], n), vector(r[3], n)
	var sums [scanRows]float64
	for i, q := range vector(query, n) {
		x := float64(q)
		sums[0] += x * float64(a[i])
		sums[1] += x * float64(b[i])
		sums[2] += x * float64(c[i])
		sums[3] += x * float64(d[i])
	}
	store4(dst, sums, ld)
}

func dots4Half(dst *float32, rows, _ **uint16, query *float32, n, ld int) {
	r := unsafe.Slice(rows, scanRows)
	a, b, c, d := unsafe.Slice(r[0], n), unsafe.Slice(r[1], n), unsafe.Slice(r[2], n), unsafe.Slice(r[3], n)
	var sums [scanRows]float64
	for i, q := range vector(query, n) {
		x := float64(q)
		sums[0] += x * float64(wide(a[i]))
		sums[1] += x * float64(wide(b[i]))
		sums[2] += x * float64(wide(c[i]))
		sums[3] += x * float64(wide(d[i]))
	}
	store4(dst, sums, ld)
}

func store4(dst *float32, sums [scanRows]float64, ld int) {
	for i, x := range sums {
		*index(dst, i*ld) = float32(x)
	}
}

// wide returns the value of a finite binary16: its bits in the places of a
// float32 are a number with an exponent that is 112 too small.
func wide(h uint16) float32 {
	return math.Float32frombits(uint32(h&0x8000)<<16|uint32(h&0x7fff)<<13) * 0x1p112
}

// touched keeps the compiler from leaving out what touch does.
var touched atomic.Uint64

func touch(x *byte, n int) {
	var sum uint64
	for _, w := range unsafe.Slice((*uint64)(unsafe.Pointer(x)), n/8) {
		sum |= w
	}
	touched.Store(sum)
}
