package gallery

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// spots are the folders that a walk is confined to, by place.at: true for those
// that are walked with all that is below them. Of the others only the files are
// looked at, and folders that are new.
type spots struct {
	folders map[string]bool
	deep    bool // the present one is walked with all that is below it
}

// lookAgain is a Scan of some folders.
func (g *Gallery) lookAgain(ctx context.Context, folders map[string]bool) error {
	return g.walk(ctx, func(w *walk) error {
		w.only = &spots{folders: maps.Clone(folders)}
		w.remember()
		// Parents first: a walk with all that is below comes to others on its way.
		for todo := slices.Sorted(maps.Keys(folders)); len(todo) > 0 && ctx.Err() == nil; todo = todo[1:] {
			if parent := w.spot(todo[0]); parent != "" {
				todo = append(todo, parent)
			}
		}
		return ctx.Err()
	})
}

// remember makes a confined walk know the folders that others have visited. A
// folder that is no longer where it was may have moved to where this walk comes
// to; it is not watched under its old name any more.
func (w *walk) remember() {
	g := w.g
	g.mu.RLock()
	folders := slices.Collect(maps.Values(g.folders))
	watcher := g.watcher
	g.mu.RUnlock()
	var moved []string
	for _, f := range folders {
		_, inside := w.only.folders[filepath.Dir(f.at)]
		if _, itself := w.only.folders[f.at]; (inside || itself) && !isThere(f.at, f.info) {
			moved = append(moved, f.at)
		}
	}
	for _, f := range folders {
		if slices.ContainsFunc(moved, func(m string) bool { _, ok := below(m, f.at); return ok }) {
			watcher.remove(f.at)
			continue
		}
		if w.only.has(f.at) {
			continue
		}
		w.visited = append(w.visited, f.info)
		if f.door {
			w.doors = append(w.doors, f.info)
		}
	}
}

// has reports whether a confined walk comes to a folder.
func (o *spots) has(at string) bool {
	if _, itself := o.folders[at]; itself {
		return true
	}
	for folder, deep := range o.folders {
		if _, ok := below(folder, at); deep && ok {
			return true
		}
	}
	return false
}

// passes reports whether a confined walk leaves a folder alone, and marks it.
func (w *walk) passes(at place, info fs.FileInfo) bool {
	if w.only == nil || w.only.deep {
		return false
	}
	w.g.mu.RLock()
	f := w.g.folders[at.at]
	w.g.mu.RUnlock()
	if f == nil || !os.SameFile(f.info, info) {
		return false
	}
	if w.sights[at.at] == unseen {
		w.sights[at.at] = passed
	}
	return true
}

// spot looks at a folder again. If it is not there, its parent is to be looked
// at.
func (w *walk) spot(at string) (parent string) {
	g := w.g
	root := g.rootOf(at)
	if root.at == "" {
		w.namedFiles(at)
		return ""
	}
	if w.sights[root.at] == unsure {
		return "" // that has been said
	}
	if _, _, err := w.arrive(root.path); err != nil {
		w.skip(root, err)
		g.unwatch(root.at)
		return ""
	}
	w.namedFiles(at)
	g.mu.RLock()
	f := g.folders[at]
	g.mu.RUnlock()
	if f == nil || f.walk == w.number {
		return ""
	}
	info, err := os.Stat(at)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !info.IsDir() {
		if at == root.at {
			return ""
		}
		return filepath.Dir(at)
	}
	if err == nil {
		w.turnTo(root)
		if at != root.at {
			w.readRulesAbove(root.at, f.place)
		}
		w.above = w.folderInfos(root.at, at)
		w.only.deep = w.only.folders[at]
		err = w.folder(f.place, info, f.door)
	}
	if err != nil && w.ctx.Err() == nil {
		w.skip(f.place, err)
	}
	return ""
}

// rootOf returns the innermost named folder that a path is in.
func (g *Gallery) rootOf(path string) (root place) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	for at, n := range g.named {
		if _, ok := below(at, path); ok && n.isFolder() && len(at) > len(root.at) {
			root = n.place
		}
	}
	return root
}

// namedFiles looks at the files of a folder that Scan was given by name.
func (w *walk) namedFiles(folder string) {
	var paths []string
	w.g.mu.RLock()
	for at, n := range w.g.named {
		if !n.isFolder() && filepath.Dir(at) == folder {
			paths = append(paths, n.path)
		}
	}
	w.g.mu.RUnlock()
	for _, p := range slices.Sorted(slices.Values(paths)) {
		w.root(p) // that it is not there is not an error here
	}
}

// folderInfos returns what is known of the folders from a root down to that
// above a path.
func (w *walk) folderInfos(root, at string) (infos []fs.FileInfo) {
	w.g.mu.RLock()
	defer w.g.mu.RUnlock()
	for at != root && len(at) > len(root) {
		at = filepath.Dir(at)
		if f := w.g.folders[at]; f != nil {
			infos = append(infos, f.info)
		}
	}
	slices.Reverse(infos)
	return infos
}
