package gallery

import (
	"context"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sigla/gallery/catalog"
)

// A book is a root of the catalog and how a Scan finds it to differ. Paths are
// those below the root, with slashes; the root itself is "".
type book struct {
	root   catalog.Root
	known  map[string]entry // what the catalog has and the walk has not seen yet
	found  []finding
	unsure []string // files and folders that could not be looked at
}

// An entry is a file in the catalog.
type entry struct {
	catalog.File
	moves bool // it is in another root: one within this one
}

// A finding is a photo whose file the catalog does not know as it is.
type finding struct {
	photo int
	file  catalog.File
}

// openBook returns the book for a folder, an absolute path without links, and
// the folder's path in it. The book is that of the outermost root which the
// folder is in, so that a folder scanned by itself is what it is as a part of
// another; and files of roots within the folder move into it.
func (w *walk) openBook(folder string) (*book, string, error) {
	roots, err := w.catalog.Roots(w.ctx)
	if err != nil {
		return nil, "", err
	}
	outer := folder
	for _, r := range roots {
		if _, ok := below(r.Path, outer); ok {
			outer = r.Path
		}
	}
	root, err := w.catalog.Root(w.ctx, outer)
	if err != nil {
		return nil, "", err
	}
	b := w.bookOf(root)
	w.g.noteTagRoot(root)
	prefix, _ := below(outer, folder)
	if err := b.load(w.ctx, w.catalog, root, "", prefix); err != nil {
		return nil, "", err
	}
	for _, r := range roots {
		if at, ok := below(folder, r.Path); ok && r.ID != root.ID {
			if err := b.load(w.ctx, w.catalog, r, path.Join(prefix, at), prefix); err != nil {
				return nil, "", err
			}
		}
	}
	return b, prefix, nil
}

func (w *walk) bookOf(root catalog.Root) *book {
	for _, b := range w.books {
		if b.root.ID == root.ID {
			return b
		}
	}
	b := &book{root: root, known: make(map[string]entry)}
	w.books = append(w.books, b)
	return b
}

// below returns the path of a file or folder below another, "" for itself.
func below(folder, file string) (string, bool) {
	rel, err := filepath.Rel(folder, file)
	if err != nil || !filepath.IsLocal(rel) {
		return "", false
	}
	if rel == "." {
		rel = ""
	}
	return filepath.ToSlash(rel), true
}

// load adds the files of a root, which lies at a path of the book, as far as
// they are under the prefix.
func (b *book) load(ctx context.Context, c *catalog.Catalog, root catalog.Root, at, prefix string) error {
	return c.EachFile(ctx, root, func(f catalog.File) error {
		f.Path = path.Join(at, f.Path)
		if _, twice := b.known[f.Path]; !twice && within(f.Path, prefix) {
			b.known[f.Path] = entry{f, root.ID != b.root.ID}
		}
		return nil
	})
}

// within reports whether a path is that of a folder or below it.
func within(file, folder string) bool {
	rest, ok := strings.CutPrefix(file, folder)
	return ok && (folder == "" || rest == "" || rest[0] == '/')
}

// see returns the catalog's entry of a file that is there, and whether that has
// changed. Of what is in a changed file nothing is known.
func (b *book) see(at string, info fs.FileInfo) (f catalog.File, changed bool) {
	e, known := b.known[at]
	delete(b.known, at)
	f = e.File
	size, modified := info.Size(), info.ModTime().UnixNano()
	if !known || f.Size != size || f.Modified != modified {
		f.Hash, f.Error, changed = catalog.Hash{}, "", true
	}
	changed = changed || e.moves || !f.Missing.IsZero()
	f.Path, f.Size, f.Modified, f.Missing = at, size, modified, time.Time{}
	return f, changed
}

// sync writes the findings into the catalog. Files that were not seen are
// missing, unless they could not be.
func (b *book) sync(ctx context.Context, c *catalog.Catalog, now time.Time) error {
	ch := catalog.Changes{At: now}
	for at, e := range b.known {
		unsure := func(folder string) bool { return within(at, folder) }
		if e.Missing.IsZero() && !slices.ContainsFunc(b.unsure, unsure) {
			ch.Missing = append(ch.Missing, e.ID)
		}
	}
	for _, f := range b.found {
		ch.Found = append(ch.Found, f.file)
	}
	if err := c.Sync(ctx, b.root, ch); err != nil {
		return err
	}
	for i := range ch.Found {
		b.found[i].file = ch.Found[i]
	}
	return nil
}

// turnTo opens the book of a named folder.
func (w *walk) turnTo(folder string) {
	w.book, w.prefix = nil, ""
	if w.catalog == nil {
		return
	}
	var err error
	if w.book, w.prefix, err = w.openBook(folder); err != nil {
		w.dropCatalog(err)
	}
}

// closeBooks writes all findings down. A walk that was called off has none to
// be trusted.
func (w *walk) closeBooks() {
	for _, b := range w.books {
		if w.catalog == nil || w.ctx.Err() != nil {
			return
		}
		if err := b.sync(w.ctx, w.catalog, w.g.now()); err != nil {
			w.dropCatalog(err)
			return
		}
		w.g.mu.Lock()
		for _, f := range b.found {
			w.g.slots[f.photo].file = f.file.ID
		}
		w.g.changed()
		w.g.mu.Unlock()
	}
}

func (w *walk) dropCatalog(err error) {
	w.catalog, w.book = nil, nil
	if w.ctx.Err() == nil {
		w.g.dropCatalog(err)
	}
}

// doubt notes that what is at a place could not be looked at, or was looked at
// elsewhere.
func (w *walk) doubt(at place) {
	if w.book != nil {
		w.book.unsure = append(w.book.unsure, path.Join(w.prefix, at.name))
	}
}
