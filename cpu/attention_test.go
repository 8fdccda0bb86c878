package cpu

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"sigla/backend"
)

// attendBoth returns the result of attention and its gradients by q, k and v.
func attendBoth(e *Engine, s backend.Attn, in [4][]float32) (out [4][]float32) {
	put := func(x []float32) backend.Buf {
		b := e.Alloc(len(x), backend.Scratch)
		e.Write(b, x)
		return b
	}
	q, k, v, dy := put(in[0]), put(in[1]), put(in[2]), put(in[3])
	y, lse := e.Alloc(q.Len, backend.Scratch), e.Alloc(s.Batch*s.Heads*s.Queries, backend.Scratch)
	dq, dk, dv := e.Alloc(q.Len, backend.Scratch), e.Alloc(k.Len, backend.Scratch), e.Alloc(k.Len, backend.Scratch)
	e.Attention(y, lse, q, k, v, s)
	e.AttentionGrad(dq, dk, dv, dy, y, lse, q, k, v, s)
	for i, b := range []backend.Buf{y, dq, dk, dv} {
		out[i] = read(e, b)
	}
	return out
}

// In bf16 attention is that of float32 within the rounding, for every kind of
// mask and sizes off all edges, and does not depend on threads or on the batch.
func TestAttentionBF16(t *testing.T) {
	f, one, three := open(t, Options{}), openBF16(t, 1), openBF16(t, 3)
	for _, s := range []backend.Attn{
		{Batch: 2, Heads: 2, Queries: 29, Keys: 33, Dim: 64},
		{Batch: 2, Heads: 1, Queries: 1, Keys: 70, Dim: 17},
		{Batch: 2, Heads: 2, Queries: 300, Keys: 300, Dim: 16, Causal: true},
		{Batch: 2, Heads: 1, Queries: 40, Keys: 271, Dim: 40, KeyLens: []int32{271, 3}},
	} {
		t.Run(fmt.Sprintf("%dx%dx%d", s.Queries, s.Keys, s.Dim), func(t *testing.T) {
			var in [4][]float32
			for i, rows := range []int{s.Queries, s.Keys, s.Keys, s.Queries} {
				in[i] = read(f, random(f, s.Batch*rows*s.Heads*s.Dim))
			}
			want, got := attendBoth(f, s, in), attendBoth(one, s, in)
			for i, name := range []string{"y", "dq", "dk", "dv"} {
				var wrong, size float64
				for j, w := range want[i] {
					wrong, size = wrong+math.Pow(float64(got[i][j]-w), 2), size+float64(w)*float64(w)
				}
				if rms := math.Sqrt(wrong / size); !(rms < 1e-2) || rms == 0 {
					t.Errorf("%s differs from that of float32 by %.2g", name, rms)
				}
			}
			for i, x := range attendBoth(three, s, in) {
				if !slices.Equal(x, got[i]) {
					t.Errorf("result %d depends on the threads", i)
				}
			}
			alone := s
			alone.Batch = 1
			if s.KeyLens != nil {
				alone.KeyLens = s.KeyLens[:1]
			}
			for i := range in {
				in[i] = in[i][:len(in[i])/2]
			}
			for i, x := range attendBoth(one, alone, in) {
				if !slices.Equal(x, got[i][:len(x)]) {
					t.Errorf("result %d depends on the batch", i)
				}
			}
		})
	}
}
