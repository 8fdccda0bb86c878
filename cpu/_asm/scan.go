package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// scanRows is how many rows a scan kernel multiplies at a time: as many chains
// of additions as hide the latency of one.
const scanRows = 4

// scan writes the exact search. The sum of a row and a query is one chain of
// fused multiply-adds in every lane, folded at the end, whatever the shape of
// the kernel: a photo has one cosine, wherever it is computed.
func scan(v isa) {
	for _, half := range []bool{false, true} {
		dots(v, half)
		if v.lanes == 16 {
			products(v, half, 4)
		} else {
			products(v, half, 2) // 16 registers
		}
	}
	touch(v)
}

// scanner is a kernel in the making.
type scanner struct {
	v       isa
	half    bool
	rows    [scanRows]reg.Register
	queries []reg.Register
	acc     [scanRows][]reg.VecVirtual // [row][query]
}

// element is the type of a row's elements, and part what it adds to a name.
func element(half bool) (typ, part string, size int) {
	if half {
		return "uint16", "Half", 2
	}
	return "float32", "", 4
}

// pointers loads the pointers of a list.
func pointers(list reg.Register, to []reg.Register) {
	for i := range to {
		to[i] = GP64()
		MOVQ(Mem{Base: list, Disp: 8 * i}, to[i])
	}
}

// clear sets all sums to 0.
func (s *scanner) clear() {
	for i := range s.acc {
		for range s.queries {
			s.acc[i] = append(s.acc[i], s.v.zero())
		}
	}
}

// load returns the elements of a row from number i on, disp vectors further.
func (s *scanner) load(row, i reg.Register, disp int, m mask) reg.VecVirtual {
	if !s.half {
		from := at(row, i)
		from.Disp = disp * s.v.bytes()
		return s.v.load(from, m)
	}
	from, x := Mem{Base: row, Index: i, Scale: 2, Disp: disp * s.v.lanes * 2}, s.v.vec()
	if m == nil {
		VCVTPH2PS(from, x)
	} else {
		VCVTPH2PS_Z(from, m, x)
	}
	return x
}

// step adds the products of one vector of each row and query.
func (s *scanner) step(i reg.Register, disp int, m mask) {
	var q []reg.VecVirtual
	for _, p := range s.queries {
		from := at(p, i)
		from.Disp = disp * s.v.bytes()
		q = append(q, s.v.load(from, m))
	}
	for r, p := range s.rows {
		x := s.load(p, i, disp, m)
		for j := range q {
			VFMADD231PS(x, q[j], s.acc[r][j])
		}
	}
}

// tail adds what is left of n from i on, less than a vector.
func (s *scanner) tail(i, n reg.Register) {
	done := label("done")
	if !s.half || s.v.lanes == 16 {
		left := GP64()
		MOVQ(n, left)
		SUBQ(i, left)
		JZ(LabelRef(done))
		s.step(i, 0, s.v.first(left))
		Label(done)
		return
	}
	// AVX2 has no masks for halves, and what lies behind a row may not be
	// there: one by one, in the lowest lane.
	loop := label("single")
	Label(loop)
	CMPQ(i, n)
	JGE(LabelRef(done))
	for r, p := range s.rows {
		x := XMM()
		VXORPS(x, x, x)
		VPINSRW(U8(0), Mem{Base: p, Index: i, Scale: 2}, x, x)
		VCVTPH2PS(x, x)
		for j, query := range s.queries {
			y := XMM()
			VMOVSS(at(query, i), y)
			VFMADD231PS(x.AsY(), y.AsY(), s.acc[r][j])
		}
	}
	INCQ(i)
	JMP(LabelRef(loop))
	Label(done)
}

// store folds the sums and writes them row by row.
func (s *scanner) store() {
	dst, ld := pointer("dst"), pointer("ld")
	for r := range s.rows {
		for j := range s.queries {
			x := s.v.across(s.acc[r][j], add).AsX()
			VMOVSS(x, Mem{Base: dst, Disp: 4 * j})
		}
		if r < scanRows-1 {
			LEAQ(Mem{Base: dst, Index: ld, Scale: 4}, dst)
		}
	}
	end()
}

// dots writes the scan with one query, which memory is the limit of. It asks
// for the next rows while it reads these: the processor does not by itself
// where a row begins in another page, or where rows are left out. While a
// quarter of these rows is read, one of the next is asked for, line by line,
// for memory likes to be read in order.
func dots(v isa, half bool) {
	typ, part, size := element(half)
	function(v, "dots"+part, fmt.Sprintf("func(dst *float32, rows, ahead **%s, query *float32, n, ld int)", typ),
		fmt.Sprintf("sets dst[i·ld] = Σ rows[i]·query for i < %d, and prefetches the rows ahead.", scanRows))
	s := &scanner{v: v, half: half}
	pointers(pointer("rows"), s.rows[:])
	ahead := pointer("ahead")
	s.queries = []reg.Register{pointer("query")}
	s.clear()
	n, i, next := pointer("n"), GP64(), GP64()
	XORQ(i, i)
	const line = 64
	inLine := line / (size * v.lanes) // vectors
	quarter := GP64()                 // of the lines of a row
	LEAQ(Mem{Base: n, Index: n, Scale: 1}, quarter)
	if !half {
		ADDQ(quarter, quarter)
	}
	SHRQ(U8(8), quarter) // scanRows·line bytes
	for r := range scanRows {
		loop, done := label("lines"), label("asked")
		p, left := GP64(), GP64()
		MOVQ(Mem{Base: ahead, Disp: 8 * r}, p)
		MOVQ(quarter, left)
		Label(loop)
		SUBQ(U8(1), left)
		JLT(LabelRef(done))
		for k := range scanRows {
			PREFETCHT0(Mem{Base: p, Disp: k * line})
		}
		ADDQ(U32(scanRows*line), p)
		for k := range inLine {
			s.step(i, k, nil)
		}
		ADDQ(U8(inLine*v.lanes), i)
		JMP(LabelRef(loop))
		Label(done)
	}
	s.rest(i, next, n)
}

// rest adds what is left of n from i on, and writes the sums.
func (s *scanner) rest(i, next, n reg.Register) {
	Label("vectors")
	LEAQ(Mem{Base: i, Disp: s.v.lanes}, next)
	CMPQ(next, n)
	JGT(LabelRef("tail"))
	s.step(i, 0, nil)
	MOVQ(next, i)
	JMP(LabelRef("vectors"))
	Label("tail")
	s.tail(i, n)
	s.store()
}

// products writes the scan with several queries, which the multiplier is the
// limit of: a row is read, and widened, once for all of them.
func products(v isa, half bool, queries int) {
	typ, part, _ := element(half)
	function(v, "products"+part, fmt.Sprintf("func(dst *float32, rows **%s, queries **float32, n, ld int)", typ),
		fmt.Sprintf("sets dst[i·ld+j] = Σ rows[i]·queries[j] for i < %d, j < %d.", scanRows, queries))
	s := &scanner{v: v, half: half, queries: make([]reg.Register, queries)}
	pointers(pointer("rows"), s.rows[:])
	pointers(pointer("queries"), s.queries)
	s.clear()
	n, i, next := pointer("n"), GP64(), GP64()
	XORQ(i, i)
	s.rest(i, next, n)
}

// touch writes a loop that reads memory and does nothing with it: the most
// that a scan could reach.
func touch(v isa) {
	const line = 256
	function(v, "touch", "func(x *byte, n int)", fmt.Sprintf("reads n bytes, as far as they are a multiple of %d.", line))
	x, n := pointer("x"), pointer("n")
	acc := v.sums()
	Label("loop")
	SUBQ(U32(line), n)
	JLT(LabelRef("done"))
	for k := range line / v.bytes() {
		a := acc[k%len(acc)]
		v.or(Mem{Base: x, Disp: k * v.bytes()}, a, a)
	}
	ADDQ(U32(line), x)
	JMP(LabelRef("loop"))
	Label("done")
	end()
}
