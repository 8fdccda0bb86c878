package ui

import (
	"context"
	"path"
	"slices"

	tea "charm.land/bubbletea/v2"

	"sigla/gallery"
	grammar "sigla/gallery/query"
)

// wordsMsg brings the completer of a prompt.
type wordsMsg struct {
	prompt   *prompt
	complete Completer
}

// gatherWords finds what the filters of a line can be completed to, as things
// are when the prompt opens.
func (m *root) gatherWords(p *prompt) tea.Cmd {
	g, set := m.o.Gallery, m.labels.set
	return m.work.command(func(ctx context.Context) tea.Msg {
		words := wordsOf(ctx, g)
		for _, l := range set.Labels {
			words.Labels = append(words.Labels, l.Name)
		}
		return wordsMsg{p, func(line string, cursor int) []string { return grammar.Complete(line, cursor, words) }}
	})
}

// wordsOf returns the tags, folders and formats of the photos. It is of no use
// if ctx has ended.
func wordsOf(ctx context.Context, g *gallery.Gallery) grammar.Words {
	var words grammar.Words
	for _, tag := range g.TagNames() {
		words.Tags = append(words.Tags, tag.Name)
	}
	folders, formats := map[string]bool{}, map[string]bool{}
	for id := range g.Len() {
		if id%albumPage == 0 && ctx.Err() != nil {
			break
		}
		p := g.Photo(id)
		if p.State == gallery.Gone {
			continue
		}
		for dir := path.Dir(p.Name); dir != "." && dir != "/" && !folders[dir]; dir = path.Dir(dir) {
			folders[dir] = true
		}
		if p.Info.Format != "" {
			formats[grammar.Fold(p.Info.Format)] = true
		}
	}
	for dir := range folders {
		words.Folders = append(words.Folders, dir)
	}
	for format := range formats {
		words.Formats = append(words.Formats, format)
	}
	slices.SortFunc(words.Folders, compareFolders)
	slices.Sort(words.Formats)
	return words
}
