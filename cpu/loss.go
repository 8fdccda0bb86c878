package cpu

import (
	"math"

	"sigla/backend"
)

// SigmoidLoss implements backend.Backend. The pairs are cut into tiles, and
// the tiles done in rounds in which no two share a row or a column: each tile
// adds to its rows of dx and of dy, nobody waits for a lock, and the order of
// the sums is fixed by the sizes alone.
func (e *Engine) SigmoidLoss(loss, dx, dy, dt, db, x, y, t, b backend.Buf, p backend.Pairs) {
	p.Check(loss, dx, dy, dt, db, x, y, t, b)
	l := &pairLoss{Pairs: p, e: e, x: e.data(x), y: e.data(y), dx: e.data(dx), dy: e.data(dy),
		scale: float32(math.Exp(float64(e.data(t)[0]))), bias: e.data(b)[0],
		rows: tileSize(p.Rows), cols: tileSize(p.Cols)}
	down, across := ceil(p.Rows, l.rows), ceil(p.Cols, l.cols)
	e.tiles = grow(e.tiles, down*across)
	clear(e.tiles)
	e.clear(l.dx)
	e.clear(l.dy)
	for round := range max(down, across) {
		e.pool.run(min(down, across), func(w, item int) {
			i, j := item, (item+round)%max(down, across)
			if across < down {
				i, j = j, i
			}
			l.tile(&e.scratch[w], i*l.rows, j*l.cols, &e.tiles[i*across+j])
		})
	}
	e.chunks(len(l.dx), func(lo, hi int) { e.kern.scale(&l.dx[lo], &l.dx[lo], hi-lo, l.scale/float32(p.Rows)) })
	e.chunks(len(l.dy), func(lo, hi int) { e.kern.scale(&l.dy[lo], &l.dy[lo], hi-lo, l.scale/float32(p.Rows)) })
	var sums [3]float64
	for _, tile := range e.tiles {
		for i, s := range tile {
			sums[i] += s / float64(p.Rows)
		}
	}
	e.data(loss)[0] = float32(sums[0])
	e.data(dt)[0] += float32(sums[1] * float64(l.scale))
	e.data(db)[0] += float32(sums[2])
}

// tileSize cuts n into about 16, so that many threads have work in a round,
// within limits: below, a product has too little to do for each element of dx
// that it adds to; above, a tile would leave the second cache.
func tileSize(n int) int { return min(256, max(32, 32*ceil(n, 512))) }

type pairLoss struct {
	backend.Pairs
	e            *Engine
	x, y, dx, dy []float32
	scale, bias  float32
	rows, cols   int // of a tile
}

// tile adds what the pairs from (i, j) on give to dx and dy, without the factor
// scale/Rows, and sets sums to their Σ loss, Σ g·⟨x, y⟩ and Σ g, where g is
// the derivative of a pair's loss by its logit.
func (l *pairLoss) tile(s *scratch, i, j int, sums *[3]float64) {
	s.reset()
	m, n := min(l.rows, l.Rows-i), min(l.cols, l.Cols-j)
	labels := s.take(m * n)
	if !l.labels(labels, i, j, m, n) {
		return
	}
	x, y := view{l.x[i*l.Dim:], l.Dim, 1}, view{l.y[j*l.Dim:], l.Dim, 1}
	g := view{s.take(m * n), n, 1}
	l.e.multiply(s, product{m: m, n: n, k: l.Dim, a: x, b: y.t(), c: g})
	row := new([3]float32) // sums of float32 no longer than a row of a tile
	for r := range m {
		*row = [3]float32{}
		l.e.kern.pairLoss(&g.data[r*n], &g.data[r*n], &labels[r*n], n, l.scale, l.bias, row)
		for i, v := range row {
			sums[i] += float64(v)
		}
		s.yield(2*expAdds*n, l.e.kern.slice)
	}
	l.e.multiply(s, product{m: m, n: l.Dim, k: n, a: g, b: y, c: view{l.dx[i*l.Dim:], l.Dim, 1}, add: true})
	l.e.multiply(s, product{m: n, n: l.Dim, k: m, a: g.t(), b: x, c: view{l.dy[j*l.Dim:], l.Dim, 1}, add: true})
}

// labels writes the labels of the pairs from (i, j) on and reports whether any
// is not 0.
func (l *pairLoss) labels(z []float32, i, j, m, n int) (any bool) {
	var buf [256]int8
	for r := range m {
		l.Labels(buf[:n], i+r, j)
		for c, label := range buf[:n] {
			z[r*n+c] = float32(label)
			any = any || label != 0
		}
	}
	return any
}
