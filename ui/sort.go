package ui

import (
	tea "charm.land/bubbletea/v2"
)

// choice is a row of the list of orders; the key table has its key.
type choice struct {
	action string // in the key table
	name   string
	order
	like bool // not an order but a search: by the chosen photo
}

// choices are what the sheet can be sorted by now.
func (m *root) choices() []choice {
	var list []choice
	if m.want.query.vector != nil {
		list = append(list, choice{action: "match", name: "match", order: order{by: byMatch}})
	}
	list = append(list,
		choice{action: "folder", name: "folder", order: order{by: byFolder}},
		choice{action: "name", name: "name", order: order{by: byName}},
		choice{action: "date", name: "date taken", order: order{by: byDate}},
		choice{action: "size", name: "size of the file", order: order{by: bySize}})
	if name := m.labels.chosen; name != "" && m.labels.set.Index(name) >= 0 {
		list = append(list, choice{action: "probability", name: "probability of " + clean(name), order: order{by: byLabel, label: name}})
	}
	if it, ok := m.chosen(); ok {
		list = append(list, choice{action: "likeness", name: "likeness to " + clean(title(it)), like: true})
	}
	return list
}

// is reports whether the sheet is sorted so, in either direction.
func (c choice) is(o order) bool {
	o.reverse = false
	return !c.like && c.order == o
}

func (m *root) openSort() tea.Cmd {
	m.toggleOverlay(overlaySort)
	for i, c := range m.choices() {
		if c.is(*m.want.ordered()) {
			m.overlayAt = i
		}
	}
	return nil
}

// choiceKey takes the keys that move in the list of orders.
func (m *root) choiceKey(key string) bool {
	switch key {
	case "up", "k":
		m.overlayAt--
	case "down", "j":
		m.overlayAt++
	case "home", "g":
		m.overlayAt = 0
	case "end", "G":
		m.overlayAt = len(m.choices())
	case "esc", keyOf("sort"):
		m.overlay = overlayNone
	case "q", "ctrl+c", "ctrl+z":
		return false
	}
	m.overlayAt = max(0, min(m.overlayAt, len(m.choices())-1))
	return true
}

// sortChosen sorts by the chosen row, and sortFor by that of an action.
func (m *root) sortChosen() tea.Cmd {
	list := m.choices()
	return m.sortBy(list[min(m.overlayAt, len(list)-1)])
}

func (m *root) sortFor(action string) tea.Cmd {
	for _, c := range m.choices() {
		if c.action == action {
			return m.sortBy(c)
		}
	}
	m.overlay = overlayNone
	m.say("no label is chosen: press tab, then up or down")
	if action == "match" {
		m.say("nothing is searched for: press / first")
	}
	return nil
}

// turnRound reverses the order; the list stays, to see what that does.
func (m *root) turnRound() tea.Cmd {
	o := m.want.ordered()
	o.reverse = !o.reverse
	m.wished()
	return nil
}

// sortBy sorts the sheet; the order that it has already is turned round.
func (m *root) sortBy(c choice) tea.Cmd {
	m.overlay = overlayNone
	if c.like {
		return m.like()
	}
	o := m.want.ordered()
	if c.is(*o) {
		o.reverse = !o.reverse
	} else {
		*o = c.order
	}
	m.wished()
	return nil
}

// sortPanel lists the orders.
func (m *root) sortPanel() panel {
	t, w := m.theme, m.lay.w
	s := panel{title: "sort by", foot: "Enter sorts · " + keyOf("turn round") + " turns round · Esc back"}
	now := *m.want.ordered()
	for i, c := range m.choices() {
		var l line
		sign, field, mark := "  ", ink(""), "  "
		if i == m.overlayAt {
			sign, field = "▸ ", t.chosen
		}
		words := c.words()
		if c.is(now) {
			mark, words = "● ", now.words()
		}
		if c.by == byFolder && words == "" {
			words = "as in the folders"
		}
		if c.like {
			words = "most like it first"
		}
		l.add("", " ").add(t.accent, sign+mark).add(t.quiet, keyOf(c.action)+"  ").add(field, left(c.name, min(36, w-34))).add("", "  ").add(t.quiet, words)
		s.lines = append(s.lines, l.fit(w))
	}
	return s
}
