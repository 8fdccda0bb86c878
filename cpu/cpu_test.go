package cpu

import (
	"fmt"
	"math"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"sigla/backend"
	"sigla/backend/backendtest"
)

func TestBackend(t *testing.T) {
	t.Logf("this machine has %s", strings.Join(Levels(), ", "))
	all := Levels()
	if testing.Short() {
		all = nil // with the race detector, threads are what matters
	}
	for _, level := range all {
		t.Run(level, func(t *testing.T) {
			backendtest.Run(t, func(t *testing.T) backend.Backend { return open(t, Options{Level: level}) })
		})
	}
	for _, threads := range []int{1, 3} {
		t.Run(fmt.Sprintf("threads=%d", threads), func(t *testing.T) {
			backendtest.Run(t, func(t *testing.T) backend.Backend { return threaded(t, threads) })
		})
	}
}

func open(t testing.TB, o Options) *Engine {
	t.Helper()
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

// threaded opens an engine with as many threads, whatever the machine has.
func threaded(t *testing.T, threads int) *Engine {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(max(threads, runtime.NumCPU())))
	e := open(t, Options{Threads: threads})
	if e.Threads() != threads {
		t.Fatalf("%d threads, want %d", e.Threads(), threads)
	}
	return e
}

func TestOptions(t *testing.T) {
	levels := Levels()
	if levels[len(levels)-1] != "generic" {
		t.Errorf("levels %q do not end with generic", levels)
	}
	e := open(t, Options{})
	if e.Level() != levels[0] || e.Threads() != runtime.GOMAXPROCS(0) || e.String() != "cpu "+levels[0] {
		t.Errorf("default is %q with level %q and %d threads", e, e.Level(), e.Threads())
	}
	if e := open(t, Options{Threads: 1000}); e.Threads() > runtime.GOMAXPROCS(0) {
		t.Errorf("%d threads", e.Threads())
	}
	if _, err := New(Options{Level: "mmx"}); err == nil || !strings.Contains(err.Error(), strings.Join(levels, ", ")) {
		t.Errorf("level mmx: error %v does not name the levels", err)
	}
	if _, err := New(Options{Threads: -1}); err == nil {
		t.Error("-1 threads: no error")
	}
}

// A level's functions carry its name, and an engine calls them and no others.
func TestLevelRuns(t *testing.T) {
	for _, level := range Levels() {
		e := open(t, Options{Level: level})
		suffix := map[string]string{"avx512": "AVX512", "avx2": "AVX2"}[level]
		ran := map[string]bool{}
		k := *e.kern
		k.tiles = slices.Clone(k.tiles)
		for i, tile := range k.tiles {
			name := runtime.FuncForPC(reflect.ValueOf(tile.run).Pointer()).Name()
			k.tiles[i].run = func(a, b, c, bias *float32, rsa, csa, tsa, rsb, ldc, k, tiles, m, n int, add, clamp bool) {
				ran[name] = true
				tile.run(a, b, c, bias, rsa, csa, tsa, rsb, ldc, k, tiles, m, n, add, clamp)
			}
		}
		e.kern, e.pool = &k, newPool(1)
		multiplyRandom(e, backend.Mat{M: 33, N: 65, K: 9})
		if len(ran) == 0 {
			t.Errorf("%s: no tile ran", level)
		}
		for name := range ran {
			if !strings.HasSuffix(name, suffix) || suffix == "" && strings.Contains(name, "AVX") {
				t.Errorf("%s ran %s", level, name)
			}
		}
	}
}

// multiplyRandom returns the product of matrices that depend on s alone.
func multiplyRandom(e *Engine, s backend.Mat) []float32 {
	dst := e.Alloc(s.M*s.N, backend.Scratch)
	e.MatMul(dst, random(e, s.M*s.K), random(e, s.K*s.N), s)
	return read(e, dst)
}

func read(e *Engine, b backend.Buf) []float32 {
	x := make([]float32, b.Len)
	if err := e.Read(x, b); err != nil {
		panic(err)
	}
	return x
}

// The threads start with the first operation, sleep when there is nothing to
// do, and end with Close.
func TestThreadsSleepAndEnd(t *testing.T) {
	serving := func() int {
		buf := make([]byte, 1<<20)
		return strings.Count(string(buf[:runtime.Stack(buf, true)]), "(*pool).serve(")
	}
	eventually := func(what string, ok func() bool) {
		t.Helper()
		for range 5000 {
			if ok() {
				return
			}
			time.Sleep(time.Millisecond)
		}
		t.Errorf("%s: not within seconds", what)
	}
	eventually("earlier engines end", func() bool { return serving() == 0 })
	e := threaded(t, 3)
	x := random(e, 1<<18)
	if n := serving(); n != 0 {
		t.Errorf("%d threads before the first operation", n)
	}
	e.Zero(x)
	eventually("two threads start", func() bool { return serving() == 2 })
	eventually("they sleep", func() bool { return e.pool.asleep.Load() == 2 && e.pool.waiting.Load() == 0 })
	for range 2 {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
	eventually("they end", func() bool { return serving() == 0 })
	if err := e.Read(make([]float32, x.Len), x); err == nil {
		t.Error("read after close: no error")
	}
}

// Memory that an operation needs is kept for the next.
func TestAllocations(t *testing.T) {
	e := threaded(t, 2)
	defer e.Close()
	const n = 256
	buf := func() backend.Buf { return random(e, n*n) }
	x, y, z, dx, dy, dz := buf(), buf(), buf(), buf(), buf(), buf()
	row := func(b backend.Buf) backend.Buf { return b.Slice(0, n) }
	a := backend.Attn{Batch: 2, Heads: 2, Queries: n / 4, Keys: n / 4, Dim: n}
	for name, run := range map[string]func(){
		"MatMul":        func() { e.MatMul(y, x, z, backend.Mat{M: n, N: n, K: n, TransB: true}) },
		"LayerNorm":     func() { e.LayerNorm(y, backend.Buf{}, backend.Buf{}, x, row(z), row(dz), n, n, 1e-6) },
		"LayerNormGrad": func() { e.LayerNormGrad(dx, row(y), row(z), dy, x, row(dz), x.Slice(0, n), x.Slice(n, n), n, n) },
		"Attention":     func() { e.Attention(y, row(z), x, dx, dy, a) },
		"AttentionGrad": func() { e.AttentionGrad(dx, dy, dz, x, y, row(z), x, x, x, a) },
		"SigmoidLoss": func() {
			e.SigmoidLoss(z.Slice(0, 1), dx, dy, z.Slice(1, 1), z.Slice(2, 1), x, y, z.Slice(3, 1), z.Slice(4, 1), backend.Pairs{Rows: n, Cols: n, Dim: n})
		},
		"SoftmaxLoss": func() {
			e.SoftmaxLoss(z.Slice(0, 1), dx, dy, z.Slice(1, 1), x, y, z.Slice(3, 1), backend.Pairs{Rows: n, Cols: n, Dim: n, Default: -1, Diagonal: true})
		},
	} {
		run()
		if got := testing.AllocsPerRun(10, run); got > 50 {
			t.Errorf("%s allocates %g times", name, got)
		}
	}
}

// NaN and infinities must show in the result, also through maxima and limits.
func TestNaN(t *testing.T) {
	nan := float32(math.NaN())
	for _, level := range Levels() {
		t.Run(level, func(t *testing.T) {
			const n = 67 // the last one falls into a partial vector
			e := open(t, Options{Level: level})
			one, dst, scratch := e.Alloc(n, backend.Weight), e.Alloc(n, backend.Scratch), e.Alloc(1, backend.Scratch)
			e.Write(one, slices.Repeat([]float32{1}, n))
			for _, at := range []int{0, 17, n - 1} {
				x := random(e, n)
				e.Write(x.Slice(at, 1), []float32{nan})
				check := func(name string, want func(i int) bool) {
					t.Helper()
					for i, v := range read(e, dst) {
						if (v != v) != want(i) {
							t.Errorf("%s with NaN at %d: element %d is %g", name, at, i, v)
						}
					}
				}
				here := func(i int) bool { return i == at }
				all := func(int) bool { return true }
				e.ReLU6(dst, x)
				check("ReLU6", here)
				e.GELU(dst, x, backend.GELUTanh)
				check("GELU", here)
				e.GELUGrad(dst, one, x, backend.GELUTanh)
				check("GELUGrad", here)
				e.LayerNorm(dst, scratch, backend.Buf{}, x, one, one, 1, n, 1e-6)
				check("LayerNorm", all)
				e.Normalize(dst, scratch, x, 1, n)
				check("Normalize", all)
				e.MatMul(dst, one.Slice(0, 1), x, backend.Mat{M: 1, N: n, K: 1})
				e.ReLU6(dst, dst)
				check("MatMul and ReLU6", here)
				e.DepthwiseConv(dst, one, x, one, backend.Conv{Batch: 1, Height: 1, Width: 1, Channels: n, Kernel: 1, Stride: 1})
				e.ReLU6(dst, dst)
				check("DepthwiseConv and ReLU6", here)
				e.Attention(dst.Slice(0, 1), backend.Buf{}, one.Slice(0, 1), x, x, backend.Attn{Batch: 1, Heads: 1, Queries: 1, Keys: n, Dim: 1})
				if v := read(e, dst)[0]; v == v {
					t.Errorf("Attention with NaN at %d: %g", at, v)
				}
			}
		})
	}
}
