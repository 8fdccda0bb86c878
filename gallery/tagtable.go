package gallery

import (
	"cmp"
	"context"
	"encoding/binary"
	"path"
	"slices"

	"sigla/gallery/catalog"
	"sigla/gallery/sidecar"
)

// A tagTable has every text of tags once, by number: a photo of five tags in two
// files takes some 200 bytes. Numbers are never used again, so what values
// holds may be read without a lock while others are added.
type tagTable struct {
	values  []sidecar.Value // that were read
	valueAt map[sidecar.Value]uint32
	names   []tagName // that values became
	folded  []string  // those, as filters compare them; the last may be missing
	nameAt  map[string]uint32
	photos  int // that have a name
}

// A tagName is a tag, or a person, in one spelling.
type tagName struct {
	text   string
	key    string // which all spellings have in common
	photos int
}

// A valueList is some values by their numbers, as varints.
type valueList string

// A TagName is a tag, or a person in the picture, and how many photos have it.
type TagName struct {
	Name   string // a path with "|", in its most frequent spelling
	Photos int
}

func newTagTable() tagTable {
	return tagTable{valueAt: make(map[sidecar.Value]uint32), nameAt: make(map[string]uint32)}
}

// list makes a valueList, and adds the values that are new.
func (t *tagTable) list(values []sidecar.Value) valueList {
	var list []byte
	for _, v := range values {
		number, ok := t.valueAt[v]
		if !ok {
			number = uint32(len(t.values))
			t.values = append(t.values, v)
			t.valueAt[v] = number
		}
		list = binary.AppendUvarint(list, uint64(number))
	}
	return valueList(list)
}

// of returns the values of a list; all is those of the table.
func (l valueList) of(all []sidecar.Value) []sidecar.Value {
	var values []sidecar.Value
	for b := []byte(l); len(b) > 0; {
		number, n := binary.Uvarint(b)
		values, b = append(values, all[number]), b[n:]
	}
	return values
}

// namesOf returns the names of tags and people, none in two spellings.
func namesOf(tags sidecar.Tags) []tagName {
	var names []tagName
	for _, list := range [][]sidecar.Tag{tags.Tags, tags.People} {
		for _, tag := range list {
			text := tag.String()
			key := sidecar.Fold(text)
			if !slices.ContainsFunc(names, func(n tagName) bool { return n.key == key }) {
				names = append(names, tagName{text: text, key: key})
			}
		}
	}
	return names
}

// move counts a photo that has other names than before and returns their
// numbers.
func (t *tagTable) move(before []uint32, now []tagName) []uint32 {
	for _, number := range before {
		t.names[number].photos--
	}
	if len(before) > 0 {
		t.photos--
	}
	if len(now) == 0 {
		return nil
	}
	t.photos++
	numbers := make([]uint32, len(now))
	for i, n := range now {
		number, ok := t.nameAt[n.text]
		if !ok {
			number = uint32(len(t.names))
			t.names = append(t.names, n)
			t.nameAt[n.text] = number
		}
		t.names[number].photos++
		numbers[i] = number
	}
	return numbers
}

// counts returns the names that photos have, the most frequent first.
func (t *tagTable) counts() []TagName {
	type group struct {
		TagName
		most int // photos with the spelling that Name is
	}
	at := make(map[string]int)
	var groups []group
	for _, n := range t.names {
		if n.photos == 0 {
			continue
		}
		i, ok := at[n.key]
		if !ok {
			i = len(groups)
			at[n.key] = i
			groups = append(groups, group{})
		}
		g := &groups[i]
		g.Photos += n.photos
		if n.photos > g.most || n.photos == g.most && n.text < g.Name {
			g.Name, g.most = n.text, n.photos
		}
	}
	names := make([]TagName, len(groups))
	for i, g := range groups {
		names[i] = g.TagName
	}
	slices.SortFunc(names, func(a, b TagName) int {
		return cmp.Or(cmp.Compare(b.Photos, a.Photos), cmp.Compare(a.Name, b.Name))
	})
	return names
}

// Tags is what the catalog holds of tags.
type Tags struct {
	Photos int // files that have tags
	Names  int // different tags and people
}

// CountTags counts the tags in a catalog, of the files that are there. They are
// merged for it, since several fields of a file may have the same tag.
func CountTags(ctx context.Context, c *catalog.Catalog) (Tags, error) {
	roots, err := c.Roots(ctx)
	if err != nil {
		return Tags{}, err
	}
	t := newTagTable()
	for _, root := range roots {
		var file catalog.File
		var files []string // the photo and its twins
		var found []sidecar.File
		count := func() {
			if file.Missing.IsZero() && found != nil {
				t.move(nil, namesOf(mergeTags(files, found)))
			}
		}
		err := c.EachSource(ctx, root, func(f catalog.File, s catalog.Source) error {
			if f.ID != file.ID {
				count()
				file, files, found = f, []string{path.Base(f.Path)}, nil
			}
			name := cmp.Or(s.Name, files[0])
			if s.Name != "" && !isSidecar(s.Name) {
				files = append(files, name)
			}
			found = append(found, sidecar.File{Path: name, Values: valuesOf(s.Tags)})
			return nil
		})
		if err != nil {
			return Tags{}, err
		}
		count()
	}
	return Tags{t.photos, len(t.counts())}, nil
}

// valuesOf returns tags of the catalog as values.
func valuesOf(tags []catalog.Tag) []sidecar.Value {
	values := make([]sidecar.Value, len(tags))
	for i, t := range tags {
		values[i] = sidecar.Value{Field: sidecar.Field(t.Field), Text: t.Value}
	}
	return values
}
