package gallery

import (
	"context"
	"errors"
	"time"

	"sigla/gallery/catalog"
)

// tagsPerStore is how many photos' tags are stored in one transaction at most:
// others wait for it.
const tagsPerStore = 2000

// recall brings in what the catalog has of the roots, when it is first asked
// for: of a folder that is new there is nothing.
func (r *tagRun) recall() {
	g, b := r.g, &r.g.tags
	g.mu.Lock()
	defer g.mu.Unlock()
	for !r.ended() {
		if !b.asked || b.loaded == len(b.roots) {
			g.moved.Wait()
			continue
		}
		root := b.roots[b.loaded]
		g.mu.Unlock()
		stored, err := r.storedTags(root)
		if err != nil && r.ctx.Err() == nil {
			g.dropCatalog(err)
		}
		g.mu.Lock()
		if r.ctx.Err() != nil {
			return
		}
		if b.stored == nil {
			b.stored = stored
		} else {
			for file, list := range stored {
				b.stored[file] = list
			}
		}
		b.loaded++
		g.moved.Broadcast()
	}
}

// storedTags returns what the catalog has of the files of a root.
func (r *tagRun) storedTags(root catalog.Root) (map[int64][]storedTags, error) {
	g := r.g
	stored := make(map[int64][]storedTags)
	err := r.catalog.EachSource(r.ctx, root, func(f catalog.File, s catalog.Source) error {
		values := valuesOf(s.Tags)
		g.mu.Lock()
		list := g.tags.table.list(values)
		g.mu.Unlock()
		stored[f.ID] = append(stored[f.ID], storedTags{tagFile{s.Name, s.Size, s.Modified, list}, s.Error})
		return nil
	})
	return stored, err
}

// store hands what was read to the catalog, beside the reading, until the run
// ends. What that leaves is for finish.
func (r *tagRun) store() {
	g := r.g
	for {
		g.mu.Lock()
		for !r.ended() && len(g.tags.unsaved) == 0 {
			g.moved.Wait()
		}
		ended := r.ended()
		g.mu.Unlock()
		if ended {
			return
		}
		more, err := r.put()
		if err != nil && !errors.Is(err, catalog.ErrBusy) {
			g.dropCatalog(err)
			return
		}
		if more {
			continue
		}
		pause := time.NewTimer(storePause)
		select {
		case <-pause.C:
		case <-r.done:
			pause.Stop()
		}
	}
}

// put stores some of what is storable and reports whether there is more. While
// another process keeps the catalog to itself it stays queued.
func (r *tagRun) put() (more bool, err error) {
	g, b := r.g, &r.g.tags
	g.mu.Lock()
	c := g.keep.catalog
	if g.keep.off || c == nil {
		b.unsaved = nil
	}
	var later, now []int
	var sources []catalog.Source
	for _, id := range b.unsaved {
		s := &g.slots[id]
		switch {
		case s.file == 0:
			later = append(later, id)
		case len(now) == tagsPerStore:
			later, more = append(later, id), true
		default:
			now = append(now, id)
			sources = append(sources, g.sources(s)...)
			s.tags.unsaved = false
		}
	}
	b.unsaved = later
	g.mu.Unlock()
	if len(sources) == 0 {
		return false, nil
	}
	err = c.Put(context.WithoutCancel(r.ctx), catalog.Batch{Sources: sources})
	if errors.Is(err, catalog.ErrBusy) {
		g.mu.Lock()
		defer g.mu.Unlock()
		for _, id := range now {
			if t := &g.slots[id].tags; !t.unsaved {
				t.unsaved = true
				b.unsaved = append(b.unsaved, id)
			}
		}
	}
	return more && err == nil, err
}

// sources returns, with mu held, the sources of a photo.
func (g *Gallery) sources(s *slot) (list []catalog.Source) {
	b := &g.tags
	for _, f := range s.tags.files {
		source := catalog.Source{File: s.file, Name: f.name, Size: f.size, Modified: f.modified, Error: b.reason(s.ID, f.name)}
		for _, v := range f.values.of(b.table.values) {
			source.Tags = append(source.Tags, catalog.Tag{Field: string(v.Field), Value: v.Text})
		}
		list = append(list, source)
	}
	if len(list) == 0 {
		list = append(list, catalog.Source{File: s.file, None: true})
	}
	return list
}
