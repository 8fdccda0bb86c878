package cpu

import (
	"fmt"
	"math"
	"testing"

	"sigla/backend"
)

// Sizes beyond backendtest's: several blocks of each dimension, with and
// without a packed a, and one past and short of all edges.
func TestMatMulBlocks(t *testing.T) {
	for _, level := range Levels() {
		for _, s := range []backend.Mat{
			{M: 15, N: 33, K: 513},
			{M: 13, N: 129, K: 1030, TransB: true},
			{M: 61, N: 417, K: 512, TransB: true}, // crowded rows
			{M: 231, N: 150, K: 1024, TransB: true},
			{M: 230, N: 400, K: 515, TransA: true},
			{M: 29, N: 161, K: 67, TransA: true, TransB: true},
			{M: 229, N: 1, K: 5},
			{M: 1, N: 777, K: 600, TransB: true},
			{M: 3, N: 96, K: 600}, // b in place
		} {
			for _, add := range []bool{false, true} {
				s.Add = add
				t.Run(fmt.Sprintf("%s/%s-%dx%dx%d-add=%t", level, transposed(s), s.M, s.N, s.K, add), func(t *testing.T) {
					checkMatMul(t, open(t, Options{Level: level}), s)
				})
			}
		}
	}
}

// checkMatMul compares with sums in float64, with operands off any alignment.
func checkMatMul(t *testing.T, e *Engine, s backend.Mat) {
	odd := func(n int) backend.Buf { return random(e, n+3).Slice(3, n) }
	a, b, c := odd(s.M*s.K), odd(s.K*s.N), random(e, s.M*s.N+7)
	s.Bias = odd(s.N)
	x, y, bias, old := read(e, a), read(e, b), read(e, s.Bias), read(e, c)
	e.MatMul(c.Slice(3, s.M*s.N), a, b, s)
	got := read(e, c)
	for i := range old {
		if (i < 3 || i >= 3+s.M*s.N) && got[i] != old[i] {
			t.Fatalf("element %d outside of dst was written", i-3)
		}
	}
	var wrong, norm float64
	every := 1 + s.M*s.N*s.K/4_000_000 // not all elements of the largest
	for at := 0; at < s.M*s.N; at += every {
		i, j := at/s.N, at%s.N
		want, size := float64(bias[j]), 1.0
		if s.Add {
			want += float64(old[3+at])
		}
		for k := range s.K {
			ia, ib := i*s.K+k, k*s.N+j
			if s.TransA {
				ia = k*s.M + i
			}
			if s.TransB {
				ib = j*s.K + k
			}
			p := float64(x[ia]) * float64(y[ib])
			want += p
			size += p * p
		}
		v := float64(got[3+at])
		if math.Abs(v-want) > 3e-7*math.Sqrt(float64(s.K)*size) {
			t.Fatalf("element (%d, %d) is %g, want %g", i, j, v, want)
		}
		wrong, norm = wrong+(v-want)*(v-want), norm+want*want
	}
	if rms := math.Sqrt(wrong / norm); rms > 1e-6 {
		t.Errorf("relative error %.2g, want at most 1e-6", rms)
	}
}

// What is in a row must not depend, in any bit, on the rows around it: the
// same photo has the same vector alone and in a batch.
func TestRowsStandAlone(t *testing.T) {
	const batch, n = 31, 70
	for _, level := range Levels() {
		e := open(t, Options{Level: level})
		for _, k := range []int{5, 512, 1100} {
			for _, s := range []backend.Mat{{TransB: true}, {}} {
				s.N, s.K = n, k
				x, w, y := random(e, batch*k), random(e, n*k), e.Alloc(batch*n, backend.Scratch)
				s.M = batch
				e.MatMul(y, x, w, s)
				together := read(e, y)
				for _, rows := range []int{1, 3, 8, 15} {
					s.M = rows
					for i := 0; i+rows <= batch; i += rows {
						e.MatMul(y.Slice(i*n, rows*n), x.Slice(i*k, rows*k), w, s)
					}
					for i, v := range read(e, y.Slice(0, batch/rows*rows*n)) {
						if v != together[i] {
							t.Fatalf("%s, K = %d, %s, %d rows at a time: element %d is %g, all at once %g", level, k, transposed(s), rows, i, v, together[i])
						}
					}
				}
			}
		}
		s := backend.Attn{Batch: 5, Heads: 2, Queries: 49, Keys: 300, Dim: 24, KeyLens: []int32{300, 257, 1, 256, 30}}
		width := s.Heads * s.Dim
		q, k, y := random(e, s.Batch*s.Queries*width), random(e, s.Batch*s.Keys*width), e.Alloc(s.Batch*s.Queries*width, backend.Scratch)
		e.Attention(y, backend.Buf{}, q, k, k, s)
		together := read(e, y)
		one := s
		one.Batch = 1
		for b := range s.Batch {
			one.KeyLens = s.KeyLens[b : b+1]
			part := func(x backend.Buf, n int) backend.Buf { return x.Slice(b*n*width, n*width) }
			e.Attention(part(y, s.Queries), backend.Buf{}, part(q, s.Queries), part(k, s.Keys), part(k, s.Keys), one)
		}
		for i, v := range read(e, y) {
			if v != together[i] {
				t.Fatalf("%s: attention element %d is %g alone, %g in a batch", level, i, v, together[i])
			}
		}
	}
}

// The threads must not show in any bit, above all where they share sums.
func TestThreadsDoNotShow(t *testing.T) {
	results := func(threads int) map[string][]float32 {
		e := threaded(t, threads)
		defer e.Close()
		out := map[string][]float32{}
		keep := func(name string, bufs ...backend.Buf) {
			for i, b := range bufs {
				out[fmt.Sprint(name, i)] = read(e, b)
			}
		}
		buf := func(n int) backend.Buf { return e.Alloc(n, backend.Scratch) }
		const rows, cols = 300, 200
		x, dy := random(e, rows*cols), random(e, rows*cols)
		sum, square := buf(cols), buf(1)
		e.SumRows(sum, x, rows, cols)
		e.SumSquares(square, x)
		keep("sums", sum, square)
		dx, dw, db := buf(rows*cols), buf(cols), buf(cols)
		e.LayerNormGrad(dx, dw, db, dy, x, random(e, cols), random(e, rows), random(e, rows), rows, cols)
		keep("LayerNormGrad", dx, dw, db)
		s := backend.Mat{M: rows, N: cols, K: rows, TransA: true}
		y := buf(rows * cols)
		e.MatMul(y, random(e, rows*rows), x, s)
		keep("MatMul", y)
		loss, dt, dbias, t, b := buf(1), buf(1), buf(1), random(e, 1), random(e, 1)
		e.Normalize(x, backend.Buf{}, x, rows, cols)
		e.Normalize(dy, backend.Buf{}, dy, rows, cols)
		e.SigmoidLoss(loss, dx, y.Slice(0, 100*cols), dt, dbias, x, dy.Slice(0, 100*cols), t, b,
			backend.Pairs{Rows: rows, Cols: 100, Dim: cols, Default: -1, Diagonal: true})
		keep("SigmoidLoss", loss, dx, y, dt, dbias)
		e.SoftmaxLoss(loss, dx, y.Slice(0, 100*cols), dt, x, dy.Slice(0, 100*cols), t,
			backend.Pairs{Rows: rows, Cols: 100, Dim: cols, Default: -1, Diagonal: true})
		keep("SoftmaxLoss", loss, dx, y, dt)
		return out
	}
	one := results(1)
	for name, got := range results(3) {
		for i, v := range got {
			if v != one[name][i] {
				t.Errorf("%s: element %d is %g with three threads, %g with one", name, i, v, one[name][i])
				break
			}
		}
	}
}

// Whoever asks next must find a postponed product done, with the limits if and
// only if ReLU6 was called on all of it.
func TestPostponed(t *testing.T) {
	const n = 40
	for name, use := range map[string]func(e *Engine, y, other backend.Buf) backend.Buf{
		"read":    func(_ *Engine, y, _ backend.Buf) backend.Buf { return y },
		"another": func(e *Engine, y, other backend.Buf) backend.Buf { e.ReLU6(other, other); return y },
		"copy":    func(e *Engine, y, other backend.Buf) backend.Buf { e.CopyRows(other, y, 1, n, n, n); return other },
		"part":    func(e *Engine, y, _ backend.Buf) backend.Buf { e.ReLU6(y.Slice(0, n/2), y.Slice(0, n/2)); return y },
		"all":     func(e *Engine, y, _ backend.Buf) backend.Buf { e.ReLU6(y, y); return y },
		"away":    func(e *Engine, y, other backend.Buf) backend.Buf { e.ReLU6(other, y); return other },
	} {
		e := open(t, Options{})
		y, other, x := e.Alloc(n, backend.Scratch), e.Alloc(n, backend.Scratch), random(e, n)
		ten := e.Alloc(1, backend.Weight)
		e.Write(ten, []float32{10})
		e.MatMul(y, ten, x, backend.Mat{M: 1, N: n, K: 1})
		got := read(e, use(e, y, other))
		limited := map[string]int{"part": n / 2, "all": n, "away": n}[name]
		for i, v := range read(e, x) {
			want := 10 * v
			if i < limited {
				want = min(max(want, 0), 6)
			}
			if got[i] != want {
				t.Errorf("%s: element %d is %g, want %g", name, i, got[i], want)
			}
		}
	}
}
