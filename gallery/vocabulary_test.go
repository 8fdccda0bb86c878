package gallery

import (
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"sigla/gallery/label"
	"sigla/gallery/sidecar"
)

var words = label.Set{Labels: []label.Label{
	{Name: "animals|birds|owl", Synonyms: []string{"Eule", "Strix|aluco"}},
	{Name: "birds", Parent: "animals", Synonyms: []string{"Vögel"}},
	{Name: "dog", Synonyms: []string{"Hund", "hound"}},
	{Name: "hound"},
	{Name: "clients", Private: true, Synonyms: []string{"Kunden"}},
	{Name: "Mr Smith", Parent: "clients"},
	{Name: "zoo|owl"},
}}

func TestVocabularyMeans(t *testing.T) {
	v := NewVocabulary(words)
	for tag, want := range map[string][]int{
		"animals|birds|owl": {0, 1},
		"OWL":               {0, 6},
		"eule":              {0},
		"Tiere|Vögel|Eule":  {0, 1},
		"vo\u0308gel":       {1},
		"Vögel":             {1},
		"birds|robin":       {1},
		"hund":              {2},
		"hound":             {2, 3},
		"Mr Smith":          {5},
		"Kunden|Mr Smith":   {4, 5},
		"aluco":             {0},
		"tawny owl":         nil,
		"bird":              nil,
		"":                  nil,
		"|":                 nil,
	} {
		if got := v.Means(tag); !slices.Equal(got, want) {
			t.Errorf("Means(%q) = %v, want %v", tag, got, want)
		}
	}
	for name, want := range map[string]int{
		"hound": 3, "HUND": 2, "Eule": 0, "owl": -1, "animals|birds": 1, "birds": 1, "zoo|owl": 6, "clients|mr smith": 5, "aluco": 0, "cat": -1, "": -1,
	} {
		if got := v.Find(name); got != want {
			t.Errorf("Find(%q) = %d, want %d", name, got, want)
		}
	}
	if got, want := v.Names(1), []string{"animals|birds", "birds", "Vögel"}; !slices.Equal(got, want) {
		t.Errorf("Names = %q, want %q", got, want)
	}
	if !v.Private(4) || !v.Private(5) || v.Private(0) {
		t.Error("a label below a private one is private, and no other")
	}
}

// Means is what Has says of a photo with that tag alone, for all names.
func TestVocabularyAgreesWithSets(t *testing.T) {
	v := NewVocabulary(words)
	for _, tag := range []string{"animals|birds|owl", "owl", "Eule", "x|hound|y", "birds", "zoo|birds|dog", "Strix|aluco", "aluco", "Kunden"} {
		has := tagsOf(tag).Set()
		var want []int
		for i := range words.Labels {
			if slices.ContainsFunc(v.Names(i), has.Has) {
				want = append(want, i)
			}
		}
		if got := v.Means(tag); !slices.Equal(got, want) {
			t.Errorf("Means(%q) = %v, the set of the tag has %v", tag, got, want)
		}
	}
}

func TestTagSet(t *testing.T) {
	dir := t.TempDir()
	for i, tags := range [][]string{
		{"lr:hierarchicalSubject", "animals|birds|owl", "dc:subject", "owl", "nature"},
		{"dc:subject", "Owl", "beach"},
		{"dc:subject", "beach", "Anna", "a\tb"},
		{"digiKam:TagsList", "People/Anna", "AC|DC", "Iptc4xmpExt:PersonInImage", "Anna"},
		{"lr:hierarchicalSubject", "animals|birds", "darktable|changed"},
	} {
		photo := filepath.Join(dir, fmt.Sprintf("%d.png", i))
		writePhoto(t, photo, i)
		writeFile(t, photo+".xmp", tagged(tags...))
	}
	g := readTags(t, "", dir)
	for least, want := range map[int][]string{
		1: {"AC/DC", "animals|birds", "animals|birds|owl", "beach", "nature"},
		2: {"animals|birds|owl", "beach"},
		3: nil,
	} {
		var got []string
		for _, l := range g.TagSet(least).Labels {
			got = append(got, l.Name)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("at least %d: %q, want %q", least, got, want)
		}
	}
}

// tagged is a sidecar with values: names of fields, each before its own.
func tagged(values ...string) []byte {
	var b strings.Builder
	b.WriteString(`<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:lr="http://ns.adobe.com/lightroom/1.0/" xmlns:digiKam="http://www.digikam.org/ns/1.0/"
 xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">`)
	end := ""
	for _, v := range values {
		if prefix, _, ok := strings.Cut(v, ":"); ok && strings.Contains("dc lr digiKam Iptc4xmpExt", prefix) {
			b.WriteString(end + "<" + v + "><rdf:Bag>")
			end = "</rdf:Bag></" + v + ">"
			continue
		}
		b.WriteString("<rdf:li>" + v + "</rdf:li>")
	}
	b.WriteString(end + "</rdf:Description></rdf:RDF>")
	return []byte(b.String())
}

// tagsOf are a photo's tags of these names.
func tagsOf(names ...string) (tags sidecar.Tags) {
	for _, name := range names {
		tags.Tags = append(tags.Tags, sidecar.Tag{Path: strings.Split(name, "|")})
	}
	return tags
}
