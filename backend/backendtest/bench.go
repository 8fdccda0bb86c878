package backendtest

import (
	"testing"

	"sigla/backend"
)

// A benchmark is an operation at a size that models use. setup fills its
// buffers; run may be queued, and done is an element that it writes.
type benchmark struct {
	name         string
	setup        func(s *stage) (run func(), done backend.Buf)
	flops, bytes float64 // of one run; one of them is 0
}

// A stage is an engine with buffers for a benchmark.
type stage struct {
	backend.Backend
	numbers
}

func (s *stage) in(n int) backend.Buf  { return load(s, s.normal(n)) }
func (s *stage) out(n int) backend.Buf { return s.Alloc(n, backend.Scratch) }

func (s *stage) weight(n int) backend.Buf {
	w := s.Alloc(n, backend.Weight)
	s.Write(w, s.normal(n))
	return w
}

// Bench measures the engines that open makes, in GFLOP/s where arithmetic
// counts and in GB/s, read and written, where memory does. "base" is SigLIP
// base/16 at 224 pixels with 4 photos, "starter" the built-in model with 4.
func Bench(b *testing.B, open func() backend.Backend) {
	for _, k := range benchmarks() {
		b.Run(k.name, func(b *testing.B) {
			e := open()
			run, done := k.setup(&stage{e, newNumbers()})
			wait := func() {
				if err := e.Read(make([]float32, 1), done.Slice(0, 1)); err != nil {
					b.Fatal(err)
				}
			}
			run() // packs weights, compiles shaders
			wait()
			b.ResetTimer()
			for range b.N {
				run()
			}
			wait()
			b.StopTimer()
			if k.flops > 0 {
				b.ReportMetric(k.flops*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			} else {
				b.ReportMetric(k.bytes*float64(b.N)/b.Elapsed().Seconds()/1e9, "GB/s")
			}
			if err := e.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

func benchmarks() []benchmark {
	const base, starter = 4 * 196, 4 * 49 // rows: 4 photos' patches
	return []benchmark{
		benchMatMul("base projection", backend.Mat{M: base, N: 768, K: 768, TransB: true}),
		benchMatMul("base MLP up", backend.Mat{M: base, N: 3072, K: 768, TransB: true}),
		benchMatMul("base MLP down", backend.Mat{M: base, N: 768, K: 3072, TransB: true}),
		benchMatMul("base dx", backend.Mat{M: base, N: 768, K: 3072}),
		benchMatMul("base dw", backend.Mat{M: 3072, N: 768, K: base, TransA: true, Add: true}),
		benchMatMul("base one row", backend.Mat{M: 1, N: 3072, K: 768, TransB: true}),
		benchMatMul("starter first conv", backend.Mat{M: 4 * 112 * 112, N: 32, K: 27, TransB: true}),
		benchMatMul("starter expand", backend.Mat{M: 4 * 56 * 56, N: 144, K: 24, TransB: true}),
		benchMatMul("starter head conv", backend.Mat{M: starter, N: 1280, K: 320, TransB: true}),
		benchMatMul("starter MLP up", backend.Mat{M: starter, N: 1024, K: 384, TransB: true}),
		benchGELU("base", base*3072),
		benchGELUGrad("base", base*3072),
		benchAdd("base", base, 768),
		benchLayerNorm("base", base, 768),
		benchLayerNormGrad("base", base, 768),
		benchAttention("base", backend.Attn{Batch: 4, Heads: 12, Queries: 196, Keys: 196, Dim: 64}),
		benchAttention("base pooling", backend.Attn{Batch: 4, Heads: 12, Queries: 1, Keys: 196, Dim: 64}),
		benchAttention("starter", backend.Attn{Batch: 4, Heads: 6, Queries: 49, Keys: 49, Dim: 64}),
		benchAttentionGrad("base", backend.Attn{Batch: 4, Heads: 12, Queries: 196, Keys: 196, Dim: 64}),
		benchNormalize("base", 1024, 768),
		benchConv("starter 112 k3", backend.Conv{Batch: 4, Height: 112, Width: 112, Channels: 32, Kernel: 3, Stride: 1}),
		benchConv("starter 56 k5 s2", backend.Conv{Batch: 4, Height: 56, Width: 56, Channels: 144, Kernel: 5, Stride: 2}),
		benchConv("starter 7 k5", backend.Conv{Batch: 4, Height: 7, Width: 7, Channels: 1152, Kernel: 5, Stride: 1}),
		benchReLU6("starter", 4*112*112*96),
		benchLoss("SigmoidLoss/1024 pairs", sigmoidLoss, 1024, 768),
		benchLoss("SigmoidLoss/4096 pairs", sigmoidLoss, 4096, 768),
		benchLoss("SoftmaxLoss/1024 pairs", softmaxLoss, 1024, 768),
		benchSumSquares("4M", 1<<22),
		benchAdamW("4M", 1<<22),
	}
}

func benchMatMul(name string, m backend.Mat) benchmark {
	return benchmark{"MatMul/" + name, func(s *stage) (func(), backend.Buf) {
		dst, a, b := s.out(m.M*m.N), s.in(m.M*m.K), s.weight(m.K*m.N)
		return func() { s.MatMul(dst, a, b, m) }, dst
	}, 2 * float64(m.M) * float64(m.N) * float64(m.K), 0}
}

func benchGELU(name string, n int) benchmark {
	return benchmark{"GELU/" + name, func(s *stage) (func(), backend.Buf) {
		dst, x := s.out(n), s.in(n)
		return func() { s.GELU(dst, x, backend.GELUTanh) }, dst
	}, 0, 8 * float64(n)}
}

func benchGELUGrad(name string, n int) benchmark {
	return benchmark{"GELUGrad/" + name, func(s *stage) (func(), backend.Buf) {
		dx, dy, x := s.out(n), s.in(n), s.in(n)
		return func() { s.GELUGrad(dx, dy, x, backend.GELUTanh) }, dx
	}, 0, 12 * float64(n)}
}

func benchAdd(name string, rows, cols int) benchmark {
	return benchmark{"Add/" + name, func(s *stage) (func(), backend.Buf) {
		dst, a, b := s.out(rows*cols), s.in(rows*cols), s.in(rows*cols)
		return func() { s.Add(dst, a, b) }, dst
	}, 0, 12 * float64(rows*cols)}
}

func benchLayerNorm(name string, rows, cols int) benchmark {
	return benchmark{"LayerNorm/" + name, func(s *stage) (func(), backend.Buf) {
		dst, mean, rstd, x, w, b := s.out(rows*cols), s.out(rows), s.out(rows), s.in(rows*cols), s.weight(cols), s.weight(cols)
		return func() { s.LayerNorm(dst, mean, rstd, x, w, b, rows, cols, epsilon) }, dst
	}, 0, 8 * float64(rows*cols)}
}

func benchLayerNormGrad(name string, rows, cols int) benchmark {
	return benchmark{"LayerNormGrad/" + name, func(s *stage) (func(), backend.Buf) {
		y, mean, rstd, x, w, b := s.out(rows*cols), s.out(rows), s.out(rows), s.in(rows*cols), s.weight(cols), s.weight(cols)
		s.LayerNorm(y, mean, rstd, x, w, b, rows, cols, epsilon)
		dx, dw, db, dy := s.out(rows*cols), s.out(cols), s.out(cols), s.in(rows*cols)
		return func() { s.LayerNormGrad(dx, dw, db, dy, x, w, mean, rstd, rows, cols) }, dx
	}, 0, 12 * float64(rows*cols)}
}

// benchAttention counts two products, q·kᵀ and p·v.
func benchAttention(name string, a backend.Attn) benchmark {
	return benchmark{"Attention/" + name, func(s *stage) (func(), backend.Buf) {
		dst, q, k, v := s.out(queries(a)), s.in(queries(a)), s.in(keys(a)), s.in(keys(a))
		return func() { s.Attention(dst, backend.Buf{}, q, k, v, a) }, dst
	}, 4 * float64(rows(a)) * float64(a.Keys) * float64(a.Dim), 0}
}

// benchAttentionGrad counts five products: the scores again, dp, dq, dk and dv.
func benchAttentionGrad(name string, a backend.Attn) benchmark {
	return benchmark{"AttentionGrad/" + name, func(s *stage) (func(), backend.Buf) {
		y, lse, q, k, v := s.out(queries(a)), s.out(rows(a)), s.in(queries(a)), s.in(keys(a)), s.in(keys(a))
		s.Attention(y, lse, q, k, v, a)
		dq, dk, dv, dy := s.out(queries(a)), s.out(keys(a)), s.out(keys(a)), s.in(queries(a))
		return func() { s.AttentionGrad(dq, dk, dv, dy, y, lse, q, k, v, a) }, dq
	}, 10 * float64(rows(a)) * float64(a.Keys) * float64(a.Dim), 0}
}

func benchNormalize(name string, rows, cols int) benchmark {
	return benchmark{"Normalize/" + name, func(s *stage) (func(), backend.Buf) {
		dst, norm, x := s.out(rows*cols), s.out(rows), s.in(rows*cols)
		return func() { s.Normalize(dst, norm, x, rows, cols) }, dst
	}, 0, 8 * float64(rows*cols)}
}

func benchConv(name string, c backend.Conv) benchmark {
	height, width := c.Out()
	out, taps := c.Batch*height*width*c.Channels, c.Kernel*c.Kernel
	return benchmark{"DepthwiseConv/" + name, func(s *stage) (func(), backend.Buf) {
		dst, x := s.out(out), s.in(c.Batch*c.Height*c.Width*c.Channels)
		w, bias := s.weight(taps*c.Channels), s.weight(c.Channels)
		return func() { s.DepthwiseConv(dst, x, w, bias, c) }, dst
	}, 2 * float64(out) * float64(taps), 0}
}

func benchReLU6(name string, n int) benchmark {
	return benchmark{"ReLU6/" + name, func(s *stage) (func(), backend.Buf) {
		dst, x := s.out(n), s.in(n)
		return func() { s.ReLU6(dst, x) }, dst
	}, 0, 8 * float64(n)}
}

// benchLoss counts three products: the logits, dx and dy.
func benchLoss(name string, l pairLoss, n, dim int) benchmark {
	return benchmark{name, func(s *stage) (func(), backend.Buf) {
		in := []backend.Buf{load(s, unitRows(s.numbers, n, dim)), load(s, unitRows(s.numbers, n, dim)), load(s, []float32{2.3}), load(s, []float32{-10})}
		loss, din := s.out(1), []backend.Buf{s.out(n * dim), s.out(n * dim), s.out(1), s.out(1)}
		p := backend.Pairs{Rows: n, Cols: n, Dim: dim, Default: -1, Diagonal: true}
		return func() { l.call(s, loss, din, in, p) }, loss
	}, 6 * float64(n) * float64(n) * float64(dim), 0}
}

func benchSumSquares(name string, n int) benchmark {
	return benchmark{"SumSquares/" + name, func(s *stage) (func(), backend.Buf) {
		dst, x := s.out(1), s.in(n)
		return func() { s.SumSquares(dst, x) }, dst
	}, 0, 4 * float64(n)}
}

func benchAdamW(name string, n int) benchmark {
	return benchmark{"AdamW/" + name, func(s *stage) (func(), backend.Buf) {
		w, g, m, v := s.weight(n), s.in(n), s.out(n), s.out(n)
		a := backend.Adam{LR: 1e-3, Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, Scale: 1, Step: 1}
		return func() { s.AdamW(w, g, m, v, a) }, w
	}, 0, 28 * float64(n)}
}
