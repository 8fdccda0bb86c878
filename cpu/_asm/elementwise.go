package main

import (
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/reg"
)

func elementwise(v isa) {
	addVectors(v)
	relu6(v)
	scale(v)
	blend(v)
	gate(v)
	gateGrad(v)
}

// function begins a kernel and says what it computes.
func function(v isa, name, signature, doc string) {
	TEXT(name+v.name, NOSPLIT, signature)
	Pragma("noescape")
	Doc(name + v.name + " " + doc)
}

func end() {
	VZEROUPPER()
	RET()
}

func addVectors(v isa) {
	function(v, "add", "func(dst, a, b *float32, n int)", "sets dst = a + b.")
	dst, a, b, n := pointer("dst"), pointer("a"), pointer("b"), pointer("n")
	v.each(n, func(i reg.Register, m mask) {
		x := v.load(at(a, i), m)
		VADDPS(v.load(at(b, i), m), x, x)
		v.store(x, at(dst, i), m)
	})
	end()
}

func relu6(v isa) {
	function(v, "relu6", "func(dst, x *float32, n int)", "sets dst = min(max(x, 0), 6).")
	dst, x, n := pointer("dst"), pointer("x"), pointer("n")
	zero, six := v.zero(), v.spread(6)
	v.each(n, func(i reg.Register, m mask) {
		y := v.load(at(x, i), m)
		clamp(y, zero, six)
		v.store(y, at(dst, i), m)
	})
	end()
}

func scale(v isa) {
	function(v, "scale", "func(dst, x *float32, n int, s float32)", "sets dst = s·x.")
	dst, x, n, s := pointer("dst"), pointer("x"), pointer("n"), v.argument("s")
	v.each(n, func(i reg.Register, m mask) {
		y := v.load(at(x, i), m)
		VMULPS(s, y, y)
		v.store(y, at(dst, i), m)
	})
	end()
}

func blend(v isa) {
	function(v, "blend", "func(dst, a, b *float32, n int, s, t float32)", "sets dst = s·a + t·b.")
	dst, a, b, n := pointer("dst"), pointer("a"), pointer("b"), pointer("n")
	s, t := v.argument("s"), v.argument("t")
	v.each(n, func(i reg.Register, m mask) {
		x, y := v.load(at(a, i), m), v.load(at(b, i), m)
		VMULPS(s, x, x)
		VFMADD231PS(t, y, x)
		v.store(x, at(dst, i), m)
	})
	end()
}

// gateLimit bounds x where it only steers σ, which is 0 or 1 long before.
const gateLimit = 64

// sigmoid prepares σ(s·x + t·x³) and returns a function that gives, for a
// vector x, a clamped copy of it, e = exp(−s·x − t·x³), and 1 + e.
func (v isa) sigmoid(s, t reg.VecVirtual) func(x reg.VecVirtual) (c, e, d reg.VecVirtual) {
	zero := v.zero()
	VSUBPS(s, zero, s)
	VSUBPS(t, zero, t)
	left, right, low, high := v.spread(-gateLimit), v.spread(gateLimit), v.spread(expLow), v.spread(expHigh)
	return func(x reg.VecVirtual) (c, e, d reg.VecVirtual) {
		c, d = v.vec(), v.vec()
		z := v.vec()
		VMOVAPS(x, c)
		clamp(c, left, right)
		VMULPS(c, c, z)
		VFMADD213PS(s, t, z)
		VMULPS(c, z, z)
		clamp(z, low, high)
		e = v.exp(z)
		VADDPS(constant(1), e, d)
		return c, e, d
	}
}

func gate(v isa) {
	function(v, "gate", "func(dst, x *float32, n int, s, t float32)", "sets dst = x·σ(s·x + t·x³).")
	dst, x, n := pointer("dst"), pointer("x"), pointer("n")
	sigmoid := v.sigmoid(v.argument("s"), v.argument("t"))
	v.each(n, func(i reg.Register, m mask) {
		y := v.load(at(x, i), m)
		_, _, d := sigmoid(y)
		VDIVPS(d, y, y)
		v.store(y, at(dst, i), m)
	})
	end()
}

func gateGrad(v isa) {
	function(v, "gateGrad", "func(dx, dy, x *float32, n int, s, t float32)",
		"sets dx = dy·(σ + x·σ·(1 − σ)·(s + 3t·x²)) with σ = σ(s·x + t·x³).")
	dx, dy, x, n := pointer("dx"), pointer("dy"), pointer("x"), pointer("n")
	s, t := v.argument("s"), v.argument("t")
	sigmoid := v.sigmoid(s, t) // negates s and t
	v.each(n, func(i reg.Register, m mask) {
		c, e, d := sigmoid(v.load(at(x, i), m))
		sigma, slope := v.vec(), v.vec()
		VMOVUPS(constant(1), sigma)
		VDIVPS(d, sigma, sigma)
		VMULPS(sigma, e, e) // 1 − σ
		VMULPS(c, c, slope)
		VMULPS(constant(3), slope, slope)
		VFMADD213PS(s, t, slope)
		VMULPS(c, slope, slope)
		VMULPS(e, slope, slope)
		VSUBPS(slope, constantOne(v), slope)
		VMULPS(sigma, slope, slope) // σ·(1 + x·(1 − σ)·(s + 3t·x²))
		VMULPS(v.load(at(dy, i), m), slope, slope)
		v.store(slope, at(dx, i), m)
	})
	end()
}

func constantOne(v isa) reg.VecVirtual {
	x := v.vec()
	VMOVUPS(constant(1), x)
	return x
}

// optimizer writes one AdamW step; the host folds what is the same for all
// elements into the factors.
func optimizer(v isa) {
	function(v, "adamW", "func(w, dw, m, v *float32, n int, scale, beta1, rest1, beta2, rest2, decay, rate, root, eps float32)",
		"sets g = scale·dw, m = beta1·m + rest1·g, v = beta2·v + rest2·g², w = decay·w − rate·m/(root·√v + eps).")
	w, g, m, mv, n := pointer("w"), pointer("dw"), pointer("m"), pointer("v"), pointer("n")
	scale, beta1, rest1 := v.argument("scale"), v.argument("beta1"), v.argument("rest1")
	beta2, rest2 := v.argument("beta2"), v.argument("rest2")
	decay, rate, root, eps := v.argument("decay"), v.argument("rate"), v.argument("root"), v.argument("eps")
	v.each(n, func(i reg.Register, k mask) {
		x := v.load(at(g, i), k)
		VMULPS(scale, x, x)
		first := v.load(at(m, i), k)
		VMULPS(beta1, first, first)
		VFMADD231PS(rest1, x, first)
		v.store(first, at(m, i), k)
		VMULPS(x, x, x)
		second := v.load(at(mv, i), k)
		VMULPS(beta2, second, second)
		VFMADD231PS(rest2, x, second)
		v.store(second, at(mv, i), k)
		VSQRTPS(second, second)
		VFMADD213PS(eps, root, second)
		VMULPS(rate, first, first)
		VDIVPS(second, first, first)
		y := v.load(at(w, i), k)
		VFMSUB213PS(first, decay, y)
		v.store(y, at(w, i), k)
	})
	end()
}
