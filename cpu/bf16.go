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
	pairs := ceil(p.k, 2)
	rsa = ceil(pairs, 16)*16 + 16
	e.packed[0] = grow(e.packed[0], ceil(p.m, height)*height*rsa)
	a = e.packed[0]
	e.rows(p.m, p.k, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			e.bf16.round(&a[i*rsa], &p.a.data[i*p.a.row], p.k)
		}
	})
	return a, height * rsa, rsa, 1
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
		s := &e.scratch[w]
		s.rows = grow(s.rows, lanes*pairs)
		for l := 0; l < width; l += lanes {
			first := i*width + l
			for r := range min(lanes, width-l, lines-first) {
				e.bf16.round(&s.rows[r*pairs], &x.data[(first+r)*x.row], depth)
			}
			e.kern.transpose(&panels[i*size+l], &s.rows[0], stride, pairs, pairs)
		}
	})
	return panels, size, stride
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
