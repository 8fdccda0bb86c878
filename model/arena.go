package model

import "sigla/backend"

// slab is the size of one allocation for activations: 16 Mi values are 64 MiB,
// half of what any GL binds at once.
const slab = 16 << 20

// An arena hands out scratch memory front to back. Memory is never given back
// to the engine: a later batch takes the same slabs again.
type arena struct {
	e     backend.Backend
	slabs []buf
	at    mark
}

// A mark is a position in an arena.
type mark struct{ slab, off int }

// take returns n values that hold whatever was there before.
func (a *arena) take(n int) buf {
	for ; a.at.slab < len(a.slabs); a.at = (mark{a.at.slab + 1, 0}) {
		if s := a.slabs[a.at.slab]; a.at.off+n <= s.Len {
			b := s.Slice(a.at.off, n)
			a.at.off += aligned(n)
			return b
		}
	}
	// The first slab of a small model is small; later ones double.
	size := 1 << 18
	if len(a.slabs) > 0 {
		size = min(2*a.slabs[len(a.slabs)-1].Len, slab)
	}
	a.slabs = append(a.slabs, a.e.Alloc(max(size, aligned(n)), backend.Scratch))
	a.at = mark{len(a.slabs) - 1, aligned(n)}
	return a.slabs[a.at.slab].Slice(0, n)
}

// release frees everything taken since m.
func (a *arena) release(m mark) { a.at = m }

// between returns what was taken since from and before to, in pieces as large
// as slabs allow.
func (a *arena) between(from, to mark) (parts []buf) {
	for i := from.slab; i <= to.slab && i < len(a.slabs); i++ {
		first, end := 0, a.slabs[i].Len
		if i == from.slab {
			first = min(from.off, end)
		}
		if i == to.slab {
			end = min(to.off, end)
		}
		if end > first {
			parts = append(parts, a.slabs[i].Slice(first, end-first))
		}
	}
	return parts
}
