package cpu

import (
	"errors"

	"sigla/backend"
)

// Large memory is lent within the process. What was discarded or cleared keeps
// its pages until something else needs some: then they move there, without a
// copy, by remapping. Between the system and the process no page goes to and fro
// in a step of training, where the gradients of weights and the activations
// take turns; a page from the system costs as much as 40 reads of it.
//
// What was cleared is only known to be 0 until it is used, so that a product
// that adds to it writes it instead.

// memory is what Buf.Mem points to.
type memory struct {
	data  []float32
	pages []page // of pageSize elements from the first on; none if the memory is small
	blank spans  // what has to be cleared before it is read
}

// large reports whether memory is cleared when it is used and not before.
func (m *memory) large() bool { return len(m.data) >= 2*pageSize }

// A page is a part of memory that can be lent.
type page struct {
	state  uint8
	listed bool // among Engine.spare
}

const (
	bare  uint8 = iota // nothing is behind the addresses: the system gives zeros
	used               // it holds values
	spare              // what it holds is of no worth
)

// A spot is a page of a memory.
type spot struct {
	m *memory
	i int
}

// bounds are the elements of page i.
func (m *memory) bounds(i int) span { return span{i * pageSize, (i + 1) * pageSize} }

// touched calls visit for the pages that elements of s are in.
func (m *memory) touched(s span, visit func(i int)) {
	if s.hi <= s.lo {
		return
	}
	for i := s.lo / pageSize; i < len(m.pages) && m.bounds(i).lo < s.hi; i++ {
		visit(i)
	}
}

// claim puts pages behind the elements of s.
func (e *Engine) claim(m *memory, s span) {
	m.touched(s, func(i int) {
		p := &m.pages[i]
		if p.state == bare && !e.borrow(spot{m, i}) {
			m.blank.cut(m.bounds(i))
		}
		p.state = used
	})
}

// borrow moves a spare page to a bare one, and reports whether there was one.
func (e *Engine) borrow(to spot) bool {
	for n := len(e.spare); n > 0; n-- {
		from := e.spare[n-1]
		e.spare = e.spare[:n-1]
		p := &from.m.pages[from.i]
		p.listed = false
		if p.state != spare {
			continue
		}
		p.state = bare
		return move(to.m.data[to.m.bounds(to.i).lo:][:pageSize], from.m.data[from.m.bounds(from.i).lo:][:pageSize])
	}
	return false
}

// vacate says that what elements of m hold is of no worth.
func (e *Engine) vacate(m *memory, s span) {
	m.touched(s, func(i int) {
		b, p := m.bounds(i), &m.pages[i]
		if b.lo < s.lo || b.hi > s.hi || p.state != used {
			return
		}
		p.state = spare
		if !p.listed {
			p.listed = true
			e.spare = append(e.spare, spot{m, i})
		}
	})
}

// Alloc implements backend.Backend; the use makes no difference.
func (e *Engine) Alloc(n int, _ backend.Use) backend.Buf {
	return backend.Buf{Mem: newMemory(n), Len: n}
}

// Zero implements backend.Backend.
func (e *Engine) Zero(dst backend.Buf) {
	if m, s := at(dst); m.large() {
		e.finish(false)
		e.vacate(m, s)
		m.blank.add(s)
		return
	}
	e.clear(e.data(dst))
}

// Write implements backend.Backend. What is 0 and has to be 0 is left, as the
// moments of tokens that no text has had are.
func (e *Engine) Write(dst backend.Buf, src []float32) {
	backend.CheckWrite(dst, src)
	for lo := 0; lo < len(src); lo += chunk {
		part := src[lo:min(len(src), lo+chunk)]
		if b := dst.Slice(lo, len(part)); !e.blank(b) || !zeros(part) {
			copy(e.fill(b), part)
		}
	}
}

// Read implements backend.Backend. It fails only after Close.
func (e *Engine) Read(dst []float32, src backend.Buf) error {
	backend.CheckRead(dst, src)
	if e.closed {
		return errors.New("read from a closed cpu engine")
	}
	for lo := 0; lo < len(dst); lo += chunk {
		part := dst[lo:min(len(dst), lo+chunk)]
		if b := src.Slice(lo, len(part)); e.blank(b) {
			clear(part)
		} else {
			copy(part, e.data(b))
		}
	}
	return nil
}

// Capacity implements backend.Backend: larger batches gain no speed, and the memory is
// the system's.
func (e *Engine) Capacity() backend.Capacity { return backend.Capacity{} }

// Discard implements backend.Backend.
func (e *Engine) Discard(x backend.Buf) {
	e.finish(false)
	m, s := at(x)
	e.vacate(m, s)
}

// at is where b lies.
func at(b backend.Buf) (*memory, span) { return b.Mem.(*memory), span{b.Off, b.Off + b.Len} }

// data returns the elements of b, nil for the zero Buf, when all that was
// asked for is in them.
func (e *Engine) data(b backend.Buf) []float32 {
	e.finish(false)
	if b.Mem == nil {
		return nil
	}
	m, s := at(b)
	e.claim(m, s)
	for _, part := range m.blank.cut(s) {
		e.clear(m.data[part.lo:part.hi])
	}
	return m.data[s.lo:s.hi:s.hi]
}

// fill returns the elements of b for somebody who writes them all.
func (e *Engine) fill(b backend.Buf) []float32 {
	e.finish(false)
	m, s := at(b)
	e.claim(m, s)
	m.blank.cut(s)
	return m.data[s.lo:s.hi:s.hi]
}

// blank reports whether all of b was cleared and has not been used since.
func (e *Engine) blank(all ...backend.Buf) bool {
	e.finish(false)
	for _, b := range all {
		if m, s := at(b); !m.blank.covers(s) {
			return false
		}
	}
	return true
}
