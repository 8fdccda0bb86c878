package cpu

import (
	"math"

	"sigla/backend"
)

// SumSquares implements backend.Backend.
func (e *Engine) SumSquares(dst, x backend.Buf) {
	backend.CheckSumSquares(dst, x)
	parts := grow(e.parts, ceil(x.Len, chunk))
	e.parts = parts
	clear(parts)
	for _, s := range e.touched(false, x) {
		v := e.data(x.Slice(s.lo, s.hi-s.lo))
		e.chunks(len(v), func(lo, hi int) { parts[(s.lo+lo)/chunk] = e.kern.dot(&v[lo], &v[lo], hi-lo) })
	}
	sum := float64(e.data(dst)[0])
	for _, s := range parts {
		sum += float64(s)
	}
	e.data(dst)[0] = float32(sum)
}

// AdamW implements backend.Backend. Where gradient and moments are all blank, as
// of tokens that no text has had, nothing moves but by the decay, and their
// memory is not touched: the system has none there yet.
func (e *Engine) AdamW(w, g, m, v backend.Buf, a backend.Adam) {
	a.Check(w, g, m, v)
	correct := func(beta float32) float64 { return 1 - math.Pow(float64(beta), float64(a.Step)) }
	rate := float32(float64(a.LR) / correct(a.Beta1))
	root := float32(1 / math.Sqrt(correct(a.Beta2)))
	decay := float32(1 - float64(a.LR)*float64(a.Decay))
	rest1, rest2 := float32(1-float64(a.Beta1)), float32(1-float64(a.Beta2))
	for _, s := range e.touched(decay != 1, g, m, v) {
		part := func(b backend.Buf) []float32 { return e.data(b.Slice(s.lo, s.hi-s.lo)) }
		weight, grad, first, second := part(w), part(g), part(m), part(v)
		e.chunks(len(weight), func(lo, hi int) {
			e.kern.adamW(&weight[lo], &grad[lo], &first[lo], &second[lo], hi-lo,
				a.Scale, a.Beta1, rest1, a.Beta2, rest2, decay, rate, root, a.Eps)
		})
	}
}

// touched are the chunks of buffers of one length in which any of them is not
// blank, or all chunks; neighbours are one span.
func (e *Engine) touched(all bool, bufs ...backend.Buf) (runs spans) {
	n := bufs[0].Len
	parts := make([]backend.Buf, len(bufs))
	for lo := 0; lo < n; lo += chunk {
		s := span{lo, min(n, lo+chunk)}
		for i, b := range bufs {
			parts[i] = b.Slice(s.lo, s.hi-s.lo)
		}
		if all || !e.blank(parts...) {
			runs.add(s)
		}
	}
	return runs
}

func zeros(x []float32) bool {
	for _, v := range x {
		if v != 0 {
			return false
		}
	}
	return true
}
