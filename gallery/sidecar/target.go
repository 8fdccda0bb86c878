package sidecar

import (
	"path/filepath"
	"slices"
	"strings"
)

// A target is a sidecar that a plan may write, or a photo.
type target struct {
	Known
	before    []Value // as read; Values become those after
	isNew     bool
	extension string // that a new one says it is for
	twin      string // that it is for; "": the photo
	// passing: another sidecar of the photo is kept, so that tags only go from here.
	passing bool
	embed   bool   // it is a photo
	others  []File // what it has in fields that are not written
}

// targets are the sidecars of the photo and its twins, and then those that are
// there besides: of each file photo.jpg.xmp, else photo.xmp if it is the file's,
// else a new one. So programs that show the raw file and the JPEG apart show the
// same tags of both.
func (p Photo) targets(naming Naming) []target {
	var list []target
	taken := func(path string) bool {
		return slices.ContainsFunc(list, func(t target) bool { return t.Path == path })
	}
	for i, file := range append([]string{p.Path}, p.Twins...) {
		holder, embed := p.holder(file)
		if embed {
			if i > 0 {
				holder.twin = file
			}
			list = append(list, holder)
		}
		t := p.target(file, naming)
		if embed && t.isNew {
			continue
		}
		if taken(t.Path) {
			if !t.isNew {
				continue // it is for both
			}
			t = target{Known: Known{File: File{Path: file + ".xmp"}}, isNew: true}
		}
		if i > 0 {
			t.twin = file
		}
		list = append(list, t)
	}
	for _, k := range p.Files {
		if p.beside(k.Path) && !taken(k.Path) {
			list = append(list, target{Known: k, before: k.Values, passing: true})
		}
	}
	return list
}

// holder is one of the files itself, if it takes in tags.
func (p Photo) holder(file string) (target, bool) {
	i := slices.IndexFunc(p.Files, func(k Known) bool { return k.Path == file && p.writes(k) && !p.beside(file) })
	if i < 0 {
		return target{}, false
	}
	t := target{Known: p.Files[i], embed: true, others: []File{{file, texted(p.Files[i].Values, XPKeywords)}}}
	t.Values = slices.DeleteFunc(slices.Clone(t.Values), func(v Value) bool { return v.Field == XPKeywords })
	t.before = t.Values
	return t, true
}

// writes reports whether a file may be written.
func (p Photo) writes(k Known) bool { return p.beside(k.Path) || p.Embed && k.JPEG }

// target is the sidecar of one of the files.
func (p Photo) target(file string, naming Naming) target {
	shared := -1
	for i, k := range p.Files {
		if !p.beside(k.Path) {
			continue
		}
		if named := namesake(k.Path); named == file {
			return target{Known: k, before: k.Values}
		} else if shared < 0 && named == namesake(file) && belongs(k.Values, file, nil) {
			shared = i
		}
	}
	if shared >= 0 {
		k := p.Files[shared]
		return target{Known: k, before: k.Values}
	}
	path := p.newPath(file, naming)
	return target{Known: Known{File: File{Path: path}}, isNew: true, extension: p.extension(file, path)}
}

// beside reports whether a path is that of a sidecar, and none of the photo's.
func (p Photo) beside(path string) bool {
	return isSidecar(path) && path != p.Path && !slices.Contains(p.Twins, path)
}

// elsewhere are the values of all files but one, without what this program wrote
// and is to withdraw.
func (p Photo) elsewhere(but string, withdraw []string) []File {
	var list []File
	for _, k := range p.Files {
		if k.Path == but {
			continue
		}
		f := k.File
		if len(withdraw) > 0 && p.writes(k) {
			marks := slices.DeleteFunc(Marks(f.Values), func(m Mark) bool { return !names(withdraw, m.Label) })
			if len(marks) > 0 {
				f.Values = without(f.Values, marks)
			}
		}
		list = append(list, f)
	}
	return list
}

// missing are the tags that somebody took out of one of the files since.
func (p Photo) missing() []Mark {
	var list []Mark
	for _, k := range p.Files {
		list = append(list, Missing(k.Values)...)
	}
	return list
}

// heed keeps the change from setting what somebody took out, and takes out of
// the other sidecars what this program had written there.
func (c *Change) heed(missing []Mark) {
	for _, gone := range missing {
		same := func(m Mark) bool { return Fold(m.Label) == Fold(gone.Label) }
		c.Accept = slices.DeleteFunc(slices.Clone(c.Accept), func(m Mark) bool { return m.Source == Auto && same(m) })
		if !slices.ContainsFunc(c.Accept, same) && !names(c.Withdraw, gone.Label) {
			c.Withdraw = append(slices.Clone(c.Withdraw), gone.Label)
		}
	}
}

// report adds what one of the sidecars means for the tags of the photo.
func (p *PhotoPlan) report(s settlement, passing bool) {
	if passing { // of the other files it knows nothing
		s.added, s.kept = nil, nil
		s.removed = slices.DeleteFunc(s.removed, func(label string) bool { return names(p.Kept, label) })
	}
	p.Added = union(p.Added, s.added)
	p.Removed = union(p.Removed, s.removed)
	p.Kept = union(p.Kept, s.kept)
}

// union returns labels, each once.
func union(list, more []string) []string {
	if len(list) == 0 {
		return more
	}
	for _, label := range more {
		if !names(list, label) {
			list = append(list, label)
		}
	}
	return list
}

// shown is what a program shows of the photo or of a twin.
func (p Photo) shown(r Reader, files []File) []string {
	list := r.Shows(p.Path, files)
	for _, twin := range p.Twins {
		for _, tag := range r.Shows(twin, files) {
			if !slices.Contains(list, tag) {
				list = append(list, tag)
			}
		}
	}
	return list
}

// newPath returns the name of a new sidecar of one of the files.
func (p Photo) newPath(file string, naming Naming) string {
	ext := filepath.Ext(file)
	if naming == Adobe && ext != "" && ext != filepath.Base(file) && !(p.Shared && isPicture(file)) {
		return strings.TrimSuffix(file, ext) + ".xmp"
	}
	return file + ".xmp"
}

// extension returns what a new sidecar of one of the files has to say of whose
// it is.
func (p Photo) extension(file, path string) string {
	if p.Shared && path != file+".xmp" {
		return strings.TrimPrefix(filepath.Ext(file), ".")
	}
	return ""
}
