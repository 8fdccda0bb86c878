//go:build gpu && cgo && (linux || windows)

package gpu

import (
	"fmt"
	"testing"

	"sigla/backend"
	"sigla/backend/ref"
)

// Each shape of work groups multiplies alike: which of them is fastest differs from
// start to start, and narrow products are those of low-rank updates.
func TestTiles(t *testing.T) {
	e := open(t).(*engine)
	slow := ref.New()
	load := func(e backend.Backend, x []float32) backend.Buf {
		b := e.Alloc(len(x), backend.Scratch)
		e.Write(b, x)
		return b
	}
	for i, shape := range tiles {
		for k := range e.tuning { // the shape is the fastest for whatever size
			e.tuning[k] = speed{Tile: shape, GFLOPS: 1, Alone: 1}
		}
		for _, size := range [][3]int{{64, 8, 192}, {64, 192, 8}, {8, 192, 64}, {192, 8, 300}, {192, 8, 600}, {5, 3, 7}, {130, 70, 33}, {1, 8, 8}} {
			for flags := range 8 {
				m, n, k := size[0], size[1], size[2]
				form := backend.Mat{M: m, N: n, K: k, TransA: flags&1 != 0, TransB: flags&2 != 0, Add: flags&4 != 0}
				a, b, c := wave(m*k, 1), wave(k*n, 2), wave(m*n, 3)
				for i := range a {
					a[i] /= 16 // the tolerance is absolute
				}
				got, want := load(e, c), load(slow, c)
				e.MatMul(got, load(e, a), load(e, b), form)
				slow.MatMul(want, load(slow, a), load(slow, b), form)
				same(t, fmt.Sprintf("tile %d, %v, flags %d", i, size, flags), e, got, slow, want)
			}
		}
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
}
