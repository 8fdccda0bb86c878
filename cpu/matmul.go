package cpu

import (
	"math"

	"sigla/backend"
)

// MatMul implements backend.Backend. Items are blocks of dst with all of K.
func (e *Engine) MatMul(dst, a, b backend.Buf, s backend.Mat) {
	s.Check(dst, a, b)
	p := product{m: s.M, n: s.N, k: s.K, add: s.Add, bias: e.data(s.Bias),
		a: view{e.data(a), s.K, 1}, b: view{e.data(b), s.N, 1}, c: view{nil, s.N, 1}}
	if s.Add && !e.blank(dst) {
		p.c.data = e.data(dst)
	} else {
		p.add, p.c.data = false, e.fill(dst)
	}
	if s.TransA {
		p.a = view{p.a.data, 1, s.M}
	}
	if s.TransB {
		p.b = view{p.b.data, 1, s.K}
	}
	e.postpone(dst, func(clamp bool) {
		p.clamp = clamp
		e.matMul(p)
	})
}

func (e *Engine) matMul(p product) {
	if e.bf16 != nil && p.n >= leastBF16 && p.k >= leastBF16 {
		e.matMulBF16(p)
		return
	}
	rows, cols := e.cut(p)
	down := ceil(p.m, rows)
	e.pool.run(down*ceil(p.n, cols), func(w, item int) {
		i, j := item%down*rows, item/down*cols
		e.multiply(&e.scratch[w], p.block(i, j, min(rows, p.m-i), min(cols, p.n-j)))
	})
}

// block is the part of p that computes c[i:i+m, j:j+n].
func (p product) block(i, j, m, n int) product {
	p.m, p.n = m, n
	p.a, p.b, p.c = p.a.from(i, 0), p.b.from(0, j), p.c.from(i, j)
	if p.bias != nil {
		p.bias = p.bias[j : j+n]
	}
	return p
}

// cut returns the size of an item of c, both multiples of a tile or more than
// there is. Among the cuts that give every thread some items it takes the one
// that moves least: b is packed once for each item above another, and a read
// once for each beside another, and packed if it is crowded.
func (e *Engine) cut(p product) (rows, cols int) {
	k := e.kern
	tile := k.full()
	panels, tiles := ceil(p.n, tile.cols), ceil(p.m, tile.rows)
	items := 1
	if e.pool.threads > 1 {
		// Packing b costs about as much as one more tile of rows.
		items = max(1, min(4*e.pool.threads, (p.m+tile.rows)*p.n*p.k/k.least()))
	}
	least := math.Inf(1)
	for across := ceil(p.n, k.blockN); across <= panels; across++ {
		r := ceil(tiles, min(tiles, ceil(items, across))) * tile.rows
		c := ceil(panels, across) * tile.cols
		moved := 1/float64(r) + 0.5/float64(c)
		if crowded(p.a) {
			moved += 0.5 / float64(c)
		}
		if moved < least {
			least, rows, cols = moved, r, c
		}
	}
	return rows, cols
}

// ceil is ⌈a/b⌉.
func ceil(a, b int) int { return (a + b - 1) / b }

// least is the number of multiply-adds that is worth an item.
func (k *kernels) least() int { return k.slice / 32 }
