package cpu

import (
	"math"

	"sigla/backend"
)

// keyBlock is how many keys are scored at a time. It is the same for every
// shape, so a row's result does not depend on the others.
const keyBlock = 256

// attention is one call with its operands.
type attention struct {
	backend.Attn
	e          *Engine
	multiply   func(s *scratch, p product)
	scale      float32
	q, k, v, y []float32
	lse        []float32
	dy         []float32
	dq, dk, dv []float32
}

func (e *Engine) attention(s backend.Attn, y, lse, q, k, v backend.Buf) *attention {
	a := &attention{Attn: s, e: e, multiply: e.multiply, scale: float32(1 / math.Sqrt(float64(s.Dim))),
		q: e.data(q), k: e.data(k), v: e.data(v), y: e.data(y), lse: e.data(lse)}
	if e.bf16 != nil && s.Dim >= leastBF16 && s.Keys >= leastBF16 {
		a.multiply = e.multiplyBF16
	}
	return a
}

// queries is the view of q, or of what has its shape, from query i on.
func (a *attention) queries(x []float32, b, h, i int) view {
	return view{x[((b*a.Queries+i)*a.Heads+h)*a.Dim:], a.Heads * a.Dim, 1}
}

// keys is the view of k, or of what has its shape, from key i on.
func (a *attention) keys(x []float32, b, h, i int) view {
	return view{x[((b*a.Keys+i)*a.Heads+h)*a.Dim:], a.Heads * a.Dim, 1}
}

// seen returns how many of the keys k0 … k0+n−1 count for query i.
func (a *attention) seen(i, k0, n int) int {
	if a.Causal {
		return max(0, min(n, i+1-k0))
	}
	return n
}

// length returns how many keys of batch row b count.
func (a *attention) length(b int) int {
	if a.KeyLens != nil {
		return int(a.KeyLens[b])
	}
	return a.Keys
}

// Attention implements backend.Backend. An item takes some queries of one head
// over the blocks of keys, and keeps a running maximum, sum and result for
// each (Milakov & Gimelshein 2018; Dao et al. 2022, algorithm 1).
func (e *Engine) Attention(dst, lse, q, k, v backend.Buf, s backend.Attn) {
	s.Check(dst, lse, q, k, v)
	a := e.attention(s, dst, lse, q, k, v)
	heads := s.Batch * s.Heads
	// The keys of a head are packed once per item: fewer items, less packing.
	tile := e.kern.full().rows
	parts := max(1, min(ceil(4*e.pool.threads, heads), s.Queries/(2*tile)))
	n := min(maxQueries/tile*tile, ceil(ceil(s.Queries, parts), tile)*tile)
	parts = ceil(s.Queries, n)
	e.pool.run(heads*parts, func(w, item int) {
		head, i := item/parts, item%parts*n
		a.forward(&e.scratch[w], head/s.Heads, head%s.Heads, i, min(n, s.Queries-i))
	})
}

// expAdds is how many multiply-adds take the time of an exponential.
const expAdds = 20

// maxQueries bounds the scores that an item has at a time to 256 KiB.
const maxQueries = 256

// forward computes n queries of a head from query q0 on.
func (a *attention) forward(s *scratch, b, h, q0, n int) {
	s.reset()
	k := a.e.kern
	scores := s.take(n * keyBlock)
	highest, sums := s.take(n), s.take(n)
	y := a.queries(a.y, b, h, q0)
	length := a.length(b)
	if a.Causal {
		length = min(length, q0+n)
	}
	for k0 := 0; k0 < length; k0 += keyBlock {
		keys := min(keyBlock, length-k0)
		score := view{scores, keys, 1}
		a.multiply(s, product{m: n, n: keys, k: a.Dim, a: a.queries(a.q, b, h, q0), b: a.keys(a.k, b, h, k0).t(), c: score})
		for i := range n {
			row := scores[i*keys:][:keys]
			seen := a.seen(q0+i, k0, keys)
			clear(row[seen:])
			if seen == 0 {
				continue
			}
			top := a.scale * k.largest(&row[0], seen)
			if k0 == 0 {
				highest[i], sums[i] = top, 0
			} else if top > highest[i] {
				shrink := float32(math.Exp(float64(highest[i] - top)))
				highest[i] = top
				sums[i] *= shrink
				k.scale(&y.data[i*y.row], &y.data[i*y.row], a.Dim, shrink)
			}
			sums[i] += k.expSum(&row[0], seen, a.scale, highest[i])
			s.yield(expAdds*seen, k.slice)
		}
		a.multiply(s, product{m: n, n: a.Dim, k: keys, a: score, b: a.keys(a.v, b, h, k0), c: y, add: k0 > 0})
	}
	for i := range n {
		k.scale(&y.data[i*y.row], &y.data[i*y.row], a.Dim, 1/sums[i])
		if a.lse != nil {
			a.lse[(b*a.Heads+h)*a.Queries+q0+i] = highest[i] + float32(math.Log(float64(sums[i])))
		}
	}
}

// AttentionGrad implements backend.Backend. An item is one head, whose
// gradients nobody else writes.
func (e *Engine) AttentionGrad(dq, dk, dv, dy, y, lse, q, k, v backend.Buf, s backend.Attn) {
	s.CheckGrad(dq, dk, dv, dy, y, lse, q, k, v)
	a := e.attention(s, y, lse, q, k, v)
	a.dy, a.dq, a.dk, a.dv = e.data(dy), e.data(dq), e.data(dk), e.data(dv)
	e.pool.run(s.Batch*s.Heads, func(w, item int) {
		a.backward(&e.scratch[w], item/s.Heads, item%s.Heads)
	})
}

// backward goes over blocks of keys and, inside, over blocks of queries. With
// the probabilities p = exp(score − lse):
//
//	dv = pᵀ·dy, dp = dy·vᵀ, dscore = p·(dp − ⟨dy, y⟩), dq = dscore·k, dk = dscoreᵀ·q
func (a *attention) backward(s *scratch, b, h int) {
	s.reset()
	along := s.take(a.Queries)
	y, dy, dq := a.queries(a.y, b, h, 0), a.queries(a.dy, b, h, 0), a.queries(a.dq, b, h, 0)
	for i := range a.Queries {
		along[i] = a.e.kern.dot(&dy.data[i*dy.row], &y.data[i*y.row], a.Dim)
		clear(dq.data[i*dq.row:][:a.Dim])
	}
	length := a.length(b)
	p, dp := s.take(maxQueries*keyBlock), s.take(maxQueries*keyBlock)
	for k0 := 0; k0 < length; k0 += keyBlock {
		keys := min(keyBlock, length-k0)
		first := 0
		if a.Causal {
			first = k0 // queries before see none of these keys
		}
		for q0 := first; q0 < a.Queries; q0 += maxQueries {
			a.backwardBlock(s, b, h, q0, min(maxQueries, a.Queries-q0), k0, keys, p, dp, along, q0 > first)
		}
	}
	for i := length; i < a.Keys; i++ {
		clear(a.keys(a.dk, b, h, i).data[:a.Dim])
		clear(a.keys(a.dv, b, h, i).data[:a.Dim])
	}
}

// backwardBlock adds what n queries and some keys give to each other; add is
// false where dk and dv have nothing yet.
func (a *attention) backwardBlock(s *scratch, b, h, q0, n, k0, keys int, p, dp, along []float32, add bool) {
	k := a.e.kern
	prob, dscore := view{p, keys, 1}, view{dp, keys, 1}
	q, key, dy := a.queries(a.q, b, h, q0), a.keys(a.k, b, h, k0), a.queries(a.dy, b, h, q0)
	a.multiply(s, product{m: n, n: keys, k: a.Dim, a: q, b: key.t(), c: prob})
	a.multiply(s, product{m: n, n: keys, k: a.Dim, a: dy, b: a.keys(a.v, b, h, k0).t(), c: dscore})
	for i := range n {
		x, dx := p[i*keys:][:keys], dp[i*keys:][:keys]
		seen := a.seen(q0+i, k0, keys)
		clear(x[seen:])
		clear(dx[seen:])
		if seen > 0 {
			k.expSum(&x[0], seen, a.scale, a.lse[(b*a.Heads+h)*a.Queries+q0+i])
			k.scoreGrad(&dx[0], &x[0], seen, along[q0+i], a.scale)
			s.yield(expAdds*seen, k.slice)
		}
	}
	a.multiply(s, product{m: keys, n: a.Dim, k: n, a: prob.t(), b: dy, c: a.keys(a.dv, b, h, k0), add: add})
	a.multiply(s, product{m: keys, n: a.Dim, k: n, a: dscore.t(), b: q, c: a.keys(a.dk, b, h, k0), add: add})
	a.multiply(s, product{m: n, n: a.Dim, k: keys, a: dscore, b: key, c: a.queries(a.dq, b, h, q0), add: true})
}
