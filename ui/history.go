package ui

import (
	"context"
	"slices"

	tea "charm.land/bubbletea/v2"
)

// history is what was entered before, oldest first, and how far up one has
// gone: 0 is the line that is being typed.
type history struct {
	lines []string
	up    int
	typed string // the line that was being typed
}

// add keeps a line as the newest, once.
func (h *history) add(line string) {
	h.lines = append(slices.DeleteFunc(h.lines, func(old string) bool { return old == line }), line)
	h.up = 0
}

// move goes up the history by n from the line shown, and returns what is there.
func (h *history) move(shown string, n int) string {
	if h.up == 0 {
		h.typed = shown
	}
	h.up = max(0, min(h.up+n, len(h.lines)))
	if h.up == 0 {
		return h.typed
	}
	return h.lines[len(h.lines)-h.up]
}

// remember adds a line to what was searched for, here and for the next start.
func (m *root) remember(line string) tea.Cmd {
	m.searched.add(line)
	keep := m.o.Remember
	if keep == nil {
		return nil
	}
	return m.work.command(func(context.Context) tea.Msg { return rememberMsg{keep(line)} })
}

// rememberMsg says how keeping a line of the history went.
type rememberMsg struct{ err error }

// remembered says once that the history cannot be kept.
func (m *root) remembered(msg rememberMsg) {
	if msg.err != nil {
		m.o.Remember = nil
		m.warn(msg.err)
	}
}
