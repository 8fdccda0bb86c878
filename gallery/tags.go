package gallery

import (
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"sigla/gallery/catalog"
	"sigla/gallery/sidecar"
)

const (
	// ownTags is the kind of what is embedded in a photo. The kind of a sidecar
	// is its place among sidecar.Names.
	ownTags  = 4
	allKinds = 1<<(ownTags+1) - 1
)

// tagging is what is known of the tags of a photo.
type tagging struct {
	sidecars uint8 // that Scan saw, by kind, as sidecar.Listed says
	unsaved  uint8 // kinds that the catalog does not have as they are
	doubt    uint8 // kinds that it may have of the file as it was before
	state    tagState
	files    []tagFile // that were read, in the order of their kinds
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
	size, modified int64
	values         valueList
	kind           uint8
}

// A tagPlace is a file that tags are read from.
type tagPlace struct {
	photo int // ID
	kind  uint8
}

// tagBook is what a gallery knows of tags; the rest is in the slots. The
// gallery's mu guards it.
type tagBook struct {
	turn    chan struct{} // has the token of the running ReadTags
	table   tagTable
	reasons map[tagPlace]string // what is wrong, without the name of the file
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
	return tagBook{turn: make(chan struct{}, 1), table: newTagTable(), reasons: make(map[tagPlace]string)}
}

// Tags returns what the photo of that ID is tagged with, as sidecar.Read would
// say; nothing before ReadTags has come to it. It panics if there is no such
// photo.
func (g *Gallery) Tags(id int) sidecar.Tags {
	g.mu.RLock()
	path, files, all := g.slots[id].Path, g.slots[id].tags.files, g.tags.table.values
	g.mu.RUnlock()
	var found [ownTags + 1]*sidecar.File
	for _, f := range files {
		found[f.kind] = &sidecar.File{Path: tagPath(path, f.kind), Values: f.values.of(all)}
	}
	return mergeTags(path, found[:])
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
	var places []tagPlace
	for p := range g.tags.reasons {
		if p.kind != ownTags || g.slots[p.photo].State != Failed {
			places = append(places, p)
		}
	}
	slices.SortFunc(places, func(a, b tagPlace) int {
		return cmp.Or(cmp.Compare(a.photo, b.photo), cmp.Compare(a.kind, b.kind))
	})
	var problems []Skip
	told := make(map[string]bool)
	for _, p := range places {
		path := tagPath(g.slots[p.photo].Path, p.kind)
		if !told[path] {
			told[path] = true
			problems = append(problems, Skip{path, fmt.Errorf("read tags of %s: %s", path, g.tags.reasons[p])})
		}
	}
	return problems
}

// mergeTags merges what was found of a photo's files, by kind.
func mergeTags(photo string, found []*sidecar.File) sidecar.Tags {
	var files []sidecar.File
	for kind, f := range found {
		if f != nil && (kind == ownTags || sidecar.Belongs(f.Path, f.Values, photo)) {
			files = append(files, *f)
		}
	}
	return sidecar.Merge(files...)
}

// tagPath returns the path of a photo's file of a kind.
func tagPath(photo string, kind uint8) string {
	if kind == ownTags {
		return photo
	}
	return sidecar.Names(photo)[kind]
}

// tagKind returns the kind of a source in the catalog, of a file there.
func tagKind(file, source string) (kind uint8, ok bool) {
	if source == "" {
		return ownTags, true
	}
	i := slices.Index(sidecar.Names(path.Base(file)), source)
	return uint8(i), i >= 0
}

// sourceName returns what the catalog calls a photo's file of a kind.
func sourceName(photo string, kind uint8) string {
	if kind == ownTags {
		return ""
	}
	return sidecar.Names(filepath.Base(photo))[kind]
}

// A listing has the names of a folder, if there are sidecars among them.
type listing map[string]struct{}

func newListing(entries []fs.DirEntry) listing {
	isSidecar := func(e fs.DirEntry) bool {
		ext := filepath.Ext(e.Name())
		return ext == ".xmp" || ext == ".XMP"
	}
	if !slices.ContainsFunc(entries, isSidecar) {
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

// sidecars returns the kinds of the sidecars that a photo in the folder has.
func (l listing) sidecars(photo string) uint8 {
	if l == nil {
		return 0
	}
	return sidecar.Listed(photo, func(name string) bool {
		_, ok := l[name]
		return ok
	})
}

// meetTags notes, with mu held, that Scan has come by a photo, where it has these
// sidecars.
func (g *Gallery) meetTags(id int, sidecars uint8) {
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
	for kind := range uint8(ownTags + 1) {
		delete(b.reasons, tagPlace{id, kind})
	}
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
