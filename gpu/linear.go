//go:build gpu && cgo && (linux || windows)

package gpu

import (
	"fmt"

	"sigla/backend"
)

// CopyRows implements backend.Backend.
func (e *engine) CopyRows(dst, x backend.Buf, rows, cols, dstStride, xStride int) {
	backend.CheckCopyRows(dst, x, rows, cols, dstStride, xStride)
	e.run(kernel{file: "elements", defines: []string{"COPY"}, bufs: []backend.Buf{dst, x},
		sizes: ints(rows*cols, cols, dstStride, xStride)}.each(rows * cols))
}

// Add implements backend.Backend.
func (e *engine) Add(dst, a, b backend.Buf) {
	backend.CheckAdd(dst, a, b)
	e.run(kernel{file: "elements", defines: []string{"ADD"}, bufs: []backend.Buf{dst, a, b},
		sizes: ints(dst.Len, b.Len)}.each(dst.Len))
}

// deepest is how many steps of a loop an invocation may take: Mesa's software
// driver stops silently after 65,535, all loops together.
const deepest = 30_000

// SumRows implements backend.Backend.
func (e *engine) SumRows(dst, x backend.Buf, rows, cols int) {
	backend.CheckSumRows(dst, x, rows, cols)
	const most = 8 * deepest // an invocation sums each eighth row
	for r := 0; r < rows; r += most {
		m := min(most, rows-r)
		e.run(kernel{file: "columns", bufs: []backend.Buf{dst, x.Slice(r*cols, m*cols)},
			sizes: ints(m, cols)}.spread((cols + 31) / 32))
	}
}

// tile is the shape of a matrix product's work groups, see matmul.comp.
type tile struct {
	PerRow, PerCol int // values of an invocation
	Across, Down   int // invocations of a group
	Deep           int // steps of k in shared memory
}

func (t tile) rows() int { return t.PerRow * t.Down }
func (t tile) cols() int { return t.PerCol * t.Across }

func (t tile) defines() []string {
	return []string{fmt.Sprint("RM ", t.PerRow), fmt.Sprint("RN ", t.PerCol), fmt.Sprint("TX ", t.Across),
		fmt.Sprint("TY ", t.Down), fmt.Sprint("BK ", t.Deep)}
}

// MatMul implements backend.Backend. k is cut so that no invocation loops for
// long, rows so that no dispatch takes long: drivers stop those that do.
func (e *engine) MatMul(dst, a, b backend.Buf, s backend.Mat) {
	s.Check(dst, a, b)
	const depth = 8192 // 3 loops a step of k, unrolled or not: below deepest
	t := e.tuning.Tile
	rows := max(1, int(e.tuning.work()/float64(2*s.N*min(s.K, depth)))/t.rows()) * t.rows()
	for k := 0; k < s.K; k += depth {
		defines := t.defines()
		if s.TransA {
			defines = append(defines, "TRANS_A")
		}
		if s.TransB {
			defines = append(defines, "TRANS_B")
		}
		if s.Add || k > 0 {
			defines = append(defines, "ACCUMULATE")
		}
		if s.Bias.Mem != nil && k == 0 {
			defines = append(defines, "BIAS")
		}
		if packed(a) {
			defines = append(defines, "PACKED_A", e.format())
		}
		if packed(b) {
			defines = append(defines, "PACKED_B", e.format())
		}
		for r := 0; r < s.M; r += rows {
			e.run(kernel{file: "matmul", defines: defines, packed: [12]bool{1: true, 2: true}, bufs: []backend.Buf{dst, a, b, s.Bias},
				sizes: ints(s.M, s.N, s.K, r, k, min(s.K, k+depth)),
				x:     (s.N + t.cols() - 1) / t.cols(), y: (min(rows, s.M-r) + t.rows() - 1) / t.rows()})
		}
	}
}

func ints(x ...int) []int32 {
	out := make([]int32, len(x))
	for i, v := range x {
		out[i] = int32(v)
	}
	return out
}
