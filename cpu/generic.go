package cpu

import (
	"math"
	"unsafe"
)

// generic is plain Go for processors without assembly here.
var generic = kernels{
	level:  "generic",
	tiles:  []tile{{4, 4, gemm4x4}},
	blockM: 64, blockN: 32, blockK: 384,
	slice:     5e5,
	transpose: transpose,
	lanes:     genericLanes,
	gather:    gather,

	add:   addVectors,
	relu6: relu6,
	scale: scaleVector,
	blend: blend,

	gate:     gate,
	gateGrad: gateGrad,

	dot:       dot,
	largest:   largest,
	expSum:    expSum,
	scoreGrad: scoreGrad,

	layerNorm:     layerNorm,
	layerNormGrad: layerNormGrad,
	depthwise:     depthwise,
	pairLoss:      pairLosses,
	softmaxes:     softmaxes,
	adamW:         adamW,

	scan:     scanner[float32]{dots: dots4, queries: 1},
	scanHalf: scanner[uint16]{dots: dots4Half, queries: 1},
	touch:    touch,

	peak:     peak,
	peakAdds: 16,
}

const genericLanes = 4

// vector is the slice of n elements at p.
func vector(p *float32, n int) []float32 { return unsafe.Slice(p, n) }

func addVectors(dst, a, b *float32, n int) {
	d, x, y := vector(dst, n), vector(a, n), vector(b, n)
	for i := range d {
		d[i] = x[i] + y[i]
	}
}

func relu6(dst, x *float32, n int) {
	d := vector(dst, n)
	for i, v := range vector(x, n) {
		d[i] = min(max(v, 0), 6)
	}
}

func scaleVector(dst, x *float32, n int, s float32) {
	d := vector(dst, n)
	for i, v := range vector(x, n) {
		d[i] = s * v
	}
}

func blend(dst, a, b *float32, n int, s, t float32) {
	d, x, y := vector(dst, n), vector(a, n), vector(b, n)
	for i := range d {
		d[i] = s*x[i] + t*y[i]
	}
}

// gateLimit bounds x where it only steers σ, which is 0 or 1 long before.
const gateLimit = 64

// sigmoid returns σ(s·x + t·x³) and x within its bounds.
func sigmoid(x, s, t float32) (sigma, bounded float64) {
	b := min(max(float64(x), -gateLimit), gateLimit)
	return 1 / (1 + math.Exp(-b*(float64(s)+float64(t)*b*b))), b
}

func gate(dst, x *float32, n int, s, t float32) {
	d := vector(dst, n)
	for i, v := range vector(x, n) {
		sigma, _ := sigmoid(v, s, t)
		d[i] = float32(float64(v) * sigma)
	}
}

func gateGrad(dx, dy, x *float32, n int, s, t float32) {
	d, g := vector(dx, n), vector(dy, n)
	for i, v := range vector(x, n) {
		sigma, b := sigmoid(v, s, t)
		d[i] = float32(float64(g[i]) * sigma * (1 + b*(1-sigma)*(float64(s)+3*float64(t)*b*b)))
	}
}

func dot(x, y *float32, n int) float32 {
	a, b := vector(x, n), vector(y, n)
	var sum float64
	for i, v := range a {
		sum += float64(v) * float64(b[i])
	}
	return float32(sum)
}

func largest(x *float32, n int) float32 {
	best := *x
	for _, v := range vector(x, n) {
		best = max(best, v)
	}
	return best
}

func expSum(x *float32, n int, s, shift float32) float32 {
	v := vector(x, n)
	var sum float64
	for i, z := range v {
		e := math.Exp(float64(s)*float64(z) - float64(shift))
		v[i] = float32(e)
		sum += e
	}
	return float32(sum)
}

func scoreGrad(dp, p *float32, n int, d, s float32) {
	x := vector(dp, n)
	for i, v := range vector(p, n) {
		x[i] = s * v * (x[i] - d)
	}
}

func layerNorm(dst, x, w, b *float32, n int, eps float32, mean, rstd *float32) {
	d, v, weight, bias := vector(dst, n), vector(x, n), vector(w, n), vector(b, n)
	var mu, variance float64
	for _, x := range v {
		mu += float64(x)
	}
	mu /= float64(n)
	for _, x := range v {
		variance += (float64(x) - mu) * (float64(x) - mu)
	}
	rs := 1 / math.Sqrt(variance/float64(n)+float64(eps))
	for i, x := range v {
		d[i] = float32((float64(x)-mu)*rs)*weight[i] + bias[i]
	}
	*mean, *rstd = float32(mu), float32(rs)
}

func layerNormGrad(dx, dw, db, dy, x, w *float32, n int, mean, rstd float32) {
	d, sw, sb := vector(dx, n), vector(dw, n), vector(db, n)
	g, v, weight := vector(dy, n), vector(x, n), vector(w, n)
	var s1, s2 float64
	for i := range d {
		normal := (v[i] - mean) * rstd
		h := g[i] * weight[i]
		s1 += float64(h)
		s2 += float64(h) * float64(normal)
		sw[i] += g[i] * normal
		sb[i] += g[i]
	}
	m1, m2 := float32(s1/float64(n)), float32(s2/float64(n))
	for i := range d {
		d[i] = (g[i]*weight[i] - m1 - (v[i]-mean)*rstd*m2) * rstd
	}
}

func pairLosses(g, s, z *float32, n int, t, b float32, sums *[3]float32) {
	d, label := vector(g, n), vector(z, n)
	var losses, products, slopes float64
	for i, v := range vector(s, n) {
		x, z := float64(v), float64(label[i])
		a := z * (float64(t)*x + float64(b))
		e := math.Exp(-math.Abs(a))
		losses += (max(-a, 0) + math.Log1p(e)) * z * z
		slope := -z / (1 + e)
		if a >= 0 {
			slope *= e
		}
		d[i] = float32(slope)
		products += slope * x
		slopes += slope
	}
	sums[0] += float32(losses)
	sums[1] += float32(products)
	sums[2] += float32(slopes)
}

func softmaxes(dst, x, cols *float32, n int, s, row float32) {
	d, shift := vector(dst, n), vector(cols, n)
	for i, v := range vector(x, n) {
		z := float64(s) * float64(v)
		d[i] = float32(math.Exp(z-float64(row)) + math.Exp(z-float64(shift[i])))
	}
}

func adamW(w, g, m, v *float32, n int, scale, beta1, rest1, beta2, rest2, decay, rate, root, eps float32) {
	weight, first, second := vector(w, n), vector(m, n), vector(v, n)
	for i, x := range vector(g, n) {
		x *= scale
		first[i] = beta1*first[i] + rest1*x
		second[i] = beta2*second[i] + rest2*x*x
		weight[i] = decay*weight[i] - rate*first[i]/(root*float32(math.Sqrt(float64(second[i])))+eps)
	}
}
