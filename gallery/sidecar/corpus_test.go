package sidecar

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// corpus are the sidecars in testdata, and what is to be read of each. Those
// of programs hold what the program writes, shortened; exiftool.xmp and
// exiv2.xmp were made by these (12.57, 0.27.6).
var corpus = []struct {
	name   string
	tags   string // "; " between
	people string
	rating int // 9: none
}{
	// Programs.
	{"acdsee", "Places; Places|Zürich; Salt & pepper", "", 9},
	{"acdsee-cdata", "Animals|Cat", "", 9},
	{"applephotos", "flowers; wedding", "", 9},
	{"bridge", "harbour; Boats & ships", "", 2},
	{"captureone", "harbour; Jobs|2024|Wedding", "", 4},
	{"darktable", "animals; animals|birds; animals|birds|owl; dusk", "", 3}, // without darktable|changed and its parts
	{"darktable-seq", "Country|State|City; People|First Last", "", -1},
	{"digikam", "animals|birds|owl; night", "", 4},
	{"digikam-faces", "People|Ada Lovelace; places|London", "Ada Lovelace; Charles Babbage", 9},
	{"exiftool", "animals|birds|owl; moon; salt & pepper", "Ada", 4},
	{"exiv2", "animals|owl; forest", "Ada", 3},
	{"immich", "places|harbour; AC/DC", "", 3},
	{"lightroom", "animals|birds|eagle owl; places|Germany|Harz", "", 5},
	{"lightroom-parents", "Birds; Birds|Passeriformes; Birds|Passeriformes|Wrens|Thrush-like Wren; Birds|Passeriformes|Wrens; morning", "", 9},
	{"mediapro", "Flowers|Spring|Tulip; Best of", "", 9},
	{"microsoft-no-slash", "People|Family", "", 5},
	{"mylio", "grandma; birthday", "", 1},
	{"osxphotos", "Kids; Katie", "Katie", 9},
	{"photomechanic", "football; Leeds, England", "No. 7", 0},
	{"padded", "harbour", "", 9},
	{"sigla", "animals|birds|owl; moonlight; Jürgen & Ann", "", 9},
	{"sigla-aside", "owl; moonlight; animals|birds", "", 5},
	{"sigla-exiftool", "animals|birds|owl; moonlight; Jürgen & Ann", "", 3}, // written by these (12.57, 0.27.6) after us
	{"sigla-exiv2", "animals|birds|owl; moonlight; Jürgen & Ann", "", 3},
	{"windows", "People|Family; beach", "", 3},
	// Envelopes and spellings.
	{"alt", "owl; Eule", "", 9},
	{"attributes", "owl; animals|birds", "", 5},
	{"bare-text", "owl in the forest; animals|birds", "", 9},
	{"bom", "Eule 🦉; naïve; 夜", "", 9},
	{"cdata", "Salt & pepper; a <b>; owls; forest", "", 9},
	{"comments", "owl", "", 9},
	{"compact", "owl; forest", "", 3},
	{"crlf", "owl; two\nlines", "", 9},
	{"directions", "\u200fינשוף; بومة; été; 👨‍👩‍👧", "", 9},
	{"duplicates", "owl; forest", "", 1},
	{"empty-arrays", "", "", 9},
	{"empty-meta", "", "", 9},
	{"empty-rdf", "", "", 9},
	{"entities", `<b> & "c" 'd'; 🦉; Eule; café; no break`, "", 9},
	{"equal", "places|CAFÉ; Straße; ΣΊΣΥΦΟΣ; Animals|Owl", "", 9},
	{"foreign-prefix", "", "", 9},
	{"latin1", "Käuzchen; Wald", "", 9},
	{"numbered", "owl; forest", "", 9},
	{"prefixes", "owl; forest; dusk", "", 9},
	{"qualified-array", "owl; forest", "", 9},
	{"qualifiers", "owl; forest; dusk; moon; night", "", 2},
	{"rdf-only", "owl", "", 9},
	{"separators", "bands|AC/DC; one, two; a|b; /; St. Ives; places|harbour", "", 9},
	{"two-packets", "owl; forest", "", 9},
	{"utf16be", "Eule 🦉; naïve; 夜", "", 9},
	{"utf16le", "Eule 🦉; naïve; 夜", "", 9},
	{"utf16-nomark", "Eule 🦉; naïve; 夜", "", 9},
	{"void-rdf", "", "", 9},
	{"wrong-kinds", "animals|owl; urn:example:owl; places|harbour", "", 4},
	{"xapmeta", "lighthouse", "", 2},
}

// list joins what tags and people there are.
func list(tags []Tag) string {
	var names []string
	for _, t := range tags {
		names = append(names, t.String())
	}
	return strings.Join(names, "; ")
}

func TestCorpus(t *testing.T) {
	files, err := filepath.Glob("testdata/*.xmp")
	if err != nil || len(files) != len(corpus) {
		t.Errorf("%d sidecars in testdata, %d in the table; %v", len(files), len(corpus), err)
	}
	for _, c := range corpus {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join("testdata", c.name+".xmp")
			values, err := ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			tags := Merge(File{path, values})
			if got := list(tags.Tags); got != c.tags {
				t.Errorf("tags   %s\nwanted %s", got, c.tags)
			}
			if got := list(tags.People); got != c.people {
				t.Errorf("people %q, want %q", got, c.people)
			}
			rating := tags.Rating
			if !tags.Rated {
				rating = 9
			}
			if rating != c.rating {
				t.Errorf("rating %d, want %d", rating, c.rating)
			}
		})
	}
}

// TestSources: where each tag of a sidecar with many fields stands.
func TestSources(t *testing.T) {
	const path = "testdata/digikam.xmp"
	values, err := ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := []Field{Categories, TagsList, LastKeyword, HierarchicalSubject, CatalogSets, Subject}
	for _, tag := range Merge(File{path, values}).Tags {
		var got []Field
		for _, s := range tag.Sources {
			if got = append(got, s.Field); s.File != path {
				t.Errorf("%s is said to come from %s", tag, s.File)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s comes from %v, want %v", tag, got, want)
		}
	}
}

// TestBroken: each file that is not XMP says so and where.
func TestBroken(t *testing.T) {
	tests := []struct{ name, at, want string }{
		{"ampersand", "& pepper", "& that begins no reference"},
		{"bomb", "<!DOCTYPE", "document type"},
		{"categories", "&lt;Categories", "byte 38: </Categories> ends no category that is open"},
		{"character", "&#xD800;", "&#xD800; is no character"},
		{"comment", "<!--", "no --> ends what begins here"},
		{"crossed", "</rdf:Bag></rdf:li>", "</rdf:Bag> ends no element that is open"},
		{"empty", "", "the file is empty"},
		{"entity", "&owl;", "&owl; is not known"},
		{"external", "<!DOCTYPE", "document type"},
		{"html", "", "no XMP"},
		{"latin1-declared", "<?xml", `the encoding "iso-8859-1" is not supported`},
		{"no-quotes", "rdf:about=x", "the attribute rdf:about has no value in quotes"},
		{"quote", "http://purl", "the tag <rdf:Description goes on without white space"},
		{"text", "owl, forest", "text outside of all elements"},
		{"trailing", "\x00owl", "text outside of all elements"},
		{"truncated", "\x00", "the text ends within <dc:subject> of byte 184"},
		{"truncated-tag", "<rdf:Description", "the tag <rdf:Description"},
		{"two-ends", "\x00</x:xmpmeta>", "</x:xmpmeta> ends no element that is open"},
		{"undeclared", "<lr:hier", "the prefix of lr:hierarchicalSubject is not declared"},
		{"utf16-odd", "\x00", "half a character"},
		{"utf16-truncated", "\x00", "the text ends within"},
		{"utf32", "", "UTF-32 is not supported"},
		{"zeros", "", "no XMP"},
	}
	files, err := filepath.Glob("testdata/broken/*.xmp")
	if err != nil || len(files) != len(tests) {
		t.Errorf("%d files in testdata/broken, %d tests; %v", len(files), len(tests), err)
	}
	for _, c := range tests {
		path := filepath.Join("testdata", "broken", c.name+".xmp")
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		values, err := ReadFile(path)
		var e *Error
		if !errors.As(err, &e) || len(values) > 0 || e.File != path || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, %v, want an error with %q", c.name, values, err, c.want)
			continue
		}
		// A zero asks for the last place.
		at := strings.Index(string(text), c.at)
		if last, ok := strings.CutPrefix(c.at, "\x00"); ok {
			if at = strings.LastIndex(string(text), last); c.name == "utf16-odd" {
				at--
			}
		}
		if e.Offset != int64(at) || !strings.HasPrefix(err.Error(), fmt.Sprintf("read tags of %s: byte %d: ", path, at)) {
			t.Errorf("%s: %v, want byte %d", c.name, err, at)
		}
	}
}
