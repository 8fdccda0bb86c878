//go:build gpu && cgo && (linux || windows)

package gpu

import (
	"fmt"
	"math"

	"sigla/backend"
)

// elements issues a kernel that goes over n elements of all its buffers at once.
func (e *engine) elements(n int, k kernel) {
	bufs := k.bufs
	e.rows(n, 1, func(i, count int) {
		k.bufs = make([]backend.Buf, len(bufs))
		for j, b := range bufs {
			k.bufs[j] = b.Slice(i, count)
		}
		k.sizes = ints(count, count) // Add asks after how many b repeats
		e.run(k.each(count))
	})
}

// GELU implements backend.Backend.
func (e *engine) GELU(dst, x backend.Buf, kind backend.Activation) {
	backend.CheckGELU(dst, x, kind)
	e.elements(dst.Len, kernel{file: "elements", defines: []string{"GELU", fmt.Sprint("KIND ", kind)}, bufs: []backend.Buf{dst, x}})
}

// GELUGrad implements backend.Backend.
func (e *engine) GELUGrad(dx, dy, x backend.Buf, kind backend.Activation) {
	backend.CheckGELUGrad(dx, dy, x, kind)
	e.elements(dx.Len, kernel{file: "elements", defines: []string{"GELUGRAD", fmt.Sprint("KIND ", kind)}, bufs: []backend.Buf{dx, dy, x}})
}

// ReLU6 implements backend.Backend.
func (e *engine) ReLU6(dst, x backend.Buf) {
	backend.CheckReLU6(dst, x)
	e.elements(dst.Len, kernel{file: "elements", defines: []string{"RELU6"}, bufs: []backend.Buf{dst, x}})
}

// DepthwiseConv implements backend.Backend.
func (e *engine) DepthwiseConv(dst, x, w, bias backend.Buf, s backend.Conv) {
	s.Check(dst, x, w, bias)
	height, width := s.Out()
	top, left := s.Pad()
	in, out := s.Height*s.Width*s.Channels, height*width*s.Channels
	e.rows(s.Batch, in, func(i, batch int) {
		n := batch * out
		e.run(kernel{file: "conv", bufs: []backend.Buf{dst.Slice(i*out, n), x.Slice(i*in, batch*in), w, bias},
			work:  perValue * 2 * float64(n*s.Kernel*s.Kernel),
			sizes: ints(n, s.Height, s.Width, s.Channels, s.Kernel, s.Stride, height, width, top, left)}.each(n))
	})
}

// SumSquares implements backend.Backend: a sum for each part of x, then theirs.
func (e *engine) SumSquares(dst, x backend.Buf) {
	backend.CheckSumSquares(dst, x)
	const part = 256 * 64
	e.rows(x.Len, 1, func(i, n int) {
		parts := (n + part - 1) / part
		sums := e.temporary("squares", parts)
		e.run(kernel{file: "reduce", defines: []string{"SQUARES"}, bufs: []backend.Buf{sums, x.Slice(i, n)}, sizes: ints(n, 0, part)}.spread(parts))
		e.total(sums, parts, dst)
	})
}

// total adds up n partial sums, or as many vectors of one for each dst.
func (e *engine) total(sums backend.Buf, n int, dst ...backend.Buf) {
	defines := []string{fmt.Sprint("WIDTH ", len(dst))}
	bufs := append([]backend.Buf{dst[0], sums}, dst[1:]...)
	e.run(kernel{file: "reduce", defines: defines, bufs: bufs, writes: [12]bool{2: true, 3: true}, sizes: ints(n), x: 1, y: 1})
}

// AdamW implements backend.Backend.
func (e *engine) AdamW(w, g, m, v backend.Buf, a backend.Adam) {
	a.Check(w, g, m, v)
	e.elements(w.Len, kernel{file: "adamw", bufs: []backend.Buf{w, g, m, v}, writes: [12]bool{2: true, 3: true},
		numbers: []float32{a.LR, a.Beta1, a.Beta2, a.Eps, float32(1 - float64(a.LR)*float64(a.Decay)), a.Scale,
			float32(1 - math.Pow(float64(a.Beta1), float64(a.Step))), float32(1 - math.Pow(float64(a.Beta2), float64(a.Step)))}})
}
