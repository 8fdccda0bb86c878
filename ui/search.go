package ui

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"sigla/gallery"
	"sigla/gallery/photo"
)

// search is a ranking of the photos by a text, shown instead of the folder.
type search struct {
	active  bool
	text    string
	photo   bool      // text is the path of a photo, and query that photo's vector
	request int       // of the ranking wanted last
	turns   int       // of photos that this was made after
	query   []float32 // the text's vector
	hits    []gallery.Hit
}

type rankMsg struct {
	request int
	text    string
	photo   bool
	query   []float32
	hits    []gallery.Hit
	err     error
}

// find ranks the photos by a text, or by a photo if the text is the path of
// one. The sheet changes when the ranking is there. It reports whether the
// search has begun.
func (m *root) find(text string) (cmd tea.Cmd, ok bool) {
	text = strings.TrimSpace(text)
	if text == "" {
		m.endSearch()
		return nil, true
	}
	switch {
	case m.loadErr != nil:
		m.warn(m.loadErr)
		return nil, false
	case m.enc == nil:
		m.say("the model is not loaded yet")
		return nil, false
	}
	m.searched.add(text)
	m.search.request++
	m.search.turns = m.turns
	request, g, enc := m.search.request, m.o.Gallery, m.enc
	here, isHere := m.photoNamed(text)
	return m.work.command(func(ctx context.Context) tea.Msg {
		var query []float32
		var err error
		byPhoto := true
		if isHere {
			query = g.Vector(here)
		}
		if query == nil {
			query, byPhoto, err = embedQuery(ctx, enc, text)
		}
		if err != nil {
			return rankMsg{request: request, text: text, err: fmt.Errorf("search %q: %w", text, err)}
		}
		return rankMsg{request, text, byPhoto, query, g.Rank(query, 0, nil), nil}
	}), true
}

// photoNamed is the ID of the photo that is here under a name or path.
func (m *root) photoNamed(name string) (id int, ok bool) {
	if !photo.IsPhoto(name) {
		return 0, false
	}
	id = slices.IndexFunc(m.photos, func(it gallery.Photo) bool {
		return it.State != gallery.Gone && (it.Name == name || it.Path == name)
	})
	return id, id >= 0
}

// embedQuery embeds the photo that a text is the path of, or else the text.
func embedQuery(ctx context.Context, enc Encoder, text string) (query []float32, isPhoto bool, err error) {
	path := homePath(text)
	if !photo.IsPhoto(path) || !isFile(path) {
		vectors, err := enc.EmbedTexts(ctx, []string{text})
		if err != nil {
			return nil, false, err
		}
		return vectors[0], false, nil
	}
	standBack()
	img, _, err := photo.Read(path)
	if err != nil {
		return nil, true, err
	}
	input, err := enc.Prepare(img)
	if err != nil {
		return nil, true, err
	}
	vectors, err := enc.Embed(ctx, []any{input})
	if err != nil {
		return nil, true, err
	}
	return vectors[0], true, nil
}

// homePath replaces "~" at the beginning of a path, as a shell would.
func homePath(path string) string {
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		if home, err := os.UserHomeDir(); err == nil {
			return filepath.Join(home, rest)
		}
	}
	return path
}

func isFile(path string) bool {
	stat, err := os.Stat(path)
	return err == nil && stat.Mode().IsRegular()
}

// rank ranks again when photos have been embedded since, or are gone, for a search that was
// made before.
func (m *root) rank() tea.Cmd {
	s := m.search
	if !s.active || len(s.hits) == m.progress.Done && s.turns == m.turns {
		return nil
	}
	m.search.turns = m.turns
	g := m.o.Gallery
	return m.work.command(func(context.Context) tea.Msg {
		return rankMsg{s.request, s.text, s.photo, s.query, g.Rank(s.query, 0, nil), nil}
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
	hits := slices.DeleteFunc(msg.hits, func(h gallery.Hit) bool { return h.ID >= len(m.photos) || m.photos[h.ID].State == gallery.Gone })
	again := s.active && s.text == msg.text
	id := -1
	if it, ok := m.chosen(); ok && again {
		id = it.ID
	}
	s.active, s.text, s.photo, s.query, s.hits = true, msg.text, msg.photo, msg.query, hits
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
