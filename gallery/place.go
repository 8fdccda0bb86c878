package gallery

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const separator = string(filepath.Separator)

// A place is a file or folder by its four names. Mostly some of them are one
// string.
type place struct {
	path string // from the path given to Scan
	name string // from the root, with slashes
	at   string // absolute; from the root on, as it was reached
	real string // absolute and without links: the identity of a file
}

// rootPlace returns the place of a path that is named.
func rootPlace(path string) place {
	real := realPath(path)
	return place{path: path, at: real, real: real}
}

func (p place) below(name string) place {
	b := place{at: join(p.at, name)}
	b.path, b.real, b.name = b.at, b.at, name
	if p.path != p.at {
		b.path = filepath.Join(p.path, name)
	}
	if p.real != p.at {
		b.real = join(p.real, name)
	}
	switch n := len(p.name) + len("/") + len(name); {
	case p.name == "":
	case separator == "/":
		b.name = b.at[len(b.at)-n:]
	default:
		b.name = p.name + "/" + name
	}
	return b
}

// join appends a name to a folder's path, which is clean.
func join(folder, name string) string {
	if strings.HasSuffix(folder, separator) {
		return folder + name
	}
	return folder + separator + name
}

// below returns the path of a file or folder below another, with slashes; ""
// for itself. Both paths are absolute and clean.
func below(folder, file string) (string, bool) {
	rest, ok := strings.CutPrefix(file, folder)
	switch {
	case !ok:
		return "", false
	case rest == "":
		return "", true
	case strings.HasSuffix(folder, separator):
		return filepath.ToSlash(rest), true
	case rest[0] == filepath.Separator:
		return filepath.ToSlash(rest[1:]), true
	}
	return "", false
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

// A folder is one that a walk has been in.
type folder struct {
	place
	info fs.FileInfo
	door bool // it was entered by name or through a link
	walk int  // the last that was in it
	left LeftOut
}

// named is a file or folder that Scan was given.
type named struct {
	place
	info fs.FileInfo // when it was there last
	away bool        // it was not there the last time
}

// isFolder reports whether it was one.
func (n *named) isFolder() bool { return n.info.IsDir() }

var errVacant = errors.New("it is empty, and not the folder that it was; a drive may be missing")

// arrive returns where a path that is named leads. If it leads nowhere, what was
// there before is out of reach, unless it was a file whose folder is there.
func (w *walk) arrive(path string) (place, fs.FileInfo, error) {
	g := w.g
	at := rootPlace(path)
	info, err := os.Stat(path)
	g.mu.Lock()
	defer g.mu.Unlock()
	if err != nil {
		for _, n := range g.named {
			if n.path == path {
				at = n.place // it may have been behind a link that is no more
			}
		}
	}
	n := g.named[at.at]
	if err == nil && n != nil && isVacant(at.at, n.info, info) {
		err = errVacant
	}
	switch {
	case err == nil:
		g.named[at.at] = &named{place: at, info: info}
	case n != nil && !n.isFolder() && errors.Is(err, fs.ErrNotExist) && isFolder(filepath.Dir(at.at)):
		w.sights[at.at] = looked
	default:
		w.sights[at.at] = unsure
		if n != nil {
			n.away = true
		}
	}
	return at, info, err
}

// isVacant reports whether a folder is but the place where a drive was: empty,
// and not the folder that it was before.
func isVacant(path string, before, now fs.FileInfo) bool {
	if !now.IsDir() || os.SameFile(before, now) {
		return false
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	names, _ := f.Readdirnames(1)
	return len(names) == 0
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// enter remembers a folder, and has it watched, before it is listed.
func (w *walk) enter(at place, info fs.FileInfo, door bool) {
	g := w.g
	g.mu.Lock()
	f := g.folders[at.at]
	if f == nil {
		f = &folder{}
		g.folders[at.at] = f
	}
	g.leftOut.add(f.left, -1)
	f.place, f.info, f.door, f.walk, f.left = at, info, door, w.number, LeftOut{}
	watcher := g.watcher
	g.mu.Unlock()
	watcher.add(at)
}
