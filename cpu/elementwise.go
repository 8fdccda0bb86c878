package cpu

import (
	"math"

	"sigla/backend"
)

// chunk is how many elements an item of an elementwise operation has: enough
// to be worth a wake-up, and all its operands fit into the second cache.
const chunk = 1 << 14

// chunks calls fn for [0, n) in parts.
func (e *Engine) chunks(n int, fn func(lo, hi int)) { e.spread(n, chunk, fn) }

// spread calls fn for [0, n) in parts of grain.
func (e *Engine) spread(n, grain int, fn func(lo, hi int)) {
	e.pool.run(ceil(n, grain), func(_, i int) { fn(i*grain, min(n, (i+1)*grain)) })
}

// rows calls fn for [0, rows) in parts of about chunk elements.
func (e *Engine) rows(rows, cols int, fn func(lo, hi int)) {
	e.spread(rows, max(1, chunk/cols), fn)
}

func (e *Engine) clear(x []float32) {
	e.chunks(len(x), func(lo, hi int) { clear(x[lo:hi]) })
}

// CopyRows implements backend.Backend.
func (e *Engine) CopyRows(dst, x backend.Buf, rows, cols, dstStride, xStride int) {
	backend.CheckCopyRows(dst, x, rows, cols, dstStride, xStride)
	d, s := e.data(dst), e.data(x)
	e.rows(rows, cols, func(lo, hi int) {
		for r := lo; r < hi; r++ {
			copy(d[r*dstStride:][:cols], s[r*xStride:])
		}
	})
}

// Add implements backend.Backend.
func (e *Engine) Add(dst, a, b backend.Buf) {
	backend.CheckAdd(dst, a, b)
	d, x, y := e.data(dst), e.data(a), e.data(b)
	if len(y) == len(d) {
		e.chunks(len(d), func(lo, hi int) { e.kern.add(&d[lo], &x[lo], &y[lo], hi-lo) })
		return
	}
	cols := len(y)
	e.rows(len(d)/cols, cols, func(lo, hi int) {
		for r := lo; r < hi; r++ {
			e.kern.add(&d[r*cols], &x[r*cols], &y[0], cols)
		}
	})
}

// ReLU6 implements backend.Backend.
func (e *Engine) ReLU6(dst, x backend.Buf) {
	backend.CheckReLU6(dst, x)
	if dst == x && x == e.late.dst {
		e.finish(true)
		return
	}
	d, s := e.data(dst), e.data(x)
	e.chunks(len(d), func(lo, hi int) { e.kern.relu6(&d[lo], &s[lo], hi-lo) })
}

// Two of the three GELUs are x·σ(s·x + t·x³), since ½(1 + tanh u) = σ(2u).
func gateFactors(kind backend.Activation) (s, t float32) {
	if kind == backend.GELUQuick {
		return 1.702, 0
	}
	c := 2 * math.Sqrt(2/math.Pi)
	return float32(c), float32(c * 0.044715)
}

// GELU implements backend.Backend.
func (e *Engine) GELU(dst, x backend.Buf, kind backend.Activation) {
	backend.CheckGELU(dst, x, kind)
	d, v := e.data(dst), e.data(x)
	s, t := gateFactors(kind)
	e.chunks(len(d), func(lo, hi int) {
		if kind == backend.GELUErf {
			geluErf(d[lo:hi], v[lo:hi])
		} else {
			e.kern.gate(&d[lo], &v[lo], hi-lo, s, t)
		}
	})
}

// GELUGrad implements backend.Backend.
func (e *Engine) GELUGrad(dx, dy, x backend.Buf, kind backend.Activation) {
	backend.CheckGELUGrad(dx, dy, x, kind)
	d, g, v := e.data(dx), e.data(dy), e.data(x)
	s, t := gateFactors(kind)
	e.chunks(len(d), func(lo, hi int) {
		if kind == backend.GELUErf {
			geluErfGrad(d[lo:hi], g[lo:hi], v[lo:hi])
		} else {
			e.kern.gateGrad(&d[lo], &g[lo], &v[lo], hi-lo, s, t)
		}
	})
}

func geluErf(dst, x []float32) {
	for i, v := range x {
		dst[i] = float32(float64(v) * normalCDF(float64(v)))
	}
}

func geluErfGrad(dx, dy, x []float32) {
	for i, v := range x {
		x := float64(v)
		density := math.Exp(-x*x/2) / math.Sqrt(2*math.Pi)
		dx[i] = float32(float64(dy[i]) * (normalCDF(x) + x*density))
	}
}

func normalCDF(x float64) float64 { return math.Erfc(-x/math.Sqrt2) / 2 }
