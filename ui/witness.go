package ui

import (
	"context"

	"sigla/gallery"
	"sigla/gallery/label"
	grammar "sigla/gallery/query"
	"sigla/model"
)

// witness says of a photo's labels what the screen says of them.
type witness struct {
	score model.Score
	set   label.Set
	sides
}

// selected returns which photos pass the filters; nil if there are none. It is
// of no use if ctx has ended.
func (d desk) selected(ctx context.Context, q grammar.Query) func(id int) bool {
	if !q.Filtered() {
		return nil
	}
	answers, _ := d.g.Decisions(ctx) // a catalog that fails says so by itself
	words := gallery.NewVocabulary(d.witness.set)
	s, _ := d.g.Select(ctx, q, gallery.Witness{Label: d.witness.of(d.scores, q, words), Answers: answers, Words: words})
	return s.Has
}

// of returns what Select asks about the labels of a query.
func (w witness) of(scores *gallery.Scores, q grammar.Query, words *gallery.Vocabulary) func(id int, name string) (float64, bool, bool) {
	at := map[string]int{}
	for _, name := range q.Labels() {
		if i := words.Find(name); i >= 0 {
			at[grammar.Fold(name)] = i
		}
	}
	return func(id int, name string) (p float64, above, ok bool) {
		i, ok := at[grammar.Fold(name)]
		if !ok || scores == nil {
			return 0, false, false
		}
		row, ok := scores.Row(id)
		if column := w.columns[i]; ok && column >= 0 && column < len(row) {
			return w.score.Probability(row[column], adjust(w.set.Labels[i])), row[column] >= w.cuts[i], true
		}
		return 0, false, false
	}
}

// refilter lets the sheet follow what filters look at.
func (m *root) refilter(hurry bool) {
	if m.want.query.filters.Filtered() {
		m.listPace.want(hurry)
	}
}
