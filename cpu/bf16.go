package cpu

// leastBF16 is how many columns and how much depth a product needs for rounding
// its factors to pay. The rows do not count, so that a row's result does not
// depend on how many others are in a batch.
const leastBF16 = 16

// blockBF16 is how many words of the left factor are multiplied with one panel
// of the right one after the other: they stay in the second cache.
const blockBF16 = 96 << 10

// matMulBF16 rounds and packs both factors whole, and then multiplies: twice as
// many multiply-adds a second leave no time to pack a factor once for every
// item. The sum over k of an element is one chain.
func (e *Engine) matMulBF16(p product) {
	t, pairs := e.bf16.tile, ceil(p.k, 2)
	a, tsa, rsa, csa := e.left(p, t.rows)
	b, panel, rsb := e.packBF16(1, p.b.t(), p.n, p.k, t.cols)
	tiles, panels := ceil(p.m, t.rows), ceil(p.n, t.cols)
	down := ceil(tiles, max(1, blockBF16/tsa))
	high := ceil(tiles, down)
	across := max(ceil(4*e.pool.threads, down), p.m*p.n*p.k/(down*4*e.kern.slice))
	wide := ceil(panels, min(panels, across))
	e.pool.run(down*ceil(panels, wide), func(_, item int) {
		first, left := item%down*high, item/down*wide
		last := min(tiles, first+high)
		whole := min(last, p.m/t.rows) // tiles with all their rows
		for j := left; j < min(panels, left+wide); j++ {
			n := min(t.cols, p.n-j*t.cols)
			var bias *float32
			if p.bias != nil {
				bias = &p.bias[j*t.cols]
			}
			run := func(i, tiles, m int) {
				t.run(&a[i*tsa], &b[j*panel], &p.c.data[i*t.rows*p.c.row+j*t.cols], bias,
					rsa, csa, tsa, rsb, p.c.row, pairs, tiles, m, n, p.add, p.clamp)
			}
			if whole > first {
				run(first, whole-first, t.rows)
			}
			if whole < last {
				run(whole, 1, p.m-whole*t.rows)
			}
		}
	})
}

// left lays out the left factor: tile i begins at i·tsa, element (r, q) of it, a
// pair, is at r·rsa + q·csa. Rows that are contiguous in k are only rounded.
func (e *Engine) left(p product, height int) (a []float32, tsa, rsa, csa int) {
	if p.a.row == 1 {
		a, tsa, csa = e.packBF16(0, p.a, p.m, p.k, height)
		return a, tsa, 1, csa
	}
	rsa = apart(p.k)
	e.packed[0] = grow(e.packed[0], ceil(p.m, height)*height*rsa)
	a = e.packed[0]
	e.rows(p.m, p.k, func(lo, hi int) { e.roundRows(a[lo*rsa:], p.a.from(lo, 0), hi-lo, p.k, rsa) })
	return a, height * rsa, rsa, 1
}

// apart is how far rows lie from each other that were rounded: a line of the
// cache more than they take, so that those of a tile do not crowd it.
func apart(depth int) int { return ceil(depth, 32)*16 + 16 }

// roundRows rounds n rows of x.
func (e *Engine) roundRows(dst []float32, x view, n, depth, stride int) {
	for i := range n {
		e.bf16.round(&dst[i*stride], &x.data[i*x.row], depth)
	}
}

// packBF16 lays lines × depth elements of x into panels of so many lines, size
// apart; pair q of line i of a panel is at [q·stride + i].
func (e *Engine) packBF16(factor int, x view, lines, depth, width int) (panels []float32, size, stride int) {
	lanes := e.kern.lanes
	pairs := (ceil(depth, 2) + 3) &^ 3
	stride = ceil(width, lanes) * lanes
	size = stride * pairs
	n := ceil(lines, width)
	e.packed[factor] = grow(e.packed[factor], n*size)
	panels = e.packed[factor]
	if x.row == 1 {
		// Rows of x, in pages of their own, are read for all panels.
		e.spread(ceil(depth, 2), 16, func(lo, hi int) {
			for i := range n {
				from := view{x.data[i*width:], 1, x.col}
				e.pairRows(panels[i*size:], from, min(width, lines-i*width), depth, lo, hi, stride)
			}
		})
		return panels, size, stride
	}
	e.pool.run(n, func(w, i int) {
		e.panelBF16(&e.scratch[w], panels[i*size:], x.from(i*width, 0), min(width, lines-i*width), depth, stride)
	})
	return panels, size, stride
}

// panelBF16 lays lines × depth elements of x into one panel.
func (e *Engine) panelBF16(s *scratch, panel []float32, x view, lines, depth, stride int) {
	if x.row == 1 {
		e.pairRows(panel, x, lines, depth, 0, ceil(depth, 2), stride)
		return
	}
	lanes, pairs := e.kern.lanes, (ceil(depth, 2)+3)&^3
	s.rows = grow(s.rows, lanes*pairs)
	for l := 0; l < lines; l += lanes {
		e.roundRows(s.rows, x.from(l, 0), min(lanes, lines-l), depth, pairs)
		e.kern.transpose(&panel[l], &s.rows[0], stride, pairs, pairs)
	}
}

// multiplyBF16 computes p on one thread.
func (e *Engine) multiplyBF16(s *scratch, p product) {
	t, pairs := e.bf16.tile, (ceil(p.k, 2)+3)&^3
	panel := t.cols * pairs
	s.b = grow(s.b, ceil(p.n, t.cols)*panel)
	for j := 0; j < p.n; j += t.cols {
		e.panelBF16(s, s.b[j*pairs:], p.b.from(0, j).t(), min(t.cols, p.n-j), p.k, t.cols)
	}
	tiles := ceil(p.m, t.rows)
	rsa, csa := apart(p.k), 1
	tsa := t.rows * rsa
	if p.a.row == 1 {
		rsa, csa = 1, e.kern.lanes
		tsa = csa * pairs
	}
	s.a = grow(s.a, tiles*tsa)
	if p.a.row == 1 {
		for i := range tiles {
			e.panelBF16(s, s.a[i*tsa:], p.a.from(i*t.rows, 0), min(t.rows, p.m-i*t.rows), p.k, csa)
		}
	} else {
		e.roundRows(s.a, p.a, p.m, p.k, rsa)
	}
	whole := p.m / t.rows
	for j := 0; j < p.n; j += t.cols {
		run := func(i, tiles, m int) {
			t.run(&s.a[i*tsa], &s.b[j*pairs], &p.c.data[i*t.rows*p.c.row+j], nil,
				rsa, csa, tsa, t.cols, p.c.row, ceil(p.k, 2), tiles, m, min(t.cols, p.n-j), p.add, p.clamp)
		}
		if whole > 0 {
			run(0, whole, t.rows)
		}
		if whole < tiles {
			run(whole, 1, p.m-whole*t.rows)
		}
	}
	s.yield(p.m*p.n*p.k/2, e.kern.slice)
}

// pairRows packs the pairs lo … hi−1 of the depth rows of x, n elements each.
func (e *Engine) pairRows(panel []float32, x view, n, depth, lo, hi, stride int) {
	whole := min(hi, depth/2)
	if whole > lo {
		e.bf16.pairs(&panel[lo*stride], &x.data[2*lo*x.col], n, stride, x.col, whole-lo)
	}
	if whole < hi {
		// A last row has no other beside it: each of its elements is a row of one.
		for i := range n {
			e.bf16.round(&panel[whole*stride+i], &x.data[2*whole*x.col+i], 1)
		}
	}
}
