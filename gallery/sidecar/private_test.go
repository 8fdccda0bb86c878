package sidecar

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestPrivate: what is private is copied to no field, from wherever it is, and
// stays where others have it.
func TestPrivate(t *testing.T) {
	photo := Photo{Path: "a.jpg", Files: []Known{
		{File: File{"a.jpg.xmp", []Value{{Subject, "Client"}, {Subject, "dusk"}}}},
		{File: File{"a.jpg", []Value{{Keywords, "secret"}, {Keywords, "dawn"}}}},
	}}
	photo.Change = accept(user("dog"))
	photo.Change.Private = []string{"client", "SECRET"}
	plan := NewPlan([]Photo{photo}, Full).Photos[0]
	if len(plan.Files) != 1 {
		t.Fatalf("%+v", plan)
	}
	for _, f := range plan.Files[0].Fields {
		for _, text := range append(f.Added, f.Removed...) {
			if text == "Client" || text == "secret" {
				t.Errorf("%s: %+v", f.Field, f)
			}
		}
		if !slices.Contains(f.Added, "dawn") {
			t.Errorf("%s is not told of what the photo has: %+v", f.Field, f)
		}
	}
	data, err := Edit([]byte(subjects("Client", "dusk")), plan.Files[0].Change)
	if err != nil {
		t.Fatal(err)
	}
	if found := propertiesOf(t, string(data)); strings.Contains(string(data), "secret") || !reflect.DeepEqual(found[Subject], []string{"Client", "dusk", "dog", "dawn"}) ||
		!reflect.DeepEqual(found[TagsList], []string{"dog", "dawn", "dusk"}) {
		t.Errorf("%q\n%s", found, data)
	}
}

// subjects is a sidecar with words in dc:subject.
func subjects(words ...string) string {
	return `<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:subject><rdf:Bag><rdf:li>` +
		strings.Join(words, "</rdf:li><rdf:li>") + `</rdf:li></rdf:Bag></dc:subject></rdf:Description></rdf:RDF></x:xmpmeta>`
}
