package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// depthwise writes a run of outputs of a depthwise convolution that all have
// the same kh×kw taps inside the image. Vectors run over channels, which lie
// side by side, so the pixels of a kernel are channels apart. Several pixels
// share the load of a weight; where there are too few, several vectors of
// channels hide the latency of the additions instead.
func depthwise(v isa) {
	function(v, "depthwise", "func(dst, x, w, bias *float32, count, n, channels, kh, kw, xRow, xStep, wRow int, clamp bool)",
		"sets dst[i] = bias + Σ x[i·xStep + y·xRow + x]·w[y·wRow + x] for the first n of channels, i < count.")
	d := &conv{v: v, dst: pointer("dst"), x: pointer("x"), step: pointer("xStep"), step3: GP64(), pixel: pointer("channels")}
	SHLQ(U8(2), d.step)
	SHLQ(U8(2), d.pixel)
	LEAQ(Mem{Base: d.step, Index: d.step, Scale: 2}, d.step3)
	left := pointer("count")
	for _, size := range []struct{ pixels, vectors int }{{4, 2}, {2, 4}, {1, 4}} {
		loop, less := label("pixels"), label("less")
		Label(loop)
		CMPQ(left, U8(size.pixels))
		JLT(LabelRef(less))
		d.pixels(size.pixels, size.vectors)
		SUBQ(U8(size.pixels), left)
		JMP(LabelRef(loop))
		Label(less)
	}
	end()
}

type conv struct {
	v           isa
	x, dst      reg.Register
	step, step3 reg.Register // bytes from one output's first tap to the next's
	pixel       reg.Register // bytes of one pixel
}

// pixels does all channels of the next n outputs.
func (d *conv) pixels(n, vectors int) {
	i, channels := GP64(), pointer("n")
	XORQ(i, i)
	wide, rest := label("wide"), label("rest")
	Label(wide)
	next := GP64()
	LEAQ(Mem{Base: i, Disp: vectors * d.v.lanes}, next)
	CMPQ(next, channels)
	JGT(LabelRef(rest))
	d.outputs(n, vectors, i, nil)
	ADDQ(U8(vectors*d.v.lanes), i)
	JMP(LabelRef(wide))
	Label(rest)
	d.v.rest(i, channels, func(i reg.Register, m mask) { d.outputs(n, 1, i, m) })
	for range n {
		ADDQ(d.step, d.x)
		ADDQ(d.pixel, d.dst)
	}
}

// outputs does n outputs for some vectors of channels from i on.
func (d *conv) outputs(n, vectors int, i reg.Register, m mask) {
	base := func(name string) reg.Register {
		p := pointer(name)
		LEAQ(at(p, i), p)
		return p
	}
	acc := make([][]reg.VecVirtual, n)
	bias := base("bias")
	for p := range acc {
		for j := range vectors {
			if p == 0 {
				acc[p] = append(acc[p], d.v.load(d.disp(Mem{Base: bias}, j), m))
				continue
			}
			acc[p] = append(acc[p], d.v.vec())
			VMOVAPS(acc[0][j], acc[p][j])
		}
	}
	xr, wr, ky := GP64(), base("w"), pointer("kh")
	LEAQ(at(d.x, i), xr)
	row, tap := label("row"), label("tap")
	Label(row)
	xt, wt, kx := GP64(), GP64(), pointer("kw")
	MOVQ(xr, xt)
	MOVQ(wr, wt)
	Label(tap)
	d.tap(acc, xt, wt, m)
	DECQ(kx)
	JNZ(LabelRef(tap))
	next := func(p reg.Register, stride string) {
		s := pointer(stride)
		LEAQ(at(p, s), p)
	}
	next(xr, "xRow")
	next(wr, "wRow")
	DECQ(ky)
	JNZ(LabelRef(row))

	d.v.clampIf("clamp", acc)
	to := GP64()
	LEAQ(at(d.dst, i), to)
	for p := range acc {
		for j, a := range acc[p] {
			d.v.store(a, d.disp(Mem{Base: to}, j), m)
		}
		if p < n-1 {
			ADDQ(d.pixel, to)
		}
	}
}

// tap adds the products of one pixel of the kernel and steps to the next.
func (d *conv) tap(acc [][]reg.VecVirtual, xt, wt reg.Register, m mask) {
	from := [4]Mem{{Base: xt}, {Base: xt, Index: d.step, Scale: 1}, {Base: xt, Index: d.step, Scale: 2}, {Base: xt, Index: d.step3, Scale: 1}}
	for j := range acc[0] {
		w := d.v.load(d.disp(Mem{Base: wt}, j), m)
		for p := range acc {
			if m == nil {
				VFMADD231PS(d.disp(from[p], j), w, acc[p][j])
			} else {
				VFMADD231PS(d.v.load(from[p], m), w, acc[p][j])
			}
		}
	}
	ADDQ(d.pixel, xt)
	ADDQ(d.pixel, wt)
}

// disp is vector j at m.
func (d *conv) disp(m Mem, j int) Mem {
	m.Disp = j * d.v.bytes()
	return m
}
