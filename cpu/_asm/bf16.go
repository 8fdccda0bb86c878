package main

import (
	"bytes"
	"fmt"
	"log"
	"os"
	"regexp"
	"strconv"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// bf16 writes the multiplication of bfloat16 numbers with sums in float32
// (AVX512_BF16). Numbers go in pairs of neighbours in k, as words of 32 bits,
// so that the tile is that of gemm with pairs for elements: one instruction
// does two multiply-adds a lane, and where it takes the time of one, twice as
// many are done. On Zen 5 the tile reaches 96 % of that.
func bf16() {
	v := avx512
	v.name = "" // AVX512_BF16 has AVX-512 with it
	function(v, "gemm14x32BF16", "func(a, b, c, bias *float32, rsa, csa, tsa, rsb, ldc, k, tiles, m, n int, add, clamp bool)",
		"computes tiles of 14×32 elements of c = a·b, of which m×n are stored; a and b hold pairs of bfloat16, k counts pairs.")
	g := &tile{v: v, rows: 14, cols: 2, multiplyAdd: dotBF16}
	g.compute()
	roundBF16(v)
	pairsBF16(v)
	vendor()
}

// vendor writes what tells AMD's processors from Intel's, of which those that
// were measured take two to four times as long for VDPBF16PS as for a
// multiply-add in float32.
func vendor() {
	TEXT("vendor", NOSPLIT, "func() uint32")
	Doc("vendor returns the first four letters of the processor's vendor.")
	MOVL(U32(0), reg.EAX)
	CPUID()
	Store(reg.EBX, ReturnIndex(0))
	RET()
}

// The assembler knows no AVX512_BF16. Instructions with the same operands stand
// in for it until the registers are chosen; encodeBF16 puts the real ones there.

// dotBF16 is VDPBF16PS: acc += x·y, summed over each pair.
func dotBF16(x, y, acc reg.Register) { VPDPBUSD(x, y, acc) }

// narrow is VCVTNE2PS2BF16: the lanes of low, then those of high, rounded to
// the nearest bfloat16, ties to even.
func narrow(low, high, to reg.Register) { VPACKSSDW(low, high, to) }

var standIn = regexp.MustCompile(`(VPDPBUSD|VPACKSSDW) +Z(\d+), Z(\d+), Z(\d+)`)

// encodeBF16 replaces what stood in, in the file at path. The encoding is EVEX
// with three registers of 512 bits: Intel's manual, volume 2, section 2.7.
func encodeBF16(path string) {
	text, err := os.ReadFile(path)
	if err != nil {
		log.Fatal(err)
	}
	text = standIn.ReplaceAllFunc(text, func(line []byte) []byte {
		f := standIn.FindSubmatch(line)
		var z [3]byte // third, second and first operand in Intel's order
		for i := range z {
			n, _ := strconv.Atoi(string(f[i+2]))
			z[i] = byte(n)
		}
		name, prefix, opcode := "VDPBF16PS", byte(2), byte(0x52)
		if bytes.Equal(f[1], []byte("VPACKSSDW")) {
			name, prefix, opcode = "VCVTNE2PS2BF16", 3, 0x72
		}
		inverse := func(reg byte, bit, to int) byte { return (^reg >> bit & 1) << to }
		code := []byte{0x62,
			inverse(z[2], 3, 7) | inverse(z[0], 4, 6) | inverse(z[0], 3, 5) | inverse(z[2], 4, 4) | 2,
			(^z[1]&15)<<3 | 1<<2 | prefix,
			2<<5 | inverse(z[1], 4, 3),
			opcode, 3<<6 | (z[2]&7)<<3 | z[0]&7}
		var out bytes.Buffer
		for i, c := range code {
			if i > 0 {
				out.WriteString("; ")
			}
			fmt.Fprintf(&out, "BYTE $0x%02x", c)
		}
		fmt.Fprintf(&out, " // %s Z%d, Z%d, Z%d", name, z[0], z[1], z[2])
		return out.Bytes()
	})
	if err := os.WriteFile(path, text, 0o644); err != nil {
		log.Fatal(err)
	}
}

// roundBF16 narrows a row.
func roundBF16(v isa) {
	function(v, "roundBF16", "func(dst, x *float32, n int)", "sets dst to x in pairs of bfloat16; a last one alone has a 0 beside it.")
	dst, x, n := pointer("dst"), pointer("x"), pointer("n")
	both := func(masks [2]mask, to mask) {
		low, high := v.load(Mem{Base: x}, masks[0]), v.load(Mem{Base: x, Disp: v.bytes()}, masks[1])
		narrow(low, high, low)
		v.store(low, Mem{Base: dst}, to)
	}
	Label("loop")
	CMPQ(n, U8(2*v.lanes))
	JLT(LabelRef("rest"))
	both([2]mask{}, nil)
	ADDQ(U8(2*v.bytes()), x)
	ADDQ(U8(v.bytes()), dst)
	SUBQ(U8(2*v.lanes), n)
	JMP(LabelRef("loop"))
	Label("rest")
	TESTQ(n, n)
	JZ(LabelRef("done"))
	masks := [2]mask{v.firstOf(n, 0), v.firstOf(n, 1)}
	INCQ(n)
	SHRQ(U8(1), n)
	both(masks, v.first(n))
	Label("done")
	end()
}

// pairsBF16 writes the packing of rows that lie as the panel wants them: two
// rows become one of pairs.
func pairsBF16(v isa) {
	function(v, "pairsBF16", "func(dst, src *float32, n, lddst, ldsrc, k int)",
		"sets dst[p·lddst+i] to the pair of src[2p·ldsrc+i] and src[(2p+1)·ldsrc+i] for i < n ≤ 32, p < k, in order of p, and writes whole vectors.")
	dst, src, n, ldd, lds, k := pointer("dst"), pointer("src"), pointer("n"), pointer("lddst"), pointer("ldsrc"), pointer("k")
	SHLQ(U8(2), ldd)
	SHLQ(U8(2), lds)
	masks := []mask{v.firstOf(n, 0), v.firstOf(n, 1)}
	const ahead = 256
	order := v.vec()
	VMOVUPS(table("pairs", v.lanes, func(i int) Constant { return U32(i | (v.lanes+i)<<16) }), order)
	copyRows := func(name string, masks []mask) {
		Label(name)
		// The next panels take what is beside this one in the same rows.
		for line := range masks {
			PREFETCHT0(Mem{Base: src, Disp: ahead + line*64})
			PREFETCHT0(Mem{Base: src, Index: lds, Scale: 1, Disp: ahead + line*64})
		}
		for j, m := range masks {
			low := v.load(Mem{Base: src, Disp: j * v.bytes()}, m)
			high := v.load(Mem{Base: src, Index: lds, Scale: 1, Disp: j * v.bytes()}, m)
			narrow(low, high, low)
			VPERMW(low, order, low)
			v.store(low, Mem{Base: dst, Disp: j * v.bytes()}, nil)
		}
		LEAQ(Mem{Base: src, Index: lds, Scale: 2}, src)
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
