package catalog

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestHalfOfEveryHalf(t *testing.T) {
	for i := range 1 << 16 {
		h := uint16(i)
		x := wide(h)
		if h&0x7c00 == 0x7c00 && h&0x3ff != 0 {
			if !math.IsNaN(float64(x)) || half(x)&0x7c00 != 0x7c00 || half(x)&0x3ff == 0 {
				t.Fatalf("%#04x is read as %v and written as %#04x", h, x, half(x))
			}
			continue
		}
		if got := half(x); got != h {
			t.Fatalf("%#04x is read as %v and written as %#04x", h, x, got)
		}
	}
}

// nearest rounds by definition: of all numbers the closest, of two the even.
func nearest(x float32) uint16 {
	sign := uint16(0)
	if math.Signbit(float64(x)) {
		sign = 0x8000
	}
	lo, hi := uint16(0), uint16(0x7c00) // values ascend with the bits
	for lo+1 < hi {
		if mid := (lo + hi) / 2; float64(wide(mid)) <= math.Abs(float64(x)) {
			lo = mid
		} else {
			hi = mid
		}
	}
	top := float64(wide(hi))
	if hi == 0x7c00 {
		top = 65536 // what infinity stands for
	}
	down, up := math.Abs(float64(x))-float64(wide(lo)), top-math.Abs(float64(x))
	if up < down || up == down && hi%2 == 0 {
		return sign | hi
	}
	return sign | lo
}

func TestHalfRoundsToNearestEven(t *testing.T) {
	check := func(x float32) {
		t.Helper()
		if got, want := half(x), nearest(x); got != want {
			t.Fatalf("%v (%#08x) became %#04x, want %#04x", x, math.Float32bits(x), got, want)
		}
	}
	// Each half, the middle to the next, and the numbers around that.
	for h := range uint16(0x7c00) {
		x := wide(h)
		next := float32(65536)
		if h+1 < 0x7c00 {
			next = wide(h + 1)
		}
		middle := (x + next) / 2
		for _, v := range []float32{x, middle, math.Nextafter32(middle, 0), math.Nextafter32(middle, 1e9)} {
			check(v)
			check(-v)
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 300_000 {
		check(float32(r.NormFloat64() * 0.05))
		if x := math.Float32frombits(r.Uint32()); math.Abs(float64(x)) < 65536 {
			check(x)
		}
	}
	for _, x := range []float32{65536, 1e30, float32(math.Inf(1))} {
		if half(x) != 0x7c00 || half(-x) != 0xfc00 {
			t.Errorf("%v became %#04x and %#04x", x, half(x), half(-x))
		}
	}
}

func TestWiden(t *testing.T) {
	dst := make([]float32, 3)
	Widen(dst, []uint16{0x3c00, 0xc000, 1})
	if dst[0] != 1 || dst[1] != -2 || dst[2] != 0x1p-24 {
		t.Errorf("got %v", dst)
	}
}
