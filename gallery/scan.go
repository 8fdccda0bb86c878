package gallery

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"

	"sigla/gallery/catalog"
	"sigla/gallery/photo"
)

// Scan adds the photos of files and folders. Of a folder: first its own photos,
// then its sub-folders, both in natural order; hidden ones (.name) are left
// out, symbolic links to folders are followed, and no folder is visited twice.
// A photo reached by two paths is added once. Two hard links are two photos:
// each has a name, and sidecars, of its own.
//
// A path that is named here is taken as it is: a hidden folder, a file of any
// extension. That it cannot be read is an error, after the other paths have
// been scanned; whatever cannot be read below it is in Skipped instead. Scan
// may be called again, also while Embed runs, and adds what is new.
//
// With a catalog (UseCatalog) the differences are written into it when Scan
// comes to its end, unless ctx ends before.
func (g *Gallery) Scan(ctx context.Context, paths ...string) error {
	g.countScans(+1)
	defer g.countScans(-1)
	w := &walk{g: g, ctx: ctx, catalog: g.openCatalog(ctx)}
	defer w.closeBooks()
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

// A walk is one call of Scan.
type walk struct {
	g   *Gallery
	ctx context.Context
	// Folders are told apart by os.SameFile, which sees through links and
	// spellings. Two folders reached by descent alone are never the same, so a
	// folder is compared with all others only if it was entered by name or
	// through a link, and otherwise with such doors only.
	visited []fs.FileInfo
	doors   []fs.FileInfo
	above   []fs.FileInfo // from the root down to the present folder
	listing listing       // of the present folder

	catalog *catalog.Catalog // nil: none
	books   []*book
	book    *book  // that of the present root; nil: none
	prefix  string // of the present root in it
}

// A place is a file or folder by its three names.
type place struct {
	path string // from the path given to Scan
	name string // from the root, with slashes
	real string // absolute and without links: the identity of a file
}

func (p place) below(name string) place {
	return place{filepath.Join(p.path, name), path.Join(p.name, name), filepath.Join(p.real, name)}
}

func (w *walk) root(named string) error {
	info, err := os.Stat(named)
	if err != nil {
		return err
	}
	at := place{path: named, real: realPath(named)}
	switch {
	case info.IsDir():
		w.turnTo(at.real)
		err := w.folder(at, info, true)
		if err != nil {
			w.doubt(at)
		}
		return err
	case info.Mode().IsRegular():
		w.book = nil // a file that is named alone is known by its content
		at.name = filepath.Base(named)
		w.listing = besides(named)
		w.add(at, info)
		return nil
	}
	return errors.New("neither a file nor a folder")
}

// realPath returns where a path leads, or at least an absolute path.
func realPath(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	return path
}

// folder adds the photos of a folder and of the folders below it. The error is
// of this folder only.
func (w *walk) folder(at place, info fs.FileInfo, door bool) error {
	if w.seen(info, door) {
		w.doubt(at)
		return nil
	}
	w.above = append(w.above, info)
	defer func() { w.above = w.above[:len(w.above)-1] }()

	entries, listErr := w.list(at.path)
	w.listing = newListing(entries)
	var folders []fs.DirEntry
	for _, e := range entries {
		if w.ctx.Err() != nil {
			return w.ctx.Err()
		}
		isFolder, err := w.entry(at.below(e.Name()), e)
		if err != nil {
			return err
		}
		if isFolder {
			folders = append(folders, e)
		}
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

// list returns the entries of a folder that are not hidden, in natural order;
// with an error, those that could be read.
func (w *walk) list(path string) ([]fs.DirEntry, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var list []fs.DirEntry
	for w.ctx.Err() == nil {
		// In portions, so that a folder of a million files can be left.
		var more []fs.DirEntry
		more, err = f.ReadDir(1000)
		for _, e := range more {
			if e.Name()[0] != '.' {
				list = append(list, e)
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
	return list, err
}

// entry adds the file at a place if it is a photo and says whether there is a
// folder instead. The error is of the folder the entry is in.
func (w *walk) entry(at place, e fs.DirEntry) (isFolder bool, err error) {
	link := e.Type()&fs.ModeSymlink != 0
	isPhoto := photo.IsPhoto(e.Name())
	if e.IsDir() || !link && !isPhoto {
		return e.IsDir(), nil
	}
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
		return true, nil
	case !isPhoto:
	case !info.Mode().IsRegular():
		w.skip(at, errors.New("not a regular file"))
	default:
		if link {
			at.real = realPath(at.path)
		}
		w.add(at, info)
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
		err = w.folder(at, info, link)
	}
	if err != nil && w.ctx.Err() == nil {
		w.skip(at, err)
	}
}

func (w *walk) skip(at place, err error) {
	w.doubt(at)
	g := w.g
	g.mu.Lock()
	defer g.mu.Unlock()
	g.skipped = append(g.skipped, Skip{at.path, scanError(at.path, err)})
	g.changed()
}

func (w *walk) add(at place, info fs.FileInfo) {
	var file catalog.File
	changed := false
	if w.book != nil {
		file, changed = w.book.see(path.Join(w.prefix, at.name), info)
	}
	sidecars := w.listing.sidecars(filepath.Base(at.path))
	g := w.g
	g.mu.Lock()
	defer g.mu.Unlock()
	if id, known := g.known[at.real]; known {
		g.meetTags(id, at.path, sidecars)
		return
	}
	id := len(g.slots)
	g.known[at.real] = id
	s := slot{
		Photo:   Photo{ID: id, Path: at.path, Name: at.name, Size: info.Size(), Modified: info.ModTime()},
		tracked: w.book != nil,
		content: file.Hash,
		tags:    tagging{sidecars: sidecars},
	}
	if changed {
		if file.ID != 0 {
			s.tags.doubt = allKinds
		}
		w.book.found = append(w.book.found, finding{id, file})
	} else {
		s.file = file.ID
	}
	g.slots = append(g.slots, s)
	if file.Error != "" {
		g.settle(id, fmt.Errorf("read photo %s: %s", at.path, file.Error))
	}
	g.changed()
}
