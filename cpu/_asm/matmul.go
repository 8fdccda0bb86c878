package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func matmul() {
	for _, rows := range []int{14, 8, 4} {
		gemm(avx512, rows, 2)
		gemm(avx512, rows, 1)
	}
	for _, rows := range []int{6, 2} {
		gemm(avx2, rows, 2)
	}
	for _, v := range []isa{avx2, avx512} {
		transpose(v)
		gather(v)
		peak(v)
	}
}

// gemm writes a tile of c = a·b: rows × (cols vectors) of c stay in registers
// while k runs, and each k costs cols loads of b and one broadcast of a per
// row. The sum over k of one element is one chain of fused multiply-adds
// whatever the tile's shape, so all tiles give the same bits.
//
// Element (i, p) of a lies at a[i·rsa + p·csa]: a packed panel and a matrix in
// place, transposed or not, go through the same code. tiles tiles are done one
// below the other, a moving by tsa elements.
func gemm(v isa, rows, cols int) {
	function(v, fmt.Sprintf("gemm%dx%d", rows, cols*v.lanes),
		"func(a, b, c, bias *float32, rsa, csa, tsa, rsb, ldc, k, tiles, m, n int, add, clamp bool)",
		fmt.Sprintf("computes tiles of %d×%d elements of c = a·b, of which m×n are stored.", rows, cols*v.lanes))
	g := &tile{v: v, rows: rows, cols: cols, multiplyAdd: func(x, y, acc reg.Register) { VFMADD231PS(x, y, acc) }}
	g.compute()
}

// compute writes all of the function.
func (g *tile) compute() {
	g.load()
	Label("tile")
	g.start()
	g.product()
	g.finish()
	MOVQ(g.tileA, g.a[0])
	t := pointer("tsa")
	LEAQ(Mem{Base: g.a[0], Index: t, Scale: 4}, g.tileA)
	DECQ(g.tiles)
	JNZ(LabelRef("tile"))
	end()
}

// perBase is how many rows one base register reaches with the index registers
// 0, rsa, 2·rsa, 3·rsa and 4·rsa.
const perBase = 5

type tile struct {
	v           isa
	multiplyAdd func(x, y, acc reg.Register)
	rows, cols  int
	a           []reg.Register // bases of the rows, perBase apart
	tileA       reg.Register   // a of the next tile
	rsa, rsa3   reg.Register
	csa         reg.Register
	b, rsb      reg.Register
	c, ldc      reg.Register
	tiles       reg.Register
	acc         [][]reg.VecVirtual
	bv          []reg.VecVirtual
	av          [2]reg.VecVirtual
	columns     []mask // AVX-512: of the n columns, where masked stores cost nothing
}

// load reads the arguments; strides become bytes.
func (g *tile) load() {
	bytes := func(name string) reg.Register {
		r := pointer(name)
		SHLQ(U8(2), r)
		return r
	}
	g.a = []reg.Register{pointer("a")}
	for len(g.a)*perBase < g.rows {
		g.a = append(g.a, GP64())
	}
	g.tileA = GP64()
	t := pointer("tsa")
	LEAQ(Mem{Base: g.a[0], Index: t, Scale: 4}, g.tileA)
	g.rsa, g.csa, g.rsb, g.ldc = bytes("rsa"), bytes("csa"), bytes("rsb"), bytes("ldc")
	if g.rows > 3 {
		g.rsa3 = GP64()
		LEAQ(Mem{Base: g.rsa, Index: g.rsa, Scale: 2}, g.rsa3)
	}
	g.c, g.tiles, g.b = pointer("c"), pointer("tiles"), GP64()
	g.columns = make([]mask, g.cols)
	if g.v.lanes == 16 {
		n := pointer("n")
		for j := range g.columns {
			g.columns[j] = g.v.firstOf(n, j)
		}
	}
}

// row is where the next element of a's row i lies.
func (g *tile) row(i int) Mem {
	m := Mem{Base: g.a[i/perBase]}
	switch i % perBase {
	case 1, 2, 4:
		m.Index, m.Scale = g.rsa, uint8(i%perBase)
	case 3:
		m.Index, m.Scale = g.rsa3, 1
	}
	return m
}

// start clears the accumulators, sets the pointers of a tile, and asks for
// its part of c, which lies in as many pages as it has rows.
func (g *tile) start() {
	to := GP64()
	MOVQ(g.c, to)
	for i := range g.rows {
		PREFETCHT0(Mem{Base: to})
		if g.cols*g.v.bytes() > 64 {
			PREFETCHT0(Mem{Base: to, Disp: 64})
		}
		if i < g.rows-1 {
			ADDQ(g.ldc, to)
		}
	}
	MOVQ(NewParamAddr("b", 8), g.b)
	for i := 1; i < len(g.a); i++ {
		LEAQ(Mem{Base: g.a[i-1], Index: g.rsa, Scale: 4}, g.a[i])
		ADDQ(g.rsa, g.a[i])
	}
	g.acc = make([][]reg.VecVirtual, g.rows)
	for i := range g.acc {
		for range g.cols {
			g.acc[i] = append(g.acc[i], g.v.zero())
		}
	}
	for range g.cols {
		g.bv = append(g.bv, g.v.vec())
	}
	g.av = [2]reg.VecVirtual{g.v.vec(), g.v.vec()}
}

const (
	unroll   = 4 // steps of k a turn
	prefetch = 8 // rows of b ahead: what a scaled index can say
)

func (g *tile) product() {
	k := pointer("k")
	CMPQ(k, U8(unroll))
	JLT(LabelRef("rest"))
	Label("steps")
	for range unroll {
		g.step()
	}
	SUBQ(U8(unroll), k)
	CMPQ(k, U8(unroll))
	JGE(LabelRef("steps"))
	Label("rest")
	TESTQ(k, k)
	JZ(LabelRef("store"))
	g.step()
	DECQ(k)
	JMP(LabelRef("rest"))
}

// step adds the outer product of one column of a and one row of b.
func (g *tile) step() {
	for j, b := range g.bv {
		VMOVUPS(Mem{Base: g.b, Disp: j * g.v.bytes()}, b)
	}
	PREFETCHT0(Mem{Base: g.b, Index: g.rsb, Scale: prefetch})
	if g.cols*g.v.bytes() > 64 {
		PREFETCHT0(Mem{Base: g.b, Index: g.rsb, Scale: prefetch, Disp: 64})
	}
	for i := range g.rows {
		x := g.av[i%2]
		VBROADCASTSS(g.row(i), x)
		for j, b := range g.bv {
			g.multiplyAdd(x, b, g.acc[i][j])
		}
	}
	for _, a := range g.a {
		ADDQ(g.csa, a)
	}
	ADDQ(g.rsb, g.b)
}

// finish adds bias and c as asked, limits, and stores the first m rows and n columns.
func (g *tile) finish() {
	Label("store")
	m := pointer("m")
	if g.v.lanes == 16 {
		g.write("", m, g.columns)
		return
	}
	n := pointer("n")
	CMPQ(n, U8(g.cols*g.v.lanes))
	JLT(LabelRef("partial"))
	g.write("", m, g.columns)
	JMP(LabelRef("stored"))
	Label("partial")
	masks := make([]mask, g.cols)
	for j := range masks {
		masks[j] = g.v.firstOf(n, j)
	}
	g.write("Partial", m, masks)
	Label("stored")
}

func (g *tile) write(name string, m reg.Register, masks []mask) {
	bias := pointer("bias")
	TESTQ(bias, bias)
	JZ(LabelRef("noBias" + name))
	for j := range masks {
		x := g.v.load(Mem{Base: bias, Disp: j * g.v.bytes()}, masks[j])
		for i := range g.rows {
			VADDPS(x, g.acc[i][j], g.acc[i][j])
		}
	}
	Label("noBias" + name)
	add := Load(Param("add"), GP8())
	TESTB(add, add)
	JZ(LabelRef("write" + name))
	from := GP64()
	MOVQ(g.c, from)
	for i := range g.rows {
		for j := range masks {
			x := g.v.load(Mem{Base: from, Disp: j * g.v.bytes()}, masks[j])
			VADDPS(x, g.acc[i][j], g.acc[i][j])
		}
		if i < g.rows-1 {
			CMPQ(m, U8(i+1))
			JE(LabelRef("write" + name))
			ADDQ(g.ldc, from)
		}
	}
	Label("write" + name)
	g.v.clampIf("clamp", g.acc)
	for i := range g.rows {
		for j := range masks {
			g.v.store(g.acc[i][j], Mem{Base: g.c, Disp: j * g.v.bytes()}, masks[j])
		}
		ADDQ(g.ldc, g.c)
		if i < g.rows-1 {
			CMPQ(m, U8(i+1))
			JE(LabelRef("written" + name))
		}
	}
	Label("written" + name)
}

// transpose writes the packing of rows that are contiguous in k: it takes
// lanes rows of src at a time and lays k's columns one after the other.
func transpose(v isa) {
	function(v, "transpose", "func(dst, src *float32, lddst, ldsrc, k int)",
		fmt.Sprintf("sets dst[p·lddst+i] = src[i·ldsrc+p] for i < %d, p < k; k is a multiple of 4.", v.lanes))
	dst, src, ldd, lds, k := pointer("dst"), pointer("src"), pointer("lddst"), pointer("ldsrc"), pointer("k")
	SHLQ(U8(2), ldd)
	SHLQ(U8(2), lds)
	lds3, ldd3 := GP64(), GP64()
	LEAQ(Mem{Base: lds, Index: lds, Scale: 2}, lds3)
	LEAQ(Mem{Base: ldd, Index: ldd, Scale: 2}, ldd3)
	// Lane g of vector j holds 4 columns of row 4g + j, so that a transposition
	// of the 4×4 words inside the lanes finishes the work.
	base := []reg.Register{src}
	for range v.lanes/4 - 1 {
		b := GP64()
		LEAQ(Mem{Base: base[len(base)-1], Index: lds, Scale: 4}, b)
		base = append(base, b)
	}
	rows := func(p, ld, ld3 reg.Register) [4]Mem {
		return [4]Mem{{Base: p}, {Base: p, Index: ld, Scale: 1}, {Base: p, Index: ld, Scale: 2}, {Base: p, Index: ld3, Scale: 1}}
	}
	Label("loop")
	var x [4]reg.VecVirtual
	for j := range x {
		x[j] = v.vec()
		for g, b := range base {
			from := rows(b, lds, lds3)[j]
			switch {
			case g == 0:
				VMOVUPS(from, x[j].AsX())
			case v.lanes == 16:
				VINSERTF32X4(U8(g), from, x[j], x[j])
			default:
				VINSERTF128(U8(g), from, x[j], x[j])
			}
		}
	}
	y := [4]reg.VecVirtual{v.vec(), v.vec(), v.vec(), v.vec()}
	VUNPCKLPS(x[1], x[0], y[0])
	VUNPCKHPS(x[1], x[0], y[1])
	VUNPCKLPS(x[3], x[2], y[2])
	VUNPCKHPS(x[3], x[2], y[3])
	VUNPCKLPD(y[2], y[0], x[0])
	VUNPCKHPD(y[2], y[0], x[1])
	VUNPCKLPD(y[3], y[1], x[2])
	VUNPCKHPD(y[3], y[1], x[3])
	// In this order a store may run over the columns after it (lddst < lanes).
	for j, to := range rows(dst, ldd, ldd3) {
		VMOVUPS(x[j], to)
	}
	for _, b := range base {
		ADDQ(U8(16), b)
	}
	LEAQ(Mem{Base: dst, Index: ldd, Scale: 4}, dst)
	SUBQ(U8(4), k)
	JNZ(LabelRef("loop"))
	end()
}

// gather writes the packing of rows that lie as the panel wants them.
func gather(v isa) {
	function(v, "gather", "func(dst, src *float32, n, lddst, ldsrc, k int)",
		fmt.Sprintf("sets dst[p·lddst+i] = src[p·ldsrc+i] for i < n ≤ %d, p < k, in order of p, and writes whole vectors.", 2*v.lanes))
	dst, src, n, ldd, lds, k := pointer("dst"), pointer("src"), pointer("n"), pointer("lddst"), pointer("ldsrc"), pointer("k")
	SHLQ(U8(2), ldd)
	SHLQ(U8(2), lds)
	masks := []mask{v.firstOf(n, 0), v.firstOf(n, 1)}
	copyRows := func(name string, masks []mask) {
		Label(name)
		for j, m := range masks {
			v.store(v.load(Mem{Base: src, Disp: j * v.bytes()}, m), Mem{Base: dst, Disp: j * v.bytes()}, nil)
		}
		ADDQ(lds, src)
		ADDQ(ldd, dst)
		DECQ(k)
		JNZ(LabelRef(name))
		end()
	}
	CMPQ(n, U8(v.lanes))
	JLE(LabelRef("narrow"))
	copyRows("wide", masks)
	copyRows("narrow", masks[:1])
}

// peak writes a loop of independent fused multiply-adds on registers: the
// most that a core can do.
func peak(v isa) {
	const chains = 12
	function(v, "peak", "func(n int)", fmt.Sprintf("does n times %d multiply-adds.", chains*v.lanes))
	n := pointer("n")
	var acc [chains]reg.VecVirtual
	for i := range acc {
		acc[i] = v.zero()
	}
	x := v.zero()
	Label("loop")
	for _, a := range acc {
		VFMADD231PS(x, x, a)
	}
	DECQ(n)
	JNZ(LabelRef("loop"))
	end()
}
