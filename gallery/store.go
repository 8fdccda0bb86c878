package gallery

import (
	"context"
	"errors"
	"time"

	"sigla/gallery/catalog"
)

// storePause is how long what has become known is gathered before it is
// stored: a transaction waits twice for the disk.
const storePause = 500 * time.Millisecond

// store hands what has become known to the catalog, beside the embedding, until
// the run ends. What that leaves is for finish.
func (r *run) store() {
	g := r.g
	for {
		g.mu.Lock()
		for !r.ended() && !g.storable() {
			g.moved.Wait()
		}
		ended := r.ended()
		g.mu.Unlock()
		if ended {
			return
		}
		if err := r.put(); err != nil && !errors.Is(err, catalog.ErrBusy) {
			g.dropCatalog(err)
			return
		}
		pause := time.NewTimer(storePause)
		select {
		case <-pause.C:
		case <-r.done:
			pause.Stop()
		}
	}
}

// storable reports, with mu held, whether there is anything to be stored.
func (g *Gallery) storable() bool {
	if len(g.keep.fresh) > 0 {
		return true
	}
	for _, id := range g.keep.read {
		if g.slots[id].file != 0 {
			return true
		}
	}
	return false
}

// finish stores what is left when the workers have ended.
func (r *run) finish() {
	if err := r.put(); err != nil {
		r.g.dropCatalog(err)
	}
}

// put stores what is storable. While another process keeps the catalog to
// itself that stays queued.
func (r *run) put() error {
	g, k := r.g, &r.g.keep
	g.mu.Lock()
	c, m, fresh := k.catalog, k.model, k.fresh
	k.fresh = nil
	stored, readings := g.readings()
	g.mu.Unlock()
	if c == nil || len(fresh)+len(readings) == 0 {
		return nil
	}
	b := catalog.Batch{Model: m, Readings: readings}
	for _, f := range fresh {
		i := f.info
		b.Photos = append(b.Photos, catalog.Photo{Hash: f.content, Format: i.Format, Width: i.Width, Height: i.Height, Orientation: i.Orientation, Taken: i.Taken})
		if f.vector != nil {
			v := make([]float32, len(f.vector))
			catalog.Widen(v, f.vector)
			b.Vectors = append(b.Vectors, catalog.Record{Hash: f.content, Vector: v})
		}
	}
	// What has been computed is stored also when the run is called off.
	err := c.Put(context.WithoutCancel(r.ctx), b)
	if errors.Is(err, catalog.ErrBusy) {
		g.mu.Lock()
		defer g.mu.Unlock()
		k.fresh, k.read = append(fresh, k.fresh...), append(stored, k.read...)
	}
	return err
}

// readings takes, with mu held, the readings of the files that the catalog
// knows by now, and the photos that they are of.
func (g *Gallery) readings() (photos []int, list []catalog.Reading) {
	k := &g.keep
	var later []int
	for _, id := range k.read {
		s := &g.slots[id]
		if s.file == 0 {
			later = append(later, id)
			continue
		}
		if s.State == Gone || s.Content == (catalog.Hash{}) && s.reason == "" {
			continue // the file is another by now
		}
		photos = append(photos, id)
		list = append(list, catalog.Reading{File: s.file, Size: s.Size, Modified: s.Modified.UnixNano(), Hash: s.Content, Error: s.reason})
	}
	k.read = later
	return photos, list
}
