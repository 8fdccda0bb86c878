package cli

import (
	"context"
	"fmt"
	"os"

	"sigla/gallery"
	"sigla/gallery/photo"
	"sigla/gallery/query"
)

// parseQuery reads a query. One that is the path of a photo is that photo,
// whatever signs the path has.
func (a *app) parseQuery(line string) (query.Query, error) {
	if isPhotoFile(line) {
		return query.Query{Terms: []query.Term{{Weight: 1, Text: line, Photo: true}}}, nil
	}
	q, err := query.Parse(line, isPhotoFile)
	if err != nil {
		return query.Query{}, usageError{err}
	}
	if len(q.Terms) == 0 && !q.Filtered() {
		return query.Query{}, usagef("search for nothing: name a text, a photo or a filter")
	}
	return q, nil
}

func isPhotoFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && photo.IsPhoto(path)
}

// embedTerms embeds each term of a query and blends them.
func (a *app) embedTerms(ctx context.Context, enc *encoder, terms []query.Term) ([]float32, error) {
	vectors := make([][]float32, len(terms))
	var texts []string
	var at []int
	for i, t := range terms {
		if !t.Photo {
			a.warnLong(enc, "text", t.Text, t.Text)
			texts, at = append(texts, t.Text), append(at, i)
			continue
		}
		v, err := embedPhoto(ctx, enc, t.Text)
		if err != nil {
			return nil, err
		}
		vectors[i] = v
	}
	if len(texts) > 0 {
		rows, err := enc.EmbedTexts(ctx, texts)
		if err != nil {
			return nil, err
		}
		for i, row := range rows {
			vectors[at[i]] = row
		}
	}
	return gallery.Blend(terms, vectors)
}

func embedPhoto(ctx context.Context, enc *encoder, path string) ([]float32, error) {
	img, _, err := photo.Read(path)
	if err != nil {
		return nil, err
	}
	x, err := enc.Prepare(img)
	if err != nil {
		return nil, err
	}
	vectors, err := enc.Embed(ctx, []any{x})
	if err != nil {
		return nil, err
	}
	return vectors[0], nil
}

// selection returns the photos of a gallery that pass the filters of a query.
func (a *app) selection(ctx context.Context, g *gallery.Gallery, enc *encoder, q query.Query) (gallery.Selection, error) {
	var w gallery.Witness
	var err error
	if w.Answers, err = g.Decisions(ctx); err != nil {
		return gallery.Selection{}, err
	}
	set, _, err := a.labelSet(ctx, userLabels())
	if err != nil {
		return gallery.Selection{}, err
	}
	w.Words = gallery.NewVocabulary(set)
	if names := q.Labels(); len(names) > 0 {
		if w.Label, err = a.labelWitness(ctx, g, enc, w.Words, names); err != nil {
			return gallery.Selection{}, err
		}
	}
	return g.Select(ctx, q, w)
}

// checkLabels says which of the labels in a query's filters there are not.
func (a *app) checkLabels(ctx context.Context, q query.Query) error {
	set, _, err := a.labelSet(ctx, userLabels())
	if err != nil {
		return err
	}
	if err := gallery.NewVocabulary(set).Unknown(q); err != nil {
		return usageError{fmt.Errorf("%w; label: is for labels of the set: see --labels", err)}
	}
	return nil
}

// labelWitness reads the labels of these names as sigla score does.
func (a *app) labelWitness(ctx context.Context, g *gallery.Gallery, enc *encoder, words *gallery.Vocabulary, names []string) (func(int, string) (float64, bool, bool), error) {
	s, err := newScorer(ctx, words.Set(), enc, &a.settings)
	if err != nil {
		return nil, err
	}
	classes := s.classifier
	if s.odds != nil {
		classes = classes.Rewrite(s.odds)
	}
	scores := g.Scores(classes, s.score.Logit)
	columns := make(map[string]int)
	for _, name := range names {
		columns[name] = words.Find(name)
	}
	return func(id int, name string) (p float64, above, ok bool) {
		column, known := columns[name]
		row, scored := scores.Row(id)
		if !known || !scored {
			return 0, false, false
		}
		return s.read.Probability(row[column], s.adjust[column]), row[column] >= s.cuts[column], true
	}, nil
}
