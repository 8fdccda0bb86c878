package backendtest

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"sigla/backend"
	"sigla/backend/ref"
)

// An arena is an engine with memory that one case after the other uses again,
// as a model does with its activations.
type arena struct {
	backend.Backend
	memory [2]backend.Buf // by backend.Use
	used   [2]int
}

// reset makes all memory free for the next case.
func (a *arena) reset() { a.used = [2]int{} }

// alloc returns n elements; what they hold is left from earlier cases.
func (a *arena) alloc(n int, use backend.Use) backend.Buf {
	if a.used[use]+n > a.memory[use].Len {
		a.memory[use] = a.Alloc(max(n, 1<<16), use)
		a.used[use] = 0
	}
	a.used[use] += n
	return a.memory[use].Slice(a.used[use]-n, n)
}

const (
	guard    = 80    // elements before and behind each tensor, more than any vector or tile overshoots
	sentinel = 12345 // what they hold
)

// shifts are where tensors start inside their memory, off all alignments.
var shifts = [...]int{0, 1, 13, 8, 3, 22, 31, 16}

// A tol bounds the error of a result:
//
//	Σ(got − want)² ≤ nmse · Σ(want² + size²)
//
// where size is the magnitude of the terms that an element is summed from:
// where they cancel, their rounding stays. The zero tol asks for equality.
type tol struct{ nmse, size float64 }

var exact tol

// A tensor is one argument of an operation.
type tensor struct {
	name   string
	all    backend.Buf // with guards
	n      int         // elements between the guards
	before []float32   // what all held before the operation
	result bool        // written by the operation
	tol    tol
}

// numbers is where tensors get what they hold.
type numbers struct{ *rand.Rand }

// newNumbers returns the same numbers every time.
func newNumbers() numbers { return numbers{rand.New(rand.NewPCG(1, 2))} }

// normal returns n numbers from the standard normal distribution.
func (r numbers) normal(n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

// A trial is one engine on which a script is played.
type trial struct {
	*arena
	numbers
	tensors []*tensor
}

// A script makes its tensors and calls the operation. It is played on both
// engines and sees the same random numbers.
type script func(t *trial)

// play resets e and plays s on it.
func play(e *arena, s script) *trial {
	e.reset()
	t := &trial{arena: e, numbers: newNumbers()}
	s(t)
	return t
}

// compare is the check that s has the same results as on the reference.
func compare(s script) check {
	return func(e *arena) error {
		got, want := play(e, s), play(&arena{Backend: ref.New()}, s)
		var errs []error
		for i, w := range want.tensors {
			g := got.tensors[i]
			all, err := read(e, g.all)
			if err != nil {
				return err
			}
			right, err := read(want, w.all)
			if err != nil {
				return err
			}
			errs = append(errs, g.verify(all, right))
		}
		return errors.Join(errs...)
	}
}

// in returns a source of n normal numbers.
func (t *trial) in(name string, n int) backend.Buf { return t.data(name, t.normal(n)) }

// data returns a source that holds x.
func (t *trial) data(name string, x []float32) backend.Buf {
	return t.place(tensor{name: name}, x, backend.Scratch)
}

// weight returns a source of n normal numbers where an engine may pack.
func (t *trial) weight(name string, n int) backend.Buf {
	return t.place(tensor{name: name}, t.normal(n), backend.Weight)
}

// out returns a destination of n elements. It holds NaN, so that an operation
// that reads what it should overwrite gives itself away.
func (t *trial) out(name string, n int, e tol) backend.Buf {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(math.NaN())
	}
	return t.update(name, x, e)
}

// update returns a destination that holds x.
func (t *trial) update(name string, x []float32, e tol) backend.Buf {
	return t.place(tensor{name: name, result: true, tol: e}, x, backend.Scratch)
}

// updateWeight returns a destination of n normal numbers where an engine may pack.
func (t *trial) updateWeight(name string, n int, e tol) backend.Buf {
	return t.place(tensor{name: name, result: true, tol: e}, t.normal(n), backend.Weight)
}

func (t *trial) place(x tensor, values []float32, use backend.Use) backend.Buf {
	shift := shifts[len(t.tensors)%len(shifts)]
	x.n = len(values)
	x.before = make([]float32, guard+shift+x.n+guard)
	for i := range x.before {
		x.before[i] = sentinel
	}
	copy(x.before[guard+shift:], values)
	x.all = t.alloc(len(x.before), use)
	t.Write(x.all, x.before)
	t.tensors = append(t.tensors, &x)
	return x.all.Slice(guard+shift, x.n)
}

// verify compares what the engine and the reference left behind, guards included.
func (x *tensor) verify(got, want []float32) error {
	start := len(got) - guard - x.n
	for i, v := range got {
		switch inside := i >= start && i < start+x.n; {
		case !inside && v != sentinel:
			return fmt.Errorf("%s[%d] of %d elements was written", x.name, i-start, x.n)
		case inside && !x.result && !same(v, x.before[i]):
			return fmt.Errorf("%s[%d] was changed from %g to %g, but is only read", x.name, i-start, x.before[i], v)
		}
	}
	if !x.result {
		return nil
	}
	return near(x.name, got[start:][:x.n], want[start:][:x.n], x.tol)
}

// near says which element is furthest off if got and want differ by more than e.
func near(name string, got, want []float32, e tol) error {
	sum, norm, worst, at := 0.0, 0.0, 0.0, 0
	for i, w := range want {
		d := float64(got[i]) - float64(w)
		if same(got[i], w) {
			d = 0
		}
		if math.Abs(d) > worst || math.IsNaN(d) && !math.IsNaN(worst) {
			worst, at = math.Abs(d), i
		}
		sum += d * d
		norm += float64(w)*float64(w) + e.size*e.size
	}
	if sum <= e.nmse*norm && !math.IsInf(norm, 1) {
		return nil
	}
	return fmt.Errorf("%s: error %.2g over %d elements, allowed %.2g; the worst is [%d] = %g, want %g",
		name, sum/norm, len(want), e.nmse, at, got[at], want[at])
}

// same is equality under which NaN is equal to itself.
func same(a, b float32) bool { return a == b || a != a && b != b }

// read returns the elements of b.
func read(e backend.Backend, b backend.Buf) ([]float32, error) {
	x := make([]float32, b.Len)
	if err := e.Read(x, b); err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	return x, nil
}

// load returns a buffer that holds x.
func load(e backend.Backend, x []float32) backend.Buf {
	b := e.Alloc(len(x), backend.Scratch)
	e.Write(b, x)
	return b
}

// flags joins what is true of a case: flags("plain", "tb", true, "bias", false)
// is "tb", and "plain" if nothing is.
func flags(none string, pairs ...any) string {
	var s []string
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1].(bool) {
			s = append(s, pairs[i].(string))
		}
	}
	if s == nil {
		return none
	}
	return strings.Join(s, "+")
}

// sized returns a case for each of the sizes, named a/17x33.
func sized(name string, sizes [][2]int, s func(t *trial, rows, cols int)) []testCase {
	var cases []testCase
	for _, d := range sizes {
		cases = append(cases, testCase{
			fmt.Sprintf("%s/%dx%d", name, d[0], d[1]),
			compare(func(t *trial) { s(t, d[0], d[1]) }),
		})
	}
	return cases
}

// odd are rows × cols off the edges of vectors (4 to 16) and tiles (32 to 128).
var odd = [][2]int{{1, 1}, {1, 17}, {3, 7}, {13, 1}, {7, 64}, {17, 33}, {33, 31}, {5, 130}, {65, 65}, {2, 1029}}
