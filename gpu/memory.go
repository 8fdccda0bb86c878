//go:build gpu && cgo && (linux || windows)

package gpu

import (
	"fmt"
	"slices"

	"sigla/gpu/gl"
)

// memory is what Buf.Mem points to. All but packed is the device's goroutine's.
type memory struct {
	packed bool // two values a word, see storage.go
	weight bool // may be away, to make room
	bytes  int

	id    uint32 // 0: it is not in the device's memory
	dirty bool   // host is older than what is there
	host  []byte // what it holds while it is away; nil: zeros
	used  uint64 // when, by the device's clock
}

// A store is the device's memory.
type store struct {
	budget int // bytes; 0: as much as the driver gives
	held   int
	most   int // that was held at once
	all    []*memory
	clock  uint64 // counts kernels and other uses
}

// begin is the begin of a use: what is placed from here on has to be there at the
// same time.
func (s *store) begin() { s.clock++ }

// place has m in the device's memory, and weights that were not used for longest
// out of it where there is no room. writes says that m is to be changed.
func (s *store) place(m *memory, writes bool) error {
	m.used = s.clock
	m.dirty = m.dirty || writes
	if m.id != 0 {
		return nil
	}
	for s.budget > 0 && s.held+m.bytes > s.budget {
		if !s.evict() {
			return fmt.Errorf("%d MiB are needed at once, its budget is %d MiB", (s.held+m.bytes)>>20, s.budget>>20)
		}
	}
	if m.host != nil {
		m.id = gl.NewBufferOf(m.host)
	} else {
		m.id = gl.NewBuffer(m.bytes)
	}
	s.held += m.bytes
	s.most = max(s.most, s.held)
	return nil
}

// evict takes the weights out that were not used for longest, unless they are in
// use now. What the host has of them already is not read again.
func (s *store) evict() bool {
	var oldest *memory
	for _, m := range s.all {
		if m.weight && m.id != 0 && m.used < s.clock && (oldest == nil || m.used < oldest.used) {
			oldest = m
		}
	}
	if oldest == nil {
		return false
	}
	if oldest.dirty {
		if oldest.host == nil {
			oldest.host = make([]byte, oldest.bytes)
		}
		gl.Read(oldest.host, oldest.id, 0)
		oldest.dirty = false
	}
	gl.DeleteBuffer(oldest.id)
	oldest.id = 0
	s.held -= oldest.bytes
	return true
}

// add takes up a new memory, of zeros. Weights take no room until they are used.
func (s *store) add(m *memory) error {
	s.all = append(s.all, m)
	if m.weight {
		return nil
	}
	s.begin()
	return s.place(m, false)
}

// remove gives a memory back that no command will use any more.
func (s *store) remove(m *memory) {
	s.all = slices.DeleteFunc(s.all, func(x *memory) bool { return x == m })
	if m.id != 0 {
		gl.DeleteBuffer(m.id)
		m.id = 0
		s.held -= m.bytes
	}
}

// free gives all memory back.
func (s *store) free() {
	for _, m := range s.all {
		if m.id != 0 {
			gl.DeleteBuffer(m.id)
		}
	}
	s.all, s.held = nil, 0
}
