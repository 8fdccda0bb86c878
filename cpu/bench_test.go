package cpu

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"sigla/backend"
	"sigla/backend/backendtest"
)

// engines calls run for every level with one thread and with all, and for
// products in bfloat16 where there are any.
func engines(b *testing.B, run func(b *testing.B, e *Engine)) {
	for _, level := range Levels() {
		for _, threads := range []int{1, runtime.GOMAXPROCS(0)} {
			for _, bf16 := range []bool{false, true} {
				e := open(b, Options{Level: level, Threads: threads, BF16: bf16})
				if bf16 == (e.Precision() == "bf16") {
					b.Run(fmt.Sprintf("%s/%s/threads=%d", level, e.Precision(), threads), func(b *testing.B) { run(b, e) })
				}
			}
		}
	}
}

// BenchmarkPeak reports what the cores can do at best, on registers.
func BenchmarkPeak(b *testing.B) {
	engines(b, func(b *testing.B, e *Engine) {
		var flops float64
		for b.Loop() {
			flops = max(flops, e.Peak())
		}
		b.ReportMetric(flops/1e9, "GFLOP/s")
	})
}

var benchShapes = []backend.Mat{
	{M: 1568, N: 3072, K: 768, TransB: true},            // base model, 8 photos: MLP up
	{M: 1568, N: 768, K: 3072, TransB: true},            // MLP down
	{M: 1568, N: 768, K: 3072},                          // gradient by the input
	{M: 3072, N: 768, K: 1568, TransA: true, Add: true}, // gradient by the weights
	{M: 196, N: 768, K: 768, TransB: true},              // base model, 1 photo
	{M: 49, N: 1024, K: 384, TransB: true},              // starter, 1 photo: MLP
	{M: 12544, N: 32, K: 27, TransB: true},              // its first convolution
	{M: 12544, N: 16, K: 32, TransB: true},              // 1×1 convolutions
	{M: 12544, N: 96, K: 16, TransB: true},
	{M: 3136, N: 24, K: 96, TransB: true},
	{M: 196, N: 672, K: 112, TransB: true},
	{M: 1, N: 3072, K: 768, TransB: true},  // one row, as a head has
	{M: 16, N: 1024, K: 256, TransB: true}, // one text
}

// BenchmarkMatMul reports the speed of products as they occur, the packing
// included, and their part of the peak measured just before.
func BenchmarkMatMul(b *testing.B) {
	for _, s := range benchShapes {
		b.Run(fmt.Sprintf("%s-%dx%dx%d", transposed(s), s.M, s.N, s.K), func(b *testing.B) {
			engines(b, func(b *testing.B, e *Engine) { benchmarkMatMul(b, e, s) })
		})
	}
}

func transposed(s backend.Mat) string {
	switch {
	case s.TransA:
		return "TN"
	case s.TransB:
		return "NT"
	}
	return "NN"
}

func benchmarkMatMul(b *testing.B, e *Engine, s backend.Mat) {
	dst, x, w := e.Alloc(s.M*s.N, backend.Scratch), random(e, s.M*s.K), random(e, s.N*s.K)
	s.Bias = random(e, s.N)
	share(b, e, 2*float64(s.M)*float64(s.N)*float64(s.K), func() {
		e.MatMul(dst, x, w, s)
		e.finish(false)
	})
}

// share reports the speed of run and its part of the peak measured just before
// or after. Like the peak it is the best of all runs: other programs slow down
// the rest.
func share(b *testing.B, e *Engine, flops float64, run func()) {
	peak := e.Peak()
	best := time.Hour
	for b.Loop() {
		start := time.Now()
		run()
		best = min(best, time.Since(start))
	}
	peak = max(peak, e.Peak())
	b.ReportMetric(flops/best.Seconds()/1e9, "GFLOP/s")
	b.ReportMetric(100*flops/best.Seconds()/peak, "%peak")
}

// BenchmarkLoss counts three products, the logits and both gradients, for either
// loss; SoftmaxLoss computes the logits twice.
func BenchmarkLoss(b *testing.B) {
	const n, dim = 4096, 768
	engines(b, func(b *testing.B, e *Engine) {
		if e.Level() == "generic" || e.Precision() != "f32" {
			b.Skip("takes too long, or no other way")
		}
		x, y, dx, dy := random(e, n*dim), random(e, n*dim+1).Slice(1, n*dim), random(e, n*dim), random(e, n*dim)
		e.Normalize(x, backend.Buf{}, x, n, dim)
		e.Normalize(y, backend.Buf{}, y, n, dim)
		scalars := e.Alloc(5, backend.Scratch)
		s := func(i int) backend.Buf { return scalars.Slice(i, 1) }
		e.Write(s(0), []float32{2.3})
		e.Write(s(1), []float32{-10})
		p := backend.Pairs{Rows: n, Cols: n, Dim: dim, Default: -1, Diagonal: true}
		tags := p
		for i := range int32(n) {
			for j := range int32(50) {
				tags.Except = append(tags.Except, backend.Pair{Row: i, Col: i*7%64 + 64*j, Label: 1})
			}
		}
		for name, run := range map[string]func(){
			"sigmoid":          func() { e.SigmoidLoss(s(2), dx, dy, s(3), s(4), x, y, s(0), s(1), p) },
			"sigmoid, 50 tags": func() { e.SigmoidLoss(s(2), dx, dy, s(3), s(4), x, y, s(0), s(1), tags) },
			"softmax":          func() { e.SoftmaxLoss(s(2), dx, dy, s(3), x, y, s(0), p) },
		} {
			b.Run(name, func(b *testing.B) { share(b, e, 6*n*n*dim, run) })
		}
	})
}

// random allocates n normal numbers.
func random(e *Engine, n int) backend.Buf {
	x := make([]float32, n)
	r := rand.New(rand.NewPCG(1, uint64(n)))
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	b := e.Alloc(n, backend.Scratch)
	e.Write(b, x)
	return b
}

// BenchmarkOperations is backendtest's list, on the best level.
func BenchmarkOperations(b *testing.B) {
	backendtest.Bench(b, func() backend.Backend { return open(b, Options{}) })
}

// BenchmarkStem runs the operations of the starter's stem (EfficientNet-Lite0
// at 224 pixels) on 8 photos.
func BenchmarkStem(b *testing.B) {
	engines(b, func(b *testing.B, e *Engine) {
		s := newStem(e, 8)
		peak := e.Peak()
		s.run()
		best := time.Hour
		for b.Loop() {
			start := time.Now()
			s.run()
			best = min(best, time.Since(start))
		}
		b.ReportMetric(best.Seconds()*1e3/float64(s.batch), "ms/photo")
		b.ReportMetric(100*s.flops/best.Seconds()/peak, "%peak")
	})
}

type stem struct {
	e     *Engine
	batch int
	ops   []func()
	flops float64
}

func (s *stem) run() {
	for _, op := range s.ops {
		op()
	}
}

func newStem(e *Engine, batch int) *stem {
	s := &stem{e: e, batch: batch}
	x := random(e, batch*112*112*27)
	x = s.pointwise(x, 112*112, 27, 32, true)
	size, in := 112, 32
	for _, stage := range []struct{ kernel, stride, expand, channels, repeats int }{
		{3, 1, 1, 16, 1}, {3, 2, 6, 24, 2}, {5, 2, 6, 40, 2}, {3, 2, 6, 80, 3}, {5, 1, 6, 112, 3}, {5, 2, 6, 192, 4}, {3, 1, 6, 320, 1},
	} {
		for i := range stage.repeats {
			stride, y, hidden := 1, x, in*stage.expand
			if i == 0 {
				stride = stage.stride
			}
			if stage.expand > 1 {
				y = s.pointwise(y, size*size, in, hidden, true)
			}
			y = s.depthwise(y, size, hidden, stage.kernel, stride)
			size = ceil(size, stride)
			y = s.pointwise(y, size*size, hidden, stage.channels, false)
			if i > 0 {
				shortcut := x
				s.ops = append(s.ops, func() { e.Add(y, y, shortcut) })
			}
			x, in = y, stage.channels
		}
	}
	s.pointwise(x, size*size, in, 1280, true)
	return s
}

// pointwise adds a 1×1 convolution.
func (s *stem) pointwise(x backend.Buf, pixels, in, out int, relu bool) backend.Buf {
	m := backend.Mat{M: s.batch * pixels, N: out, K: in, TransB: true, Bias: random(s.e, out)}
	w, y := random(s.e, in*out), s.e.Alloc(m.M*out, backend.Scratch)
	s.flops += 2 * float64(m.M) * float64(in) * float64(out)
	s.ops = append(s.ops, func() {
		s.e.MatMul(y, x, w, m)
		if relu {
			s.e.ReLU6(y, y)
		}
	})
	return y
}

func (s *stem) depthwise(x backend.Buf, size, channels, kernel, stride int) backend.Buf {
	c := backend.Conv{Batch: s.batch, Height: size, Width: size, Channels: channels, Kernel: kernel, Stride: stride}
	h, w := c.Out()
	weight, bias := random(s.e, kernel*kernel*channels), random(s.e, channels)
	y := s.e.Alloc(s.batch*h*w*channels, backend.Scratch)
	s.flops += 2 * float64(s.batch*h*w*channels*kernel*kernel)
	s.ops = append(s.ops, func() { s.e.DepthwiseConv(y, x, weight, bias, c); s.e.ReLU6(y, y) })
	return y
}
