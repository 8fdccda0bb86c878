package ref_test

import (
	"fmt"
	"math"
	"testing"

	"sigla/backend"
	"sigla/backend/backendtest"
	"sigla/backend/ref"
)

// The suite compares ref with itself here, which tests finite differences,
// guards, refusals and memory; the numbers themselves are tested below.
func TestConformance(t *testing.T) {
	backendtest.Run(t, func(*testing.T) backend.Backend { return ref.New() })
}

func BenchmarkEngine(b *testing.B) { backendtest.Bench(b, ref.New) }

func TestName(t *testing.T) {
	if got := fmt.Sprint(ref.New()); got != "ref" {
		t.Errorf("the engine is called %q", got)
	}
}

func load(e backend.Backend, x ...float32) backend.Buf {
	b := e.Alloc(len(x), backend.Scratch)
	e.Write(b, x)
	return b
}

// expect reads b and allows errors of 1e-6 of each value, and of 1.
func expect(t *testing.T, e backend.Backend, name string, b backend.Buf, want ...float64) {
	t.Helper()
	within(t, e, name, b, 1e-6, want)
}

func within(t *testing.T, e backend.Backend, name string, b backend.Buf, limit float64, want []float64) {
	t.Helper()
	got := make([]float32, b.Len)
	if err := e.Read(got, b); err != nil {
		t.Fatal(err)
	}
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", name, len(got), len(want))
	}
	for i, w := range want {
		if d := math.Abs(float64(got[i]) - w); !(d <= limit*max(1, math.Abs(w))) {
			t.Errorf("%s[%d] = %.8g, want %.8g", name, i, got[i], w)
		}
	}
}

func TestMatMul(t *testing.T) {
	e := ref.New()
	a, at := load(e, 1, 2, 3, 4, 5, 6), load(e, 1, 4, 2, 5, 3, 6)
	b, bt := load(e, 7, 8, 9, 10, 11, 12), load(e, 7, 9, 11, 8, 10, 12)
	dst := e.Alloc(4, backend.Scratch)
	for _, c := range []struct {
		a, b backend.Buf
		s    backend.Mat
	}{{a, b, backend.Mat{}}, {at, b, backend.Mat{TransA: true}}, {a, bt, backend.Mat{TransB: true}}, {at, bt, backend.Mat{TransA: true, TransB: true}}} {
		c.s.M, c.s.N, c.s.K = 2, 2, 3
		e.MatMul(dst, c.a, c.b, c.s)
		expect(t, e, "product", dst, 58, 64, 139, 154)
		c.s.Add, c.s.Bias = true, load(e, 0.5, -1)
		e.MatMul(dst, c.a, c.b, c.s)
		expect(t, e, "twice the product, and bias", dst, 116.5, 127, 278.5, 307)
	}
}

// The values are those of the defining formulas in Python's floats.
func TestGELU(t *testing.T) {
	e := ref.New()
	x, y := load(e, -3, -1, 0, 1, 2), e.Alloc(5, backend.Scratch)
	for kind, want := range map[backend.Activation][]float64{
		backend.GELUTanh:  {-0.00363739208177, -0.158808009392, 0, 0.841191990608, 1.95459769409},
		backend.GELUErf:   {-0.00404969409489, -0.158655253931, 0, 0.841344746069, 1.9544997361},
		backend.GELUQuick: {-0.0180713097078, -0.154204234067, 0, 0.845795765933, 1.93565862314},
	} {
		e.GELU(y, x, kind)
		expect(t, e, fmt.Sprint("kind ", kind), y, want...)
	}
}

func TestNorms(t *testing.T) {
	e := ref.New()
	x, dst := load(e, 1, 2, 3, 4), e.Alloc(4, backend.Scratch)
	mean, rstd := e.Alloc(1, backend.Scratch), e.Alloc(1, backend.Scratch)
	e.LayerNorm(dst, mean, rstd, x, load(e, 1, 1, 2, 2), load(e, 0, 0, 0, 1), 1, 4, 0)
	s := 1 / math.Sqrt(1.25)
	expect(t, e, "mean", mean, 2.5)
	expect(t, e, "rstd", rstd, s)
	expect(t, e, "layer norm", dst, -1.5*s, -0.5*s, s, 3*s+1)

	unit, norm := e.Alloc(4, backend.Scratch), e.Alloc(2, backend.Scratch)
	e.Normalize(unit, norm, load(e, 3, -4, 0, 0), 2, 2)
	expect(t, e, "unit rows", unit, 0.6, -0.8, 0, 0)
	within(t, e, "norms", norm.Slice(0, 1), 1e-7, []float64{5})
	within(t, e, "limit", norm.Slice(1, 1), 1e-18, []float64{1e-12})
}

// What a mask hides must be as good as not there: the output of a query is
// that of attention over the keys it sees alone.
func TestMasksAreTruncation(t *testing.T) {
	const n, heads, dim = 5, 2, 3
	e := ref.New()
	values := make([]float32, 3*2*n*heads*dim)
	for i := range values {
		values[i] = float32(math.Sin(float64(i * i)))
	}
	all := load(e, values...)
	size := n * heads * dim
	q, k, v := all.Slice(0, 2*size), all.Slice(2*size, 2*size), all.Slice(4*size, 2*size)
	masked := backend.Attn{Batch: 2, Heads: heads, Queries: n, Keys: n, Dim: dim, Causal: true, KeyLens: []int32{5, 3}}
	dst := e.Alloc(2*size, backend.Scratch)
	e.Attention(dst, backend.Buf{}, q, k, v, masked)
	one := e.Alloc(heads*dim, backend.Scratch)
	for b, length := range masked.KeyLens {
		for i := range n {
			seen := min(i+1, int(length))
			at := func(x backend.Buf, rows int) backend.Buf { return x.Slice(b*size, rows*heads*dim) }
			query := q.Slice(b*size+i*heads*dim, heads*dim)
			e.Attention(one, backend.Buf{}, query, at(k, seen), at(v, seen),
				backend.Attn{Batch: 1, Heads: heads, Queries: 1, Keys: seen, Dim: dim})
			want := make([]float32, one.Len)
			if err := e.Read(want, one); err != nil {
				t.Fatal(err)
			}
			wide := make([]float64, len(want))
			for c, v := range want {
				wide[c] = float64(v)
			}
			expect(t, e, fmt.Sprintf("batch %d, query %d", b, i), dst.Slice(b*size+i*heads*dim, heads*dim), wide...)
		}
	}
}

// One query and two keys with scores 0 and log 3: probabilities ¼ and ¾.
func TestAttention(t *testing.T) {
	e := ref.New()
	dst, lse := e.Alloc(4, backend.Scratch), e.Alloc(1, backend.Scratch)
	q, k := load(e, 2, 0, 0, 0), load(e, 0, 1, 1, 1, float32(math.Log(3)), 1, 1, 1)
	e.Attention(dst, lse, q, k, load(e, 4, 0, 0, 8, 0, 4, 0, 8), backend.Attn{Batch: 1, Heads: 1, Queries: 1, Keys: 2, Dim: 4})
	expect(t, e, "result", dst, 1, 3, 0, 8)
	expect(t, e, "lse", lse, math.Log(4))
}

// With ones everywhere the result counts the taps inside the map; the odd row
// and column of zeros lie at the bottom and the right.
func TestDepthwiseConvCountsTaps(t *testing.T) {
	e := ref.New()
	for _, c := range []struct {
		s    backend.Conv
		want []float64
	}{
		{backend.Conv{Height: 4, Width: 4, Kernel: 3, Stride: 2}, []float64{9, 6, 6, 4}},
		{backend.Conv{Height: 3, Width: 3, Kernel: 3, Stride: 1}, []float64{4, 6, 4, 6, 9, 6, 4, 6, 4}},
		{backend.Conv{Height: 3, Width: 2, Kernel: 3, Stride: 2}, []float64{4, 4}},
		{backend.Conv{Height: 1, Width: 1, Kernel: 5, Stride: 2}, []float64{1}},
	} {
		c.s.Batch, c.s.Channels = 1, 1
		ones := func(n int) backend.Buf {
			x := make([]float32, n)
			for i := range x {
				x[i] = 1
			}
			return load(e, x...)
		}
		dst := e.Alloc(len(c.want), backend.Scratch)
		e.DepthwiseConv(dst, ones(c.s.Height*c.s.Width), ones(c.s.Kernel*c.s.Kernel), load(e, 0), c.s)
		expect(t, e, fmt.Sprintf("%+v", c.s), dst, c.want...)
	}
}

// Under a gradient that stays the same, the bias-corrected moments are the
// gradient and its square: every step is LR long, after the decay.
func TestAdamWWalksStraight(t *testing.T) {
	e := ref.New()
	w, g := load(e, 1, -2), load(e, 6, -0.02)
	m, v := load(e, 0, 0), load(e, 0, 0)
	want := []float64{1, -2}
	for step := range 5 {
		a := backend.Adam{LR: 0.1, Beta1: 0.9, Beta2: 0.999, Eps: 1e-12, Decay: 0.5, Scale: 0.5, Step: step + 1}
		e.AdamW(w, g, m, v, a)
		for i, sign := range []float64{1, -1} {
			want[i] = want[i]*(1-0.1*0.5) - 0.1*sign
		}
		within(t, e, fmt.Sprint("w after step ", step+1), w, 1e-5, want)
	}
}

func TestSums(t *testing.T) {
	e := ref.New()
	x := load(e, 1, 2, 3, 4, 5, 6)
	columns, squares, doubled := load(e, 10, 20, 30), load(e, 9), e.Alloc(6, backend.Scratch)
	e.SumRows(columns, x, 2, 3)
	expect(t, e, "columns", columns, 15, 27, 39)
	e.SumSquares(squares, x)
	expect(t, e, "squares", squares, 100)
	e.Add(doubled, x, load(e, 1, -1))
	expect(t, e, "sum", doubled, 2, 1, 4, 3, 6, 5)
	e.ReLU6(doubled, load(e, -1, 0, 3, 6, 7, 1e9))
	expect(t, e, "relu6", doubled, 0, 0, 3, 6, 6, 6)
}
