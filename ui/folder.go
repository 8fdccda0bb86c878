package ui

import (
	"path"
	"strings"

	"sigla/gallery"
)

// folder is a part of the photos: those in a folder and below it. The zero
// value stands for all of them.
type folder struct {
	limited bool
	root    string // as rootOf: what was given to Scan, with a separator at its end
	path    string // below root, with slashes; "": root itself
}

// rootOf is the path that a photo's name is relative to.
func rootOf(p gallery.Photo) string { return p.Path[:max(0, len(p.Path)-len(p.Name))] }

// any reports whether the folder is all photos.
func (f folder) any() bool { return !f.limited }

// has reports whether a photo is in the folder or below it.
func (f folder) has(p gallery.Photo) bool {
	if f.any() {
		return true
	}
	if rootOf(p) != f.root {
		return false
	}
	rest, ok := strings.CutPrefix(p.Name, f.path)
	return ok && (f.path == "" || strings.HasPrefix(rest, "/"))
}

// up is the folder one level up; out of a root it is everything, and so it
// is out of the folders of the only one.
func (f folder) up(onlyRoot bool) folder {
	to := folder{true, f.root, path.Dir(f.path)}
	if to.path == "." {
		to.path = ""
	}
	if f.path == "" || to.path == "" && onlyRoot {
		return folder{}
	}
	return to
}

// above is the folder that esc goes to.
func (m *root) above() folder { return m.want.folder.up(len(m.o.Paths) == 1) }

// trail names the folder that the sheet shows: the way to it from where photos
// were looked for.
func (m *root) trail(f folder) string {
	switch {
	case f.any():
		return m.places()
	case len(m.o.Paths) == 1:
		return strings.TrimSuffix(m.places(), "/") + "/" + clean(f.path)
	}
	return clean(path.Join(rootName(f.root), f.path))
}

// rootName is how a root is called.
func rootName(root string) string {
	if root == "" {
		return "."
	}
	if name := strings.TrimRight(root, `/\`); name != "" {
		return name
	}
	return root
}
