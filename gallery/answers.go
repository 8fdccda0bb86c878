package gallery

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"

	"sigla/gallery/catalog"
	"sigla/gallery/sidecar"
)

// Content returns the hash of what is in a photo's file; the zero Hash if the
// file has not been read with a catalog. It panics if there is no such photo.
func (g *Gallery) Content(id int) catalog.Hash {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.slots[id].Content
}

// ReadContent returns what Content does, and reads the file if it has to.
func (g *Gallery) ReadContent(id int) (catalog.Hash, error) {
	p := g.Photo(id)
	if p.Content != (catalog.Hash{}) {
		return p.Content, nil
	}
	f, err := os.Open(p.Path)
	if err != nil {
		return catalog.Hash{}, fmt.Errorf("read photo: %w", err)
	}
	defer f.Close()
	content, err := catalog.HashOf(f)
	if err != nil {
		return catalog.Hash{}, fmt.Errorf("read photo: %w", err)
	}
	now, err := f.Stat()
	g.mu.Lock()
	defer g.mu.Unlock()
	// Only if the file is as Scan saw it does the reading belong to it.
	if s := &g.slots[id]; err == nil && s.Size == now.Size() && s.Modified.Equal(now.ModTime()) {
		s.Content = content
		g.turnOver(id)
	}
	return content, nil
}

// Decisions returns a person's answers by the content of photos; none without a
// catalog.
func (g *Gallery) Decisions(ctx context.Context) (map[catalog.Hash][]catalog.Decision, error) {
	c := g.openCatalog(ctx)
	if c == nil {
		return nil, ctx.Err()
	}
	list, err := c.Decisions(ctx)
	byPhoto := make(map[catalog.Hash][]catalog.Decision)
	for _, d := range list {
		byPhoto[d.Photo] = append(byPhoto[d.Photo], d)
	}
	return byPhoto, err
}

// Decide stores answers in the catalog; without one there is nowhere to.
func (g *Gallery) Decide(ctx context.Context, decisions ...catalog.Decision) error {
	c := g.openCatalog(ctx)
	switch {
	case len(decisions) == 0:
		return nil
	case c == nil && g.CatalogErr() != nil:
		return g.CatalogErr()
	case c == nil:
		return errors.New("store answers: there is no catalog")
	}
	return c.Decide(ctx, decisions...)
}

// Answers are a person's answers as they are known on this side of the catalog,
// for a screen that asks at every repaint. They are for any goroutine.
type Answers struct {
	mu      sync.RWMutex
	byPhoto map[catalog.Hash][]catalog.Decision // lists are replaced, never changed
	version uint64
}

// Load replaces all answers.
func (a *Answers) Load(byPhoto map[catalog.Hash][]catalog.Decision) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.byPhoto = byPhoto
	a.version++
}

// Of returns the answers about a photo. They are not to be changed.
func (a *Answers) Of(content catalog.Hash) []catalog.Decision {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.byPhoto[content]
}

// About returns the answers about a label of a photo, under whichever of its
// names they were given, the last one first, which counts. If there is none, that
// is one whose Verdict is Withdraw.
func (a *Answers) About(content catalog.Hash, words *Vocabulary, label string) []catalog.Decision {
	var list []catalog.Decision
	for _, d := range a.Of(content) {
		if words.isOf(d, sidecar.Mark{Label: label}) {
			list = append(list, d)
		}
	}
	if list == nil {
		return []catalog.Decision{{Photo: content, Label: label, Verdict: catalog.Withdraw}}
	}
	slices.SortStableFunc(list, func(a, b catalog.Decision) int { return b.When.Compare(a.When) })
	return list
}

// Version counts changes.
func (a *Answers) Version() uint64 {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.version
}

// Put takes answers over, each in the place of an earlier one.
func (a *Answers) Put(decisions []catalog.Decision) {
	const most = 1000 // at a time: others look meanwhile
	for len(decisions) > 0 {
		n := min(most, len(decisions))
		a.put(decisions[:n])
		decisions = decisions[n:]
	}
}

func (a *Answers) put(decisions []catalog.Decision) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.version++
	if a.byPhoto == nil {
		a.byPhoto = make(map[catalog.Hash][]catalog.Decision)
	}
	for _, d := range decisions {
		var list []catalog.Decision
		for _, other := range a.byPhoto[d.Photo] {
			if !sameLabel(other.Label, d.Label) {
				list = append(list, other)
			}
		}
		if d.Verdict != catalog.Withdraw {
			list = append(list, d)
		}
		a.byPhoto[d.Photo] = list
	}
}

func sameLabel(a, b string) bool { return a == b || sidecar.Fold(a) == sidecar.Fold(b) }
