// Package speed lists the operations that models use, at the sizes that they use
// them at, and times them on an engine.
package speed

import (
	"math"
	"math/rand/v2"
	"time"

	"sigla/backend"
)

// An Operation is one call of an engine, or what belongs together.
type Operation struct {
	Name         string  // "MatMul/base MLP up"
	FLOPs, Bytes float64 // of one run: arithmetic, a multiply-add counted as two, or memory read and written; one of them is 0
	setup        func(s *Stage) (run func(), done backend.Buf)
}

// A Stage is an engine with buffers, which one operation after the other uses.
type Stage struct {
	backend.Backend
	buffers [2][]backend.Buf // by backend.Use
	taken   [2][]bool
	numbers []float32
}

// NewStage has the memory of what is measured on e; it is e's, until that is closed.
func NewStage(e backend.Backend) *Stage { return &Stage{Backend: e} }

// Set fills the buffers of an operation, which the next takes again. run may be
// queued; done is something that it writes.
func (s *Stage) Set(o Operation) (run func(), done backend.Buf) {
	clear(s.taken[0])
	clear(s.taken[1])
	return o.setup(s)
}

// Time runs an operation until the time is over, at least twice, and returns how
// long it takes at best; and the first failure of the engine. A run that takes long
// counts alone, runs that are short count by tens of milliseconds: on a device that
// is fed, waiting for the result is no part of them.
func (s *Stage) Time(o Operation, limit time.Duration) (time.Duration, error) {
	run, done := s.Set(o)
	var one [1]float32
	measure := func(times int) (time.Duration, error) {
		start := time.Now()
		for range times {
			run()
		}
		err := s.Read(one[:], done.Slice(0, 1))
		return time.Since(start), err
	}
	if _, err := measure(1); err != nil { // packs weights, compiles shaders
		return 0, err
	}
	best, begin, times := time.Duration(math.MaxInt64), time.Now(), 1
	for first := true; first || time.Since(begin) < limit; first = false {
		took, err := measure(times)
		if err != nil {
			return 0, err
		}
		best = min(best, took/time.Duration(times))
		if took < 20*time.Millisecond {
			times *= 2
		}
	}
	return best, nil
}

// take returns n elements that no other buffer of the operation has.
func (s *Stage) take(n int, use backend.Use) backend.Buf {
	for i, b := range s.buffers[use] {
		if !s.taken[use][i] && b.Len >= n && b.Len <= 4*n+1<<12 {
			s.taken[use][i] = true
			return b.Slice(0, n)
		}
	}
	s.buffers[use] = append(s.buffers[use], s.Alloc(n, use))
	s.taken[use] = append(s.taken[use], true)
	return s.buffers[use][len(s.buffers[use])-1]
}

func (s *Stage) out(n int) backend.Buf { return s.take(n, backend.Scratch) }

func (s *Stage) in(n int) backend.Buf {
	b := s.out(n)
	s.Write(b, s.normal(n))
	return b
}

func (s *Stage) weight(n int) backend.Buf {
	b := s.take(n, backend.Weight)
	s.Write(b, s.normal(n))
	return b
}

// normal is n numbers from the standard normal distribution, which repeat: to make
// them anew would take longer than the operations.
func (s *Stage) normal(n int) []float32 {
	const distinct = 1 << 16
	rng := rand.New(rand.NewPCG(1, 2))
	for i := len(s.numbers); i < n; i++ {
		if i < distinct {
			s.numbers = append(s.numbers, float32(rng.NormFloat64()))
		} else {
			s.numbers = append(s.numbers, s.numbers[i-distinct])
		}
	}
	return s.numbers[:n]
}

// rows are unit rows.
func (s *Stage) rows(n, dim int) backend.Buf {
	x := append([]float32(nil), s.normal(n*dim)...)
	for r := range n {
		row, sum := x[r*dim:][:dim], 0.0
		for _, v := range row {
			sum += float64(v) * float64(v)
		}
		for i := range row {
			row[i] /= float32(math.Sqrt(sum))
		}
	}
	b := s.out(n * dim)
	s.Write(b, x)
	return b
}
