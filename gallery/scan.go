package gallery

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"sigla/gallery/catalog"
	"sigla/gallery/photo"
)

// Scan adds the photos of files and folders. Of a folder: first its own photos,
// then its sub-folders, both in natural order; hidden ones (.name) and those
// that a .siglaignore names are left out, symbolic links to folders are
// followed, and no folder is visited twice. A photo reached by two paths is
// added once. Two hard links are two photos: each has a name, and sidecars, of
// its own. A JPEG and the raw file of its name beside it are one photo.
//
// A path that is named here is taken as it is: a hidden folder, a file of any
// extension. That it cannot be read is an error, after the other paths have
// been scanned; whatever cannot be read below it is in Skipped instead, and
// what is left out on purpose in LeftOut.
//
// Scan may be called again, also while Embed runs: it adds what is new, lets
// photos whose files have changed wait once more, and those whose files are no
// longer there are Gone. What could not be looked at is Unreachable.
//
// With a catalog (UseCatalog) the photos that it knows are there at once, before
// the folders are walked. The differences are written into it when Scan comes
// to its end, unless ctx ends before.
func (g *Gallery) Scan(ctx context.Context, paths ...string) error {
	return g.walk(ctx, func(w *walk) error {
		var errs []error
		for _, p := range paths {
			err := w.root(p)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				errs = append(errs, scanError(p, err))
			}
		}
		return errors.Join(errs...)
	})
}

// walk runs a walk, one at a time.
func (g *Gallery) walk(ctx context.Context, do func(*walk) error) error {
	g.countScans(+1)
	defer g.countScans(-1)
	select {
	case g.walking <- struct{}{}:
		defer func() { <-g.walking }()
	case <-ctx.Done():
		return ctx.Err()
	}
	w := &walk{g: g, ctx: ctx, catalog: g.openCatalog(ctx), sights: make(map[string]sight), others: make(map[int]other)}
	g.mu.Lock()
	g.walks++
	w.number = g.walks
	g.mu.Unlock()
	err := do(w)
	w.conclude()
	return err
}

func (g *Gallery) countScans(by int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.scans += by
	g.changed()
}

// scanError says the path once, whatever err says already.
func scanError(path string, err error) error {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		err = pathErr.Err
	}
	return fmt.Errorf("scan %s: %w", path, err)
}

// A walk goes through folders and finds how they differ from what the gallery
// and the catalog have of them.
type walk struct {
	g      *Gallery
	ctx    context.Context
	number int
	// Folders are told apart by os.SameFile, which sees through links and
	// spellings. Two folders reached by descent alone are never the same, so a
	// folder is compared with all others only if it was entered by name or
	// through a link, and otherwise with such doors only.
	visited []fs.FileInfo
	doors   []fs.FileInfo
	above   []fs.FileInfo // from the root down to the present folder
	listing listing       // of the present folder
	rules   []rules       // of those of them that have any

	sights map[string]sight // by place.at
	only   *spots           // what is looked at; nil: all

	catalog *catalog.Catalog // nil: none
	book    *book            // that of the present root; nil: none
	books   []*book          // those of roots that were walked
	absent  map[string]catalog.File
	found   []finding
	others  map[int]other // photos that were reached by another path only
}

// A sight is what a walk has made of a path, and of what lies below it as far as
// that has no sight of its own.
type sight uint8

const (
	unseen    sight = iota
	looked          // what was not seen there is not there
	elsewhere       // it was reached by another path
	unsure          // it could not be looked at
	passed          // it was not the walk's to look at
)

// sight returns the sight that counts for a path.
func (w *walk) sight(at string) sight {
	for {
		if s, ok := w.sights[at]; ok {
			return s
		}
		parent := filepath.Dir(at)
		if parent == at {
			return unseen
		}
		at = parent
	}
}

func (w *walk) root(path string) error {
	at, info, err := w.arrive(path)
	switch {
	case err != nil:
		return err
	case info.IsDir():
		w.turnTo(at)
		err := w.folder(at, info, true)
		if err != nil {
			w.sights[at.at] = unsure
		}
		return err
	case info.Mode().IsRegular():
		w.book = nil // a file that is named alone is known by its content
		w.g.watching().addAbove(at)
		at.name = filepath.Base(path)
		w.listing = besides(path)
		w.add(at, info, nil)
		return nil
	}
	return errors.New("neither a file nor a folder")
}

// folder adds the photos of a folder and of the folders below it. The error is
// of this folder only.
func (w *walk) folder(at place, info fs.FileInfo, door bool) error {
	if w.seen(info, door) {
		w.sights[at.at] = elsewhere
		return nil
	}
	w.above = append(w.above, info)
	defer func() { w.above = w.above[:len(w.above)-1] }()
	w.enter(at, info, door)

	entries, ruled, listErr := w.list(at.path)
	if ruled {
		defer func(n int) { w.rules = w.rules[:n] }(len(w.rules))
		w.readRules(at)
	}
	w.listing = newListing(entries)
	entries, twins := pair(w.keep(at, entries))
	var folders []fs.DirEntry
	for _, e := range entries {
		if w.ctx.Err() != nil {
			return w.ctx.Err()
		}
		isFolder, err := w.entry(at, e, twins[e.Name()])
		if err != nil {
			return err
		}
		if isFolder {
			folders = append(folders, e)
		}
	}
	if listErr == nil {
		w.sights[at.at] = looked
	}
	for _, e := range folders {
		w.subfolder(at.below(e.Name()), e.Type()&fs.ModeSymlink != 0)
	}
	return listErr
}

// seen reports whether a folder was visited, and remembers that it now is.
func (w *walk) seen(info fs.FileInfo, door bool) bool {
	others := w.doors
	if door {
		others = w.visited
	}
	if contains(others, info) {
		return true
	}
	w.visited = append(w.visited, info)
	if door {
		w.doors = append(w.doors, info)
	}
	return false
}

func contains(list []fs.FileInfo, info fs.FileInfo) bool {
	return slices.ContainsFunc(list, func(other fs.FileInfo) bool { return os.SameFile(other, info) })
}

// list returns the entries of a folder that are not hidden, in natural order,
// and whether there are rules among those that are; with an error, those that
// could be read.
func (w *walk) list(path string) (list []fs.DirEntry, ruled bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, false, err
	}
	defer f.Close()
	for w.ctx.Err() == nil {
		// In portions, so that a folder of a million files can be left.
		var more []fs.DirEntry
		more, err = f.ReadDir(1000)
		for _, e := range more {
			if e.Name()[0] != '.' {
				list = append(list, e)
			} else if e.Name() == ignoreName {
				ruled = true
			}
		}
		if err != nil {
			break
		}
	}
	if err == io.EOF {
		err = nil
	}
	slices.SortFunc(list, func(a, b fs.DirEntry) int { return compareNatural(a.Name(), b.Name()) })
	return list, ruled, err
}

// entry adds a file of a folder if it is a photo and says whether there is a
// folder instead. The error is of the folder the entry is in.
func (w *walk) entry(in place, e fs.DirEntry, twins []string) (isFolder bool, err error) {
	link := e.Type()&fs.ModeSymlink != 0
	isPhoto := photo.IsPhoto(e.Name())
	if e.IsDir() || !link && !isPhoto {
		return e.IsDir(), nil
	}
	at := in.below(e.Name())
	var info fs.FileInfo
	if link {
		info, err = os.Stat(at.path)
	} else {
		info, err = e.Info()
	}
	switch {
	case !link && errors.Is(err, fs.ErrPermission):
		return false, err // the folder may be listed but not entered
	case !link && errors.Is(err, fs.ErrNotExist):
		// It was deleted while the folder was listed.
	case err != nil:
		w.skip(at, err)
	case info.IsDir():
		return !link || !w.ignored(at.at, true), nil
	case !isPhoto:
	case !info.Mode().IsRegular():
		w.skip(at, errors.New("not a regular file"))
	default:
		if link {
			at.real = realPath(at.path)
		}
		w.add(at, info, twins)
	}
	return false, nil
}

func (w *walk) subfolder(at place, link bool) {
	info, err := os.Stat(at.path)
	if err == nil && link {
		at.real = realPath(at.path)
		if contains(w.above, info) {
			err = errors.New("symbolic link to a folder that it lies in")
		}
	}
	if err == nil {
		if w.passes(at, info) {
			return
		}
		err = w.folder(at, info, link)
	}
	if err != nil && w.ctx.Err() == nil {
		w.skip(at, err)
	}
}

// skipped is a Skip and when it was said.
type skipped struct {
	Skip
	at   string
	walk int
}

// skip notes what was passed by.
func (w *walk) skip(at place, err error) {
	w.sights[at.at] = unsure
	g := w.g
	g.mu.Lock()
	defer g.mu.Unlock()
	g.skipped = append(g.skipped, skipped{Skip{at.path, scanError(at.path, err)}, at.at, w.number})
	g.changed()
}
