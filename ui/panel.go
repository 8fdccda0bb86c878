package ui

import (
	"strings"
)

// A panel is a short list that stands on the lower rule of the photos: what the
// sheet can be sorted by, the jobs, what a word can be completed to. The photos
// above it stay, so that what is chosen there is seen at once.
type panel struct {
	title string
	lines []string // painted, each of the width of the screen
	foot  string   // for the rule below, what the keys do
}

// putPanel puts a panel over the lower lines of the body, whose last one is the
// rule. What has no room is cut at its end.
func (m *root) putPanel(s panel, body []string) {
	w, last := m.lay.w, len(body)-1
	n := max(0, min(len(s.lines), last-1))
	body[last-n-1] = m.caption(s.title, "", w)
	copy(body[last-n:], s.lines[:n])
	body[last] = m.caption(s.foot, "", w)
}

// caption is a rule with a word near its beginning, and one near its end.
func (m *root) caption(word, end string, w int) string {
	t := m.theme
	var l line
	l.add(t.rule, "─")
	if word != "" {
		l.add("", " ").add(t.quiet, clip(word, w-4)).add("", " ")
	}
	tail := 0
	if end != "" && l.cells+width(end)+5 < w {
		tail = width(end) + 3
	}
	l.add(t.rule, strings.Repeat("─", max(0, w-l.cells-tail)))
	if tail > 0 {
		l.add("", " ").add(t.quiet, end).add("", " ").add(t.rule, "─")
	}
	return l.fit(w)
}
