//go:build gpu && cgo && (linux || windows)

package gpu

import (
	"fmt"
	"slices"
	"sync"

	"sigla/backend"
)

// CopyRows implements backend.Backend.
func (e *engine) CopyRows(dst, x backend.Buf, rows, cols, dstStride, xStride int) {
	backend.CheckCopyRows(dst, x, rows, cols, dstStride, xStride)
	if dstStride == cols && xStride == cols || rows == 1 { // rows without gaps may be of any width
		rows, cols, dstStride, xStride = rows*cols, 1, 1, 1
	}
	e.rows(rows, max(dstStride, xStride), func(r, count int) {
		n := count * cols
		e.run(kernel{file: "elements", defines: []string{"COPY"},
			bufs:  []backend.Buf{dst.Slice(r*dstStride, (count-1)*dstStride+cols), x.Slice(r*xStride, (count-1)*xStride+cols)},
			sizes: ints(n, cols, dstStride, xStride)}.each(n))
	})
}

// Add implements backend.Backend.
func (e *engine) Add(dst, a, b backend.Buf) {
	backend.CheckAdd(dst, a, b)
	add := kernel{file: "elements", defines: []string{"ADD"}}
	if b.Len == dst.Len {
		add.bufs = []backend.Buf{dst, a, b}
		e.elements(dst.Len, add)
		return
	}
	e.rows(dst.Len/b.Len, b.Len, func(r, count int) {
		n := count * b.Len
		add.bufs, add.sizes = []backend.Buf{dst.Slice(r*b.Len, n), a.Slice(r*b.Len, n), b}, ints(n, b.Len)
		e.run(add.each(n))
	})
}

// deepest is how many steps of a loop an invocation may take: Mesa's software
// driver stops silently after 65,535, all loops together.
const deepest = 30_000

// SumRows implements backend.Backend.
func (e *engine) SumRows(dst, x backend.Buf, rows, cols int) {
	backend.CheckSumRows(dst, x, rows, cols)
	e.columns(rows, cols, func(r, m int) kernel {
		return kernel{file: "columns", bufs: []backend.Buf{dst, x.Slice(r*cols, m*cols)}}
	}, 0)
}

// columns runs kernels of columns.comp that add sums over some rows to what the
// bindings of results have. Many rows are cut into parts, which are summed after:
// columns alone are too few to keep a device busy. How they are cut depends on their
// number only.
func (e *engine) columns(rows, cols int, at func(r, m int) kernel, results ...int) {
	const (
		least = 256  // rows a part
		most  = 1024 // parts
	)
	e.rows(rows, cols, func(r, m int) {
		k := at(r, m)
		each := max(least, (m+most-1)/most)
		parts := (m + each - 1) / each
		k.sizes = ints(m, cols, each)
		k = k.spread((cols + 31) / 32 * parts)
		if parts == 1 {
			e.run(k)
			return
		}
		k.defines = append(k.defines, "PARTIAL")
		dst := slices.Clone(k.bufs)
		for _, i := range results {
			k.bufs[i] = e.temporary(fmt.Sprint("columns ", i), parts*cols)
		}
		e.run(k)
		for _, i := range results {
			e.sumParts(dst[i], k.bufs[i], parts, true)
		}
	})
}

// sumParts sums vectors that lie one after the other, and with add what dst has.
func (e *engine) sumParts(dst, parts backend.Buf, count int, add bool) {
	defines := []string{"PARTS"}
	if add {
		defines = append(defines, "ACCUMULATE")
	}
	e.run(kernel{file: "elements", defines: defines, bufs: []backend.Buf{dst, parts}, sizes: ints(dst.Len, count)}.each(dst.Len))
}

// tile is the shape of a matrix product's work groups, see matmul.comp.
type tile struct {
	PerRow, PerCol int // values of an invocation: 4 or 8
	Across, Down   int // invocations of a group
	Deep           int // steps of k in shared memory
	Prefetch       bool
}

func (t tile) rows() int { return t.PerRow * t.Down }
func (t tile) cols() int { return t.PerCol * t.Across }

// groups is how many work groups a product of m × n has.
func (t tile) groups(m, n int) int {
	return (m + t.rows() - 1) / t.rows() * ((n + t.cols() - 1) / t.cols())
}

// most is how many k an invocation may go over: for each Deep of them it takes as
// many steps, one of the outer loop and two for each of its blocks.
func (t tile) most() int {
	blocks := (t.rows() + t.cols()) * t.Deep / 16
	per := (blocks + t.Across*t.Down - 1) / (t.Across * t.Down)
	return deepest / (t.Deep + 1 + 2*per) * t.Deep
}

func (t tile) defines() []string {
	d := []string{fmt.Sprint("RM ", t.PerRow), fmt.Sprint("RN ", t.PerCol), fmt.Sprint("TX ", t.Across),
		fmt.Sprint("TY ", t.Down), fmt.Sprint("BK ", t.Deep)}
	if t.Prefetch {
		d = append(d, "PREFETCH")
	}
	return d
}

// depth is how many k go into a dispatch at most, whatever its tile: how a sum is
// cut must not depend on what was measured.
var depth = sync.OnceValue(func() int {
	most := deepest
	for _, t := range tiles {
		most = min(most, t.most())
	}
	return most / partUnit * partUnit
})

const (
	partUnit  = 32      // of k: a multiple of every Deep
	partLeast = 256     // k a part, or summing the parts costs more than it gains
	partLong  = 1536    // k a part that summing costs nearly nothing
	filling   = 1 << 22 // values at work that keep a large device busy: 256 tiles of 128 × 128
	evening   = 1 << 24 // values after which it matters little that the last tiles leave some of it idle
)

// parts is how many pieces k is cut into that go to work groups of their own, and
// how many k each has; one if it is not to be cut, but for its depth. room is how many
// values the results of all parts may have.
func parts(s backend.Mat, cut bool, room int) (count, each int) {
	count = 1
	if cut {
		// An invocation sums the parts, so that there are no more than it may loop over.
		fill, even := min(filling, room)/(s.M*s.N), min(evening, room)/(s.M*s.N)
		count = max(1, min(s.K/partLeast, fill, deepest), min(s.K/partLong, even, deepest))
	}
	each = ((s.K+count-1)/count + partUnit - 1) / partUnit * partUnit
	each = min(each, depth())
	return (min(s.K, count*each) + each - 1) / each, each
}

// MatMul implements backend.Backend. Only gradients of weights are cut, whose k are
// all tokens of a batch: what is computed for a photo must not depend on what else is
// in a batch.
func (e *engine) MatMul(dst, a, b backend.Buf, s backend.Mat) {
	e.multiply(dst, a, b, s, s.TransA && s.Bias.Mem == nil)
}

// multiply computes parts of k at the same time, and then sums them; what is too deep
// for them comes after, added to dst.
func (e *engine) multiply(dst, a, b backend.Buf, s backend.Mat, cut bool) {
	s.Check(dst, a, b)
	count, each := parts(s, cut, e.room())
	most := min(count*each, e.deep(s))
	for k := 0; k < s.K; k += most {
		add, to := s.Add || k > 0, min(s.K, k+most)
		if count == 1 {
			e.product(dst, a, b, s, add, k, to, each)
			s.Bias = backend.Buf{}
			continue
		}
		count := (to - k + each - 1) / each
		sums := e.temporary("parts", count*dst.Len)
		e.product(sums, a, b, s, false, k, to, each)
		e.sumParts(dst, sums, count, add)
	}
}

// product multiplies for the k between from and to, each of them a part with a
// result of its own. Rows are cut so that no dispatch takes long: drivers stop
// those that do.
func (e *engine) product(dst, a, b backend.Buf, s backend.Mat, add bool, from, to, each int) {
	count := (to - from + each - 1) / each
	speed := e.tuning.of(s.M, s.N, count)
	t := speed.Tile
	defines := t.defines()
	for _, d := range []struct {
		name string
		is   bool
	}{{"TRANS_A", s.TransA}, {"TRANS_B", s.TransB}, {"ACCUMULATE", add}, {"BIAS", s.Bias.Mem != nil}, {"VEC", fours(dst, a, b, s)},
		{"PACKED_A", packed(a)}, {"PACKED_B", packed(b)}, {e.format(), packed(a) || packed(b)}} {
		if d.is {
			defines = append(defines, d.name)
		}
	}
	rows := max(1, int(speed.work()/float64(2*s.N*(to-from)))/t.rows())
	rows = min(rows, widest/count) * t.rows()
	e.windows(s, count, rows, func(w window) {
		k := kernel{file: "matmul", defines: defines, packed: [12]bool{1: true, 2: true}, bufs: []backend.Buf{dst, a, b, s.Bias}}
		if count == 1 {
			k.shift(0, w.row*s.N, w.rows*s.N)
		}
		if s.TransA {
			k.shift(1, from*s.M, (to-from)*s.M)
		} else {
			k.shift(1, w.row*s.K, w.rows*s.K)
		}
		if s.TransB {
			k.shift(2, w.col*s.K, w.cols*s.K)
		} else {
			k.shift(2, from*s.N, (to-from)*s.N)
		}
		down := (w.rows + t.rows() - 1) / t.rows()
		k.sizes = ints(s.M, s.N, s.K, w.row, from, to, each, down, w.col, w.row+w.rows, w.col+w.cols)
		k.x, k.y, k.work = (w.cols+t.cols()-1)/t.cols(), down*count, 2*float64(w.rows*w.cols)*float64(to-from)
		e.run(k)
	})
}

// fours reports whether all rows begin at multiples of four values.
func fours(dst, a, b backend.Buf, s backend.Mat) bool {
	alongA, alongB := s.K, s.N
	if s.TransA {
		alongA = s.M
	}
	if s.TransB {
		alongB = s.K
	}
	return (alongA|alongB|s.N|dst.Off|a.Off|b.Off)%4 == 0
}

func ints(x ...int) []int32 {
	out := make([]int32, len(x))
	for i, v := range x {
		out[i] = int32(v)
	}
	return out
}
