package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// softmaxes writes the sum of two probabilities of each logit s·x, that in its
// row and that in its column; the shifts are logarithms of sums of exponentials.
func softmaxes(v isa) {
	function(v, "softmaxes", "func(dst, x, cols *float32, n int, s, row float32)", "sets dst = exp(s·x − row) + exp(s·x − cols).")
	dst, x, cols, n := pointer("dst"), pointer("x"), pointer("cols"), pointer("n")
	s, row := v.argument("s"), v.argument("row")
	low, high := v.spread(faint), v.spread(expHigh)
	v.each(n, func(i reg.Register, m mask) {
		a, b := v.load(at(x, i), m), v.vec()
		VMOVAPS(a, b)
		VFMSUB213PS(row, s, a)
		VFMSUB213PS(v.load(at(cols, i), m), s, b)
		clamp(a, low, high)
		clamp(b, low, high)
		a, b = v.exp(a), v.exp(b)
		add(b, a)
		v.store(a, at(dst, i), m)
	})
	end()
}

// loss writes the pairwise sigmoid loss of a row of similarities: with
// a = z·(t·s + b), −log σ(a) = max(−a, 0) + ln(1 + e^−|a|), which does not
// overflow, and its derivative by t·s + b is −z·σ(−a).
func loss(v isa) {
	function(v, "pairLoss", "func(ds, s, z *float32, n int, t, b float32, sums *[3]float32)",
		"sets ds to the derivative of the loss by the logit t·s + b of each pair, z being its label, and adds Σ loss, Σ ds·s and Σ ds to sums.")
	g, s, z, n := pointer("ds"), pointer("s"), pointer("z"), pointer("n")
	t, b := v.argument("t"), v.argument("b")
	low := v.spread(faint)
	losses, products, slopes := v.zero(), v.zero(), v.zero()
	v.each(n, func(i reg.Register, m mask) {
		x, label, a := v.load(at(s, i), m), v.load(at(z, i), m), v.vec()
		VMOVAPS(t, a)
		VFMADD213PS(b, x, a)
		VMULPS(label, a, a)

		e := v.vec()
		VMOVUPS(bits(1<<31), e)
		v.or(a, e, e) // −|a|
		VMAXPS(e, low, e)
		e = v.exp(e)

		p, zero, positive := v.log1p(e), v.zero(), v.vec()
		VSUBPS(a, zero, positive)
		VMAXPS(positive, zero, positive)
		add(positive, p)
		VMULPS(label, p, p)
		VFMADD231PS(label, p, losses) // label² leaves out what has none

		// σ(−a) is 1/(1 + e) for negative a, e/(1 + e) for others.
		q := v.vec()
		VADDPS(constant(1), e, q)
		v.oneIfNegative(a, e)
		VDIVPS(q, e, e)
		VMULPS(label, e, e)
		VSUBPS(e, v.zero(), e)
		v.store(e, at(g, i), m)
		VFMADD231PS(x, e, products)
		add(e, slopes)
	})
	to := pointer("sums")
	for i, sum := range []reg.VecVirtual{losses, products, slopes} {
		x := v.across(sum, add).AsX()
		VADDSS(Mem{Base: to, Disp: 4 * i}, x, x)
		VMOVSS(x, Mem{Base: to, Disp: 4 * i})
	}
	end()
}
