package gallery

import (
	"math"

	"sigla/gallery/catalog"
)

// rows holds the vectors of the ready photos, in the order they became ready:
// in full precision, or all of them in half precision as the catalog keeps
// them, so that a photo has one cosine whether it was embedded now or earlier.
// Those that the catalog has lie in its mapped files.
//
// A row is never changed once it is there, so a part of the rows can be read
// without a lock while further ones are added.
type rows struct {
	halved  bool
	dim     int         // values of a vector; 0 until there is one
	ids     []int       // by row, as are the others
	full    [][]float32 // none if halved
	half    [][]uint16  // none unless halved
	inverse []float32   // what makes the row one of length 1
}

// A halved is a vector in half precision, whose length is not exactly 1.
type halved struct {
	values  []uint16
	inverse float32 // 1 over its length
}

// halve rounds a unit vector.
func halve(v []float32) halved {
	values := make([]uint16, len(v))
	catalog.Narrow(values, v)
	h, _ := measure(values)
	return h
}

// measure returns a vector with its length; false if that is not about 1.
func measure(values []uint16) (halved, bool) {
	n := catalog.Norm(values)
	return halved{values, float32(1 / n)}, math.Abs(n*n-1) < unitError
}

// fits reports whether a vector has as many values as the others.
func (r *rows) fits(n int) bool {
	if r.dim == 0 {
		r.dim = n
	}
	return r.dim == n
}

// repeat adds a row that is there already.
func (r *rows) repeat(id, row int) {
	if r.halved {
		r.addHalved(id, halved{r.half[row], r.inverse[row]})
		return
	}
	r.full = append(r.full, r.full[row])
	r.ids, r.inverse = append(r.ids, id), append(r.inverse, 1)
}

// add adds a unit vector, which is copied.
func (r *rows) add(id int, v []float32) {
	if r.halved {
		r.addHalved(id, halve(v))
		return
	}
	r.full = append(r.full, append([]float32(nil), v...))
	r.ids, r.inverse = append(r.ids, id), append(r.inverse, 1)
}

// addHalved adds a vector that is in half precision already, without a copy.
func (r *rows) addHalved(id int, h halved) {
	r.half = append(r.half, h.values)
	r.ids, r.inverse = append(r.ids, id), append(r.inverse, h.inverse)
}

// part returns the rows lo to hi.
func (r rows) part(lo, hi int) rows {
	r.ids, r.inverse = r.ids[lo:hi:hi], r.inverse[lo:hi:hi]
	if r.halved {
		r.half = r.half[lo:hi:hi]
	} else {
		r.full = r.full[lo:hi:hi]
	}
	return r
}

// A view is the rows from some number on as they were at one moment, and what
// multiplies them. It is to be released: the catalog stays open until then.
type view struct {
	rows
	start   int      // number of the first
	before  []int    // IDs of those before it
	dead    deadRows // by number
	scanner Scanner
	g       *Gallery
}

// view returns the rows from number start on; none once the gallery is closed.
func (g *Gallery) view(start int) view {
	g.reading.RLock()
	g.mu.RLock()
	defer g.mu.RUnlock()
	v := view{rows: rows{halved: g.rows.halved, dim: g.rows.dim}, start: start, scanner: g.scanner, g: g}
	if !g.closed {
		v.rows, v.before, v.dead = g.rows.part(start, len(g.rows.ids)), g.rows.ids[:start:start], g.shareDead()
	}
	return v
}

// live reports whether row i of the view is that of a photo.
func (v view) live(i int) bool { return !v.dead.has(v.start + i) }

// pick makes to the live rows from lo to hi whose photos keep wants (nil: all).
func (v view) pick(to *rows, lo, hi int, keep func(id int) bool) {
	to.halved, to.dim = v.halved, v.dim
	to.ids, to.inverse, to.full, to.half = to.ids[:0], to.inverse[:0], to.full[:0], to.half[:0]
	for i := lo; i < hi; i++ {
		if !v.live(i) || keep != nil && !keep(v.ids[i]) {
			continue
		}
		to.ids, to.inverse = append(to.ids, v.ids[i]), append(to.inverse, v.inverse[i])
		if v.halved {
			to.half = append(to.half, v.half[i])
		} else {
			to.full = append(to.full, v.full[i])
		}
	}
}

func (v view) release() { v.g.reading.RUnlock() }

// cosines sets dst[i·len(queries)+j] to the cosine of row i and query j. Where
// mapped memory is gone they are 0.
func (v view) cosines(r rows, dst []float32, queries [][]float32) {
	v.guard(func() {
		if r.halved {
			v.scanner.ScanHalf(dst, queries, r.half)
		} else {
			v.scanner.Scan(dst, queries, r.full)
		}
	}, dst)
	for i, inverse := range r.inverse {
		for j := range queries {
			dst[i*len(queries)+j] *= inverse
		}
	}
}

// vector returns a copy of row i, of length 1; 0 if mapped memory is gone.
func (v view) vector(i int) []float32 {
	x := make([]float32, v.dim)
	if !v.halved {
		copy(x, v.full[i])
		return x
	}
	v.guard(func() { catalog.Widen(x, v.half[i]) }, x)
	for k := range x {
		x[k] *= v.inverse[i]
	}
	return x
}

// guard has read write dst. Where mapped memory is gone, because another
// program has shortened the file or the disk failed, dst is 0, and the
// catalog's error tells.
func (v view) guard(read func(), dst []float32) {
	if err := catalog.Guard(read); err != nil {
		clear(dst)
		v.g.mu.Lock()
		defer v.g.mu.Unlock()
		if v.g.keep.err == nil {
			v.g.keep.err = err
		}
	}
}

// Vector returns the vector of a photo, of length 1; nil if it is not Ready or
// the gallery is closed. It is the caller's.
func (g *Gallery) Vector(id int) []float32 {
	g.mu.RLock()
	s := g.slots[id]
	g.mu.RUnlock()
	v := g.view(0)
	defer v.release()
	if s.State != Ready || len(v.ids) == 0 {
		return nil
	}
	return v.vector(s.row)
}
