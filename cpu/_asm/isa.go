package main

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// An isa is an instruction set with vectors of lanes float32.
type isa struct {
	name  string
	lanes int
}

var (
	avx2   = isa{"AVX2", 8}
	avx512 = isa{"AVX512", 16}
)

// bytes is the size of a vector.
func (v isa) bytes() int { return v.lanes * 4 }

// vec returns a fresh vector register.
func (v isa) vec() reg.VecVirtual {
	if v.lanes == 16 {
		return ZMM()
	}
	return YMM()
}

func (v isa) zero() reg.VecVirtual {
	x := v.vec()
	v.clear(x)
	return x
}

func (v isa) clear(x reg.VecVirtual) {
	if v.lanes == 16 {
		VPXORD(x, x, x)
	} else {
		VXORPS(x, x, x)
	}
}

// A mask selects the first lanes of a vector; nil selects all of them.
type mask reg.Register

// first returns the mask of the first n lanes, 0 ≤ n ≤ lanes.
func (v isa) first(n reg.Register) mask { return v.firstOf(n, 0) }

// firstOf returns the mask of vector number i of a row of n elements; for
// AVX-512 n must not pass 63.
func (v isa) firstOf(n reg.Register, i int) mask {
	if v.lanes == 16 {
		ones, k := GP64(), K()
		MOVQ(n, reg.RCX)
		MOVQ(U32(1), ones)
		SHLQ(reg.CL, ones)
		DECQ(ones)
		if i > 0 {
			SHRQ(U8(16*i), ones)
		}
		KMOVW(ones.As32(), k)
		return k
	}
	// The window of 8 words that starts n words before the first zero.
	at, at2, m := GP64(), GP64(), YMM()
	LEAQ(maskTable(), at)
	MOVQ(n, at2)
	NEGQ(at2)
	VMOVUPS(Mem{Base: at, Index: at2, Scale: 4, Disp: (maskOnes + 8*i) * 4}, m)
	return m
}

const maskOnes = 16

// maskTable is maskOnes words of ones before as many zeros.
func maskTable() Mem {
	return table("mask", 2*maskOnes, func(i int) Constant {
		if i < maskOnes {
			return U32(math.MaxUint32)
		}
		return U32(0)
	})
}

// load returns the vector at from, zero where m does not select.
func (v isa) load(from Mem, m mask) reg.VecVirtual {
	x := v.vec()
	switch {
	case m == nil:
		VMOVUPS(from, x)
	case v.lanes == 16:
		VMOVUPS_Z(from, m, x)
	default:
		VMASKMOVPS(from, m, x)
	}
	return x
}

// store writes the selected lanes of x.
func (v isa) store(x reg.Register, to Mem, m mask) {
	switch {
	case m == nil:
		VMOVUPS(x, to)
	case v.lanes == 16:
		VMOVUPS(x, m, to)
	default:
		VMASKMOVPS(x, m, to)
	}
}

// keep clears the lanes of x that m does not select.
func (v isa) keep(x reg.Register, m mask) {
	switch {
	case m == nil:
	case v.lanes == 16:
		VMOVAPS_Z(x, m, x)
	default:
		VANDPS(x, m, x)
	}
}

// replace copies the selected lanes of x over y.
func (v isa) replace(x reg.Register, m mask, y reg.Register) {
	switch {
	case m == nil:
		VMOVAPS(x, y)
	case v.lanes == 16:
		VMOVAPS(x, m, y)
	default:
		VBLENDVPS(m, x, y, y)
	}
}

// oneIfNegative sets the lanes of y to 1 whose lanes in x have a minus sign.
func (v isa) oneIfNegative(x, y reg.Register) {
	if v.lanes == 16 {
		k := K()
		VPMOVD2M(x, k)
		VMOVUPS(constant(1), k, y)
	} else {
		VBLENDVPS(x, constant(1), y, y)
	}
}

// or is z = x OR y of the bits.
func (v isa) or(x Op, y, z reg.Register) {
	if v.lanes == 16 {
		VPORD(x, y, z)
	} else {
		VPOR(x, y, z)
	}
}

// argument broadcasts a float32 argument.
func (v isa) argument(name string) reg.VecVirtual {
	x := v.vec()
	VBROADCASTSS(Load(Param(name), XMM()), x)
	return x
}

// pointer loads a pointer or an int argument.
func pointer(name string) reg.Register { return Load(Param(name), GP64()) }

// at is element i of the vector at p.
func at(p, i reg.Register) Mem { return Mem{Base: p, Index: i, Scale: 4} }

// constant is a vector in memory whose lanes are all x.
func constant(x float32) Mem { return bits(math.Float32bits(x)) }

func bits(b uint32) Mem {
	return table(fmt.Sprintf("all%08x", b), 16, func(int) Constant { return U32(b) })
}

// spread loads a constant into a register, for those that a loop uses often.
func (v isa) spread(x float32) reg.VecVirtual {
	y := v.vec()
	VBROADCASTSS(constant(x), y)
	return y
}

var tables = map[string]Mem{}

// table returns a read-only table of n words.
func table(name string, n int, word func(i int) Constant) Mem {
	if m, ok := tables[name]; ok {
		return m
	}
	m := GLOBL(name, RODATA|NOPTR)
	for i := range n {
		DATA(4*i, word(i))
	}
	tables[name] = m
	return m
}

// each calls body for the n elements of vectors, one vector after the other;
// the last may be partial. i is the index of the vector's first element.
func (v isa) each(n reg.Register, body func(i reg.Register, m mask)) {
	i := GP64()
	XORQ(i, i)
	v.rest(i, n, body)
}

// rest is each for the elements from i on.
func (v isa) rest(i, n reg.Register, body func(i reg.Register, m mask)) {
	loop, tail, done := label("loop"), label("tail"), label("done")
	next := GP64()
	Label(loop)
	LEAQ(Mem{Base: i, Disp: v.lanes}, next)
	CMPQ(next, n)
	JGT(LabelRef(tail))
	body(i, nil)
	ADDQ(U8(v.lanes), i)
	JMP(LabelRef(loop))
	Label(tail)
	left := GP64()
	MOVQ(n, left)
	SUBQ(i, left)
	JZ(LabelRef(done))
	body(i, v.first(left))
	Label(done)
}

const ways = 4 // independent sums, which hide the latency of an addition

// reduce is each with ways accumulators: body adds a vector to acc. They are
// joined into the first by join, which it returns.
func (v isa) reduce(n reg.Register, acc [ways]reg.VecVirtual, body func(i reg.Register, disp int, acc reg.VecVirtual, m mask), join func(x, y reg.Register)) reg.VecVirtual {
	i, next := GP64(), GP64()
	XORQ(i, i)
	loop, rest := label("wide"), label("rest")
	Label(loop)
	LEAQ(Mem{Base: i, Disp: ways * v.lanes}, next)
	CMPQ(next, n)
	JGT(LabelRef(rest))
	for w := range ways {
		body(i, w*v.bytes(), acc[w], nil)
	}
	MOVQ(next, i)
	JMP(LabelRef(loop))
	Label(rest)
	v.rest(i, n, func(i reg.Register, m mask) { body(i, 0, acc[0], m) })
	join(acc[1], acc[0])
	join(acc[3], acc[2])
	join(acc[2], acc[0])
	return acc[0]
}

// sums returns cleared accumulators for reduce.
func (v isa) sums() (acc [ways]reg.VecVirtual) {
	for w := range acc {
		acc[w] = v.zero()
	}
	return acc
}

// add is y += x.
func add(x, y reg.Register) { VADDPS(x, y, y) }

// across folds the lanes of x into its lowest: op is y = op(x, y).
func (v isa) across(x reg.VecVirtual, op func(x, y reg.Register)) reg.VecVirtual {
	if v.lanes == 16 {
		high := YMM()
		VEXTRACTF64X4(U8(1), x, high)
		op(high, x.AsY())
	}
	high := XMM()
	if v.lanes == 16 {
		VEXTRACTF32X4(U8(1), x.AsY(), high) // reaches all 32 registers
	} else {
		VEXTRACTF128(U8(1), x.AsY(), high)
	}
	op(high, x.AsX())
	VPERMILPS(U8(0b1110), x.AsX(), high)
	op(high, x.AsX())
	VPERMILPS(U8(0b01), x.AsX(), high)
	op(high, x.AsX())
	return x
}

var labels int

// label returns a name that no other label has.
func label(name string) string {
	labels++
	return fmt.Sprintf("%s%d", name, labels)
}
