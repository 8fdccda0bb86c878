package ui

import (
	"strings"

	tea "charm.land/bubbletea/v2"
)

// overlay is what stands in front of the photos and has the keys: a page in
// place of all, a list in place of the sheet, or a panel.
type overlay uint8

const (
	overlayNone overlay = iota
	overlayKeys
	overlayProblems
	overlayFolders
	overlaySort
	overlayJobs
	overlayTrain    // what is to be learned
	overlayTraining // how it is learned
)

// isPage reports whether the overlay is a page of lines.
func (o overlay) isPage() bool {
	return o == overlayKeys || o == overlayProblems || o == overlayTraining
}

func (m *root) toggleOverlay(o overlay) tea.Cmd {
	if m.overlay == o {
		o = overlayNone
	}
	m.overlay, m.overlayTop, m.overlayAt = o, 0, 0
	if o == overlayProblems {
		return m.lookAgain()
	}
	return nil
}

// overlayKey gives a key to the overlay and reports whether that has a use for
// it; the others mean what they always mean, after the overlay is closed.
func (m *root) overlayKey(msg tea.KeyPressMsg) (tea.Cmd, bool) {
	if m.overlay == overlayTraining {
		return m.trainingKey(msg.String())
	}
	if do, ok := byKey[keyIn{m.overlay, msg.String()}]; ok {
		return do(m), true
	}
	switch m.overlay {
	case overlayFolders:
		if msg.String() == "ctrl+c" || msg.String() == "ctrl+z" {
			return nil, false
		}
		return nil, m.foldersKey(msg)
	case overlaySort:
		return nil, m.choiceKey(msg.String())
	case overlayJobs:
		return nil, m.jobsKey(msg.String())
	case overlayTrain:
		if m.trainKey(msg.String()) {
			return nil, true
		}
	}
	return nil, m.pageKey(msg.String())
}

// pageKey takes the keys that a page has a use for.
func (m *root) pageKey(key string) bool {
	switch key {
	case "up", "k":
		m.overlayTop = max(0, m.overlayTop-1)
	case "down", "j":
		m.overlayTop++
	case "pgup", "ctrl+b":
		m.overlayTop = max(0, m.overlayTop-10)
	case "pgdown", "ctrl+f", "space":
		m.overlayTop += 10
	case "home", "g":
		m.overlayTop = 0
	case "esc", "enter":
		m.overlay = overlayNone
	case "q", "ctrl+c", "ctrl+z", "?", "!":
		return false
	default:
		m.overlay = overlayNone
		return false
	}
	return true
}

// page returns all lines of the overlay that is open.
func (m *root) page() []string {
	switch m.overlay {
	case overlayProblems:
		return m.problemsPage(m.lay.w)
	case overlayTraining:
		return m.trainPage(m.lay.w, m.lay.h-4)
	}
	return m.keysPage(m.lay.w)
}

// overlayLines draws the page and the rule below it, which says how much of
// it is not on screen.
func (m *root) overlayLines() []string {
	w, h, page := m.lay.w, m.lay.h-4, m.page()
	if m.overlay == overlayTraining {
		return m.trainLines(page)
	}
	lines := make([]string, h, h+1)
	for i := range lines {
		var l line
		if j := m.overlayTop + i; j < len(page) {
			l.raw(page[j], width(page[j]))
		}
		lines[i] = l.fit(w)
	}
	var rule line
	if hidden := len(page) - m.overlayTop - h; hidden > 0 {
		rule.add(m.theme.rule, "─ ").add(m.theme.quiet, "↓ "+plural(hidden, "line")+" more").add("", " ")
	}
	rule.add(m.theme.rule, strings.Repeat("─", w-rule.cells))
	return append(lines, rule.fit(w))
}

// keysPage lists the key table, in two columns where there is room.
func (m *root) keysPage(w int) []string {
	if w < 110 {
		var all []string
		for _, g := range groups {
			all = append(all, m.keyGroup(g, w)...)
		}
		return all
	}
	half := w / 2
	var a, b []string
	for _, g := range groups {
		if len(a) <= len(b) {
			a = append(a, m.keyGroup(g, half)...)
		} else {
			b = append(b, m.keyGroup(g, w-half)...)
		}
	}
	lines := make([]string, max(len(a), len(b)))
	for i := range lines {
		var l line
		if i < len(a) {
			l.raw(a[i], half)
		}
		l.to(half)
		if i < len(b) {
			l.raw(b[i], w-half)
		}
		lines[i] = l.fit(w)
	}
	return lines
}

// keyGroup lists one group of the table: a heading, its rows, an empty line.
func (m *root) keyGroup(group string, w int) []string {
	var head line
	head.add("", "  ").add(m.theme.strong, group)
	lines := []string{head.fit(w)}
	for _, a := range actions {
		if a.Group != group {
			continue
		}
		var l line
		l.add("", "  ").add(m.theme.accent, left(a.Label(), 18)).add("", clip(a.Help, w-21))
		lines = append(lines, l.fit(w))
	}
	return append(lines, spaces(w))
}

// mostReasons bounds the page of problems.
const mostReasons = 500

// problemsPage lists what could not be read or saved, and why.
func (m *root) problemsPage(w int) []string {
	var reasons []string
	if m.loadErr != nil {
		reasons = append(reasons, m.loadErr.Error())
	}
	if m.scanErr != nil {
		reasons = append(reasons, m.scanErr.Error())
	}
	for _, err := range m.notices {
		reasons = append(reasons, err.Error())
	}
	n := len(reasons) + len(m.skipped) + m.progress.Failed
	for _, s := range m.skipped[:min(len(m.skipped), mostReasons)] {
		reasons = append(reasons, s.Err.Error())
	}
	for _, err := range m.failed {
		reasons = append(reasons, err.Error())
	}
	var lines []string
	if err := m.labels.saveErr; err != nil {
		lines = append(m.problems("Labels not saved; the next change, or quitting, tries again", []string{err.Error()}, w), spaces(w))
	}
	shown := reasons[:min(len(reasons), mostReasons)]
	lines = append(lines, m.problems("Could not be read: "+count(n), shown, w)...)
	if n > len(shown) && len(shown) == mostReasons {
		lines = append(lines, left("  … "+count(n-len(shown))+" more; sigla index --status lists all", w))
	}
	if s := m.leftOut.String(); s != "" {
		lines = append(lines, spaces(w))
		for _, s := range wrap("Left out: "+s, w-4) {
			var l line
			l.add("", "  ").add(m.theme.quiet, s)
			lines = append(lines, l.fit(w))
		}
	}
	return lines
}

// problems lists reasons below a heading.
func (m *root) problems(heading string, reasons []string, w int) []string {
	var head line
	head.add("", "  ").add(m.theme.strong, clip(heading, w-2))
	lines := []string{head.fit(w), spaces(w)}
	for _, r := range reasons {
		for i, s := range wrap(clean(r), w-6) {
			var l line
			sign := "✗ "
			if i > 0 {
				sign = "  "
			}
			l.add("", "  ").add(m.theme.warn, sign).add("", s)
			lines = append(lines, l.fit(w))
		}
	}
	return lines
}
