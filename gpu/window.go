//go:build gpu && cgo && (linux || windows)

package gpu

import "sigla/backend"

// room is how many values a binding may have, wherever it begins.
func (e *engine) room() int { return (e.limits.Binding - e.limits.Alignment) / 4 }

// fit is how many rows of so many values a binding may have, at least one; a multiple
// of four, if so many, so that all parts of a buffer begin at a multiple of four
// values if the buffer does.
func (e *engine) fit(width int) int {
	if n := e.room() / width; n < 4 {
		return max(1, n)
	} else {
		return n &^ 3
	}
}

// rows calls f for parts of n rows, none of which has more than width values in any
// binding: as few as the device's bindings allow. A row that is larger is an error of
// the kernel.
func (e *engine) rows(n, width int, f func(first, count int)) {
	most := e.fit(width)
	for i := 0; i < n; i += most {
		f(i, min(most, n-i))
	}
}

// shift has the kernel bind no more of a buffer than n values from the i-th on.
func (k *kernel) shift(binding, i, n int) {
	k.bufs[binding] = k.bufs[binding].Slice(i, n)
	k.before[binding] = i
}

// A window is a part of a product's result.
type window struct{ row, rows, col, cols int }

// windows calls f for parts of a product of so many parts of k, none of which has more
// than so many rows, or more values of a matrix than a binding may have.
func (e *engine) windows(s backend.Mat, parts, rows int, f func(w window)) {
	cols := s.N
	if parts == 1 {
		rows = min(rows, e.lines(s.N))
	}
	if !s.TransA {
		rows = min(rows, e.lines(s.K))
	}
	if s.TransB {
		cols = min(cols, e.lines(s.K))
	}
	for r := 0; r < s.M; r += rows {
		for c := 0; c < s.N; c += cols {
			f(window{r, min(rows, s.M-r), c, min(cols, s.N-c)})
		}
	}
}

// deep is how many k of a product go into a dispatch at most, of the matrices that
// have a row for each k.
func (e *engine) deep(s backend.Mat) int {
	most := s.K
	if s.TransA {
		most = min(most, e.lines(s.M))
	}
	if !s.TransB {
		most = min(most, e.lines(s.N))
	}
	return most
}

// lines is fit for a product, which takes rows by four.
func (e *engine) lines(width int) int { return max(4, e.fit(width)) }
