package gallery

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sigla/gallery/catalog"
	"sigla/gallery/sidecar"
)

// tagging is what is known of the tags of a photo.
type tagging struct {
	sidecars uint32 // that Scan saw, as sidecar.Listed says
	state    tagState
	unsaved  bool      // the catalog does not have files as they are
	doubt    bool      // it may have them of the photo as it was before
	files    []tagFile // that were read, in the order in which they count
	names    []uint32  // that they became, in the table
	rating   int8      // if rated
	rated    bool
}

// tagState says how far the reading of a photo's tags has come.
type tagState uint8

const (
	tagsUnread  tagState = iota
	tagsInHand           // a worker reads them
	tagsRead             // and nothing was seen to change since
	tagsRecheck          // were read; Scan has come by again
)

// A tagFile is what was read of a file, and what the file was then.
type tagFile struct {
	name           string // of the sidecar or twin, in the photo's folder; "" for the photo
	size, modified int64
	values         valueList
}

// A tagReason is what is wrong with a file, without its folder, which may change.
type tagReason struct{ file, reason string }

// tagBook is what a gallery knows of tags; the rest is in the slots. The
// gallery's mu guards it.
type tagBook struct {
	turn    chan struct{} // has the token of the running ReadTags
	table   tagTable
	reasons map[int][]tagReason // by ID of the photo, in the order of its files
	unsaved []int               // photos with something to be stored
	next    int                 // photos below are read or in hand
	held    int                 // photos in hand

	// What the catalog has of the roots, by file, until it is asked for.
	roots  []catalog.Root
	loaded int // of roots
	asked  bool
	stored map[int64][]storedTags
}

// storedTags is a source of the catalog.
type storedTags struct {
	tagFile
	reason string
}

func newTagBook() tagBook {
	return tagBook{turn: make(chan struct{}, 1), table: newTagTable(), reasons: make(map[int][]tagReason)}
}

// Tags returns what the photo of that ID is tagged with, as sidecar.Read would
// say; nothing before ReadTags has come to it. It panics if there is no such
// photo.
func (g *Gallery) Tags(id int) sidecar.Tags {
	g.mu.RLock()
	p, files, all := g.slots[id].Photo, g.slots[id].tags.files, g.tags.table.values
	g.mu.RUnlock()
	found := make([]sidecar.File, len(files))
	for i, f := range files {
		found[i] = sidecar.File{Path: beside(p.Path, f.name), Values: f.values.of(all)}
	}
	return mergeTags(p.Files(), found)
}

// Marks returns which tags of a photo this program wrote, and why. It panics if
// there is no such photo.
func (g *Gallery) Marks(id int) []sidecar.Mark {
	g.mu.RLock()
	files, all := g.slots[id].tags.files, g.tags.table.values
	g.mu.RUnlock()
	var marks []sidecar.Mark
	for _, f := range files {
		marks = append(marks, sidecar.Marks(f.values.of(all))...)
	}
	return marks
}

// TagNames returns all tags and people that photos have, the most frequent
// first. Spellings that differ only in upper and lower case are one.
func (g *Gallery) TagNames() []TagName {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.tags.table.counts()
}

// TagProblems returns the sidecars and photos whose tags could not be read, or
// not all of them, in the order of the photos; a sidecar of several photos once.
// The photos themselves are none the worse: one that Failed says so by itself.
func (g *Gallery) TagProblems() []Skip {
	g.mu.RLock()
	defer g.mu.RUnlock()
	var problems []Skip
	told := make(map[string]bool)
	for _, id := range slices.Sorted(maps.Keys(g.tags.reasons)) {
		s := &g.slots[id]
		for _, r := range g.tags.reasons[id] {
			path := beside(s.Path, r.file)
			if told[path] || r.file == "" && s.State == Failed {
				continue
			}
			told[path] = true
			problems = append(problems, Skip{path, fmt.Errorf("read tags of %s: %s", path, r.reason)})
		}
	}
	return problems
}

// mergeTags merges what was found of a photo, whose files are the photo itself
// and its twins.
func mergeTags(files []string, found []sidecar.File) sidecar.Tags {
	var theirs []sidecar.File
	for _, f := range found {
		if slices.Contains(files, f.Path) || sidecar.Belongs(f.Path, f.Values, files[0], files[1:]...) {
			theirs = append(theirs, f)
		}
	}
	return sidecar.Merge(theirs...)
}

// beside returns the path of a file in a photo's folder; of the photo for "".
func beside(photo, name string) string {
	if name == "" {
		return photo
	}
	return strings.TrimSuffix(photo, filepath.Base(photo)) + name
}

// isSidecar reports whether a file beside a photo is a sidecar, and not a twin.
func isSidecar(name string) bool { return strings.EqualFold(filepath.Ext(name), ".xmp") }

// A listing has the names of a folder, if there are sidecars among them.
type listing map[string]struct{}

func newListing(entries []fs.DirEntry) listing {
	if !slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return isSidecar(e.Name()) }) {
		return nil
	}
	l := make(listing, len(entries))
	for _, e := range entries {
		if t := e.Type(); t.IsRegular() || t&fs.ModeSymlink != 0 {
			l[e.Name()] = struct{}{}
		}
	}
	return l
}

// besides returns the listing for a photo that is named by itself.
func besides(photo string) listing {
	l := make(listing)
	for _, path := range append(sidecar.Names(photo), strings.TrimSuffix(photo, filepath.Ext(photo))) {
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			l[filepath.Base(path)] = struct{}{}
		}
	}
	return l
}

// sidecars returns which sidecars a photo in the folder, and its twins, have.
func (l listing) sidecars(photo string, twins []string) uint32 {
	if l == nil {
		return 0
	}
	return sidecar.Listed(func(name string) bool {
		_, ok := l[name]
		return ok
	}, photo, twins...)
}

// meetTags notes, with mu held, that Scan has come by a photo, where it has these
// sidecars.
func (g *Gallery) meetTags(id int, sidecars uint32) {
	t := &g.slots[id].tags
	t.sidecars = sidecars
	if t.state == tagsRead || t.state == tagsInHand {
		t.state = tagsRecheck
	}
	g.tags.next = min(g.tags.next, id)
}

// loseTags forgets, with mu held, the tags of a photo that is gone.
func (g *Gallery) loseTags(id int) {
	s, b := &g.slots[id], &g.tags
	s.tags.names = b.table.move(s.tags.names, nil)
	s.tags.files, s.Tagged = nil, false
	delete(b.reasons, id)
}

// noteTagRoot says, before any of its photos is found, that a root may have
// tags in the catalog.
func (g *Gallery) noteTagRoot(root catalog.Root) {
	g.mu.Lock()
	defer g.mu.Unlock()
	b := &g.tags
	if !slices.ContainsFunc(b.roots, func(r catalog.Root) bool { return r.ID == root.ID }) {
		b.roots = append(b.roots, root)
	}
}
