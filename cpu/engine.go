// Package cpu is the engine that computes on the processor's vector units.
//
// Go drives and kernels compute: an operation cuts its work into items of some
// tens of microseconds, a pool spreads them over the cores, and each item calls
// kernels of one level. A level is an instruction set: "avx512" and "avx2" are
// written in assembly (generated, see _asm), "generic" is plain Go and runs
// everywhere. Which one is used is decided once, in New.
//
// The value of an element depends neither on the number of threads nor on what
// else is in a batch: every sum runs over fixed blocks in a fixed order.
package cpu

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
)

// Options chooses how an engine computes; the zero value takes the best level
// that the machine has, and all cores.
type Options struct {
	Level   string
	Threads int // at most runtime.GOMAXPROCS(0) are used
	// BF16 has MatMul and attention round factors to bfloat16 where the processor
	// multiplies these faster; sums stay float32. See Engine.Precision.
	BF16 bool
}

// Levels returns the levels that this machine can run, best first; the last
// is always "generic".
func Levels() []string {
	var names []string
	for _, k := range levels() {
		names = append(names, k.level)
	}
	return names
}

// Engine implements backend.Backend.
type Engine struct {
	kern    *kernels
	pool    *pool
	scratch []scratch // of each worker
	parts   []float32 // sums of blocks of rows, see sumBlocks
	tiles   [][3]float64
	late    postponed
	spare   []spot       // pages that can be lent
	bf16    *bf16Kernels // nil: multiply in float32
	packed  [2][]float32 // factors in bfloat16, see matMulBF16
	closed  bool
}

// New makes an engine.
func New(o Options) (*Engine, error) {
	all := levels()
	i := 0
	if o.Level != "" {
		if i = slices.IndexFunc(all, func(k *kernels) bool { return k.level == o.Level }); i < 0 {
			return nil, fmt.Errorf("cpu level %q: this machine has %s", o.Level, strings.Join(Levels(), ", "))
		}
	}
	threads := runtime.GOMAXPROCS(0)
	if o.Threads < 0 {
		return nil, fmt.Errorf("cpu threads %d: want 1 or more, or 0 for all cores", o.Threads)
	}
	if o.Threads > 0 {
		threads = min(threads, o.Threads)
	}
	e := &Engine{kern: all[i], pool: newPool(threads), scratch: make([]scratch, threads)}
	if o.BF16 {
		e.bf16 = e.kern.bf16
	}
	return e, nil
}

// Precision is what MatMul and attention multiply in: "f32" or "bf16".
func (e *Engine) Precision() string {
	if e.bf16 != nil {
		return "bf16"
	}
	return "f32"
}

// Level returns the level that New chose.
func (e *Engine) Level() string { return e.kern.level }

// Threads returns how many threads compute.
func (e *Engine) Threads() int { return e.pool.threads }

func (e *Engine) String() string { return "cpu " + e.kern.level }

// Close implements backend.Backend: the threads end, and the memory is
// collected with the last buffer.
func (e *Engine) Close() error {
	if !e.closed {
		e.closed, e.late = true, postponed{}
		e.pool.close()
		e.scratch, e.parts, e.tiles, e.packed, e.spare = nil, nil, nil, [2][]float32{}, nil
	}
	return nil
}

// scratch is the memory of one worker.
type scratch struct {
	a, b   []float32 // packed panels, see multiply
	rows   []float32 // rows on their way into a panel
	floats []float32 // what take hands out
	used   int
	adds   int // multiply-adds since the last Gosched
}

// take returns n floats that hold anything; they are the caller's until reset.
func (s *scratch) take(n int) []float32 {
	if s.used+n > len(s.floats) {
		// What was handed out before stays with those who have it.
		s.floats, s.used = make([]float32, max(n, 2*len(s.floats))), 0
	}
	s.used += n
	return s.floats[s.used-n : s.used : s.used]
}

// reset takes back what take gave.
func (s *scratch) reset() { s.used = 0 }

// grow returns x with at least n elements, its contents lost if it had fewer.
func grow[T any](x []T, n int) []T {
	if n > cap(x) {
		return make([]T, n)
	}
	return x[:n]
}
