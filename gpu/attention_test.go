//go:build gpu && cgo && (linux || windows)

package gpu

import (
	"math"
	"testing"

	"sigla/backend"
	"sigla/backend/ref"
)

// attentions issues all forms of attention and its gradients.
func attentions(e *engine) {
	for i := range 4 {
		a := backend.Attn{Batch: 1, Heads: 1, Queries: 12, Keys: 12, Dim: 8, Causal: i&1 != 0}
		if i&2 != 0 {
			a.KeyLens = []int32{7}
		}
		for _, a.Dim = range []int{7, 8, 128} {
			attend(e, a)
		}
		b := e.temporary("all heads", 12*8)
		e.Attention(e.temporary("result", 12*8), backend.Buf{}, b, b, b, backend.Attn{Batch: 1, Heads: 1, Queries: 12, Keys: 12, Dim: 8, Causal: a.Causal, KeyLens: a.KeyLens})
	}
	a := backend.Attn{Batch: 1, Heads: 1, Queries: 1, Dim: 8} // in two parts
	a.Keys = max(e.attentionTile(a).longest(a.Dim), e.gradTile(a.Dim, 1).longest(a.Dim)) + 1
	attend(e, a)
	for _, a.Dim = range []int{8, 128} {
		a.Queries, a.Keys = e.gradTile(a.Dim, 1).longest(a.Dim)+1, 1
		attend(e, a)
	}
}

// attend issues Attention and its gradient and returns what they write: dst, lse, dq,
// dk and dv.
func attend(e backend.Backend, a backend.Attn) []backend.Buf {
	load := func(n int, step float64) backend.Buf {
		b := e.Alloc(n, backend.Scratch)
		e.Write(b, wave(n, step))
		return b
	}
	nq, nk := a.Batch*a.Queries*a.Heads*a.Dim, a.Batch*a.Keys*a.Heads*a.Dim
	q, k, v, dy := load(nq, 1), load(nk, 2), load(nk, 3), load(nq, 4)
	y, lse := load(nq, 5), load(a.Batch*a.Heads*a.Queries, 6)
	dq, dk, dv := load(nq, 7), load(nk, 8), load(nk, 9)
	e.Attention(y, lse, q, k, v, a)
	e.AttentionGrad(dq, dk, dv, dy, y, lse, q, k, v, a)
	return []backend.Buf{y, lse, dq, dk, dv}
}

// attended compares what attend does with the reference.
func attended(t *testing.T, fast, slow backend.Backend, a backend.Attn) {
	t.Helper()
	want := attend(slow, a)
	for i, got := range attend(fast, a) {
		allowed := 2e-5
		if i > 2 && a.Queries > 3000 {
			allowed = 2e-4 // the sum of so many terms of about 0.5
		}
		g, w := make([]float32, got.Len), make([]float32, got.Len)
		if err := fast.Read(g, got); err != nil {
			t.Fatal(err)
		}
		if err := slow.Read(w, want[i]); err != nil {
			t.Fatal(err)
		}
		for j := range w {
			if !(math.Abs(float64(g[j]-w[j])) <= allowed) {
				t.Errorf("%+v: %s[%d] is %g, want %g", a, []string{"dst", "lse", "dq", "dk", "dv"}[i], j, g[j], w[j])
				break
			}
		}
	}
}

// Attention over more keys than an invocation may go over, and its gradients over
// more keys and queries, in parts, against the reference; the last keys are masked,
// and with them whole parts.
func TestLongAttention(t *testing.T) {
	const dim, wide = 64, 256
	fast, slow := open(t).(*engine), ref.New()
	defer fast.Close()
	long := fast.gradTile(dim, 100).longest(dim) + 70
	deep := fast.gradTile(wide, 100).longest(wide) + 70
	if (attentionTile{8, 1}).longest(dim) >= long || fast.gradTile(dim, 1).longest(dim) >= long || deep > 3000 {
		t.Fatalf("%d keys go in one part, or %d are too many for the reference", long, deep)
	}
	for _, a := range []backend.Attn{
		{Batch: 2, Heads: 1, Queries: 2, Keys: long, Dim: dim, KeyLens: []int32{int32(long), 1000}},
		{Batch: 1, Heads: 1, Queries: 66, Keys: long, Dim: dim},
		{Batch: 1, Heads: 1, Queries: long, Keys: 2, Dim: dim},
		{Batch: 1, Heads: 1, Queries: long, Keys: 66, Dim: dim},
		{Batch: 1, Heads: 1, Queries: 1700, Keys: 1700, Dim: dim, Causal: true},
		{Batch: 1, Heads: 1, Queries: deep, Keys: deep, Dim: wide, Causal: true},
	} {
		attended(t, fast, slow, a)
	}
}

// Heads wider than those of published models, whose groups are smaller and whose
// gradients by keys and values go one after the other.
func TestWideHeads(t *testing.T) {
	fast, slow := open(t).(*engine), ref.New()
	defer fast.Close()
	for _, dim := range []int{128, 201} {
		attended(t, fast, slow, backend.Attn{Batch: 2, Heads: 2, Queries: 70, Keys: 45, Dim: dim, KeyLens: []int32{45, 33}})
	}
}

// What a group shares fits a device that shares no more than OpenGL 4.3 promises, and
// one that shares what most do.
func TestSharedMemory(t *testing.T) {
	for _, limit := range []int{32 << 10, 48 << 10} {
		var e engine
		e.limits.Shared = limit
		for dim := 1; dim <= 512; dim++ {
			for _, own := range []int{1, 1000} {
				if a := e.attentionTile(backend.Attn{Queries: own, Dim: dim}); a.shared(dim) > limit {
					t.Errorf("heads %d wide have %+v, which share %d bytes of %d", dim, a, a.shared(dim), limit)
				}
				if g := e.gradTile(dim, own); g.shared(dim) > limit || g.across < 2 && dim <= 256 {
					t.Errorf("the gradient of heads %d wide has %+v, which share %d bytes of %d", dim, g, g.shared(dim), limit)
				}
			}
		}
		if g := e.gradTile(64, 196); g != (gradTile{8, 16, 8}) {
			t.Errorf("the gradient of heads 64 wide has %+v", g)
		}
	}
}

// The steps of the gradient's loops, gone through as the shader has them, are as many
// as an invocation may take, or little less.
func TestStepsOfGradient(t *testing.T) {
	var e engine
	for _, e.limits.Shared = range []int{32 << 10, 48 << 10} {
		for dim := 1; dim <= 256; dim++ {
			for _, own := range []int{1, 1000} {
				g := e.gradTile(dim, own)
				steps, fours, perRow := 0, (dim+3)/4, g.perRow(dim)
				bring := func(all int) {
					some := min(max(all/(g.across*g.down), 1), 4)
					for i := 0; i < all; i += some * g.across * g.down {
						steps += 1 + 2*some
					}
				}
				steps += 4 + 4 + 4*perRow // rows of stats, and of sums
				rows := g.longest(dim)
				for k0 := 0; k0 < rows; k0 += 4 * g.across {
					steps += 1 + 4 + 4 // stats of others, and probabilities
					for range 2 {
						steps += 4
						for c0 := 0; c0 < fours; c0 += g.deep {
							steps++
							bring(4 * g.down * g.deep)
							bring(4 * g.across * g.deep)
							steps += g.deep
						}
						steps += 4
						bring(4 * g.across * fours)
						steps += g.across * (1 + perRow)
					}
					steps += 4 // the scores' gradients
				}
				steps += 4 * (1 + perRow*(1+2*4))
				if steps > deepest || steps < deepest*9/10 {
					t.Errorf("%+v takes %d steps over %d rows of %d values", g, steps, rows, dim)
				}
			}
		}
	}
}
