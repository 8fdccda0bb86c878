package ui

import (
	"slices"

	tea "charm.land/bubbletea/v2"
)

// Moving about. Nothing here waits for anything: what is not there yet is
// drawn as such and asked for by fetch.

// moveBy moves by photos, whatever has the focus.
func (m *root) moveBy(n int) tea.Cmd {
	m.cursor += n
	return nil
}

// moveRows moves up or down: by rows of the sheet, by photos in the large
// view, by labels in the labels.
func (m *root) moveRows(n int) tea.Cmd {
	if m.focus == onLabels {
		m.chooseLabel(m.labelAt() + n)
		return nil
	}
	columns := max(1, m.lay.grid.cols)
	// In the last, shorter row down goes to the last photo, and at the edges
	// nothing moves sideways.
	if to := m.cursor + n*columns; to >= 0 && (to < m.shown() || m.cursor/columns < (m.shown()-1)/columns) {
		m.cursor = to
	}
	return nil
}

func (m *root) movePages(n int) tea.Cmd {
	if m.focus == onLabels {
		m.chooseLabel(m.labelAt() + n*max(1, m.lay.labelRows()))
		return nil
	}
	g := m.lay.grid
	if g.cols == 0 {
		m.cursor += 10 * n // the large view has no page
		return nil
	}
	m.top += n * g.rows
	m.cursor += n * g.rows * g.cols
	return nil
}

func (m *root) moveEnd(last bool) tea.Cmd {
	at := 0
	if last {
		at = max(m.shown(), len(m.labels.set.Labels))
	}
	if m.focus == onLabels {
		m.chooseLabel(at)
	} else {
		m.cursor = at
	}
	return nil
}

// labelAt is the place of the chosen label in the list, or -1.
func (m *root) labelAt() int {
	name := m.labels.chosen
	return slices.IndexFunc(m.rows(), func(r labelRow) bool { return r.Name == name })
}

// chooseLabel chooses the label at a place of the list, or the nearest.
func (m *root) chooseLabel(at int) {
	rows := m.rows()
	if len(rows) == 0 {
		return
	}
	at = max(0, min(at, len(rows)-1))
	m.labels.chosen = rows[at].Name
	m.revealLabel(at)
}

// revealLabel scrolls the list so that a place is on screen.
func (m *root) revealLabel(at int) {
	n := max(1, m.lay.labelRows())
	m.labels.top = max(0, max(min(m.labels.top, at), at-n+1))
}

// toggleLarge opens and closes the large view.
func (m *root) toggleLarge() tea.Cmd {
	if m.shown() > 0 || m.large {
		m.large = !m.large
	}
	if !m.large && m.lay.w < wideWidth {
		m.focus = onPhotos // a narrow sheet shows no labels
	}
	return nil
}

// toggleFocus goes between photos and labels. Where no labels are on screen it
// opens the large view, which has them.
func (m *root) toggleFocus() tea.Cmd {
	if m.focus == onLabels {
		m.focus = onPhotos
		return nil
	}
	if m.shown() == 0 {
		return nil
	}
	m.focus = onLabels
	if m.lay.labels.h == 0 {
		m.large = true
		m.lay = newLayout(m.w, m.h, m.zoom, m.large)
	}
	m.chooseLabel(max(0, m.labelAt()))
	return nil
}

// back undoes one step into something.
func (m *root) back() tea.Cmd {
	switch {
	case m.focus == onLabels:
		m.focus = onPhotos
	case m.large:
		m.large = false
	case m.want.query.text != "":
		m.endSearch()
	case !m.want.folder.any():
		m.want.folder = m.above()
		m.wished()
	}
	return nil
}

func (m *root) zoomBy(n int) tea.Cmd {
	m.zoom = max(0, min(m.zoom+n, len(zooms)-1))
	return nil
}

func (m *root) mouse(msg tea.MouseMsg) tea.Cmd {
	switch msg := msg.(type) {
	case tea.MouseClickMsg:
		return m.click(msg.Mouse())
	case tea.MouseMotionMsg:
		return m.drag(msg.Mouse())
	case tea.MouseWheelMsg:
		m.wheel(msg.Mouse())
	}
	return nil
}

// click chooses what is under the mouse; a click on the chosen photo opens the
// large view, and one on the large picture closes it.
func (m *root) click(at tea.Mouse) tea.Cmd {
	if at.Button != tea.MouseLeft || m.prompt != nil || !m.lay.usable() {
		return nil
	}
	l := m.lay
	if m.overlay == overlayFolders && l.left.contains(at.X, at.Y) {
		return m.clickFolder(at.Y - l.left.y - 1)
	}
	if m.overlay != overlayNone {
		m.overlay = overlayNone
		return nil
	}
	switch {
	case l.slider.contains(at.X, at.Y):
		m.slide(at.X)
	case l.labels.contains(at.X, at.Y):
		if i := at.Y - l.labels.y - labelHead; i >= 0 && i < l.labelRows() && m.labels.top+i < len(m.labels.set.Labels) {
			m.focus = onLabels
			m.chooseLabel(m.labels.top + i)
		}
	case m.large && l.left.contains(at.X, at.Y):
		return m.toggleLarge()
	case l.left.contains(at.X, at.Y):
		col, row, ok := l.grid.at(at.X-l.left.x, at.Y-l.left.y)
		position := (m.top+row)*l.grid.cols + col
		if !ok || position >= m.shown() {
			return nil
		}
		m.focus = onPhotos
		if position == m.cursor {
			return m.toggleLarge()
		}
		m.cursor = position
	}
	return nil
}

// drag moves the slider with the button held.
func (m *root) drag(at tea.Mouse) tea.Cmd {
	l := m.lay.slider
	if at.Button == tea.MouseLeft && m.overlay == overlayNone && l.w > 0 && at.Y == l.y {
		m.slide(at.X)
	}
	return nil
}

// slide sets δ to where x stands on the slider.
func (m *root) slide(x int) {
	l := m.lay.slider
	end := reach(m.score.Delta)
	at := max(0, min(x-l.x, l.w-1))
	m.setBias(2*end*float64(at)/float64(l.w-1) - end)
}

// wheel scrolls what is under the mouse; the cursor stays on screen.
func (m *root) wheel(at tea.Mouse) {
	n := 0
	switch at.Button {
	case tea.MouseWheelUp:
		n = -1
	case tea.MouseWheelDown:
		n = 1
	}
	l := m.lay
	switch {
	case n == 0 || m.prompt != nil:
	case m.overlay == overlayFolders:
		m.folders.at += n
	case m.overlay != overlayNone:
		m.overlayTop = max(0, m.overlayTop+n)
	case l.labels.contains(at.X, at.Y):
		last := len(m.labels.set.Labels) - l.labelRows()
		m.labels.top = max(0, min(m.labels.top+n, last))
	case m.large:
		m.cursor += n
	case l.grid.cols > 0:
		g := l.grid
		m.top = max(0, min(m.top+n, m.lastTop()))
		first, last := m.top*g.cols, (m.top+g.rows)*g.cols-1
		for m.cursor < first {
			m.cursor += g.cols
		}
		for m.cursor > last {
			m.cursor -= g.cols
		}
	}
}
