package ui

import (
	"slices"

	tea "charm.land/bubbletea/v2"

	"sigla/gallery"
)

// marks are the photos that keys act on together. They stay what they are while
// the sheet shows others. A photo is a bit: all of 100,000 are marked in the time
// of a few hundred words.
type marks struct {
	bits []uint64 // by ID
	n    int
	from int // ID of the photo that a range began with
	open bool
}

func (s *marks) has(id int) bool { return id/64 < len(s.bits) && s.bits[id/64]>>(id%64)&1 != 0 }

func (s *marks) set(id int, on bool) {
	if s.has(id) == on {
		return
	}
	for id/64 >= len(s.bits) {
		s.bits = append(s.bits, 0)
	}
	s.bits[id/64] ^= 1 << (id % 64)
	if on {
		s.n++
	} else {
		s.n--
	}
}

// ids are the marked photos, in the order of their IDs.
func (s *marks) ids() []int {
	list := make([]int, 0, s.n)
	for word, bits := range s.bits {
		for i := 0; bits>>i != 0; i++ {
			if bits>>i&1 != 0 {
				list = append(list, 64*word+i)
			}
		}
	}
	return list
}

// spanned is the range that runs: from where it began to the chosen photo.
func (m *root) spanned() (first, last int, ok bool) {
	if !m.marks.open {
		return 0, 0, false
	}
	at := m.list.place(m.marks.from)
	if at < 0 || at >= m.shown() {
		return m.cursor, m.cursor, true // it is not listed any more
	}
	return min(at, m.cursor), max(at, m.cursor), true
}

// marked reports whether the photo at a position is, by itself or by the range.
func (m *root) marked(position int) bool {
	first, last, ok := m.spanned()
	return ok && first <= position && position <= last || m.marks.has(m.photo(position))
}

// markSpan marks the photos at two positions and between them.
func (m *root) markSpan(a, b int) {
	for position := max(0, min(a, b)); position <= max(a, b) && position < m.shown(); position++ {
		m.marks.set(m.photo(position), true)
	}
}

// endRange marks what the range has.
func (m *root) endRange() {
	if first, last, ok := m.spanned(); ok {
		m.marks.open = false
		m.markSpan(first, last)
	}
}

// toggleMark marks the chosen photo, or not, and goes to the next; a range that
// runs it ends.
func (m *root) toggleMark() tea.Cmd {
	switch {
	case m.shown() == 0:
	case m.marks.open:
		m.endRange()
	default:
		id := m.photo(m.cursor)
		m.marks.set(id, !m.marks.has(id))
		m.cursor++
	}
	return nil
}

// toggleRange begins a range at the chosen photo, or ends it here.
func (m *root) toggleRange() tea.Cmd {
	switch {
	case m.marks.open:
		m.endRange()
	case m.shown() > 0:
		m.marks.open, m.marks.from = true, m.photo(m.cursor)
		m.say("a range begins: move to its other end; " + keyOf("range") + " or " + keySigns[keyOf("mark")] + " ends it, Esc drops it")
	}
	return nil
}

// markTo moves and marks what that passes.
func (m *root) markTo(move func(*root, int) tea.Cmd, n int) tea.Cmd {
	if m.shown() == 0 {
		return nil
	}
	m.focus = onPhotos
	before := m.cursor
	cmd := move(m, n)
	m.cursor = max(0, min(m.cursor, m.shown()-1))
	m.markSpan(before, m.cursor)
	return cmd
}

// markAll marks all photos of the sheet; if they are already, none.
func (m *root) markAll() tea.Cmd {
	m.endRange()
	before := m.marks.n
	m.markSpan(0, m.shown()-1)
	if m.marks.n == before {
		for position := range m.shown() {
			m.marks.set(m.photo(position), false)
		}
	}
	return nil
}

// invertMarks marks those photos of the sheet that are not, and only those.
func (m *root) invertMarks() tea.Cmd {
	m.endRange()
	for position := range m.shown() {
		id := m.photo(position)
		m.marks.set(id, !m.marks.has(id))
	}
	return nil
}

// dropMarks takes back the range that runs, or else all marks; false if there
// are none.
func (m *root) dropMarks() bool {
	switch {
	case m.marks.open:
		m.marks.open = false
	case m.marks.n > 0:
		m.marks = marks{}
	default:
		return false
	}
	return true
}

// targets are the photos that a key acts on: the marked ones or, if there are
// none, the chosen one. Some may be gone; see present.
func (m *root) targets() []int {
	m.endRange()
	list := m.marks.ids()
	if it, ok := m.chosen(); ok && len(list) == 0 {
		list = []int{it.ID}
	}
	return list
}

// present returns those that are not gone. It asks the gallery, for commands.
func present(g *gallery.Gallery, ids []int) []int {
	return slices.DeleteFunc(slices.Clone(ids), func(id int) bool { return g.Photo(id).State == gallery.Gone })
}

// markWords says how many photos are marked; "" if none are.
func (m *root) markWords() string {
	n := m.marks.n
	if first, last, ok := m.spanned(); ok {
		for position := first; position <= last && position < first+maxCounted; position++ {
			if !m.marks.has(m.photo(position)) {
				n++
			}
		}
		if last-first >= maxCounted {
			return "range of " + count(last-first+1)
		}
	}
	if n == 0 {
		return ""
	}
	return count(n) + " marked"
}

// maxCounted is the longest range whose photos are looked at for every repaint.
const maxCounted = 5000
