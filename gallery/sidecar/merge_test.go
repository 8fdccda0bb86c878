package sidecar

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// read makes files of lines "file field: value".
func read(lines ...string) []File {
	var files []File
	for _, line := range lines {
		name, rest, _ := strings.Cut(line, " ")
		field, text, _ := strings.Cut(rest, ": ")
		if len(files) == 0 || files[len(files)-1].Path != name {
			files = append(files, File{Path: name})
		}
		f := &files[len(files)-1]
		f.Values = append(f.Values, Value{Field(field), text})
	}
	return files
}

func TestMergeTags(t *testing.T) {
	tests := []struct {
		what string
		read []string
		want string
	}{
		{"nothing", nil, ""},
		{"a word and the path it is the leaf of are one tag",
			[]string{"a dc:subject: owl", "a lr:hierarchicalSubject: animals|birds|owl"}, "animals|birds|owl"},
		{"in whatever order and file",
			[]string{"a digiKam:TagsList: animals/birds/owl", "b IPTC:Keywords: Owl"}, "animals|birds|owl"},
		{"a word in a field of paths is a word",
			[]string{"a lr:hierarchicalSubject: owl", "a digiKam:TagsList: animals/birds/owl"}, "animals|birds|owl"},
		{"a word is every path it is the leaf of",
			[]string{"a dc:subject: owl", "a lr:hierarchicalSubject: logos|owl", "a lr:hierarchicalSubject: animals|owl"}, "logos|owl; animals|owl"},
		{"a word that stands within a path is the tag of that place",
			[]string{"a dc:subject: birds", "a dc:subject: animals", "a dc:subject: owl", "a lr:hierarchicalSubject: animals|birds|owl"},
			"animals|birds; animals; animals|birds|owl"},
		{"a leaf goes before a place within",
			[]string{"a dc:subject: owl", "a lr:hierarchicalSubject: owl|snowy", "a lr:hierarchicalSubject: animals|owl"}, "animals|owl; owl|snowy"},
		{"a word that is a path written out is that path",
			[]string{"a dc:subject: People/Family", "a EXIF:XPKeywords: people|family", "a MicrosoftPhoto:LastKeywordXMP: People/Family"}, "People|Family"},
		{"but not without that path",
			[]string{"a dc:subject: AC/DC", "a dc:subject: a|b", "a IPTC:Keywords: one.two"}, "AC/DC; a|b; one.two"},
		{"a part of a path is another tag",
			[]string{"a lr:hierarchicalSubject: animals|birds|owl", "a lr:hierarchicalSubject: birds|owl", "a lr:hierarchicalSubject: animals|birds"},
			"animals|birds|owl; birds|owl; animals|birds"},
		{"the first spelling of a path is kept",
			[]string{"a dc:subject: OWL", "a lr:hierarchicalSubject: Animals|Owl", "b lr:hierarchicalSubject: animals|owl"}, "Animals|Owl"},
		{"the first spelling of a word is kept",
			[]string{"a dc:subject: Owl", "b dc:subject: owl", "b dc:subject: OWL"}, "Owl"},
		{"equality is that of NFC and full case folding",
			[]string{"a dc:subject: Cafe\u0301", "a dc:subject: CAFÉ", "a dc:subject: Straße", "a dc:subject: STRASSE"}, "Café; Straße"},
		{"compatible characters are not equal",
			[]string{"a dc:subject: ﬁn", "a dc:subject: 2²", "a dc:subject: 22"}, "ﬁn; 2²; 22"},
		{"names are trimmed and empty ones dropped",
			[]string{"a lr:hierarchicalSubject: | animals \n||\tbirds|", "a dc:subject:  \u00a0owl\ufeff\x00", "a dc:subject: \x00", "a dc:subject: \t"}, "animals|birds; owl"},
		{"darktable's internal tags are left out",
			[]string{"a lr:hierarchicalSubject: darktable|format|rw2", "a lr:hierarchicalSubject: Darktable|changed", "a dc:subject: darktable|style|x"}, ""},
		{"and their parts",
			[]string{"a dc:subject: changed", "a dc:subject: darktable", "a dc:subject: owl", "a lr:hierarchicalSubject: darktable|changed"}, "owl"},
		{"unless a path says otherwise",
			[]string{"a dc:subject: changed", "a lr:hierarchicalSubject: darktable|changed", "a lr:hierarchicalSubject: state|changed"}, "state|changed"},
		{"or another file",
			[]string{"a dc:subject: changed", "a lr:hierarchicalSubject: darktable|changed", "b dc:subject: changed"}, "changed"},
		{"a tag may be called darktable",
			[]string{"a dc:subject: darktable", "a lr:hierarchicalSubject: software|darktable", "a lr:hierarchicalSubject: darktables|x"}, "software|darktable; darktables|x"},
		{"other fields hold no tags",
			[]string{"a xmp:Rating: 3", "a photoshop:SidecarForExtension: jpg", "a dc:title: owl"}, ""},
	}
	for _, c := range tests {
		tags := Merge(read(c.read...)...)
		if got := list(tags.Tags); got != c.want {
			t.Errorf("%s: %s, want %s", c.what, got, c.want)
		}
		if len(tags.People) > 0 {
			t.Errorf("%s: people %v", c.what, tags.People)
		}
	}
}

func TestMergeSources(t *testing.T) {
	got := Merge(read(
		"a.jpg.xmp dc:subject: owl",
		"a.jpg.xmp dc:subject: Owl",
		"a.jpg.xmp lr:hierarchicalSubject: animals|owl",
		"a.jpg.xmp Iptc4xmpExt:PersonInImage: Ada",
		"a.xmp Iptc4xmpExt:PersonInImage: ADA",
		"a.jpg IPTC:Keywords: owl",
		"a.jpg lr:hierarchicalSubject: logos|owl",
		"a.jpg dc:subject: Ada",
	)...)
	owl := Source{Subject, "a.jpg.xmp"}
	keyword := Source{Keywords, "a.jpg"}
	want := Tags{
		Tags: []Tag{
			{[]string{"animals", "owl"}, []Source{owl, {HierarchicalSubject, "a.jpg.xmp"}, keyword}},
			{[]string{"logos", "owl"}, []Source{owl, keyword, {HierarchicalSubject, "a.jpg"}}},
			{[]string{"Ada"}, []Source{{Subject, "a.jpg"}}},
		},
		People: []Tag{{[]string{"Ada"}, []Source{{Person, "a.jpg.xmp"}, {Person, "a.xmp"}}}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v\nwant %+v", got, want)
	}
	if leaf := got.Tags[0].Leaf(); leaf != "owl" {
		t.Errorf("leaf %q", leaf)
	}
}

func TestMergeRating(t *testing.T) {
	tests := []struct {
		read  []string
		want  int
		rated bool
	}{
		{nil, 0, false},
		{[]string{"a xmp:Rating: 4"}, 4, true},
		{[]string{"a xmp:Rating:  -1 "}, -1, true},
		{[]string{"a xmp:Rating: 0"}, 0, true},
		{[]string{"a xmp:Rating: 3.5"}, 3, true},
		{[]string{"a xmp:Rating: 6", "a xmp:Rating: -2", "a xmp:Rating: NaN", "a xmp:Rating: many"}, 0, false},
		{[]string{"a xmp:Rating: junk", "a MicrosoftPhoto:Rating: 75"}, 4, true},
		{[]string{"a MicrosoftPhoto:Rating: 99", "a xmp:Rating: 2"}, 2, true},
		{[]string{"a MicrosoftPhoto:Rating: 99", "b xmp:Rating: 2"}, 5, true},
		{[]string{"a MicrosoftPhoto:Rating: 101", "b xmp:Rating: 2"}, 2, true},
	}
	for percent, stars := range map[int]int{0: 0, 1: 1, 12: 1, 13: 2, 25: 2, 37: 2, 38: 3, 50: 3, 62: 3, 63: 4, 75: 4, 87: 4, 88: 5, 99: 5, 100: 5} {
		tests = append(tests, struct {
			read  []string
			want  int
			rated bool
		}{[]string{fmt.Sprintf("a MicrosoftPhoto:Rating: %d", percent)}, stars, true})
	}
	for _, c := range tests {
		if got := Merge(read(c.read...)...); got.Rating != c.want || got.Rated != c.rated {
			t.Errorf("%v: %d, %v, want %d, %v", c.read, got.Rating, got.Rated, c.want, c.rated)
		}
	}
}

// TestMergeMany: no number of equal words or leafs makes it slow. With a
// search through the list for each, it would take hours.
func TestMergeMany(t *testing.T) {
	f := File{Path: "a"}
	for i := range 20_000 {
		f.Values = append(f.Values,
			Value{HierarchicalSubject, fmt.Sprintf("a%d|owl", i)}, Value{Subject, "owl"}, Value{Person, "Ada"})
	}
	tags := Merge(f)
	if len(tags.Tags) != 20_000 || len(tags.People) != 1 {
		t.Errorf("%d tags, %d people", len(tags.Tags), len(tags.People))
	}
}
