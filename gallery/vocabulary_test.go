package gallery

import (
	"context"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"sigla/gallery/catalog"
	"sigla/gallery/label"
	"sigla/gallery/query"
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
		"OWL":               {0, 1, 6},
		"eule":              {0, 1},
		"Tiere|Vögel|Eule":  {0, 1},
		"vo\u0308gel":       {1},
		"Vögel":             {1},
		"birds|robin":       {1},
		"hund":              {2},
		"hound":             {2, 3},
		"Mr Smith":          {4, 5},
		"Kunden|Mr Smith":   {4, 5},
		"aluco":             {0, 1},
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

// Means is what Has says of a photo with that tag alone and with what it means,
// for all names.
func TestVocabularyAgreesWithSets(t *testing.T) {
	v := NewVocabulary(words)
	for _, tag := range []string{"animals|birds|owl", "owl", "Eule", "x|hound|y", "birds", "zoo|birds|dog", "Strix|aluco", "aluco", "Kunden"} {
		var want []int
		for has := tagsOf(tag); ; {
			set, n := has.Set(), len(want)
			for i := range words.Labels {
				if !slices.Contains(want, i) && slices.ContainsFunc(v.Names(i), set.Has) {
					want = append(want, i)
					has.Tags = append(has.Tags, tagsOf(v.Path(i)).Tags...)
				}
			}
			if len(want) == n {
				break
			}
		}
		slices.Sort(want)
		if got := v.Means(tag); !slices.Equal(got, want) {
			t.Errorf("Means(%q) = %v, the set of the tag has %v", tag, got, want)
		}
	}
}

// A tag is found by every name of the label that it means, and answers count
// once for each label.
func TestSelectByWords(t *testing.T) {
	g := New()
	for id, tag := range []string{"Eule", "animals|birds|owl", "Tiere|V\u00f6gel|Meise", "beach", "hound"} {
		g.slots = append(g.slots, slot{Photo: Photo{ID: id, State: Ready, Content: catalog.Hash{byte(id), 1}}})
		g.slots[id].tags.names = g.tags.table.move(nil, namesOf(tagsOf(tag)))
	}
	at := time.Unix(1e9, 0)
	w := Witness{Words: NewVocabulary(words), Answers: map[catalog.Hash][]catalog.Decision{
		{0, 1}: {{Label: "Hund", Verdict: catalog.Accept, When: at}, {Label: "dog", Verdict: catalog.Reject, When: at.Add(1)}},
		{1, 1}: {{Label: "sea", Verdict: catalog.Accept}, {Label: "x|dog", Verdict: catalog.Accept, When: at}, {Label: "HUND", Verdict: catalog.Accept, When: at.Add(1)}},
	}}
	for line, want := range map[string][]int{
		"tag:owl": {0, 1}, "tag:eule": {0, 1}, "tag:birds": {0, 1, 2}, "tag:vögel": {0, 1, 2}, "tag:meise": {2}, "tag:animals": {0, 1, 2},
		"tag:strix": {0, 1}, "tag:dog": {4}, "tag:hound": {4}, "-tag:birds": {3, 4}, "is:untagged": {}, "tag:beach": {3},
		"is:accepted": {1}, "is:rejected": {0},
	} {
		q, err := query.Parse(line, nil)
		if err != nil {
			t.Fatal(err)
		}
		s, err := g.Select(context.Background(), q, w)
		if got := s.IDs(); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v, want %v", line, got, err, want)
		}
	}
}

func TestVocabularyAnswers(t *testing.T) {
	v := NewVocabulary(words)
	at := time.Unix(1e9, 0)
	d := func(label string, verdict catalog.Verdict, second int) catalog.Decision {
		return catalog.Decision{Label: label, Verdict: verdict, When: at.Add(time.Duration(second) * time.Second)}
	}
	got := v.Answers([]catalog.Decision{
		d("Eule", catalog.Accept, 1), d("nothing", catalog.Reject, 2), d("ANIMALS|birds|owl", catalog.Reject, 3),
		d("pets|Hund", catalog.Accept, 5), d("dog", catalog.Reject, 4), d("a|unknown", catalog.Accept, 6), d("birds", catalog.Accept, 7),
	})
	want := []catalog.Decision{
		d("animals|birds|owl", catalog.Reject, 3), d("nothing", catalog.Reject, 2), d("dog", catalog.Accept, 5),
		d("a|unknown", catalog.Accept, 6), d("animals|birds", catalog.Accept, 7),
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestUnknownLabels(t *testing.T) {
	v := NewVocabulary(words)
	for line, want := range map[string]string{
		"label:dog,eule label:hund>0.5 sea": "",
		"label:dgo":                         "query: there is no label dgo, perhaps dog is meant",
		"label:oul label:elephant":          "query: there is no label oul, perhaps animals|birds|owl is meant; there is no label elephant",
		"-label:KUND":                       "query: there is no label KUND, perhaps clients is meant",
	} {
		q, err := query.Parse(line, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(v.Unknown(q)); got != want && (want != "" || got != "<nil>") {
			t.Errorf("%s: %s, want %s", line, got, want)
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
