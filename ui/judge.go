package ui

import (
	"context"

	tea "charm.land/bubbletea/v2"

	"sigla/gallery"
)

// judgement is how many of the photos listed fit the text of the search better
// than noise. It follows the ranking, which does not wait for it.
type judgement struct {
	pace      pace
	floor     *gallery.Floor // nil until null prompts were embedded
	of        string         // the search that confident is of; "": none
	confident int
}

// judge compares the listing with the noise floor, if that is due.
func (m *root) judge() tea.Cmd {
	g, enc, floor, l := m.o.Gallery, m.enc, m.judged.floor, m.list
	if enc == nil || l.cosines == nil || l.query.photo {
		return nil
	}
	return m.spread(&m.judged.pace, func(ctx context.Context) func(*root) {
		if floor == nil {
			nulls, err := enc.EmbedTexts(ctx, gallery.NullPrompts())
			if err != nil {
				return nil // the search stands without
			}
			floor = gallery.NewFloor(g, nulls)
		}
		verdict, err := floor.Judge(ctx, l.query.vector)
		if err != nil {
			return nil
		}
		n := 0
		for _, id := range l.ids {
			if verdict.Confident(id) {
				n++
			}
		}
		return func(m *root) { m.judged.floor, m.judged.of, m.judged.confident = floor, l.query.text, n }
	})
}

// confidence says what the judgement is, unless every photo is confident.
func (m *root) confidence() string {
	j, q := &m.judged, m.list.query
	switch {
	case m.list.cosines == nil || q.photo || q.text != j.of || m.shown() == 0 || j.confident >= m.shown():
		return ""
	case j.confident == 0:
		return "none confident; the closest"
	}
	return count(j.confident) + " confident"
}
