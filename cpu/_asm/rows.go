package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// rows writes the kernels that reduce a row.
func rows(v isa) {
	dot(v)
	largest(v)
	expSum(v)
	layerNorm(v)
	layerNormGrad(v)
	scoreGrad(v)
}

func dot(v isa) {
	function(v, "dot", "func(x, y *float32, n int) float32", "returns Σ x·y.")
	x, y, n := pointer("x"), pointer("y"), pointer("n")
	sum := v.reduce(n, v.sums(), func(i reg.Register, disp int, acc reg.VecVirtual, m mask) {
		a, b := at(x, i), at(y, i)
		a.Disp, b.Disp = disp, disp
		VFMADD231PS(v.load(a, m), v.load(b, m), acc)
	}, add)
	Store(v.across(sum, add).AsX(), ReturnIndex(0))
	end()
}

func largest(v isa) {
	function(v, "largest", "func(x *float32, n int) float32", "returns the largest x; a NaN may be lost.")
	x, n := pointer("x"), pointer("n")
	greater := func(x, y reg.Register) { VMAXPS(x, y, y) }
	var acc [ways]reg.VecVirtual
	for w := range acc {
		acc[w] = v.vec()
		VBROADCASTSS(Mem{Base: x}, acc[w])
	}
	best := v.reduce(n, acc, func(i reg.Register, disp int, acc reg.VecVirtual, m mask) {
		a := at(x, i)
		a.Disp = disp
		y := v.vec()
		VMOVAPS(acc, y)
		v.replace(v.load(a, m), m, y)
		greater(y, acc)
	}, greater)
	Store(v.across(best, greater).AsX(), ReturnIndex(0))
	end()
}

func expSum(v isa) {
	function(v, "expSum", "func(x *float32, n int, s, shift float32) float32", "sets x = exp(s·x − shift) and returns the sum.")
	x, n := pointer("x"), pointer("n")
	s, shift := v.argument("s"), v.argument("shift")
	low, high := v.spread(expLow), v.spread(expHigh)
	sum := v.zero()
	v.each(n, func(i reg.Register, m mask) {
		z := v.load(at(x, i), m)
		VFMSUB213PS(shift, s, z)
		clamp(z, low, high)
		e := v.exp(z)
		v.store(e, at(x, i), m)
		v.keep(e, m)
		add(e, sum)
	})
	Store(v.across(sum, add).AsX(), ReturnIndex(0))
	end()
}

// layerNorm goes over the row three times while it lies in the first cache:
// mean, variance, result. The variance is that of the differences from the
// mean, so a large mean costs no digits.
func layerNorm(v isa) {
	function(v, "layerNorm", "func(dst, x, w, b *float32, n int, eps float32, mean, rstd *float32)",
		"sets dst = (x − mean)·rstd·w + b, and mean and rstd.")
	dst, x, w, b, n := pointer("dst"), pointer("x"), pointer("w"), pointer("b"), pointer("n")
	count := XMM()
	VXORPS(count, count, count)
	VCVTSI2SSQ(n, count, count)

	sum := v.across(v.reduce(n, v.sums(), func(i reg.Register, disp int, acc reg.VecVirtual, m mask) {
		a := at(x, i)
		a.Disp = disp
		add(v.load(a, m), acc)
	}, add), add)
	VDIVSS(count, sum.AsX(), sum.AsX())
	VMOVSS(sum.AsX(), Mem{Base: pointer("mean")})
	mean := v.vec()
	VBROADCASTSS(sum.AsX(), mean)

	squares := v.across(v.reduce(n, v.sums(), func(i reg.Register, disp int, acc reg.VecVirtual, m mask) {
		a := at(x, i)
		a.Disp = disp
		d := v.load(a, m)
		VSUBPS(mean, d, d)
		v.keep(d, m)
		VFMADD231PS(d, d, acc)
	}, add), add).AsX()
	VDIVSS(count, squares, squares)
	VADDSS(Load(Param("eps"), XMM()), squares, squares)
	VSQRTSS(squares, squares, squares)
	one := XMM()
	VMOVSS(constant(1), one)
	VDIVSS(squares, one, one)
	VMOVSS(one, Mem{Base: pointer("rstd")})
	rstd := v.vec()
	VBROADCASTSS(one, rstd)

	v.each(n, func(i reg.Register, m mask) {
		y := v.load(at(x, i), m)
		VSUBPS(mean, y, y)
		VMULPS(rstd, y, y)
		VFMADD213PS(v.load(at(b, i), m), v.load(at(w, i), m), y)
		v.store(y, at(dst, i), m)
	})
	end()
}

func layerNormGrad(v isa) {
	function(v, "layerNormGrad", "func(dx, dw, db, dy, x, w *float32, n int, mean, rstd float32)",
		"sets dx and adds to dw and db for one row.")
	dx, dw, db := pointer("dx"), pointer("dw"), pointer("db")
	dy, x, w, n := pointer("dy"), pointer("x"), pointer("w"), pointer("n")
	mean, rstd := v.argument("mean"), v.argument("rstd")
	// The normalised x, and dy·w, of one vector.
	both := func(i reg.Register, m mask) (normal, g reg.VecVirtual) {
		normal, g = v.load(at(x, i), m), v.load(at(dy, i), m)
		VSUBPS(mean, normal, normal)
		VMULPS(rstd, normal, normal)
		VMULPS(v.load(at(w, i), m), g, g)
		return normal, g
	}
	// The means of dy·w and of dy·w·normal.
	s1, s2 := v.zero(), v.zero()
	v.each(n, func(i reg.Register, m mask) {
		normal, g := both(i, m)
		add(g, s1)
		VFMADD231PS(normal, g, s2)
	})
	count := XMM()
	VXORPS(count, count, count)
	VCVTSI2SSQ(n, count, count)
	for _, s := range []reg.VecVirtual{s1, s2} {
		v.across(s, add)
		VDIVSS(count, s.AsX(), s.AsX())
		VBROADCASTSS(s.AsX(), s)
	}
	v.each(n, func(i reg.Register, m mask) {
		normal, g := both(i, m)
		VSUBPS(s1, g, g)
		VFNMADD231PS(normal, s2, g)
		VMULPS(rstd, g, g)
		v.store(g, at(dx, i), m)
		y, sw, sb := v.load(at(dy, i), m), v.load(at(dw, i), m), v.load(at(db, i), m)
		VFMADD231PS(normal, y, sw)
		add(y, sb)
		v.store(sw, at(dw, i), m)
		v.store(sb, at(db, i), m)
	})
	end()
}

func scoreGrad(v isa) {
	function(v, "scoreGrad", "func(dp, p *float32, n int, d, s float32)", "sets dp = s·p·(dp − d), the gradient of a softmax.")
	dp, p, n := pointer("dp"), pointer("p"), pointer("n")
	d, s := v.argument("d"), v.argument("s")
	v.each(n, func(i reg.Register, m mask) {
		x, y := v.load(at(dp, i), m), v.load(at(p, i), m)
		VSUBPS(d, x, x)
		VMULPS(s, y, y)
		VMULPS(y, x, x)
		v.store(x, at(dp, i), m)
	})
	end()
}
