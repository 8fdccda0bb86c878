package cpu

import (
	"fmt"
	"math"
	"testing"

	"sigla/backend"
)

// What has neither gradient nor moments moves by the decay alone; a value among
// zeros, however small, counts.
func TestAdamWOfZeros(t *testing.T) {
	for _, n := range []int{3 * chunk, 3 * pageSize} {
		t.Run(fmt.Sprint(n), func(t *testing.T) { adamWOfZeros(t, n) })
	}
}

func adamWOfZeros(t *testing.T, n int) {
	const at = chunk + 7
	a := backend.Adam{LR: 0.5, Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, Scale: 1, Step: 1}
	for _, c := range []struct {
		name        string
		g, m, decay float32
		first, then float64 // w of an element without and with a value; it was 1
	}{
		{"nothing", 0, 0, 0, 1, 1},
		{"decay", 0, 0, 0.1, 0.95, 0.95},
		{"a gradient", 1e-3, 0, 0, 1, 0.5},
		{"a gradient whose square is 0", 1e-30, 0, 0, 1, 1},
		{"a moment", 0, 1e-9, 0, 1, 1 - 0.5*9e-9/(0+1e-8)/1},
	} {
		e := open(t, Options{})
		w, g, m, v := e.Alloc(n, backend.Weight), e.Alloc(n, backend.Scratch), e.Alloc(n, backend.Scratch), e.Alloc(n, backend.Scratch)
		ones := make([]float32, n)
		for i := range ones {
			ones[i] = 1
		}
		e.Write(w, ones)
		e.Write(g.Slice(at, 1), []float32{c.g})
		e.Write(m.Slice(at, 1), []float32{c.m})
		a.Decay = c.decay
		e.AdamW(w, g, m, v, a)
		got := read(e, w)
		for i, want := range map[int]float64{0: c.first, at - 1: c.first, at: c.then, n - 1: c.first} {
			if math.Abs(float64(got[i])-want) > 1e-5 {
				t.Errorf("%s: element %d is %g, want %g", c.name, i, got[i], want)
			}
		}
		if moment := read(e, m)[at]; math.Abs(float64(moment)-0.9*float64(c.m)-0.1*float64(c.g)) > 1e-6*float64(c.m+c.g) {
			t.Errorf("%s: the moment is %g", c.name, moment)
		}
	}
}

// The table of tokens: of what no text has had there is no memory, and state that
// is read and written again takes none.
func TestMomentsOfUnusedTokens(t *testing.T) {
	const n, token = 3 * pageSize, 2*pageSize + 5
	e := open(t, Options{})
	var b [4]backend.Buf
	for i := range b {
		b[i] = e.Alloc(n, backend.Scratch)
	}
	a := backend.Adam{LR: 0.5, Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, Scale: 1, Step: 1}
	sum := e.Alloc(1, backend.Scratch)
	for range 2 {
		e.Write(b[1].Slice(token, 1), []float32{3})
		e.Zero(sum)
		e.SumSquares(sum, b[1])
		e.AdamW(b[0], b[1], b[2], b[3], a)
		e.Zero(b[1])
		if got := read(e, sum)[0]; got != 9 {
			t.Errorf("the sum of squares is %g, want 9", got)
		}
		for _, moment := range b[2:] {
			e.Write(moment, read(e, moment))
			if read(e, moment)[token] == 0 {
				t.Error("no moment is left")
			}
			if m, s := at(moment); !m.blank.covers(span{s.lo, s.lo + 2*pageSize - chunk}) {
				t.Errorf("what is blank of the moments: %v", m.blank)
			}
		}
	}
}
