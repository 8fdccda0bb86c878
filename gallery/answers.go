package gallery

import (
	"context"
	"errors"

	"sigla/gallery/catalog"
)

// Content returns the hash of what is in a photo's file; the zero Hash if the
// file has not been read with a catalog. It panics if there is no such photo.
func (g *Gallery) Content(id int) catalog.Hash {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.slots[id].Content
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
