package backend

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// The checks of all operations, one each, so that every engine refuses the same
// calls with the same words. An engine calls the check first:
//
//	func (e *Engine) GELU(dst, x backend.Buf, kind backend.Activation) {
//		backend.CheckGELU(dst, x, kind)
//
// A check panics where a size is below 1, a buffer is missing or has the wrong
// length, or a destination overlaps anything it must not. For the latter
// Buf.Mem is compared with ==, so an engine's handle must be comparable.

// CheckWrite checks Backend.Write.
func CheckWrite(dst Buf, src []float32) {
	if dst.Len != len(src) {
		fail("Write", "dst has %d elements, src %d", dst.Len, len(src))
	}
}

// CheckRead checks Backend.Read.
func CheckRead(dst []float32, src Buf) {
	if len(dst) != src.Len {
		fail("Read", "dst has %d elements, src %d", len(dst), src.Len)
	}
}

// CheckCopyRows checks Backend.CopyRows. Only the elements that are copied
// must lie inside the buffers; rows of dst may not overlap each other.
func CheckCopyRows(dst, x Buf, rows, cols, dstStride, xStride int) {
	c := call{op: "CopyRows"}
	c.sizes("rows×cols", rows, cols)
	if dstStride < cols || xStride < 0 {
		fail(c.op, "dst stride %d, x stride %d for rows of %d", dstStride, xStride, cols)
	}
	c.rows("dst", dst, rows, cols, dstStride)
	c.rows("x", x, rows, cols, xStride)
	c.out("dst", dst.Slice(0, (rows-1)*dstStride+cols), (rows-1)*dstStride+cols)
	c.in("x", x.Slice(0, (rows-1)*xStride+cols), (rows-1)*xStride+cols)
}

// CheckAdd checks Backend.Add: b has to go into a without a rest.
func CheckAdd(dst, a, b Buf) {
	c := call{op: "Add"}
	c.out("dst", dst, dst.Len)
	c.inPlace("a", a, dst.Len)
	c.inPlace("b", b, b.Len)
	if dst.Len%b.Len != 0 {
		fail(c.op, "b has %d elements, want a divisor of %d", b.Len, dst.Len)
	}
}

// CheckSumRows checks Backend.SumRows.
func CheckSumRows(dst, x Buf, rows, cols int) {
	c := call{op: "SumRows"}
	c.sizes("rows×cols", rows, cols)
	c.out("dst", dst, cols)
	c.in("x", x, rows, cols)
}

// Check checks Backend.MatMul.
func (s Mat) Check(dst, a, b Buf) {
	c := call{op: "MatMul"}
	c.sizes("M×N×K", s.M, s.N, s.K)
	c.out("dst", dst, s.M, s.N)
	if s.TransA {
		c.in("a", a, s.K, s.M)
	} else {
		c.in("a", a, s.M, s.K)
	}
	if s.TransB {
		c.in("b", b, s.N, s.K)
	} else {
		c.in("b", b, s.K, s.N)
	}
	if s.Bias.Mem != nil {
		c.in("bias", s.Bias, s.N)
	}
}

// CheckGELU checks Backend.GELU.
func CheckGELU(dst, x Buf, kind Activation) {
	c := call{op: "GELU"}
	c.kind(kind)
	c.out("dst", dst, dst.Len)
	c.inPlace("x", x, dst.Len)
}

// CheckGELUGrad checks Backend.GELUGrad.
func CheckGELUGrad(dx, dy, x Buf, kind Activation) {
	c := call{op: "GELUGrad"}
	c.kind(kind)
	c.out("dx", dx, dx.Len)
	c.inPlace("dy", dy, dx.Len)
	c.in("x", x, dx.Len)
}

// CheckLayerNorm checks Backend.LayerNorm.
func CheckLayerNorm(dst, mean, rstd, x, w, b Buf, rows, cols int) {
	c := call{op: "LayerNorm"}
	c.sizes("rows×cols", rows, cols)
	c.out("dst", dst, rows, cols)
	if mean.Mem != nil {
		c.out("mean", mean, rows)
	}
	if rstd.Mem != nil {
		c.out("rstd", rstd, rows)
	}
	c.inPlace("x", x, rows, cols)
	c.in("w", w, cols)
	c.in("b", b, cols)
}

// CheckLayerNormGrad checks Backend.LayerNormGrad.
func CheckLayerNormGrad(dx, dw, db, dy, x, w, mean, rstd Buf, rows, cols int) {
	c := call{op: "LayerNormGrad"}
	c.sizes("rows×cols", rows, cols)
	c.out("dx", dx, rows, cols)
	c.out("dw", dw, cols)
	c.out("db", db, cols)
	c.in("dy", dy, rows, cols)
	c.in("x", x, rows, cols)
	c.in("w", w, cols)
	c.in("mean", mean, rows)
	c.in("rstd", rstd, rows)
}

// Check checks Backend.Attention.
func (s Attn) Check(dst, lse, q, k, v Buf) {
	c := call{op: "Attention"}
	s.check(&c)
	c.out("dst", dst, s.Batch, s.Queries, s.Heads, s.Dim)
	if lse.Mem != nil {
		c.out("lse", lse, s.Batch, s.Heads, s.Queries)
	}
	s.inputs(&c, q, k, v)
}

// CheckGrad checks Backend.AttentionGrad.
func (s Attn) CheckGrad(dq, dk, dv, dy, y, lse, q, k, v Buf) {
	c := call{op: "AttentionGrad"}
	s.check(&c)
	c.out("dq", dq, s.Batch, s.Queries, s.Heads, s.Dim)
	c.out("dk", dk, s.Batch, s.Keys, s.Heads, s.Dim)
	c.out("dv", dv, s.Batch, s.Keys, s.Heads, s.Dim)
	c.in("dy", dy, s.Batch, s.Queries, s.Heads, s.Dim)
	c.in("y", y, s.Batch, s.Queries, s.Heads, s.Dim)
	c.in("lse", lse, s.Batch, s.Heads, s.Queries)
	s.inputs(&c, q, k, v)
}

func (s Attn) inputs(c *call, q, k, v Buf) {
	c.in("q", q, s.Batch, s.Queries, s.Heads, s.Dim)
	c.in("k", k, s.Batch, s.Keys, s.Heads, s.Dim)
	c.in("v", v, s.Batch, s.Keys, s.Heads, s.Dim)
}

func (s Attn) check(c *call) {
	c.sizes("Batch×Heads×Queries×Keys×Dim", s.Batch, s.Heads, s.Queries, s.Keys, s.Dim)
	if s.Causal && s.Queries != s.Keys {
		fail(c.op, "causal with %d queries and %d keys", s.Queries, s.Keys)
	}
	if s.KeyLens != nil && len(s.KeyLens) != s.Batch {
		fail(c.op, "%d key lengths for a batch of %d", len(s.KeyLens), s.Batch)
	}
	for i, n := range s.KeyLens {
		if n < 1 || int(n) > s.Keys {
			fail(c.op, "key length %d in batch row %d, want 1..%d", n, i, s.Keys)
		}
	}
}

// CheckNormalize checks Backend.Normalize.
func CheckNormalize(dst, norm, x Buf, rows, cols int) {
	c := call{op: "Normalize"}
	c.sizes("rows×cols", rows, cols)
	c.out("dst", dst, rows, cols)
	if norm.Mem != nil {
		c.out("norm", norm, rows)
	}
	c.inPlace("x", x, rows, cols)
}

// CheckNormalizeGrad checks Backend.NormalizeGrad.
func CheckNormalizeGrad(dx, dy, y, norm Buf, rows, cols int) {
	c := call{op: "NormalizeGrad"}
	c.sizes("rows×cols", rows, cols)
	c.out("dx", dx, rows, cols)
	c.inPlace("dy", dy, rows, cols)
	c.in("y", y, rows, cols)
	c.in("norm", norm, rows)
}

// Check checks Backend.DepthwiseConv.
func (s Conv) Check(dst, x, w, bias Buf) {
	c := call{op: "DepthwiseConv"}
	c.sizes("Batch×Height×Width×Channels", s.Batch, s.Height, s.Width, s.Channels)
	c.sizes("Kernel×Stride", s.Kernel, s.Stride)
	height, width := s.Out()
	c.out("dst", dst, s.Batch, height, width, s.Channels)
	c.in("x", x, s.Batch, s.Height, s.Width, s.Channels)
	c.in("w", w, s.Kernel, s.Kernel, s.Channels)
	c.in("bias", bias, s.Channels)
}

// CheckReLU6 checks Backend.ReLU6.
func CheckReLU6(dst, x Buf) {
	c := call{op: "ReLU6"}
	c.out("dst", dst, dst.Len)
	c.inPlace("x", x, dst.Len)
}

// Check checks Backend.SigmoidLoss.
func (p Pairs) Check(loss, dx, dy, dt, db, x, y, t, b Buf) {
	c := call{op: "SigmoidLoss"}
	p.check(&c)
	p.outputs(&c, loss, dx, dy, dt)
	c.out("db", db, 1)
	p.inputs(&c, x, y, t)
	c.in("b", b, 1)
}

// CheckSoftmax checks Backend.SoftmaxLoss.
func (p Pairs) CheckSoftmax(loss, dx, dy, dt, x, y, t Buf) {
	c := call{op: "SoftmaxLoss"}
	p.check(&c)
	p.outputs(&c, loss, dx, dy, dt)
	p.inputs(&c, x, y, t)
}

func (p Pairs) outputs(c *call, loss, dx, dy, dt Buf) {
	c.out("loss", loss, 1)
	c.out("dx", dx, p.Rows, p.Dim)
	c.out("dy", dy, p.Cols, p.Dim)
	c.out("dt", dt, 1)
}

func (p Pairs) inputs(c *call, x, y, t Buf) {
	c.in("x", x, p.Rows, p.Dim)
	c.in("y", y, p.Cols, p.Dim)
	c.in("t", t, 1)
}

func (p Pairs) check(c *call) {
	c.sizes("Rows×Cols×Dim", p.Rows, p.Cols, p.Dim)
	if p.Default != -1 && p.Default != 0 {
		fail(c.op, "default label %d, want -1 or 0", p.Default)
	}
	for i, e := range p.Except {
		if e.Row < 0 || int(e.Row) >= p.Rows || e.Col < 0 || int(e.Col) >= p.Cols || e.Label < -1 || e.Label > 1 {
			fail(c.op, "label %d for pair (%d, %d) of %d×%d", e.Label, e.Row, e.Col, p.Rows, p.Cols)
		}
		if i > 0 && p.Except[i-1].compare(e) >= 0 {
			fail(c.op, "pair (%d, %d) is listed twice or out of order", e.Row, e.Col)
		}
	}
}

// Labels writes the labels of the pairs (row, from), (row, from+1) … into z.
// It costs O(len(z) + log len(Except)), so a tile asks for its rows one by one.
func (p Pairs) Labels(z []int8, row, from int) {
	for i := range z {
		z[i] = p.Default
	}
	if i := row - from; p.Diagonal && i >= 0 && i < len(z) {
		z[i] = 1
	}
	i, _ := slices.BinarySearchFunc(p.Except, Pair{Row: int32(row), Col: int32(from)}, Pair.compare)
	for _, e := range p.Except[i:] {
		if int(e.Row) != row || int(e.Col) >= from+len(z) {
			break
		}
		z[int(e.Col)-from] = e.Label
	}
}

// compare orders pairs by row, then by column.
func (e Pair) compare(o Pair) int {
	return cmp.Or(cmp.Compare(e.Row, o.Row), cmp.Compare(e.Col, o.Col))
}

// CheckSumSquares checks Backend.SumSquares.
func CheckSumSquares(dst, x Buf) {
	c := call{op: "SumSquares"}
	c.out("dst", dst, 1)
	c.in("x", x, x.Len)
}

// Check checks Backend.AdamW.
func (a Adam) Check(w, g, m, v Buf) {
	c := call{op: "AdamW"}
	c.sizes("Step", a.Step)
	c.out("w", w, w.Len)
	c.out("m", m, w.Len)
	c.out("v", v, w.Len)
	c.in("g", g, w.Len)
}

// A call is one operation while its arguments are checked, destinations first.
type call struct {
	op   string
	args [9]arg // no operation has more
	n    int
}

type arg struct {
	Buf
	name    string
	written bool
}

// out checks a destination: its length is the product of dims, and it overlaps
// no argument before it.
func (c *call) out(name string, b Buf, dims ...int) { c.add(arg{b, name, true}, false, dims) }

// in checks a source, which overlaps no destination.
func (c *call) in(name string, b Buf, dims ...int) { c.add(arg{b, name, false}, false, dims) }

// inPlace checks a source that may also be the first destination itself.
func (c *call) inPlace(name string, b Buf, dims ...int) { c.add(arg{b, name, false}, true, dims) }

func (c *call) add(a arg, inPlace bool, dims []int) {
	if a.Mem == nil || a.Len == 0 {
		fail(c.op, "%s is missing", a.name)
	}
	want := 1
	for _, d := range dims {
		want *= d
	}
	if a.Len != want {
		fail(c.op, "%s has %d elements, want %s", a.name, a.Len, product(dims))
	}
	for i, o := range c.args[:c.n] {
		if !a.written && !o.written || inPlace && i == 0 && a.Buf == o.Buf {
			continue
		}
		if a.Mem == o.Mem && a.Off < o.Off+o.Len && o.Off < a.Off+a.Len {
			fail(c.op, "%s overlaps %s", o.name, a.name)
		}
	}
	c.args[c.n] = a
	c.n++
}

// rows checks that b holds rows of cols elements at multiples of stride.
func (c *call) rows(name string, b Buf, rows, cols, stride int) {
	if want := (rows-1)*stride + cols; b.Len < want {
		fail(c.op, "%s has %d elements, want at least %d for %d×%d with stride %d", name, b.Len, want, rows, cols, stride)
	}
}

func (c *call) sizes(names string, dims ...int) {
	for _, d := range dims {
		if d < 1 {
			fail(c.op, "%s is %s, want at least 1", names, product(dims))
		}
	}
}

func (c *call) kind(k Activation) {
	if k > GELUQuick {
		fail(c.op, "unknown kind %d", k)
	}
}

// product writes dims as 3×5, one by one: a slice given to fmt would escape, and
// every check that passes would allocate.
func product(dims []int) string {
	var s strings.Builder
	for i, d := range dims {
		if i > 0 {
			s.WriteString("×")
		}
		fmt.Fprint(&s, d)
	}
	return s.String()
}

func fail(op, format string, args ...any) {
	panic("backend: " + op + ": " + fmt.Sprintf(format, args...))
}
