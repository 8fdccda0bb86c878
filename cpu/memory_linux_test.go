package cpu

import "testing"

// What is cleared is 0, whole pages and ends, and nothing beside it changes.
func TestZeroOfPages(t *testing.T) {
	e := open(t, Options{})
	const n = 4 * hugePage / 4 // values, of which some pages are not whole
	all := e.Alloc(n, 1)
	ones := make([]float32, n)
	for i := range ones {
		ones[i] = 1
	}
	for _, d := range [][2]int{{0, n}, {1, n - 1}, {77, n - 500}, {hugePage / 4, hugePage / 2}, {5, 9}, {100, hugePage / 4}} {
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

// Whole pages go back to the system and come again cleared.
func TestVacate(t *testing.T) {
	x := make([]float32, 4*hugePage/4)
	for i := range x {
		x[i] = 1
	}
	left := vacate(x)
	cleared := len(x) - len(left[0]) - len(left[1])
	if cleared < len(x)/2 {
		t.Errorf("%d of %d values went back to the system", cleared, len(x))
	}
	for i, v := range x[len(left[0]) : len(left[0])+cleared] {
		if v != 0 {
			t.Fatalf("element %d is %g", i, v)
		}
	}
	if small := x[:100]; len(vacate(small)[0]) != len(small) {
		t.Error("a page that is not whole went back")
	}
}
