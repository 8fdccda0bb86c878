package sidecar

import "testing"

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
