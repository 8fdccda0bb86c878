package cpu

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"sigla/backend"
	"sigla/backend/ref"
)

// A trial runs operations on an engine and returns what they wrote.
type trial func(e backend.Backend, in func(n int) backend.Buf) []backend.Buf

// Sizes beyond backendtest's, for what is cut into blocks.
func TestBlocks(t *testing.T) {
	trials := map[string]trial{
		"SumRows": func(e backend.Backend, in func(int) backend.Buf) []backend.Buf {
			sum := in(333)
			e.SumRows(sum, in(1000*333), 1000, 333)
			return []backend.Buf{sum}
		},
		"SumSquares": func(e backend.Backend, in func(int) backend.Buf) []backend.Buf {
			sum := in(1)
			e.SumSquares(sum, in(100001))
			return []backend.Buf{sum}
		},
	}
	for _, c := range []backend.Conv{
		{Batch: 2, Height: 9, Width: 11, Channels: 200, Kernel: 5, Stride: 1},
		{Batch: 1, Height: 30, Width: 23, Channels: 130, Kernel: 3, Stride: 2},
		{Batch: 1, Height: 2, Width: 2, Channels: 65, Kernel: 7, Stride: 1},
	} {
		trials[fmt.Sprint("DepthwiseConv ", c)] = func(e backend.Backend, in func(int) backend.Buf) []backend.Buf {
			height, width := c.Out()
			y := in(c.Batch * height * width * c.Channels)
			e.DepthwiseConv(y, in(c.Batch*c.Height*c.Width*c.Channels), in(c.Kernel*c.Kernel*c.Channels), in(c.Channels), c)
			return []backend.Buf{y}
		}
	}
	for _, s := range []backend.Attn{
		{Batch: 1, Heads: 2, Queries: 530, Keys: 530, Dim: 24, Causal: true},
		{Batch: 2, Heads: 1, Queries: 300, Keys: 520, Dim: 72, KeyLens: []int32{257, 512}},
	} {
		trials[fmt.Sprint("Attention ", s)] = func(e backend.Backend, in func(int) backend.Buf) []backend.Buf {
			return attend(e, in, s)
		}
	}
	for _, p := range []backend.Pairs{
		{Rows: 600, Cols: 70, Dim: 33, Default: -1, Diagonal: true},
		{Rows: 40, Cols: 1100, Dim: 20, Except: []backend.Pair{{Row: 0, Col: 1099, Label: 1}, {Row: 39, Col: 0, Label: -1}}},
	} {
		trials[fmt.Sprint("Losses ", p)] = func(e backend.Backend, in func(int) backend.Buf) []backend.Buf { return losses(e, in, p) }
	}
	for name, run := range trials {
		want := runTrial(t, ref.New(), run)
		for _, level := range Levels() {
			t.Run(level+"/"+name, func(t *testing.T) { compare(t, runTrial(t, open(t, Options{Level: level}), run), want) })
		}
	}
}

func losses(e backend.Backend, in func(int) backend.Buf, p backend.Pairs) []backend.Buf {
	x, y := in(p.Rows*p.Dim), in(p.Cols*p.Dim)
	e.Normalize(x, backend.Buf{}, x, p.Rows, p.Dim)
	e.Normalize(y, backend.Buf{}, y, p.Cols, p.Dim)
	sigmoid := []backend.Buf{in(1), in(p.Rows * p.Dim), in(p.Cols * p.Dim), in(1), in(1)}
	softmax := []backend.Buf{in(1), in(p.Rows * p.Dim), in(p.Cols * p.Dim), in(1)}
	t, b := in(1), in(1)
	e.SigmoidLoss(sigmoid[0], sigmoid[1], sigmoid[2], sigmoid[3], sigmoid[4], x, y, t, b, p)
	p.Default = -1 // a row that knows one pair only costs nothing
	e.SoftmaxLoss(softmax[0], softmax[1], softmax[2], softmax[3], x, y, t, p)
	return append(sigmoid, softmax...)
}

func attend(e backend.Backend, in func(int) backend.Buf, s backend.Attn) []backend.Buf {
	queries, keys := s.Batch*s.Queries*s.Heads*s.Dim, s.Batch*s.Keys*s.Heads*s.Dim
	q, k, v, dy := in(queries), in(keys), in(keys), in(queries)
	y, lse, dq, dk, dv := in(queries), in(s.Batch*s.Heads*s.Queries), in(queries), in(keys), in(keys)
	e.Attention(y, lse, q, k, v, s)
	e.AttentionGrad(dq, dk, dv, dy, y, lse, q, k, v, s)
	return []backend.Buf{y, lse, dq, dk, dv}
}

// runTrial gives run buffers of random numbers, the same for every engine.
func runTrial(t *testing.T, e backend.Backend, run trial) (out [][]float32) {
	r := rand.New(rand.NewPCG(7, 7))
	bufs := run(e, func(n int) backend.Buf {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(r.NormFloat64())
		}
		b := e.Alloc(n, backend.Scratch)
		e.Write(b, x)
		return b
	})
	for _, b := range bufs {
		x := make([]float32, b.Len)
		if err := e.Read(x, b); err != nil {
			t.Fatal(err)
		}
		out = append(out, x)
	}
	return out
}

// compare allows an error of 1e-5 of a buffer's largest element.
func compare(t *testing.T, got, want [][]float32) {
	t.Helper()
	for i := range want {
		size := float64(max(slices.Max(want[i]), -slices.Min(want[i])))
		for j, w := range want[i] {
			if diff := math.Abs(float64(got[i][j]) - float64(w)); !(diff <= 1e-5*size) {
				t.Fatalf("result %d element %d is %g, want %g", i, j, got[i][j], w)
			}
		}
	}
}
