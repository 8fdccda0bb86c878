package gallery

import (
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"sigla/gallery/photo"
)

// LeftOut counts the files that Scan has seen and left out.
type LeftOut struct {
	// Formats has the number of files that look like photos or videos and are
	// of no format that is read, by their extensions: ".heic".
	Formats map[string]int `json:"formats"`
	// Ignored is the number of photos, and of whole folders, that a
	// .siglaignore names.
	Ignored int `json:"ignored"`
}

// LeftOut returns what Scan has left out so far.
func (g *Gallery) LeftOut() LeftOut {
	g.mu.RLock()
	defer g.mu.RUnlock()
	all := LeftOut{Formats: make(map[string]int)}
	all.add(g.leftOut, 1)
	return all
}

// String says what was left out, the most common first: "12 .heic, 3 .mp4, 40
// ignored by .siglaignore"; "" if nothing was.
func (l LeftOut) String() string {
	extensions := slices.SortedFunc(maps.Keys(l.Formats), func(a, b string) int {
		if l.Formats[a] != l.Formats[b] {
			return l.Formats[b] - l.Formats[a]
		}
		return strings.Compare(a, b)
	})
	var parts []string
	for _, ext := range extensions {
		parts = append(parts, fmt.Sprintf("%d %s", l.Formats[ext], ext))
	}
	if l.Ignored > 0 {
		parts = append(parts, fmt.Sprintf("%d ignored by %s", l.Ignored, ignoreName))
	}
	return strings.Join(parts, ", ")
}

func (l *LeftOut) add(more LeftOut, times int) {
	l.Ignored += times * more.Ignored
	for ext, n := range more.Formats {
		if l.Formats == nil {
			l.Formats = make(map[string]int)
		}
		if l.Formats[ext] += times * n; l.Formats[ext] == 0 {
			delete(l.Formats, ext)
		}
	}
}

// pictureExtensions are those of photos and videos that people keep among
// their photos. Those that are read count as photos.
var pictureExtensions = func() map[string]bool {
	set := make(map[string]bool)
	for ext := range strings.FieldsSeq(`
		heic heif hif avif jxl jp2 j2k jpf jpx jxr wdp psd psb xcf exr
		3fr crw dcr erf fff gpr iiq kdc mef mos mrw rwl sr2 srf x3f
		mp4 m4v mov qt avi mkv webm mpg mpeg mts m2ts 3gp 3g2 wmv flv ogv insv`) {
		set["."+ext] = true
	}
	return set
}()

// unreadable returns the extension of a file that looks like a photo or a video
// and is of no format that is read; "" of all others.
func unreadable(name string) string {
	ext := strings.ToLower(filepath.Ext(name))
	if !pictureExtensions[ext] || photo.IsPhoto(name) {
		return ""
	}
	return ext
}

// keep returns the entries of a folder that are not to be left out, and counts
// those that are.
func (w *walk) keep(in place, entries []fs.DirEntry) []fs.DirEntry {
	var left LeftOut
	kept := entries[:0]
	for _, e := range entries {
		ext := ""
		if !e.IsDir() {
			ext = unreadable(e.Name())
		}
		switch {
		case len(w.rules) > 0 && (e.IsDir() || ext != "" || photo.IsPhoto(e.Name())) && w.ignored(join(in.at, e.Name()), e.IsDir()):
			left.Ignored++
		case ext != "":
			left.add(LeftOut{Formats: map[string]int{ext: 1}}, 1)
		default:
			kept = append(kept, e)
		}
	}
	if left.Ignored+len(left.Formats) > 0 {
		g := w.g
		g.mu.Lock()
		defer g.mu.Unlock()
		g.folders[in.at].left = left
		g.leftOut.add(left, 1)
		g.changed()
	}
	return kept
}

// ignored reports whether the rules of the folders above leave out a path. Those
// of the innermost count first.
func (w *walk) ignored(at string, isFolder bool) bool {
	for i := len(w.rules) - 1; i >= 0; i-- {
		path, ok := below(w.rules[i].folder, at)
		if !ok {
			continue
		}
		if ignored, matched := w.rules[i].match(path, isFolder); matched {
			return ignored
		}
	}
	return false
}

// readRules puts the rules of a folder to those that count.
func (w *walk) readRules(at place) {
	r, err := readRules(at.at)
	if err != nil {
		w.skip(at.below(ignoreName), err)
	}
	if len(r.patterns) > 0 {
		w.rules = append(w.rules, r)
	}
}

// pair finds the files of a folder that hold one picture: a JPEG, or else a
// HEIC, and the raw file, or the HEIC, of the same name before the extension.
// The JPEG, which is what its maker wants to be seen, stays among the entries,
// and the other is its twin.
func pair(entries []fs.DirEntry) (kept []fs.DirEntry, twins map[string][]string) {
	if !slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return !e.IsDir() && finish(e.Name()) > 0 }) {
		return entries, nil
	}
	best := make(map[string]string) // the name that stays, by what is before the extension
	for _, e := range entries {
		stem := stemOf(e)
		if stem == "" {
			continue
		}
		if other, ok := best[stem]; !ok || finish(e.Name()) < finish(other) {
			best[stem] = e.Name()
		}
	}
	twins = make(map[string][]string)
	kept = slices.DeleteFunc(entries, func(e fs.DirEntry) bool {
		stem := stemOf(e)
		if stem == "" || finish(e.Name()) <= finish(best[stem]) {
			return false
		}
		twins[best[stem]] = append(twins[best[stem]], e.Name())
		return true
	})
	return kept, twins
}

// stemOf returns the name before its extension of a file that may have a twin,
// "" of others.
func stemOf(e fs.DirEntry) string {
	name := e.Name()
	if e.IsDir() || finish(name) < 0 || !photo.IsPhoto(name) {
		return ""
	}
	return strings.TrimSuffix(name, filepath.Ext(name))
}

// finish orders the formats that cameras write side by side: the lower, the
// more finished the picture. It is below 0 for all others.
func finish(name string) int {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".jpg", ".jpeg", ".jpe":
		return 0
	case ".heic", ".heif", ".hif":
		return 1
	}
	if photo.IsRaw(name) {
		return 2
	}
	return -1
}

// Files returns the paths of all files of a photo: Path and the twins.
func (p Photo) Files() []string {
	files := []string{p.Path}
	for _, twin := range p.Twins {
		files = append(files, beside(p.Path, twin))
	}
	return files
}
