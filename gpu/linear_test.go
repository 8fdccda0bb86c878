//go:build gpu && cgo && (linux || windows)

package gpu

import (
	"fmt"
	"math"
	"testing"

	"sigla/backend"
	"sigla/backend/ref"
)

// A product as deep as an invocation may go, in every tile and layout: were the
// steps of its loops counted too low, the driver would stop it silently.
func TestDeepestProduct(t *testing.T) {
	e := open(t).(*engine)
	defer e.Close()
	ones := make([]float32, 4*deepest)
	for i := range ones {
		ones[i] = 1
	}
	x, dst := e.Alloc(len(ones), backend.Scratch), e.Alloc(16, backend.Scratch)
	e.Write(x, ones)
	eachTile(e, func() {
		tile := e.tuning[0].Tile
		k := tile.most()
		if k < depth() || k > deepest {
			t.Errorf("%+v goes over %d, want between %d and %d", tile, k, depth(), deepest)
		}
		for _, side := range []int{1, 4} { // one value at a time, and four
			for i := range 4 {
				s := backend.Mat{M: side, N: side, K: k, TransA: i&1 != 0, TransB: i&2 != 0}
				out := dst.Slice(0, side*side)
				e.product(out, x.Slice(0, side*k), x.Slice(0, side*k), s, false, 0, k, k)
				got := make([]float32, side*side)
				if err := e.Read(got, out); err != nil {
					t.Fatal(err)
				}
				for _, v := range got {
					if v != float32(k) {
						t.Fatalf("%+v: the sum of %d ones is %g (%+v)", tile, k, v, s)
					}
				}
			}
		}
	})
}

// The gradient of a weight is cut into parts of k where it has few values, the
// same whatever was measured; what a photo goes through never is.
func TestParts(t *testing.T) {
	for _, c := range []struct {
		s           backend.Mat
		count, each int
	}{
		{backend.Mat{M: 768, N: 768, K: 32 * 196, TransA: true}, 7, 896},
		{backend.Mat{M: 3072, N: 768, K: 32 * 196, TransA: true}, 4, 1568},
		{backend.Mat{M: 3072, N: 768, K: 8 * 196, TransA: true}, 1, 1568},
		{backend.Mat{M: 768, N: 768, K: 196, TransA: true}, 1, 224},
		{backend.Mat{M: 8, N: 768, K: 768, TransA: true}, 3, 256},
		{backend.Mat{M: 32 * 196, N: 768, K: 3072, TransB: true}, 1, 3072},
		{backend.Mat{M: 1, N: 768, K: 3072}, 1, 3072},
		{backend.Mat{M: 1, N: 1, K: 9 << 20, TransA: true}, 29492, 320},
		{backend.Mat{M: 1, N: 1, K: 1 << 30, TransA: true}, 30000, depth()},
	} {
		count, each := parts(c.s, c.s.TransA, widestBinding/4)
		if count != c.count || each != c.each {
			t.Errorf("%+v goes in %d parts of %d, want %d of %d", c.s, count, each, c.count, c.each)
		}
		// A dispatch has all parts of some rows, and an invocation sums them.
		if count > widest || count > deepest {
			t.Errorf("%+v goes in %d parts: a dispatch has %d groups at most, an invocation %d steps", c.s, count, widest, deepest)
		}
	}
}

// Products in parts, in every tile, against the reference; with a last part that is
// shorter, with rows in several dispatches, and with what dst had before.
func TestProductInParts(t *testing.T) {
	fast, slow := open(t).(*engine), ref.New()
	defer fast.Close()
	eachTile(fast, func() {
		for i, d := range [][3]int{{3, 5, 1029}, {36, 132, 1100}, {1, 1, 2*depth() + 40}, {36, 132, 1100}, {33, 5, 1029}} {
			s := backend.Mat{M: d[0], N: d[1], K: d[2], TransA: i < 3, Add: true} // the last as in losses
			if count, _ := parts(s, true, widestBinding/4); count < 2 {
				t.Fatalf("%+v is not cut", s)
			}
			fast.tuning[0].GFLOPS = 1e-4 // rows one after the other
			var out [2]backend.Buf
			for i, e := range []backend.Backend{fast, slow} {
				load := func(n int, step float64) backend.Buf {
					b := e.Alloc(n, backend.Scratch)
					e.Write(b, wave(n, step))
					return b
				}
				out[i] = load(s.M*s.N, 1)
				a, b := load(s.M*s.K, 2), load(s.N*s.K, 3)
				if i == 0 {
					fast.multiply(out[i], a, b, s, true)
				} else {
					e.MatMul(out[i], a, b, s)
				}
			}
			got, want := make([]float32, s.M*s.N), make([]float32, s.M*s.N)
			if err := fast.Read(got, out[0]); err != nil {
				t.Fatal(err)
			}
			if err := slow.Read(want, out[1]); err != nil {
				t.Fatal(err)
			}
			for i, w := range want {
				if math.Abs(float64(got[i]-w)) > 1e-6*math.Sqrt(float64(s.K))*8 {
					t.Fatalf("%v: element %d is %g, want %g", fmt.Sprint(d), i, got[i], w)
				}
			}
		}
	})
}
