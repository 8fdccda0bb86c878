package ui

import (
	"context"
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"
)

// folders is the list of folders in place of the sheet.
type folders struct {
	pace   pace
	tree   *tree // nil: the photos were not walked yet
	open   map[folder]bool
	filter string
	rows   []int // nodes that are listed, by row
	at     int   // chosen row
	top    int   // first row on screen
}

// openFolders lists the folders, the one that the sheet shows chosen.
func (m *root) openFolders() tea.Cmd {
	cmd := m.toggleOverlay(overlayFolders)
	if m.overlay != overlayFolders {
		return cmd
	}
	f := &m.folders
	f.filter = ""
	f.open = map[folder]bool{{}: true}
	for up := m.want.folder; !up.any(); up = up.up(len(m.o.Paths) == 1) {
		f.open[up] = true
	}
	f.pace.want(true)
	if f.tree != nil {
		f.list(m.want.folder)
	}
	return cmd
}

// survey walks the photos for their folders while those are listed.
func (m *root) survey() tea.Cmd {
	f := &m.folders
	if m.overlay != overlayFolders {
		return nil
	}
	s := survey{
		desk:  m.desk(),
		sides: m.labels.sides, said: &m.answers, top: m.places(), roots: len(m.o.Paths), column: -1,
	}
	if i := m.labels.set.Index(m.labels.chosen); m.labels.chosen != "" && i >= 0 && s.columns[i] >= 0 {
		s.label, s.column, s.cut = m.labels.chosen, s.columns[i], s.cuts[i]
	}
	return m.spread(&f.pace, func(ctx context.Context) func(*root) {
		t := s.tree(ctx)
		return func(m *root) {
			chosen := m.want.folder
			if n, ok := f.chosen(); ok {
				chosen = n.folder
			}
			f.tree = t
			f.list(chosen)
		}
	})
}

// chosen is the chosen folder; false if none is listed.
func (f *folders) chosen() (node, bool) {
	if f.tree == nil || f.at >= len(f.rows) {
		return node{}, false
	}
	return f.tree.nodes[f.rows[f.at]], true
}

// list finds the rows: those whose folders above are open or, with a filter,
// those that fit it. A folder stays chosen if it is still listed.
func (f *folders) list(chosen folder) {
	f.rows, f.at = f.rows[:0], 0
	words := strings.Fields(strings.ToLower(f.filter))
	for i := 0; i < len(f.tree.nodes); {
		n := &f.tree.nodes[i]
		next := i + 1
		listed := true
		if len(words) > 0 {
			listed = n.fits(words)
		} else if !f.open[n.folder] {
			next = n.end
		}
		if listed {
			if n.folder == chosen {
				f.at = len(f.rows)
			}
			f.rows = append(f.rows, i)
		}
		i = next
	}
}

// fits reports whether the path has each of the words.
func (n *node) fits(words []string) bool {
	for _, w := range words {
		if !strings.Contains(n.lower, w) {
			return false
		}
	}
	return true
}

// foldersKey takes the keys that the table does not have for the list: moving,
// and text, which is the filter.
func (m *root) foldersKey(msg tea.KeyPressMsg) bool {
	f := &m.folders
	page := max(1, m.folderRows())
	switch msg.String() {
	case "up", "ctrl+p":
		f.at--
	case "down", "ctrl+n":
		f.at++
	case "pgup", "ctrl+b":
		f.at -= page
	case "pgdown", "ctrl+f":
		f.at += page
	case "home":
		f.at = 0
	case "end":
		f.at = len(f.rows)
	case "esc":
		if f.filter == "" {
			m.overlay = overlayNone
			return true
		}
		f.setFilter("")
	case "backspace":
		if runes := []rune(f.filter); len(runes) > 0 {
			f.setFilter(string(runes[:len(runes)-1]))
		}
	default:
		if msg.Text == "" || len(f.filter) > 200 {
			return msg.Text != "" // no letter has another meaning here
		}
		f.setFilter(f.filter + clean(msg.Text))
	}
	f.at = max(0, min(f.at, len(f.rows)-1))
	return true
}

func (f *folders) setFilter(text string) {
	f.filter = text
	if f.tree == nil || len(f.tree.nodes) == 0 {
		return
	}
	n, ok := f.chosen()
	if !ok {
		n = f.tree.nodes[0]
	}
	f.list(n.folder)
}

// enterFolder limits the sheet to the chosen folder.
func (m *root) enterFolder() tea.Cmd {
	n, ok := m.folders.chosen()
	if !ok {
		return nil
	}
	m.overlay = overlayNone
	m.want.folder = n.folder
	m.wished()
	return nil
}

// clickFolder chooses the folder in a line of the list, and looks into the one
// that is chosen already.
func (m *root) clickFolder(line int) tea.Cmd {
	f := &m.folders
	switch row := f.top + line; {
	case line < 0 || row >= len(f.rows):
	case row == f.at:
		return m.enterFolder()
	default:
		f.at = row
	}
	return nil
}

// unfold opens the chosen folder or, where it is open, goes into it; fold
// closes it or goes to the one above.
func (m *root) unfold() tea.Cmd {
	f := &m.folders
	if n, ok := f.chosen(); ok && f.filter == "" && f.rows[f.at]+1 < n.end {
		if f.open[n.folder] {
			f.at++
			return nil
		}
		f.open[n.folder] = true
		f.list(n.folder)
	}
	return nil
}

func (m *root) fold() tea.Cmd {
	f := &m.folders
	n, ok := f.chosen()
	if !ok || f.filter != "" {
		return nil
	}
	if f.open[n.folder] && f.rows[f.at]+1 < n.end {
		delete(f.open, n.folder)
	} else if n.parent >= 0 {
		n = f.tree.nodes[n.parent]
	}
	f.list(n.folder)
	return nil
}

// folderRows is how many folders are on screen at once, below the heading.
func (m *root) folderRows() int { return max(0, m.lay.left.h-1) }

// settleFolders keeps the chosen folder on screen.
func (m *root) settleFolders() {
	f, rows := &m.folders, max(1, m.folderRows())
	f.at = max(0, min(f.at, len(f.rows)-1))
	f.top = max(0, max(min(f.top, f.at, len(f.rows)-rows), f.at-rows+1))
}

// columns of the list of folders, in cells.
const (
	photosCells = 9
	tagCells    = 11
)

// folderList draws the folders that are on screen.
func (m *root) folderList(w, h int) []string {
	t, f := m.theme, &m.folders
	name := w - photosCells - 2*tagCells - 2
	var head line
	said := "folders · type to filter"
	if f.filter != "" {
		said = "folders with “" + f.filter + "”"
	}
	head.add("", " ").add(t.quiet, left(said, name)+right("photos", photosCells))
	if f.tree != nil && f.tree.scored {
		head.add(t.quiet, right("untagged", tagCells))
		if f.tree.label != "" {
			head.add(t.quiet, right("● "+clip(clean(f.tree.label), tagCells-3), tagCells))
		}
	}
	lines := []string{head.fit(w)}
	if f.tree == nil {
		return append(lines, centred([]string{t.quiet.on("looking through the photos")}, w, h-1)...)
	}
	if len(f.rows) == 0 {
		return append(lines, centred([]string{t.quiet.on("no folder has that in its name; Esc shows all")}, w, h-1)...)
	}
	for row := f.top; len(lines) < h; row++ {
		if row >= len(f.rows) {
			lines = append(lines, spaces(w))
			continue
		}
		lines = append(lines, m.folderLine(row, name, w))
	}
	return lines
}

func (m *root) folderLine(row, cells, w int) string {
	t, f := m.theme, &m.folders
	i := f.rows[row]
	n := &f.tree.nodes[i]
	sign := "  "
	if i+1 < n.end {
		sign = "▸ "
		if f.open[n.folder] && f.filter == "" {
			sign = "▾ "
		}
	}
	field, quiet, edge := ink(""), t.quiet, " "
	if row == f.at {
		field, edge = t.chosen, "▌"
	}
	name := n.name
	depth := min(2*n.depth, cells/2)
	if f.filter != "" && !n.any() {
		name, depth = clean(strings.TrimPrefix(n.path, "/")), 0
		if n.path == "" {
			name = n.name
		}
	}
	var l line
	l.add(t.accent, edge).add(t.rule, spaces(depth)+sign)
	room := cells - depth - 3
	l.add(field, clipPath(name, room)).to(1+cells).add("", right(count(n.photos), photosCells))
	if f.tree.scored {
		l.add(quiet, right(count(n.untagged), tagCells))
		if f.tree.label != "" {
			l.add(quiet, right(count(n.above), tagCells))
		}
	}
	return l.fit(w)
}

// foldersPlace says which of the folders is chosen.
func (m *root) foldersPlace() string {
	if n := len(m.folders.rows); n > 0 {
		return fmt.Sprintf("%s of %s", right(count(m.folders.at+1), width(count(n))), plural(n, "folder"))
	}
	return ""
}
