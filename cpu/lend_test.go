package cpu

import (
	"math/rand/v2"
	"slices"
	"testing"

	"sigla/backend"
)

// What is cleared is 0, whole pages and ends, and nothing beside it changes.
func TestZeroOfPages(t *testing.T) {
	e := open(t, Options{})
	const n = 4 * pageSize
	all := e.Alloc(n, 1)
	ones := make([]float32, n)
	for i := range ones {
		ones[i] = 1
	}
	for _, d := range [][2]int{{0, n}, {1, n - 1}, {77, n - 500}, {pageSize, pageSize * 2}, {5, 9}, {100, pageSize}} {
		e.Write(all, ones)
		e.Zero(all.Slice(d[0], d[1]))
		for i, v := range read(e, all) {
			want := float32(1)
			if i >= d[0] && i < d[0]+d[1] {
				want = 0
			}
			if v != want {
				t.Fatalf("Zero of %d values from %d on: element %d is %g, want %g", d[1], d[0], i, v, want)
			}
		}
	}
}

// Whatever is written, cleared, added to and discarded in any order, values are
// those of memory that lends nothing.
func TestLending(t *testing.T) {
	e, rng := open(t, Options{}), rand.New(rand.NewPCG(1, 2))
	const n = 3*pageSize + 12345
	var (
		bufs  [5]backend.Buf
		want  [5][]float32
		known [5]spans // elements that hold anything have no known value
	)
	for i := range bufs {
		bufs[i], want[i] = e.Alloc(n, backend.Scratch), make([]float32, n)
		known[i].add(span{0, n})
	}
	moved := 0
	for step := range 300 {
		i := rng.IntN(len(bufs))
		lo := rng.IntN(n)
		s := span{lo, lo + 1 + rng.IntN(n-lo)}
		if step%3 == 0 {
			s = span{0, n}
		}
		b, v := bufs[i].Slice(s.lo, s.hi-s.lo), want[i][s.lo:s.hi]
		before := len(e.spare)
		switch rng.IntN(4) {
		case 0:
			for k := range v {
				v[k] = float32(step*1000 + k%977)
			}
			e.Write(b, v)
			known[i].add(s)
		case 1:
			clear(v)
			e.Zero(b)
			known[i].add(s)
		case 2:
			e.Discard(b)
			known[i].cut(s)
		case 3:
			if !known[i].covers(s) {
				continue
			}
			x := random(e, b.Len)
			for k, add := range read(e, x) {
				v[k] += add
			}
			e.Add(b, b, x)
		}
		moved += max(0, before-len(e.spare))
		for _, s := range known[i] {
			if got := read(e, bufs[i].Slice(s.lo, s.hi-s.lo)); !slices.Equal(got, want[i][s.lo:s.hi]) {
				t.Fatalf("step %d: buffer %d differs within %v", step, i, s)
			}
		}
	}
	if len(bufs[0].Mem.(*memory).pages) > 0 && moved < 20 {
		t.Errorf("%d pages moved", moved)
	}
}

// A product that adds to what was cleared has the sum alone, in either precision,
// and with its neighbours untouched.
func TestAddToCleared(t *testing.T) {
	const rows, cols, depth = 1100, 1000, 30
	for _, bf16 := range []bool{false, true} {
		e := open(t, Options{BF16: bf16})
		a, b, c := random(e, rows*depth), random(e, depth*cols), e.Alloc(rows*cols+2*pageSize, backend.Scratch)
		dst, fresh := c.Slice(pageSize, rows*cols), e.Alloc(rows*cols, backend.Scratch)
		s := backend.Mat{M: rows, N: cols, K: depth}
		e.MatMul(fresh, a, b, s)
		s.Add = true
		for range 2 {
			e.Write(c, read(e, random(e, c.Len)))
			e.Zero(dst)
			before := read(e, c.Slice(0, pageSize))
			e.MatMul(dst, a, b, s)
			if !slices.Equal(read(e, dst), read(e, fresh)) {
				t.Fatalf("bf16=%t: the sum differs", bf16)
			}
			if !slices.Equal(read(e, c.Slice(0, pageSize)), before) {
				t.Fatalf("bf16=%t: what is before it changed", bf16)
			}
		}
	}
}

func TestSpans(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	var s spans
	in := make([]bool, 60)
	for range 2000 {
		x := span{rng.IntN(len(in)), rng.IntN(len(in) + 1)}
		all, had := x.hi > x.lo, 0
		for i := x.lo; i < x.hi; i++ {
			all = all && in[i]
			if in[i] {
				had++
			}
		}
		if x.hi > x.lo && s.covers(x) != all {
			t.Fatalf("%v covers %v: %t", s, x, !all)
		}
		add := rng.IntN(2) == 0
		if add {
			s.add(x)
		} else {
			for _, part := range s.cut(x) {
				had -= part.hi - part.lo
			}
			if had != 0 {
				t.Fatalf("%v was cut out of %v wrongly", x, s)
			}
		}
		for i := x.lo; i < x.hi; i++ {
			in[i] = add
		}
		for i, want := range in {
			if s.covers(span{i, i + 1}) != want {
				t.Fatalf("%v has %d: %t", s, i, !want)
			}
		}
		for i := 1; i < len(s); i++ {
			if s[i].lo <= s[i-1].hi {
				t.Fatalf("%v are not apart", s)
			}
		}
	}
}
