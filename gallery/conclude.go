package gallery

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sigla/gallery/catalog"
)

// conclude ends a walk: photos, folders and complaints that it should have come
// to and did not are gone, and the catalog learns all that is different. A walk
// that was called off has found nothing that could be trusted.
func (w *walk) conclude() {
	g := w.g
	off := w.ctx.Err() != nil
	var missing []int64
	var folders []string
	g.mu.Lock()
	if !off {
		w.markOthers()
		w.movePhotos()
		missing = w.losePhotos()
		folders = w.forgetFolders()
	}
	for id := range g.slots {
		if g.slots[id].pending { // nobody comes to it any more
			g.slots[id].pending = false
			g.offer(id)
		}
	}
	g.changed()
	watcher := g.watcher
	g.mu.Unlock()
	watcher.remove(folders...)
	if !off {
		w.sync(missing)
	}
}

// markOthers marks, with mu held, what Scan was given at other times: a hidden
// folder that was named is not gone because a walk has passed it by.
func (w *walk) markOthers() {
	for at := range w.g.named {
		if _, marked := w.sights[at]; !marked {
			w.sights[at] = passed
		}
	}
}

// movePhotos gives, with mu held, photos the path by which they were reached if
// they have lost their own.
func (w *walk) movePhotos() {
	for id, o := range w.others {
		if s := &w.g.slots[id]; w.sight(s.at) == looked {
			w.g.move(id, o.place)
			s.book = o.book
			w.find(id)
		}
	}
}

// losePhotos ends, with mu held, photos that were not seen where they should
// be, and returns their files in the catalog.
func (w *walk) losePhotos() (missing []int64) {
	g := w.g
	folder, inFolder := "", unseen // the last one's sight: the next photo is mostly in the same
	for id := range g.slots {
		s := &g.slots[id]
		if s.walk == w.number || s.State == Gone {
			continue
		}
		m, own := w.sights[s.at]
		if !own {
			if in := s.at[:strings.LastIndexByte(s.at, filepath.Separator)+1]; in != folder {
				folder, inFolder = in, w.sight(s.at)
			}
			m = inFolder
		}
		switch {
		case m == looked:
			if s.file != 0 {
				missing = append(missing, s.file)
			}
			g.lose(id)
		case m == elsewhere && s.pending:
			g.lose(id)
		case m == unsure && !s.Unreachable:
			s.Unreachable = true
			g.turned = append(g.turned, id)
			g.touch(id)
		}
	}
	return missing
}

// forgetFolders forgets, with mu held, folders that are no longer there, which
// it returns, and what was said of what no longer is so.
func (w *walk) forgetFolders() (folders []string) {
	g := w.g
	for at, f := range g.folders {
		if m := w.sight(at); f.walk == w.number || m != looked && m != elsewhere {
			continue
		}
		g.leftOut.add(f.left, -1)
		delete(g.folders, at)
		folders = append(folders, at)
	}
	said := make(map[string]bool)
	for _, s := range g.skipped {
		if s.walk == w.number {
			said[s.at] = true
		}
	}
	g.skipped = slices.DeleteFunc(g.skipped, func(s skipped) bool {
		return s.walk != w.number && (said[s.at] || w.sight(s.at) == looked)
	})
	return folders
}

// sync writes what is different into the catalog.
func (w *walk) sync(missing []int64) {
	g := w.g
	for _, b := range w.books { // none without a catalog
		ch := catalog.Changes{At: g.now(), Missing: missing}
		missing = nil // they are known by number, in whatever book
		var photos []int
		for _, f := range w.found {
			if f.book == b {
				photos = append(photos, f.photo)
				ch.Found = append(ch.Found, f.file)
			}
		}
		if w.only != nil && len(ch.Found)+len(ch.Missing) == 0 {
			continue // nothing that is worth a wait for the disk
		}
		if err := w.catalog.Sync(w.ctx, b.root, ch); err != nil {
			w.dropCatalog(err)
			return
		}
		g.mu.Lock()
		for i, id := range photos {
			g.slots[id].file = ch.Found[i].ID
		}
		g.changed()
		g.mu.Unlock()
	}
}

// isThere reports whether a path leads to a file.
func isThere(path string, file fs.FileInfo) bool {
	info, err := os.Stat(path)
	return err == nil && os.SameFile(info, file)
}
