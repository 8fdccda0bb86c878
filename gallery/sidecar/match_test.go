package sidecar

import (
	"slices"
	"testing"
)

func TestSet(t *testing.T) {
	tags := Merge(File{"a.xmp", []Value{
		{HierarchicalSubject, "animals|birds|Owl"}, {HierarchicalSubject, "animals|cat"},
		{Subject, "Straße"}, {Subject, "re\u0301union"}, {Subject, "beach"}, {Person, "Ann Lee"},
	}})
	has := tags.Set()
	for name, want := range map[string]bool{
		"owl": true, "OWL": true, "birds": true, "animals": true, "birds|owl": true, "animals|birds": true,
		"Animals|Birds|Owl": true, "animals|owl": false, "night|owl": false, "bird": false, "cat|animals": false,
		"beach": true, "places|beach": true, "beach|sand": false, "STRASSE": true, "r\u00e9union": true,
		"ann lee": true, "people|Ann Lee": true, "ann": false, "": false, "|": false,
	} {
		if got := has.Has(name); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
	if (Set{}).Has("owl") || (Tags{}).Set().Has("") {
		t.Error("no tags have a name")
	}
}

// Every source of a merged tag has a text that stands for it.
func TestSpells(t *testing.T) {
	f := File{"photo.jpg.xmp", []Value{
		{Subject, "Owl"}, {Subject, "animals|birds|owl"}, {Subject, "birds"}, {Subject, "AC/DC"},
		{HierarchicalSubject, "animals|birds|owl"}, {TagsList, "Animals/Birds/Owl"}, {TagsList, "AC|DC"}, {Rating, "owl"},
	}}
	for _, tag := range Merge(f).Tags {
		for _, s := range tag.Sources {
			if len(f.Spells(s.Field, tag)) == 0 {
				t.Errorf("%s: nothing in %s", tag, s.Field)
			}
		}
	}
	owl := Tag{Path: []string{"animals", "birds", "owl"}}
	if got, want := f.Spells(Subject, owl), []string{"Owl", "animals|birds|owl"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := f.Spells(TagsList, Tag{Path: []string{"AC/DC"}}); !slices.Equal(got, []string{"AC|DC"}) {
		t.Errorf("got %q", got)
	}
	if got := f.Spells(Rating, owl); got != nil {
		t.Errorf("got %q from a rating", got)
	}
}
