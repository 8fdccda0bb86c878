package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The range in which exp is a normal number: e^-87.33 ≈ 2^-126 and
// e^88.37 ≈ 2^127.49, which still rounds to 2^127.
const (
	expLow  = -87.33
	expHigh = 88.37
)

// faint is where the probabilities of a loss end: e^-64 is far below what a sum
// of them can tell from nothing, and its products with rows are normal numbers,
// which some processors multiply a hundred times as fast as subnormal ones.
const faint = -64

// clamp limits x; a NaN stays, since MAXPS and MINPS return the operand that
// is first here.
func clamp(x, low, high reg.VecVirtual) {
	VMAXPS(x, low, x)
	VMINPS(x, high, x)
}

// exp returns e^z for z between expLow and expHigh, and NaN for NaN; z is lost.
//
// With n the integer nearest to z/ln 2, e^z = 2^n·e^r, |r| ≤ ln 2/2. n comes
// from adding 1.5·2²³, which pushes the fraction out of the mantissa, and ln 2
// is split in two so that n times the first part is exact. The polynomial is
// that of Cephes' expf; the error stays below 2 units in the last place.
func (v isa) exp(z reg.VecVirtual) reg.VecVirtual {
	const (
		round = 3 << 22
		ln2a  = 0.693359375
		ln2b  = -2.12194440e-4
	)
	t, n, p := v.vec(), v.vec(), v.vec()
	VMOVUPS(constant(round), t)
	VFMADD231PS(constant(1.44269504), z, t)
	VSUBPS(constant(round), t, n)
	VFNMADD231PS(constant(ln2a), n, z)
	VFNMADD231PS(constant(ln2b), n, z)
	VMOVUPS(constant(1.9875691500e-4), p)
	for _, c := range []float32{1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1, 1, 1} {
		VFMADD213PS(constant(c), z, p)
	}
	// The low bits of t are n: move them into the exponent of 1.
	VPSLLD(U8(23), t, t)
	VPADDD(constant(1), t, t)
	VMULPS(t, p, p)
	return p
}

// log1p returns ln(1 + e) for 0 ≤ e ≤ 1 as 2·artanh(u), u = e/(2 + e) ≤ 1/3;
// the series is cut where the next term is 2e-8 of the result.
func (v isa) log1p(e reg.VecVirtual) reg.VecVirtual {
	u, u2, p := v.vec(), v.vec(), v.vec()
	VADDPS(constant(2), e, u)
	VDIVPS(u, e, u)
	VMULPS(u, u, u2)
	VMOVUPS(constant(2./13), p)
	for _, c := range []float32{2. / 11, 2. / 9, 2. / 7, 2. / 5, 2. / 3, 2} {
		VFMADD213PS(constant(c), u2, p)
	}
	VMULPS(u, p, p)
	return p
}

// clampIf limits all of acc to 0 … 6 if the argument called name is true.
func (v isa) clampIf(name string, acc [][]reg.VecVirtual) {
	skip := label("unclamped")
	yes := Load(Param(name), GP8())
	TESTB(yes, yes)
	JZ(LabelRef(skip))
	zero, six := v.zero(), v.spread(6)
	for _, row := range acc {
		for _, x := range row {
			clamp(x, zero, six)
		}
	}
	Label(skip)
}
