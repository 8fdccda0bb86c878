package ui

import (
	"context"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"sigla/gallery"
	"sigla/gallery/label"
	"sigla/gallery/sidecar"
)

// ownTags are the tags that the chosen photo has in its files.
type ownTags struct {
	of     int // ID of the photo that they are of, or -1
	tags   sidecar.Tags
	set    sidecar.Set
	asking bool // a command asks the gallery for them
	stale  bool // tags have been read since
}

type tagsMsg struct{ look }

// readTags starts the reading of tags, unless it runs.
func (m *root) readTags() tea.Cmd {
	if m.tagging {
		return nil
	}
	m.tagging = true
	g := m.o.Gallery
	return m.work.command(func(ctx context.Context) tea.Msg {
		g.ReadTags(ctx) // fails only when the program ends
		return tagsMsg{m.lookAt(wanted{})}
	})
}

func (m *root) tagsDone(msg tagsMsg) tea.Cmd {
	m.see(msg.look)
	m.tagging, m.own.stale = false, true
	m.tags.pace.want(false)
	m.recount()
	m.refilter(false)
	m.settled()
	return m.lookAgain()
}

type ownTagsMsg struct {
	id   int
	tags sidecar.Tags
}

// askTags asks for the tags of the chosen photo if they are not there. One
// command at a time does it.
func (m *root) askTags() tea.Cmd {
	it, ok := m.chosen()
	if !ok || m.own.asking || m.own.of == it.ID && !m.own.stale {
		return nil
	}
	m.own.asking, m.own.stale = true, false
	g := m.o.Gallery
	return m.work.command(func(context.Context) tea.Msg {
		return ownTagsMsg{it.ID, g.Tags(it.ID)}
	})
}

func (m *root) ownTagsDone(msg ownTagsMsg) {
	own := &m.own
	own.asking, own.of, own.tags, own.set = false, msg.id, msg.tags, msg.tags.Set()
	m.labels.listed = nil
}

// tagged reports whether a person or another program has given a photo a
// label, by its name or by a synonym.
func (m *root) tagged(id int, l label.Label) bool {
	return m.own.of == id && (m.own.set.Has(l.Name) || slices.ContainsFunc(l.Synonyms, m.own.set.Has))
}

// tagLine is one line: the tags that a photo has and how it is rated.
func (m *root) tagLine(it gallery.Photo, w int) string {
	tags := m.own.tags
	if m.own.of != it.ID {
		return spaces(w)
	}
	var names []string
	for _, list := range [][]sidecar.Tag{tags.Tags, tags.People} {
		for _, tag := range list {
			if name := clean(tag.Leaf()); !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	rating := ""
	switch {
	case tags.Rating > 0:
		rating = strings.Repeat("★", tags.Rating)
	case tags.Rating < 0:
		rating = "rejected"
	}
	var l line
	if room := w - width(rating) - 2; len(names) > 0 {
		l.add(m.theme.accent, "✓ ").add("", clip(strings.Join(names, ", "), room-2))
	}
	l.to(w-width(rating)).add(m.theme.quiet, rating)
	return l.fit(w)
}
