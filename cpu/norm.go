package cpu

import (
	"math"

	"sigla/backend"
)

// LayerNorm implements backend.Backend.
func (e *Engine) LayerNorm(dst, mean, rstd, x, w, b backend.Buf, rows, cols int, eps float32) {
	backend.CheckLayerNorm(dst, mean, rstd, x, w, b, rows, cols)
	d, mu, rs, v, weight, bias := e.data(dst), e.data(mean), e.data(rstd), e.data(x), e.data(w), e.data(b)
	e.rows(rows, cols, func(lo, hi int) {
		nowhere := new([2]float32)
		for r := lo; r < hi; r++ {
			m, q := &nowhere[0], &nowhere[1]
			if mu != nil {
				m = &mu[r]
			}
			if rs != nil {
				q = &rs[r]
			}
			e.kern.layerNorm(&d[r*cols], &v[r*cols], &weight[0], &bias[0], cols, eps, m, q)
		}
	})
}

// LayerNormGrad implements backend.Backend.
func (e *Engine) LayerNormGrad(dx, dw, db, dy, x, w, mean, rstd backend.Buf, rows, cols int) {
	backend.CheckLayerNormGrad(dx, dw, db, dy, x, w, mean, rstd, rows, cols)
	d, g, v, weight, mu, rs := e.data(dx), e.data(dy), e.data(x), e.data(w), e.data(mean), e.data(rstd)
	e.sumBlocks(rows, cols, e.data(dw), e.data(db), func(r int, sw, sb []float32) {
		e.kern.layerNormGrad(&d[r*cols], &sw[0], &sb[0], &g[r*cols], &v[r*cols], &weight[0], cols, mu[r], rs[r])
	})
}

// SumRows implements backend.Backend.
func (e *Engine) SumRows(dst, x backend.Buf, rows, cols int) {
	backend.CheckSumRows(dst, x, rows, cols)
	v := e.data(x)
	e.sumBlocks(rows, cols, e.data(dst), nil, func(r int, sum, _ []float32) {
		e.kern.add(&sum[0], &sum[0], &v[r*cols], cols)
	})
}

// sumRows is how many rows are summed in float32 before float64 takes over.
const sumRows = 32

// sumBlocks adds to a and b [cols] (b may be nil) the sums over all rows of
// what add adds for a row. Each block of sumRows rows has its own sums, which
// are joined in the order of the blocks, so neither threads nor chance show in
// the result.
func (e *Engine) sumBlocks(rows, cols int, a, b []float32, add func(r int, a, b []float32)) {
	blocks := ceil(rows, sumRows)
	width := cols
	if b != nil {
		width = 2 * cols
	}
	e.parts = grow(e.parts, blocks*width)
	parts := e.parts
	e.spread(blocks, max(1, chunk/(sumRows*cols)), func(lo, hi int) {
		clear(parts[lo*width : hi*width])
		for i := lo; i < hi; i++ {
			sums := parts[i*width : (i+1)*width]
			for r := i * sumRows; r < min(rows, (i+1)*sumRows); r++ {
				add(r, sums[:cols], sums[width-cols:])
			}
		}
	})
	const group = 64 // columns whose sums are on the stack
	e.spread(ceil(width, group), max(1, chunk/(blocks*group)), func(lo, hi int) {
		for c := lo * group; c < min(width, hi*group); c += group {
			var sums [group]float64
			n := min(group, width-c)
			for i := range blocks {
				for j, v := range parts[i*width+c:][:n] {
					sums[j] += float64(v)
				}
			}
			for j, s := range sums[:n] {
				if c+j < cols {
					a[c+j] = float32(float64(a[c+j]) + s)
				} else {
					b[c+j-cols] = float32(float64(b[c+j-cols]) + s)
				}
			}
		}
	})
}

// smallest is the norm that a shorter row is divided by.
const smallest = 1e-12

// Normalize implements backend.Backend.
func (e *Engine) Normalize(dst, norm, x backend.Buf, rows, cols int) {
	backend.CheckNormalize(dst, norm, x, rows, cols)
	d, n, v := e.data(dst), e.data(norm), e.data(x)
	e.rows(rows, cols, func(lo, hi int) {
		for r := lo; r < hi; r++ {
			row := &v[r*cols]
			length := max(math.Sqrt(float64(e.kern.dot(row, row, cols))), smallest)
			if n != nil {
				n[r] = float32(length)
			}
			e.kern.scale(&d[r*cols], row, cols, float32(1/length))
		}
	})
}

// NormalizeGrad implements backend.Backend.
func (e *Engine) NormalizeGrad(dx, dy, y, norm backend.Buf, rows, cols int) {
	backend.CheckNormalizeGrad(dx, dy, y, norm, rows, cols)
	d, g, o, n := e.data(dx), e.data(dy), e.data(y), e.data(norm)
	e.rows(rows, cols, func(lo, hi int) {
		for r := lo; r < hi; r++ {
			dot := e.kern.dot(&g[r*cols], &o[r*cols], cols)
			e.kern.blend(&d[r*cols], &g[r*cols], &o[r*cols], cols, 1/n[r], -dot/n[r])
		}
	})
}
