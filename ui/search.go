package ui

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	tea "charm.land/bubbletea/v2"

	"sigla/gallery"
	"sigla/gallery/photo"
)

// queryMsg brings the query of a search.
type queryMsg struct {
	search int // number of the search
	query
	err error
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
	g, enc := m.o.Gallery, m.enc
	return tea.Batch(m.remember(text), m.ask(func(ctx context.Context) (query, error) {
		if vector := vectorOf(g, text); vector != nil {
			return query{text: text, photo: true, vector: vector}, nil
		}
		vector, byPhoto, err := embedQuery(ctx, enc, text)
		if err != nil {
			return query{}, fmt.Errorf("search %q: %w", text, err)
		}
		return query{text: text, photo: byPhoto, vector: vector}, nil
	})), true
}

// ask makes a query, which the sheet then shows the answer of.
func (m *root) ask(makeQuery func(context.Context) (query, error)) tea.Cmd {
	m.searches++
	search := m.searches
	return m.work.command(func(ctx context.Context) tea.Msg {
		q, err := makeQuery(ctx)
		q.order.by = byMatch
		return queryMsg{search, q, err}
	})
}

// like searches for what looks like the chosen photo.
func (m *root) like() tea.Cmd {
	it, ok := m.chosen()
	if !ok {
		return nil
	}
	g := m.o.Gallery
	return m.ask(func(context.Context) (query, error) {
		vector := g.Vector(it.ID)
		if vector == nil {
			return query{}, fmt.Errorf("search by %s: it is not embedded yet", it.Name)
		}
		return query{text: it.Name, photo: true, vector: vector}, nil
	})
}

// vectorOf is the vector of the photo that is here under a name or path, or nil.
func vectorOf(g *gallery.Gallery, name string) []float32 {
	if !photo.IsPhoto(name) {
		return nil
	}
	for id := range g.Len() {
		if it := g.Photo(id); it.State != gallery.Gone && (it.Name == name || it.Path == name) {
			return g.Vector(id)
		}
	}
	return nil
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

func (m *root) queryDone(msg queryMsg) {
	switch {
	case msg.search != m.searches:
		return // another search, or none, is wanted by now
	case msg.err != nil:
		m.warn(msg.err)
		return
	}
	m.want.query = msg.query
	m.wished()
}

// endSearch goes back to the folder; the chosen photo stays chosen.
func (m *root) endSearch() {
	m.searches++
	m.want.query = query{}
	m.wished()
}
