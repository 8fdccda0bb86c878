package cpu

import "runtime"

// A view is a matrix inside a slice: element (i, j) is at data[i·row + j·col].
// One of row and col is 1.
type view struct {
	data     []float32
	row, col int
}

// from is the view that begins at element (i, j).
func (v view) from(i, j int) view { return view{v.data[i*v.row+j*v.col:], v.row, v.col} }

// t is the transposed view.
func (v view) t() view { return view{v.data, v.col, v.row} }

// A product is c[m, n] = a[m, k]·b[k, n] (+ c) (+ bias), limited to 0 … 6 if
// clamp is set.
type product struct {
	m, n, k int
	a, b, c view      // c.col is 1
	bias    []float32 // [n] or nil
	add     bool
	clamp   bool
}

// slack is how much a packing may write beyond what it was asked for.
const slack = 16

// multiply computes p on one thread.
//
// The loops are those of Goto and van de Geijn (2008), with one change: a is
// read in place unless it is crowded, since a tile can follow any stride and a
// product with few columns would not earn the copying back. The blocks of k
// depend on k alone, so an element's value depends neither on m and n nor on
// its place.
func (e *Engine) multiply(s *scratch, p product) {
	k := e.kern
	for j := 0; j < p.n; j += k.blockN {
		q := p
		q.n = min(k.blockN, p.n-j)
		q.b, q.c = p.b.from(0, j), p.c.from(0, j)
		if p.bias != nil {
			q.bias = p.bias[j : j+q.n]
		}
		depth := k.depth(p.k)
		for i := 0; i < p.k; i += depth {
			q.clamp = p.clamp && i+depth >= p.k
			e.multiplyBlock(s, q, i, min(depth, p.k-i))
			q.bias, q.add = nil, true
		}
	}
}

// depth cuts k into equal blocks of at most blockK.
func (k *kernels) depth(n int) int {
	return (ceil(n, ceil(n, k.blockK)) + 3) &^ 3
}

// multiplyBlock computes p with only the rows k0 … k0+depth−1 of b.
func (e *Engine) multiplyBlock(s *scratch, p product, k0, depth int) {
	k := e.kern
	full, cols := k.full().rows, k.full().cols
	b, rsb, panel := e.columns(s, p, k0, depth)
	// call computes tiles from row i of c on, each with rows rows.
	call := func(a *float32, rsa, csa, tsa, i, tiles, rows int) {
		for j := 0; j < p.n; j += cols {
			n := min(cols, p.n-j)
			var bias *float32
			if p.bias != nil {
				bias = &p.bias[j]
			}
			k.fit(rows, n).run(a, &b[j/cols*panel], &p.c.data[i*p.c.row+j], bias,
				rsa, csa, tsa, rsb, p.c.row, depth, tiles, rows, n, p.add, p.clamp)
		}
		s.yield(tiles*rows*p.n*depth, k.slice)
	}
	below := p.m / full * full
	for i := 0; i < below; i += k.blockM {
		tiles := min(k.blockM, below-i) / full
		a := p.a.from(i, k0)
		if crowded(a) && p.n >= packFrom*cols {
			call(&e.packTiles(s, a, tiles, depth)[0], 1, full, full*depth+slack, i, tiles, full)
		} else {
			call(&a.data[0], a.row, a.col, full*a.row, i, tiles, full)
		}
	}
	if rows := p.m - below; rows > 0 {
		width := k.fit(rows, 1).rows
		s.a = grow(s.a, width*depth+slack)
		e.pack(s, s.a, p.a.from(below, k0), rows, depth, width)
		call(&s.a[0], 1, width, 0, below, 1, rows)
	}
}

// packFrom is how many panels of b must use a packed a to pay for it.
const packFrom = 4

// crowded reports whether the rows of a lie so far apart that a tile's would
// push each other out of the first cache (2 KiB or a multiple: at most two
// sets are theirs), or whether a's columns are what is contiguous.
func crowded(a view) bool { return a.row == 1 || a.row%512 == 0 }

// columns returns the panels of b, panel apart, each with rsb from row to row.
func (e *Engine) columns(s *scratch, p product, k0, depth int) (b []float32, rsb, panel int) {
	k := e.kern
	cols := k.full().cols
	if p.m <= k.full().rows && p.b.col == 1 && p.n%cols == 0 {
		return p.b.data[k0*p.b.row:], p.b.row, cols // each is used once
	}
	s.b = grow(s.b, k.blockN*k.blockK+slack)
	for j := 0; j < p.n; j += cols {
		e.pack(s, s.b[j*depth:], p.b.from(k0, j).t(), min(cols, p.n-j), depth, cols)
	}
	return s.b, cols, cols * depth
}

// packTiles packs tiles of a, each slack behind the one before.
func (e *Engine) packTiles(s *scratch, a view, tiles, depth int) []float32 {
	rows := e.kern.full().rows
	size := rows*depth + slack
	s.a = grow(s.a, tiles*size)
	step := depth
	if a.row == 1 {
		step = 32 // columns of a, each in pages of its own, to be read for all tiles
	}
	for k0 := 0; k0 < depth; k0 += step {
		for t := range tiles {
			e.pack(s, s.a[t*size+k0*rows:], a.from(t*rows, k0), rows, min(step, depth-k0), rows)
		}
	}
	return s.a
}

// pack lays rows × depth elements of x into a panel whose element (i, p) is at
// panel[p·width + i]. Elements of rows ≤ i < width are anything: tiles compute
// with them and do not store what comes out.
func (e *Engine) pack(s *scratch, panel []float32, x view, rows, depth, width int) {
	k := e.kern
	if x.row == 1 {
		k.gather(&panel[0], &x.data[0], rows, width, x.col, depth)
		return
	}
	for i := 0; i < rows; i += k.lanes {
		src, ld := x.data[i*x.row:], x.row
		n := min(k.lanes, rows-i)
		if len(src) < (k.lanes-1)*ld+depth {
			// transpose would read past the last row.
			s.rows = grow(s.rows, k.lanes*k.blockK)
			for r := range n {
				copy(s.rows[r*depth:][:depth], src[r*ld:])
			}
			src, ld = s.rows, depth
		}
		fours := depth &^ 3
		if fours > 0 {
			k.transpose(&panel[i], &src[0], width, ld, fours)
		}
		for p := fours; p < depth; p++ {
			for r := range n {
				panel[p*width+i+r] = src[r*ld+p]
			}
		}
	}
}

// yield counts multiply-adds and offers the processor to other goroutines
// when slice is full.
func (s *scratch) yield(adds, slice int) {
	if s.adds += adds; s.adds >= slice {
		s.adds = 0
		runtime.Gosched()
	}
}
