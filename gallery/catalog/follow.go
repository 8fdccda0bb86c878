package catalog

import (
	"context"
	"errors"
)

// A Move is the content of a photo that is to become another: the picture stays,
// and what is written beside it in the file changes.
type Move struct{ From, To Hash }

// Follow has what is known of photos known of what they become: vectors of all
// models, what the photos say of themselves, and a person's answers, of which the
// later one counts. What is known of the old contents stays, for there may be
// copies of them, and changes may be taken back.
func (c *Catalog) Follow(ctx context.Context, moves ...Move) error {
	for _, m := range moves {
		if m.From == (Hash{}) || m.To == (Hash{}) {
			return c.wrap("follow photos", errNoHash)
		}
	}
	return errors.Join(c.followPhotos(ctx, moves), c.followVectors(ctx, moves), c.followDecisions(ctx, moves))
}

func (c *Catalog) followPhotos(ctx context.Context, moves []Move) error {
	photos, err := c.Photos(ctx)
	if err != nil {
		return err
	}
	known := make(map[Hash]Photo, len(photos))
	for _, p := range photos {
		known[p.Hash] = p
	}
	var more []Photo
	for _, m := range moves {
		if p, ok := known[m.From]; ok {
			p.Hash = m.To
			more = append(more, p)
		}
	}
	return c.Put(ctx, Batch{Photos: more})
}

func (c *Catalog) followVectors(ctx context.Context, moves []Move) error {
	ledger, err := readLedger(ctx, c.db)
	if err != nil {
		return c.wrap("follow photos", err)
	}
	done := make(map[int64]bool)
	for _, s := range ledger {
		if s.dropped || done[s.model] {
			continue
		}
		done[s.model] = true
		records, err := c.followed(ctx, s.Model, moves)
		if err == nil && len(records) > 0 {
			err = c.Put(ctx, Batch{Model: s.Model, Vectors: records})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// followed returns the vectors of a model that are to be known of new contents.
func (c *Catalog) followed(ctx context.Context, m Model, moves []Move) (records []Record, err error) {
	index, err := c.Vectors(ctx, m)
	if err != nil {
		return nil, err
	}
	defer index.Close()
	for _, m := range moves {
		row, ok := index.Find(m.From)
		if _, has := index.Find(m.To); !ok || has {
			continue
		}
		var vector []float32
		err := Guard(func() {
			for _, h := range index.Row(row) {
				vector = append(vector, wide(h))
			}
		})
		if err != nil {
			continue // it is damaged and will be computed again
		}
		records = append(records, Record{m.To, vector})
	}
	return records, nil
}

func (c *Catalog) followDecisions(ctx context.Context, moves []Move) error {
	list, err := c.Decisions(ctx)
	if err != nil {
		return err
	}
	answers := make(map[Hash]map[string]Decision)
	for _, d := range list {
		if answers[d.Photo] == nil {
			answers[d.Photo] = make(map[string]Decision)
		}
		answers[d.Photo][d.Label] = d
	}
	var more []Decision
	for _, m := range moves {
		for label, d := range answers[m.From] {
			if has, ok := answers[m.To][label]; ok && !d.When.After(has.When) {
				continue
			}
			d.Photo = m.To
			more = append(more, d)
		}
	}
	if len(more) == 0 {
		return nil
	}
	return c.Decide(ctx, more...)
}
