package speed

import (
	"fmt"

	"sigla/backend"
)

// Operations lists what is measured with so many photos at a time: "base" is SigLIP
// base/16 at 224 pixels, "starter" the built-in model.
func Operations(photos int) []Operation {
	base, starter := photos*196, photos*49 // rows: patches
	heads := backend.Attn{Batch: photos, Heads: 12, Queries: 196, Keys: 196, Dim: 64}
	probe, small := heads, heads
	probe.Queries = 1
	small.Heads, small.Queries, small.Keys = 6, 49, 49
	return []Operation{
		matMul("base MLP up", backend.Mat{M: base, N: 3072, K: 768, TransB: true}),
		matMul("base MLP down", backend.Mat{M: base, N: 768, K: 3072, TransB: true}),
		matMul("base projection", backend.Mat{M: base, N: 768, K: 768, TransB: true}),
		matMul("base MLP dx", backend.Mat{M: base, N: 768, K: 3072}),
		matMul("base projection dx", backend.Mat{M: base, N: 768, K: 768}),
		matMul("base MLP dw", backend.Mat{M: 3072, N: 768, K: base, TransA: true, Add: true}),
		matMul("base projection dw", backend.Mat{M: 768, N: 768, K: base, TransA: true, Add: true}),
		matMul("base one row", backend.Mat{M: 1, N: 3072, K: 768, TransB: true}),
		matMul("starter first conv", backend.Mat{M: photos * 112 * 112, N: 32, K: 27, TransB: true}),
		matMul("starter expand", backend.Mat{M: photos * 56 * 56, N: 144, K: 24, TransB: true}),
		matMul("starter head conv", backend.Mat{M: starter, N: 1280, K: 320, TransB: true}),
		matMul("starter MLP up", backend.Mat{M: starter, N: 1024, K: 384, TransB: true}),
		attention("base", heads),
		attention("base pooling", probe),
		attention("starter", small),
		attentionGrad("base", heads),
		gelu("base", base*3072),
		geluGrad("base", base*3072),
		add("base", base, 768),
		layerNorm("base", base, 768),
		layerNormGrad("base", base, 768),
		normalize("base", 1024, 768),
		conv("starter 112 k3", backend.Conv{Batch: photos, Height: 112, Width: 112, Channels: 32, Kernel: 3, Stride: 1}),
		conv("starter 56 k5 s2", backend.Conv{Batch: photos, Height: 56, Width: 56, Channels: 144, Kernel: 5, Stride: 2}),
		conv("starter 7 k5", backend.Conv{Batch: photos, Height: 7, Width: 7, Channels: 1152, Kernel: 5, Stride: 1}),
		relu6("starter", min(photos, bound)*112*112*96),
		sumSquares("4M", 1<<22),
		adamW("4M", 1<<22),
	}
}

// bound is of how many photos the starter's largest map, of 5 MB each, is a buffer that
// every GPU takes.
const bound = 16

// Losses lists both losses on so many photos and as many texts, of SigLIP base's
// width.
func Losses(pairs int) []Operation {
	const dim = 768
	p := backend.Pairs{Rows: pairs, Cols: pairs, Dim: dim, Default: -1, Diagonal: true}
	return []Operation{
		loss("SigmoidLoss", p, func(s *Stage, loss, dx, dy, dt, db, x, y, t, b backend.Buf) {
			s.SigmoidLoss(loss, dx, dy, dt, db, x, y, t, b, p)
		}),
		loss("SoftmaxLoss", p, func(s *Stage, loss, dx, dy, dt, _, x, y, t, _ backend.Buf) {
			s.SoftmaxLoss(loss, dx, dy, dt, x, y, t, p)
		}),
	}
}

// Launch is the least that an engine can be asked to do: what it takes is what it
// takes to ask.
func Launch() Operation { return add("one value", 1, 1) }

func matMul(name string, m backend.Mat) Operation {
	return Operation{"MatMul/" + name, 2 * float64(m.M) * float64(m.N) * float64(m.K), 0, func(s *Stage) (func(), backend.Buf) {
		right := s.weight
		if m.TransA { // the gradient of a weight
			right = s.in
		}
		dst, a, b := s.out(m.M*m.N), s.in(m.M*m.K), right(m.K*m.N)
		return func() { s.MatMul(dst, a, b, m) }, dst
	}}
}

// attention counts two products, q·kᵀ and p·v.
func attention(name string, a backend.Attn) Operation {
	return Operation{"Attention/" + name, 4 * float64(rows(a)) * float64(a.Keys) * float64(a.Dim), 0, func(s *Stage) (func(), backend.Buf) {
		dst, q, k, v := s.out(queries(a)), s.in(queries(a)), s.in(keys(a)), s.in(keys(a))
		return func() { s.Attention(dst, backend.Buf{}, q, k, v, a) }, dst
	}}
}

// attentionGrad counts five products: the scores again, dp, dq, dk and dv.
func attentionGrad(name string, a backend.Attn) Operation {
	return Operation{"AttentionGrad/" + name, 10 * float64(rows(a)) * float64(a.Keys) * float64(a.Dim), 0, func(s *Stage) (func(), backend.Buf) {
		y, lse, q, k, v := s.out(queries(a)), s.out(rows(a)), s.in(queries(a)), s.in(keys(a)), s.in(keys(a))
		s.Attention(y, lse, q, k, v, a)
		dq, dk, dv, dy := s.out(queries(a)), s.out(keys(a)), s.out(keys(a)), s.in(queries(a))
		return func() { s.AttentionGrad(dq, dk, dv, dy, y, lse, q, k, v, a) }, dq
	}}
}

func queries(a backend.Attn) int { return a.Batch * a.Queries * a.Heads * a.Dim }
func keys(a backend.Attn) int    { return a.Batch * a.Keys * a.Heads * a.Dim }
func rows(a backend.Attn) int    { return a.Batch * a.Heads * a.Queries }

func gelu(name string, n int) Operation {
	return Operation{"GELU/" + name, 0, 8 * float64(n), func(s *Stage) (func(), backend.Buf) {
		dst, x := s.out(n), s.in(n)
		return func() { s.GELU(dst, x, backend.GELUTanh) }, dst
	}}
}

func geluGrad(name string, n int) Operation {
	return Operation{"GELUGrad/" + name, 0, 12 * float64(n), func(s *Stage) (func(), backend.Buf) {
		dx, dy, x := s.out(n), s.in(n), s.in(n)
		return func() { s.GELUGrad(dx, dy, x, backend.GELUTanh) }, dx
	}}
}

func add(name string, rows, cols int) Operation {
	return Operation{"Add/" + name, 0, 12 * float64(rows*cols), func(s *Stage) (func(), backend.Buf) {
		dst, a, b := s.out(rows*cols), s.in(rows*cols), s.in(rows*cols)
		return func() { s.Add(dst, a, b) }, dst
	}}
}

const epsilon = 1e-6 // of LayerNorm, SigLIP's

func layerNorm(name string, rows, cols int) Operation {
	return Operation{"LayerNorm/" + name, 0, 8 * float64(rows*cols), func(s *Stage) (func(), backend.Buf) {
		dst, mean, rstd, x, w, b := s.out(rows*cols), s.out(rows), s.out(rows), s.in(rows*cols), s.weight(cols), s.weight(cols)
		return func() { s.LayerNorm(dst, mean, rstd, x, w, b, rows, cols, epsilon) }, dst
	}}
}

func layerNormGrad(name string, rows, cols int) Operation {
	return Operation{"LayerNormGrad/" + name, 0, 12 * float64(rows*cols), func(s *Stage) (func(), backend.Buf) {
		y, mean, rstd, x, w, b := s.out(rows*cols), s.out(rows), s.out(rows), s.in(rows*cols), s.weight(cols), s.weight(cols)
		s.LayerNorm(y, mean, rstd, x, w, b, rows, cols, epsilon)
		dx, dw, db, dy := s.out(rows*cols), s.out(cols), s.out(cols), s.in(rows*cols)
		return func() { s.LayerNormGrad(dx, dw, db, dy, x, w, mean, rstd, rows, cols) }, dx
	}}
}

func normalize(name string, rows, cols int) Operation {
	return Operation{"Normalize/" + name, 0, 8 * float64(rows*cols), func(s *Stage) (func(), backend.Buf) {
		dst, norm, x := s.out(rows*cols), s.out(rows), s.in(rows*cols)
		return func() { s.Normalize(dst, norm, x, rows, cols) }, dst
	}}
}

func conv(name string, c backend.Conv) Operation {
	height, width := c.Out()
	out, taps := c.Batch*height*width*c.Channels, c.Kernel*c.Kernel
	return Operation{"DepthwiseConv/" + name, 2 * float64(out) * float64(taps), 0, func(s *Stage) (func(), backend.Buf) {
		dst, x := s.out(out), s.in(c.Batch*c.Height*c.Width*c.Channels)
		w, bias := s.weight(taps*c.Channels), s.weight(c.Channels)
		return func() { s.DepthwiseConv(dst, x, w, bias, c) }, dst
	}}
}

func relu6(name string, n int) Operation {
	return Operation{"ReLU6/" + name, 0, 8 * float64(n), func(s *Stage) (func(), backend.Buf) {
		dst, x := s.out(n), s.in(n)
		return func() { s.ReLU6(dst, x) }, dst
	}}
}

// loss counts three products: the logits, dx and dy.
func loss(name string, p backend.Pairs, call func(s *Stage, loss, dx, dy, dt, db, x, y, t, b backend.Buf)) Operation {
	flops := 6 * float64(p.Rows) * float64(p.Cols) * float64(p.Dim)
	return Operation{fmt.Sprintf("%s/%d pairs", name, p.Rows), flops, 0, func(s *Stage) (func(), backend.Buf) {
		x, y := s.rows(p.Rows, p.Dim), s.rows(p.Cols, p.Dim)
		dx, dy := s.out(x.Len), s.out(y.Len)
		loss, dt, db, t, b := s.out(1), s.out(1), s.out(1), s.out(1), s.out(1)
		s.Write(t, []float32{2.3})
		s.Write(b, []float32{-10})
		return func() { call(s, loss, dx, dy, dt, db, x, y, t, b) }, loss
	}}
}

func sumSquares(name string, n int) Operation {
	return Operation{"SumSquares/" + name, 0, 4 * float64(n), func(s *Stage) (func(), backend.Buf) {
		dst, x := s.out(1), s.in(n)
		return func() { s.SumSquares(dst, x) }, dst
	}}
}

// adamW has its weights where they are not stored in 16 bits: such do not learn.
func adamW(name string, n int) Operation {
	return Operation{"AdamW/" + name, 0, 28 * float64(n), func(s *Stage) (func(), backend.Buf) {
		w, g, m, v := s.in(n), s.in(n), s.in(n), s.out(n)
		s.Zero(v)
		a := backend.Adam{LR: 1e-3, Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, Scale: 1, Step: 1}
		return func() { s.AdamW(w, g, m, v, a) }, w
	}}
}
