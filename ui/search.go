package ui

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	tea "charm.land/bubbletea/v2"

	"sigla/gallery"
	"sigla/gallery/label"
	"sigla/gallery/photo"
	grammar "sigla/gallery/query"
)

// queryMsg brings the query of a search.
type queryMsg struct {
	search int // number of the search
	query
	err error
}

// find shows what a line asks for: photos ranked by its terms, those that pass
// its filters, or what is like the photo that the line is the path of. The sheet
// changes when the answer is there. It reports whether the search has begun.
func (m *root) find(text string) (cmd tea.Cmd, ok bool) {
	text = strings.TrimSpace(text)
	if text == "" {
		m.endSearch()
		return nil, true
	}
	s := searcher{m.o.Gallery, m.enc, m.labels.set}
	terms := true
	if !photo.IsPhoto(text) { // else the whole may be a path: whether it is takes a look at the disk
		q, err := s.parse(text, nil)
		if wrong, ok := errors.AsType[*grammar.Error](err); ok {
			m.toast = toast{text: clean(wrong.Text), warn: true, puzzle: true}
			return nil, false
		}
		if err != nil {
			m.warn(err)
			return nil, false
		}
		terms = len(q.Terms) > 0
	}
	switch {
	case terms && m.loadErr != nil:
		m.warn(m.loadErr)
		return nil, false
	case terms && m.enc == nil:
		m.say("the model is not loaded yet")
		return nil, false
	}
	return tea.Batch(m.remember(text), m.ask(func(ctx context.Context) (query, error) {
		return s.query(ctx, text)
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

// A searcher makes queries of lines. It belongs to a command.
type searcher struct {
	g   *gallery.Gallery
	enc Encoder // nil: there are filters only
	set label.Set
}

// parse reads a line, whose filters may name labels of the set only.
func (s searcher) parse(text string, isPhoto func(string) bool) (grammar.Query, error) {
	q, err := grammar.Parse(text, isPhoto)
	if err != nil {
		return q, err
	}
	if err := gallery.NewVocabulary(s.set).Unknown(q); err != nil {
		return q, fmt.Errorf("%w; tab completes those that are there", err)
	}
	return q, nil
}

// query understands a line and embeds its terms.
func (s searcher) query(ctx context.Context, text string) (query, error) {
	if s.isPhoto(text) {
		vector, err := s.embedPhoto(ctx, text)
		return query{text: text, photo: true, vector: vector}, err
	}
	q, err := s.parse(text, s.isPhoto)
	if err != nil || len(q.Terms) == 0 {
		return query{text: text, filters: q}, err
	}
	vectors, err := s.embedTerms(ctx, q.Terms)
	if err != nil {
		return query{}, fmt.Errorf("search %q: %w", text, err)
	}
	vector, err := gallery.Blend(q.Terms, vectors)
	one := len(q.Terms) == 1 && !q.Terms[0].Photo && q.Terms[0].Weight > 0
	return query{text: text, filters: q, photo: !one, vector: vector}, err
}

// isPhoto reports whether a text is the name or the path of a photo, here or
// on disk.
func (s searcher) isPhoto(text string) bool {
	return photo.IsPhoto(text) && (vectorOf(s.g, text) != nil || isFile(homePath(text)))
}

// embedTerms embeds the terms of a query, the texts in one call.
func (s searcher) embedTerms(ctx context.Context, terms []grammar.Term) ([][]float32, error) {
	vectors := make([][]float32, len(terms))
	var texts []string
	var at []int
	for i, t := range terms {
		if !t.Photo {
			texts, at = append(texts, t.Text), append(at, i)
			continue
		}
		vector, err := s.embedPhoto(ctx, t.Text)
		if err != nil {
			return nil, err
		}
		vectors[i] = vector
	}
	if len(texts) == 0 {
		return vectors, nil
	}
	embedded, err := s.enc.EmbedTexts(ctx, texts)
	if err != nil {
		return nil, err
	}
	for i, vector := range embedded {
		vectors[at[i]] = vector
	}
	return vectors, nil
}

// embedPhoto returns the vector that a photo has here, or embeds the file.
func (s searcher) embedPhoto(ctx context.Context, name string) ([]float32, error) {
	if vector := vectorOf(s.g, name); vector != nil {
		return vector, nil
	}
	standBack()
	img, _, err := photo.Read(homePath(name))
	if err != nil {
		return nil, err
	}
	input, err := s.enc.Prepare(img)
	if err != nil {
		return nil, err
	}
	vectors, err := s.enc.Embed(ctx, []any{input})
	if err != nil {
		return nil, err
	}
	return vectors[0], nil
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
