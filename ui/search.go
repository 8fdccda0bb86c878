package ui

import (
	"context"
	"fmt"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"sigla/gallery"
)

// search is a ranking of the photos by a text, shown instead of the folder.
type search struct {
	active  bool
	text    string
	request int       // of the ranking wanted last
	query   []float32 // the text's vector
	hits    []gallery.Hit
}

type rankMsg struct {
	request int
	text    string
	query   []float32
	hits    []gallery.Hit
	err     error
}

// find ranks the photos by a text. The sheet changes when the ranking is there.
func (m *root) find(text string) tea.Cmd {
	text = strings.TrimSpace(text)
	if text == "" {
		m.endSearch()
		return nil
	}
	switch {
	case m.loadErr != nil:
		m.warn(m.loadErr)
		return nil
	case m.enc == nil:
		m.say("the model is not loaded yet")
		return nil
	}
	m.search.request++
	request, g, enc := m.search.request, m.o.Gallery, m.enc
	return m.work.command(func(ctx context.Context) tea.Msg {
		query, err := enc.EmbedTexts(ctx, []string{text})
		if err != nil {
			return rankMsg{request: request, text: text, err: fmt.Errorf("search %q: %w", text, err)}
		}
		return rankMsg{request, text, query[0], g.Rank(query[0], 0), nil}
	})
}

// rank ranks again when photos have been embedded since, for a search that was
// made before.
func (m *root) rank() tea.Cmd {
	s := m.search
	if !s.active || len(s.hits) == m.progress.Done {
		return nil
	}
	g := m.o.Gallery
	return m.work.command(func(context.Context) tea.Msg {
		return rankMsg{s.request, s.text, s.query, g.Rank(s.query, 0), nil}
	})
}

func (m *root) rankDone(msg rankMsg) {
	s := &m.search
	switch {
	case msg.request != s.request:
		return // another search, or none, is wanted by now
	case msg.err != nil:
		m.warn(msg.err)
		return
	case len(msg.hits) == 0:
		m.say("nothing is embedded yet; search again in a moment")
		return
	}
	// A photo may have been embedded before it was seen; it joins later.
	hits := slices.DeleteFunc(msg.hits, func(h gallery.Hit) bool { return h.ID >= len(m.photos) })
	again := s.active && s.text == msg.text
	id := -1
	if it, ok := m.chosen(); ok && again {
		id = it.ID
	}
	s.active, s.text, s.query, s.hits = true, msg.text, msg.query, hits
	if again {
		m.goTo(id) // more photos have joined: stay where we were
		return
	}
	m.cursor, m.top, m.large, m.focus = 0, 0, false, onPhotos
}

// endSearch goes back to the folder; the chosen photo stays chosen.
func (m *root) endSearch() {
	id := -1
	if it, ok := m.chosen(); ok {
		id = it.ID
	}
	m.search = search{request: m.search.request + 1}
	m.goTo(id)
}

// goTo moves the cursor to a photo if it is shown.
func (m *root) goTo(id int) {
	for i := range m.shown() {
		if m.photo(i) == id {
			m.cursor = i
			return
		}
	}
}
