package gallery

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"sigla/gallery/catalog"
	"sigla/gallery/photo"
)

// A book is a root of the catalog.
type book struct {
	root   catalog.Root
	loaded []string // folders whose files have become photos
}

// path returns how the catalog names a file.
func (b *book) path(at string) string {
	path, _ := below(b.root.Path, at)
	return path
}

// A finding is a photo whose file the catalog does not know as it is.
type finding struct {
	photo int
	book  *book
	file  catalog.File
}

// turnTo opens the book of a named folder, shows the photos that it has, and
// reads the rules above.
func (w *walk) turnTo(at place) {
	w.book, w.rules, w.above = nil, nil, nil
	if w.catalog == nil {
		return
	}
	var err error
	if w.book, err = w.openBook(at); err != nil {
		w.dropCatalog(err)
		return
	}
	if !slices.Contains(w.books, w.book) {
		w.books = append(w.books, w.book)
	}
	w.readRulesAbove(w.book.root.Path, at)
}

// readRulesAbove reads the rules of the folders from a root down to that above a
// place.
func (w *walk) readRulesAbove(root string, at place) {
	path, _ := below(root, at.at)
	for _, name := range strings.SplitAfter(path, "/") {
		if path == "" {
			return
		}
		w.readRules(place{path: root, at: root})
		root = join(root, strings.TrimSuffix(name, "/"))
	}
}

// openBook returns the book for a named folder. It is that of the outermost root
// which the folder is in, so that a folder scanned by itself is what it is as a
// part of another; and files of roots within the folder move into it.
func (w *walk) openBook(at place) (*book, error) {
	roots, err := w.catalog.Roots(w.ctx)
	if err != nil {
		return nil, err
	}
	outer := at.at
	for _, r := range roots {
		if _, ok := below(r.Path, outer); ok {
			outer = r.Path
		}
	}
	root, err := w.catalog.Root(w.ctx, outer)
	if err != nil {
		return nil, err
	}
	b := w.bookOf(root)
	w.g.noteTagRoot(root)
	if slices.ContainsFunc(b.loaded, func(folder string) bool { _, ok := below(folder, at.at); return ok }) {
		return b, nil
	}
	books := []*book{b}
	for _, r := range roots {
		if _, ok := below(at.at, r.Path); ok && r.ID != root.ID {
			books = append(books, w.bookOf(r))
		}
	}
	var files []catalogued
	for _, b := range books {
		if files, err = w.load(files, b, at); err != nil {
			return nil, err
		}
	}
	b.loaded = append(b.loaded, at.at)
	w.recall(at, files)
	return b, nil
}

func (w *walk) bookOf(root catalog.Root) *book {
	g := w.g
	for _, b := range g.books {
		if b.root.ID == root.ID {
			return b
		}
	}
	b := &book{root: root}
	g.books = append(g.books, b)
	return b
}

// catalogued is a file that the catalog has.
type catalogued struct {
	catalog.File
	book *book
	at   string
	rest string // of at, below the named folder, with slashes
}

// load appends the files of a book that lie below a named folder.
func (w *walk) load(files []catalogued, b *book, in place) ([]catalogued, error) {
	prefix := b.root.Path
	if !strings.HasSuffix(prefix, separator) {
		prefix += separator
	}
	n, err := w.catalog.CountFiles(w.ctx, b.root)
	if err != nil {
		return nil, err
	}
	files = slices.Grow(files, n) // growing would leave five times as much behind
	err = w.catalog.EachFile(w.ctx, b.root, func(f catalog.File) error {
		at := prefix + filepath.FromSlash(f.Path)
		if rest, ok := below(in.at, at); ok {
			files = append(files, catalogued{f, b, at, rest})
		}
		return nil
	})
	return files, err
}

// recall makes photos of files that the catalog has and does not say to be
// gone, in the order of a walk.
func (w *walk) recall(in place, files []catalogued) {
	slices.SortStableFunc(files, func(a, b catalogued) int { return CompareNames(a.rest, b.rest) })
	g := w.g
	g.mu.Lock()
	defer g.mu.Unlock()
	g.slots = slices.Grow(g.slots, len(files))
	w.absent = make(map[string]catalog.File)
	for _, f := range files {
		if !f.Missing.IsZero() {
			w.absent[f.at] = f.File
			continue
		}
		if _, twice := g.known[f.at]; twice {
			continue
		}
		p := place{path: f.at, name: f.rest, at: f.at, real: f.at}
		if in.path != in.at {
			p.path = filepath.Join(in.path, filepath.FromSlash(f.rest))
		}
		id := g.put(p, f.Size, time.Unix(0, f.Modified))
		s := &g.slots[id]
		s.pending, s.book, s.file, s.Content, s.reason = true, f.book, f.ID, f.Hash, f.Error
		g.failAgain(id)
	}
	g.changed()
}

// put adds a photo, with mu held.
func (g *Gallery) put(p place, size int64, modified time.Time) (id int) {
	id = len(g.slots)
	g.slots = append(g.slots, slot{
		Photo: Photo{ID: id, Path: p.path, Name: p.name, Size: size, Modified: modified},
		at:    p.at,
		real:  p.real,
	})
	g.known[p.real] = id
	g.touch(id)
	return id
}

// failAgain settles, with mu held, a photo of which it is known that there is
// none in its file.
func (g *Gallery) failAgain(id int) {
	if s := &g.slots[id]; s.reason != "" {
		g.settle(id, errors.New("read photo "+s.Path+": "+s.reason))
	}
}

// add adds a photo, or sees how it has changed.
func (w *walk) add(at place, info fs.FileInfo, twins []string) {
	g := w.g
	if g.busy(at.at) {
		w.sights[at.at] = passed // it is being written
		return
	}
	sidecars := w.listing.sidecars(filepath.Base(at.path), twins)
	g.mu.Lock()
	defer g.mu.Unlock()
	id, known := g.known[at.real]
	if !known {
		// What the catalog says of a place has not been looked at for links.
		if id, known = g.known[at.at]; known && g.slots[id].pending {
			g.move(id, at)
		} else {
			id = w.addNew(at, info, twins)
			g.meetTags(id, sidecars)
			return
		}
	}
	s := &g.slots[id]
	own := s.at == at.at
	_, fromElsewhere := w.others[id]
	if own && (fromElsewhere || s.walk != w.number) {
		delete(w.others, id)
		g.meetBeside(id, sidecars, twins)
	}
	if s.walk == w.number {
		return // it was reached by another path
	}
	if !own {
		w.others[id] = other{at, w.book}
	}
	turn, pending := s.turn, s.pending
	s.walk, s.pending = w.number, false
	w.see(id, own, info)
	if s.Unreachable {
		s.Unreachable = false
		g.turnOver(id)
	}
	if s.turn != turn {
		g.changed()
	} else if pending && s.State == Waiting {
		g.offer(id)
	}
}

// meetBeside notes, with mu held, what lies beside a photo.
func (g *Gallery) meetBeside(id int, sidecars uint32, twins []string) {
	g.meetTags(id, sidecars)
	if s := &g.slots[id]; !slices.Equal(s.Twins, twins) {
		s.Twins = twins
		g.turnOver(id)
	}
}

// turnOver says, with mu held, that a photo is not what it was.
func (g *Gallery) turnOver(id int) {
	g.turned = append(g.turned, id)
	g.touch(id)
	g.changed()
}

// other is a path by which a photo was reached besides its own, which may be no
// more.
type other struct {
	place
	book *book
}

// move gives a photo another place, with mu held.
func (g *Gallery) move(id int, to place) {
	s := &g.slots[id]
	delete(g.known, s.real)
	g.known[to.real] = id
	s.Path, s.Name, s.at, s.real = to.path, to.name, to.at, to.real
	g.turned = append(g.turned, id)
	g.touch(id)
}

// addNew adds a photo that was not known, with mu held.
func (w *walk) addNew(at place, info fs.FileInfo, twins []string) (id int) {
	g := w.g
	id = g.put(at, info.Size(), info.ModTime())
	s := &g.slots[id]
	s.walk, s.book, s.Twins = w.number, w.book, twins
	if f, ok := w.absent[at.at]; ok && w.book != nil {
		s.file = f.ID
		if f.Size == s.Size && f.Modified == s.Modified.UnixNano() {
			s.Content, s.reason = f.Hash, f.Error
		}
	}
	w.find(id)
	g.failAgain(id)
	g.changed()
	return id
}

// see compares a photo with its file, with mu held. own says that the walk has
// come to it by the path that it has.
func (w *walk) see(id int, own bool, info fs.FileInfo) {
	g, s := w.g, &w.g.slots[id]
	same := s.Size == info.Size() && s.Modified.UnixNano() == info.ModTime().UnixNano()
	gone, passing := s.State == Gone, s.State == Failed && errors.As(s.Err, new(syscall.Errno))
	if !same {
		s.Size, s.Modified, s.Content, s.reason = info.Size(), info.ModTime(), catalog.Hash{}, ""
		s.Info = photo.Info{}
	}
	joins := own && w.book != nil && s.book != w.book
	if joins {
		s.book = w.book
	}
	if !same || joins || gone {
		w.find(id)
	}
	if !same || gone || passing {
		g.again(id, same)
		g.failAgain(id)
	}
}

// find notes, with mu held, that the catalog is to learn of a photo's file.
func (w *walk) find(id int) {
	s := &w.g.slots[id]
	if s.book == nil || w.catalog == nil {
		return
	}
	if s.file != 0 {
		s.tags.doubt = true
	}
	if !slices.Contains(w.books, s.book) {
		w.books = append(w.books, s.book)
	}
	w.found = append(w.found, finding{id, s.book, catalog.File{
		ID: s.file, Path: s.book.path(s.at), Size: s.Size, Modified: s.Modified.UnixNano(), Hash: s.Content, Error: s.reason,
	}})
}

func (w *walk) dropCatalog(err error) {
	w.catalog, w.book, w.books = nil, nil, nil
	if w.ctx.Err() == nil {
		w.g.dropCatalog(err)
	}
}
