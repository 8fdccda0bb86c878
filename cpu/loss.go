package cpu

import (
	"math"

	"sigla/backend"
)

// pairTiles are the pairs of a loss, cut into tiles.
type pairTiles struct {
	backend.Pairs
	e            *Engine
	x, y, dx, dy []float32
	scale        float32
	rows, cols   int // of a tile
	down, across int // tiles
}

func (e *Engine) pairTiles(p backend.Pairs, dx, dy, x, y, t backend.Buf) pairTiles {
	l := pairTiles{Pairs: p, e: e, x: e.data(x), y: e.data(y), dx: e.data(dx), dy: e.data(dy),
		scale: float32(math.Exp(float64(e.data(t)[0]))), rows: tileSize(p.Rows), cols: tileSize(p.Cols)}
	l.down, l.across = ceil(p.Rows, l.rows), ceil(p.Cols, l.cols)
	e.tiles = grow(e.tiles, l.down*l.across)
	clear(e.tiles)
	return l
}

// tileSize cuts n into about 16, so that many threads have work in a round,
// within limits: below, a product has too little to do for each element of dx
// that it adds to; above, a tile would leave the second cache.
func tileSize(n int) int { return min(256, max(32, 32*ceil(n, 512))) }

// A pairTile is the pairs from (i, j) on, m×n of them, and what they add to the
// scalars of the loss.
type pairTile struct {
	i, j, m, n int
	sums       *[3]float64
}

// each calls do for every tile, in rounds in which no two share a row or a
// column: each tile adds to what belongs to its rows and its columns, nobody
// waits for a lock, and the order of the sums is fixed by the sizes alone.
func (l *pairTiles) each(do func(s *scratch, t pairTile)) {
	long, short := max(l.down, l.across), min(l.down, l.across)
	round := 0
	item := func(w, i int) {
		j := (i + round) % long
		if l.across < l.down {
			i, j = j, i
		}
		s := &l.e.scratch[w]
		s.reset()
		do(s, pairTile{i * l.rows, j * l.cols, min(l.rows, l.Rows-i*l.rows), min(l.cols, l.Cols-j*l.cols), &l.e.tiles[i*l.across+j]})
	}
	for ; round < long; round++ {
		l.e.pool.run(short, item)
	}
}

// sums adds up those of all tiles.
func (l *pairTiles) sums() (sums [3]float64) {
	for _, tile := range l.e.tiles {
		for i, s := range tile {
			sums[i] += s
		}
	}
	return sums
}

// products returns ⟨x, y⟩ of the pairs of a tile, [m, n].
func (l *pairTiles) products(s *scratch, t pairTile) []float32 {
	c := s.take(t.m * t.n)
	x, y := view{l.x[t.i*l.Dim:], l.Dim, 1}, view{l.y[t.j*l.Dim:], l.Dim, 1}
	l.e.multiply(s, product{m: t.m, n: t.n, k: l.Dim, a: x, b: y.t(), c: view{c, t.n, 1}})
	return c
}

// spread adds g·y to dx and gᵀ·x to dy.
func (l *pairTiles) spread(s *scratch, t pairTile, g []float32) {
	at := view{g, t.n, 1}
	x, y := view{l.x[t.i*l.Dim:], l.Dim, 1}, view{l.y[t.j*l.Dim:], l.Dim, 1}
	l.e.multiply(s, product{m: t.m, n: l.Dim, k: t.n, a: at, b: y, c: view{l.dx[t.i*l.Dim:], l.Dim, 1}, add: true})
	l.e.multiply(s, product{m: t.n, n: l.Dim, k: t.m, a: at.t(), b: x, c: view{l.dy[t.j*l.Dim:], l.Dim, 1}, add: true})
}

// gradients calls each with do, which spreads derivatives by the logits, and
// multiplies dx and dy by f, what all of these lack.
func (l *pairTiles) gradients(f float32, do func(s *scratch, t pairTile)) {
	for _, d := range [][]float32{l.dx, l.dy} {
		l.e.clear(d)
	}
	l.each(do)
	for _, d := range [][]float32{l.dx, l.dy} {
		l.e.chunks(len(d), func(lo, hi int) { l.e.kern.scale(&d[lo], &d[lo], hi-lo, f) })
	}
}

// SigmoidLoss implements backend.Backend.
func (e *Engine) SigmoidLoss(loss, dx, dy, dt, db, x, y, t, b backend.Buf, p backend.Pairs) {
	p.Check(loss, dx, dy, dt, db, x, y, t, b)
	l := &sigmoidLoss{e.pairTiles(p, dx, dy, x, y, t), e.data(b)[0]}
	l.gradients(l.scale/float32(p.Rows), l.tile)
	sums := l.sums()
	e.data(loss)[0] = float32(sums[0] / float64(p.Rows))
	e.data(dt)[0] += float32(sums[1] / float64(p.Rows) * float64(l.scale))
	e.data(db)[0] += float32(sums[2] / float64(p.Rows))
}

type sigmoidLoss struct {
	pairTiles
	bias float32
}

// tile adds what its pairs give to dx and dy, without the factor scale/Rows,
// and sets sums to their Σ loss, Σ g·⟨x, y⟩ and Σ g, where g is the derivative
// of a pair's loss by its logit.
func (l *sigmoidLoss) tile(s *scratch, t pairTile) {
	labels := s.take(t.m * t.n)
	if !l.labels(labels, t) {
		return
	}
	g := l.products(s, t)
	row := new([3]float32) // sums of float32 no longer than a row of a tile
	for r := range t.m {
		*row = [3]float32{}
		l.e.kern.pairLoss(&g[r*t.n], &g[r*t.n], &labels[r*t.n], t.n, l.scale, l.bias, row)
		for i, v := range row {
			t.sums[i] += float64(v)
		}
		s.yield(2*expAdds*t.n, l.e.kern.slice)
	}
	l.spread(s, t, g)
}

// labels writes the labels of a tile's pairs and reports whether any is not 0.
func (l *sigmoidLoss) labels(z []float32, t pairTile) (any bool) {
	var buf [256]int8
	for r := range t.m {
		l.Labels(buf[:t.n], t.i+r, t.j)
		for c, label := range buf[:t.n] {
			z[r*t.n+c] = float32(label)
			any = any || label != 0
		}
	}
	return any
}
