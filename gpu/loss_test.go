//go:build gpu && cgo && (linux || windows)

package gpu

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"sigla/backend"
	"sigla/backend/ref"
)

// The side of a tile is one that a device can bind, and leaves memory for the rest.
func TestPairSide(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		software              bool
		binding, budget, want int
	}{
		{true, 128 * mib, 0, 1024},
		{false, 128 * mib, 0, 4096},
		{false, 2048 * mib, 64 << 30, 4096},
		{false, 128 * mib, 512 * mib, 4096},
		{false, 128 * mib, 256 * mib, 2048},
		{false, 32 * mib, 0, 2048},
		{true, 128 * mib, 16 * mib, 512},
		{true, 128 * mib, 1 * mib, 256},
	} {
		if got := pairSide(c.software, c.binding, c.budget); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
}

// Both losses are the same in tiles of whatever side, with exceptions at all their
// edges and corners, rows and tiles without any, and rows full of them.
func TestPairTiles(t *testing.T) {
	const rows, cols, dim = 200, 330, 24
	some := backend.Pairs{Rows: rows, Cols: cols, Dim: dim, Default: -1, Diagonal: true}
	rng := rand.New(rand.NewPCG(1, 2))
	for r := range rows {
		for c := range cols {
			edge := r%64 < 2 && c%64 > 61
			if r == 77 || r > 130 && r < 190 && edge || r < 100 && rng.IntN(90) == 0 {
				some.Except = append(some.Except, backend.Pair{Row: int32(r), Col: int32(c), Label: int8(rng.IntN(3) - 1)})
			}
		}
	}
	none, few := some, backend.Pairs{Rows: rows, Cols: cols, Dim: dim}
	none.Except = nil
	few.Except = []backend.Pair{{Row: 0, Col: 329, Label: 1}, {Row: 63, Col: 64, Label: -1}, {Row: 64, Col: 63, Label: 1}, {Row: 199, Col: 0, Label: -1}, {Row: 199, Col: 329, Label: 1}}
	fast, slow := open(t).(*engine), ref.New()
	defer fast.Close()
	for _, p := range []backend.Pairs{some, none, few} {
		for name, loss := range map[string]func(e backend.Backend, out [5]backend.Buf, x, y, t, b backend.Buf){
			"sigmoid": func(e backend.Backend, out [5]backend.Buf, x, y, t, b backend.Buf) {
				e.SigmoidLoss(out[0], out[1], out[2], out[3], out[4], x, y, t, b, p)
			},
			"softmax": func(e backend.Backend, out [5]backend.Buf, x, y, t, _ backend.Buf) {
				e.SoftmaxLoss(out[0], out[1], out[2], out[3], x, y, t, p)
			},
		} {
			run := func(e backend.Backend) (got [5][]float32) {
				load := func(x []float32) backend.Buf {
					b := e.Alloc(len(x), backend.Scratch)
					e.Write(b, x)
					return b
				}
				x, y := unit(rows, dim, 1), unit(cols, dim, 2)
				var out [5]backend.Buf
				for i, n := range []int{1, len(x), len(y), 1, 1} {
					out[i] = e.Alloc(n, backend.Scratch)
				}
				loss(e, out, load(x), load(y), load([]float32{float32(math.Log(10))}), load([]float32{-3}))
				for i, b := range out {
					got[i] = make([]float32, b.Len)
					if err := e.Read(got[i], b); err != nil {
						t.Fatal(err)
					}
				}
				return got
			}
			want := run(slow)
			for _, side := range []int{1024, 256, 64, 37} {
				fast.pairSide = side
				for i, got := range run(fast) {
					if d := distance(got, want[i]); d > 1e-5 {
						t.Errorf("%s, %d exceptions, tiles of %d: result %d is off by %.2g", name, len(p.Except), side, i, d)
					}
				}
			}
		}
	}
}

// unit is rows of length 1.
func unit(rows, dim int, step float64) []float32 {
	x := wave(rows*dim, step)
	for r := range rows {
		row, sum := x[r*dim:][:dim], 0.0
		for _, v := range row {
			sum += float64(v) * float64(v)
		}
		for i := range row {
			row[i] /= float32(math.Sqrt(sum))
		}
	}
	return x
}

// distance is that of two vectors over the length of the second, unless that is zero.
func distance(got, want []float32) float64 {
	sum, norm := 0.0, 0.0
	for i, w := range want {
		sum += float64(got[i]-w) * float64(got[i]-w)
		norm += float64(w) * float64(w)
	}
	if norm == 0 {
		norm = 1
	}
	return math.Sqrt(sum / norm)
}

// The list of a tile has the exceptions that are in it.
func TestExceptions(t *testing.T) {
	l := pairTile{i: 10, j: 20, m: 3, n: 4}
	for _, c := range []struct {
		all  []backend.Pair
		want string
	}{
		{nil, "[]"},
		{[]backend.Pair{{Row: 10, Col: 19, Label: 1}, {Row: 12, Col: 24, Label: 1}}, "[]"},
		{[]backend.Pair{{Row: 10, Col: 20, Label: -1}, {Row: 10, Col: 23, Label: 1}, {Row: 12, Col: 21}}, "[0 2 2 3 0 14 5]"},
		{[]backend.Pair{{Row: 11, Col: 22, Label: 1}}, "[0 0 1 1 10]"},
	} {
		if got := fmt.Sprint(l.exceptions(c.all)); got != c.want {
			t.Errorf("%v: %s, want %s", c.all, got, c.want)
		}
	}
}
