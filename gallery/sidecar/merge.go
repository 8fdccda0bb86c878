package sidecar

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Merge returns the union of what was read of a photo's files, given in the
// order in which they count: sidecars as Find returns them, then the photo, then
// its twins.
//
// A value is split into a path of names at the separator of its field ("|" or
// "/"; the flat fields, such as dc:subject, have none). Where "/" separates, "|"
// stands for a "/" within a name, as Immich writes it: AC|DC is AC/DC. Names lose white space
// at both ends and are brought into NFC; empty ones are dropped. Two names are
// equal if they are the same after case folding; two paths, if they are as
// long and their names are equal. Then:
//
//   - Equal paths are one tag, spelled as the first of them.
//   - A single word, in whatever field, is the same tag as each longer path
//     that it is the leaf of, or that it spells out with "|" or "/": owl and
//     "animals/birds/owl" are animals|birds|owl.
//   - A single word that is no leaf but stands within a longer path is the tag
//     of that place: birds is animals|birds. darktable and Lightroom list
//     the names above a tag like that.
//   - Any other word is a tag of its own.
//   - Tags below "darktable" are the program's own and are left out, and so
//     are single words of the same file that are no more than their parts:
//     changed, next to darktable|changed.
//
// The rating is that of the first file that has one, by xmp:Rating before
// MicrosoftPhoto:Rating.
func Merge(files ...File) Tags {
	var tags Tags
	var mentions []mention
	people := newTree()
	for _, f := range files {
		mentions = append(mentions, f.mentions()...)
		for _, v := range f.Values {
			if name := clean(v.Text); v.Field == Person && name != "" {
				people.mention(people.node([]string{name}, []string{fold(name)}), Source{v.Field, f.Path})
			}
		}
		if !tags.Rated {
			tags.Rating, tags.Rated = f.rating()
		}
	}
	words := newTree()
	for _, m := range mentions {
		words.grow(m)
	}
	for _, m := range mentions {
		words.place(m)
	}
	tags.Tags, tags.People = words.list(), people.list()
	return tags
}

// A mention is one value of a keyword field.
type mention struct {
	names  []string
	keys   []string // names folded
	source Source
	leaked bool // a part of an internal tag, unless a path says otherwise
}

// mentions returns the file's keywords, each once per field, without
// darktable's internal tags.
func (f File) mentions() []mention {
	if len(f.Values) == 0 {
		return nil
	}
	list := make([]mention, 0, len(f.Values))
	seen := make(map[string]bool, len(f.Values))
	internal := make(map[string]bool)
	for _, v := range f.Values {
		separator, ok := v.Field.keywords()
		if !ok {
			continue
		}
		m := mention{source: Source{v.Field, f.Path}}
		m.names = split(v.Text, separator)
		m.keys = folded(m.names)
		id := string(v.Field) + "\x00" + strings.Join(m.keys, "\x00")
		if len(m.keys) == 0 || seen[id] {
			continue
		}
		seen[id] = true
		if strings.HasPrefix(m.keys[0], "darktable") {
			// A flat field has the path in one name.
			if parts := strings.Split(strings.Join(m.keys, "|"), "|"); parts[0] == "darktable" && len(parts) > 1 {
				for _, part := range parts {
					internal[part] = true
				}
				continue
			}
		}
		list = append(list, m)
	}
	for i, m := range list {
		list[i].leaked = len(m.keys) == 1 && internal[m.keys[0]]
	}
	return list
}

// keywords returns the separator of a field that holds keywords.
func (f Field) keywords() (separator string, ok bool) {
	switch f {
	case Keywords, XPKeywords:
		return "", true
	case Person, Rating, MicrosoftRating, ForExtension, Provenance:
		return "", false
	}
	for _, row := range fields {
		if row.field == f {
			return row.separator, true
		}
	}
	return "", false
}

// split returns the names of a path.
func split(text, separator string) []string {
	parts := []string{text}
	if separator != "" {
		parts = strings.Split(text, separator)
	}
	names := parts[:0]
	for _, name := range parts {
		if name = clean(name); name == "" {
			continue
		}
		if separator == "/" {
			name = strings.ReplaceAll(name, "|", "/")
		}
		names = append(names, name)
	}
	return names
}

// folded returns the names as they are compared.
func folded(names []string) []string {
	keys := make([]string, len(names))
	for i, name := range names {
		keys[i] = fold(name)
	}
	return keys
}

// A tree has a node for each tag and for each name above one.
type tree struct {
	nodes map[string]*node   // by path
	leafs map[string][]*node // of paths of two or more, by last name
	above map[string][]*node // nodes above those, by last name
	order []*node            // that are tags, as they were first mentioned
}

type node struct {
	Tag
	leaf, above bool // is listed in leafs, in above
}

func newTree() *tree {
	return &tree{make(map[string]*node), make(map[string][]*node), make(map[string][]*node), nil}
}

func (t *tree) node(names, keys []string) *node {
	key := strings.Join(keys, "\x00")
	n := t.nodes[key]
	if n == nil {
		n = &node{Tag: Tag{Path: names[:len(names):len(names)]}}
		t.nodes[key] = n
	}
	return n
}

// grow adds the nodes of a longer path.
func (t *tree) grow(m mention) {
	last := len(m.keys) - 1
	if last == 0 {
		return
	}
	for i, key := range m.keys[:last] {
		if n := t.node(m.names[:i+1], m.keys[:i+1]); !n.above {
			n.above = true
			t.above[key] = append(t.above[key], n)
		}
	}
	if n := t.node(m.names, m.keys); !n.leaf {
		n.leaf = true
		for _, word := range []string{m.keys[last], strings.Join(m.keys, "|"), strings.Join(m.keys, "/")} {
			t.leafs[word] = append(t.leafs[word], n)
		}
	}
}

// place adds the mention to the tags it stands for, after the tree has grown.
func (t *tree) place(m mention) {
	if len(m.keys) > 1 {
		t.mention(t.node(m.names, m.keys), m.source)
		return
	}
	nodes := t.leafs[m.keys[0]]
	if len(nodes) == 0 {
		nodes = t.above[m.keys[0]]
	}
	if len(nodes) == 0 {
		if m.leaked {
			return
		}
		nodes = []*node{t.node(m.names, m.keys)}
	}
	for _, n := range nodes {
		t.mention(n, m.source)
	}
}

func (t *tree) mention(n *node, s Source) {
	if len(n.Sources) == 0 {
		t.order = append(t.order, n)
	}
	if !slices.Contains(n.Sources, s) {
		n.Sources = append(n.Sources, s)
	}
}

func (t *tree) list() []Tag {
	tags := make([]Tag, len(t.order))
	for i, n := range t.order {
		tags[i] = n.Tag
	}
	return tags
}

// rating returns the rating of the file, if it has one that makes sense.
func (f File) rating() (stars int, ok bool) {
	for _, field := range []Field{Rating, MicrosoftRating} {
		for _, v := range f.Values {
			if v.Field != field {
				continue
			}
			x, err := strconv.ParseFloat(clean(v.Text), 64)
			switch {
			case err != nil:
			case field == Rating && x >= -1 && x <= 5: // XMP allows "3.0"
				return int(x), true
			case field == MicrosoftRating && x >= 0 && x <= 100:
				return percent(x), true
			}
		}
	}
	return 0, false
}

// percent returns the stars of Windows' rating, which writes 0, 1, 25, 50, 75
// and 99 and reads what lies between to the nearest.
func percent(x float64) int {
	for stars, most := range []float64{0, 12, 37, 62, 87} {
		if x <= most {
			return stars
		}
	}
	return 5
}

// clean returns a name in NFC and without white space, control characters and
// byte order marks at its ends.
func clean(name string) string {
	return norm.NFC.String(strings.TrimFunc(name, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || r == '\ufeff'
	}))
}

// fold returns what names that differ in case only have in common, by full
// case folding: STRASSE and straße are equal.
func fold(name string) string {
	for i := range len(name) {
		if name[i] >= utf8.RuneSelf {
			return norm.NFC.String(cases.Fold().String(name))
		}
	}
	return strings.ToLower(name)
}
