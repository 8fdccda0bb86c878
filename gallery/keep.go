package gallery

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"

	"sigla/gallery/catalog"
	"sigla/gallery/photo"
)

// A keeper is the gallery's side of a catalog: what it has of the photos, and
// what is to be stored in it. A catalog that fails is put away with the reason,
// and the gallery goes on as if it had none.
type keeper struct {
	opening sync.Mutex // held while the catalog is opened or closed
	open    func(context.Context) (*catalog.Catalog, error)

	// The running Embed's: set before its workers begin, not changed beside
	// them. Between two runs there are no facts.
	index *catalog.Index
	facts facts

	// guarded by the gallery's mu
	catalog *catalog.Catalog // nil: not open, or put away
	model   catalog.Model    // without a digest: not known
	err     error            // the first thing that went wrong
	off     bool             // it was so bad that the catalog is left alone
	own     map[catalog.Hash]int
	fresh   []kept // to be stored
	read    []int  // photos whose reading is to be stored
}

// facts are what the catalog knows of photos, in the order of their hashes: a
// map of them would take three times the memory.
type facts []catalog.Photo

// of returns the facts of a content.
func (f facts) of(content catalog.Hash) (info photo.Info, ok bool) {
	i, ok := slices.BinarySearchFunc(f, content, func(p catalog.Photo, h catalog.Hash) int { return bytes.Compare(p.Hash[:], h[:]) })
	if !ok {
		return info, false
	}
	p := &f[i]
	return photo.Info{Format: p.Format, Width: p.Width, Height: p.Height, Orientation: p.Orientation, Taken: p.Taken}, true
}

// kept is what has become known of a photo's content.
type kept struct {
	content catalog.Hash
	info    photo.Info
	vector  []uint16 // nil: the catalog has it
}

// UseCatalog makes the gallery keep vectors in a catalog, and take those that
// are there from it: Scan compares folders with what the catalog says of them,
// Embed embeds the photos whose content has no vector of the model (UseModel)
// yet. Photos that are the same as when they failed have Failed again. All
// vectors are in half precision then, as the catalog keeps them.
//
// open is called once, by the first Scan or Embed. If it fails, or the catalog
// does later, the gallery goes on in memory; see CatalogErr. The catalog is the
// gallery's own then: Close closes it. Call UseCatalog before Scan.
func (g *Gallery) UseCatalog(open func(context.Context) (*catalog.Catalog, error)) {
	g.keep.open = open
	g.rows.halved = true
}

// UseModel says whose vectors the Embedder computes. Call it before Embed;
// without it Embed leaves the catalog alone.
func (g *Gallery) UseModel(m catalog.Model) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.keep.model = m
}

// CatalogErr returns the first thing that went wrong with the catalog, nil if
// nothing did: what could not be kept is embedded again the next time.
func (g *Gallery) CatalogErr() error {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.keep.err
}

// Close closes the catalog. No Scan or Embed may be running or follow. Whoever
// reads vectors is waited for; afterwards there are photos, but no vectors.
func (g *Gallery) Close() error {
	g.reading.Lock()
	defer g.reading.Unlock()
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	k := &g.keep
	k.opening.Lock()
	defer k.opening.Unlock()
	k.open = nil
	var errs []error
	if k.index != nil {
		errs = append(errs, k.index.Close())
	}
	g.mu.Lock()
	c := k.catalog
	k.index, k.facts, k.catalog = nil, nil, nil
	g.mu.Unlock()
	if c != nil {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// openCatalog returns the catalog, nil if there is none to be used.
func (g *Gallery) openCatalog(ctx context.Context) *catalog.Catalog {
	k := &g.keep
	k.opening.Lock()
	defer k.opening.Unlock()
	if k.open != nil {
		c, err := k.open(ctx)
		if ctx.Err() != nil && err != nil {
			return nil // it was not given the time
		}
		k.open = nil
		if err != nil {
			g.dropCatalog(err)
			return nil
		}
		g.mu.Lock()
		k.catalog = c
		g.mu.Unlock()
	}
	g.mu.RLock()
	defer g.mu.RUnlock()
	if k.off {
		return nil
	}
	return k.catalog
}

// dropCatalog says why the catalog is no longer used.
func (g *Gallery) dropCatalog(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	k := &g.keep
	k.off = true
	k.fresh, k.read = nil, nil
	if k.err == nil {
		k.err = err
	}
	g.changed()
}

// noteDamage says which vectors cannot be used: those in what is damaged.
func (g *Gallery) noteDamage(c *catalog.Catalog, n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.keep.err == nil {
		g.keep.err = fmt.Errorf("read catalog %s: some vectors are damaged, in %d files; see \"sigla index --verify\"", c.Dir(), n)
	}
}

// manyFacts is from how many on the memory that they took is given back.
const manyFacts = 10_000

// tidy forgets what only a run needs. Of a large catalog that is more than what
// remains, and the runtime would keep it for a quarter of an hour of idling.
func (k *keeper) tidy() {
	many := len(k.facts) >= manyFacts
	k.facts = nil
	if many {
		debug.FreeOSMemory()
	}
}

// load brings in the catalog's vectors of the model and the facts of its
// photos. It returns whether there is a catalog to work with.
func (g *Gallery) load(ctx context.Context) bool {
	k := &g.keep
	g.mu.RLock()
	m := k.model
	g.mu.RUnlock()
	if m.Digest == "" {
		return false
	}
	c := g.openCatalog(ctx)
	if c == nil {
		return false
	}
	var photos []catalog.Photo
	var photosErr, indexErr error
	var wait sync.WaitGroup
	wait.Go(func() { photos, photosErr = c.Photos(ctx) })
	if k.index == nil {
		k.index, indexErr = c.Vectors(ctx, m)
	} else {
		_, indexErr = k.index.Refresh(ctx)
	}
	wait.Wait()
	if err := errors.Join(indexErr, photosErr); err != nil {
		if ctx.Err() == nil {
			g.dropCatalog(err)
		}
		return false
	}
	if n := len(k.index.Damage()); n > 0 {
		g.noteDamage(c, n)
	}
	k.facts = photos
	if len(photos) >= manyFacts {
		debug.FreeOSMemory() // what Scan has left behind, before vectors take its place
	}
	return true
}

// find returns the catalog's vector of a photo's content.
func (k *keeper) find(content catalog.Hash) (h halved, ok bool) {
	if row, found := k.index.Find(content); found {
		return k.row(row)
	}
	return h, false
}

// row returns the vector in a row of the index.
func (k *keeper) row(row int) (h halved, ok bool) {
	values := k.index.Row(row)
	err := catalog.Guard(func() { h, ok = measure(values) })
	return h, ok && err == nil
}
