package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/adrg/xdg"

	"sigla/gallery"
	"sigla/gallery/catalog"
	"sigla/gallery/photo"
	"sigla/model/preprocess"
)

// dataDir is where the catalog lives.
func dataDir() string { return filepath.Join(xdg.DataHome, "sigla") }

// catalogued returns an empty gallery that keeps vectors in the catalog of a
// folder. It is to be closed.
func catalogued(dir string) *gallery.Gallery {
	g := gallery.New()
	g.UseCatalog(func(ctx context.Context) (*catalog.Catalog, error) { return catalog.Open(ctx, dir) })
	return g
}

// catalogModel is what the encoder's vectors are kept under. Another decoder
// makes other pixels, and these other vectors.
func (e *encoder) catalogModel() catalog.Model {
	i := e.Info()
	if plain := e.Model.Info(); e.adapter != nil && plain.ImageDigest == e.adapter.Card.Base.Digest {
		i = plain // photos are embedded as without it
	}
	return catalog.Model{Digest: i.ImageDigest, Preprocess: preprocess.Version + photo.DecoderVersion(), Dim: i.Width, Name: i.Name}
}

// closeCatalogued closes a gallery and warns if its catalog was of no use: what
// was asked for has been done without.
func (a *app) closeCatalogued(g *gallery.Gallery) {
	if err := errors.Join(g.CatalogErr(), g.Close()); err != nil {
		a.complain(fmt.Errorf("warning: vectors were not kept: %w", err))
	}
}
