package cpu

import (
	"math"

	"sigla/backend"
)

// SumSquares implements backend.Backend.
func (e *Engine) SumSquares(dst, x backend.Buf) {
	backend.CheckSumSquares(dst, x)
	v := e.data(x)
	parts := grow(e.parts, ceil(len(v), chunk))
	e.parts = parts
	e.chunks(len(v), func(lo, hi int) { parts[lo/chunk] = e.kern.dot(&v[lo], &v[lo], hi-lo) })
	sum := float64(e.data(dst)[0])
	for _, s := range parts {
		sum += float64(s)
	}
	e.data(dst)[0] = float32(sum)
}

// AdamW implements backend.Backend. Where gradient and moments are all 0, as of
// tokens that no text has had, nothing moves but by the decay, and the moments'
// memory is not touched: the system has none there yet.
func (e *Engine) AdamW(w, g, m, v backend.Buf, a backend.Adam) {
	a.Check(w, g, m, v)
	weight, grad, first, second := e.data(w), e.data(g), e.data(m), e.data(v)
	correct := func(beta float32) float64 { return 1 - math.Pow(float64(beta), float64(a.Step)) }
	rate := float32(float64(a.LR) / correct(a.Beta1))
	root := float32(1 / math.Sqrt(correct(a.Beta2)))
	decay := float32(1 - float64(a.LR)*float64(a.Decay))
	rest1, rest2 := float32(1-float64(a.Beta1)), float32(1-float64(a.Beta2))
	e.chunks(len(weight), func(lo, hi int) {
		if decay == 1 && zeros(grad[lo:hi]) && zeros(first[lo:hi]) && zeros(second[lo:hi]) {
			return
		}
		e.kern.adamW(&weight[lo], &grad[lo], &first[lo], &second[lo], hi-lo,
			a.Scale, a.Beta1, rest1, a.Beta2, rest2, decay, rate, root, a.Eps)
	})
}

func zeros(x []float32) bool {
	for _, v := range x {
		if v != 0 {
			return false
		}
	}
	return true
}
