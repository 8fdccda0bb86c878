package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigla/assets"
	"sigla/finetune"
	"sigla/gallery"
	"sigla/gallery/catalog"
	"sigla/gallery/label"
)

// taggedFolder makes a folder of demo photos, each with these tags in a sidecar; the
// key is a path without .jpg, its last part the name of the photo.
func taggedFolder(t *testing.T, photos map[string][]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, tags := range photos {
		data, err := assets.Demo().Open(filepath.Base(name) + ".jpg")
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, filepath.FromSlash(name)+".jpg")
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		photo, err := io.ReadAll(data)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, photo, 0o644); err != nil {
			t.Fatal(err)
		}
		if len(tags) == 0 {
			continue
		}
		xmp := `<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" xmlns:lr="http://ns.adobe.com/lightroom/1.0/"><lr:hierarchicalSubject><rdf:Bag>`
		for _, tag := range tags {
			xmp += "<rdf:li>" + tag + "</rdf:li>"
		}
		xmp += `</rdf:Bag></lr:hierarchicalSubject></rdf:Description></rdf:RDF></x:xmpmeta>`
		if err := os.WriteFile(path+".xmp", []byte(xmp), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// read finds, embeds and reads the tags of a folder, with a catalog.
func readTagged(t *testing.T, dir string) *gallery.Gallery {
	t.Helper()
	atHome(t)
	ctx := context.Background()
	a := &app{stderr: io.Discard, progress: &progress{w: io.Discard}, threads: 1}
	a.settings.device, a.settings.precision = "auto", "auto"
	enc, err := a.open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { enc.Close() })
	g := catalogued(t.TempDir())
	t.Cleanup(func() { g.Close() })
	g.UseModel(enc.catalogModel())
	g.UseScanner(enc.cpu)
	if err := a.indexPhotos(ctx, g, []string{dir}, enc); err != nil {
		t.Fatal(err)
	}
	return g
}

// show writes a set as lines, in order: photo: +label -label, an answer with !.
func show(s *trainSet) string {
	var lines []string
	for _, p := range s.Photos {
		line := strings.TrimSuffix(filepath.Base(p.Path), ".jpg") + ":"
		if p.Caption != "" {
			line += " " + p.Caption
		}
		known := slices.Clone(p.Known)
		slices.SortFunc(known, func(a, b finetune.Known) int { return strings.Compare(s.Labels[a.Label].Name, s.Labels[b.Label].Name) })
		for _, k := range known {
			line += " " + map[int8]string{1: "+", -1: "-"}[k.Value] + s.Labels[k.Label].Name
			if k.By == finetune.ByPerson {
				line += "!"
			}
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func answerOf(t *testing.T, g *gallery.Gallery, photo, label string, v catalog.Verdict) {
	t.Helper()
	for _, p := range g.Photos() {
		if filepath.Base(p.Path) == photo+".jpg" {
			if err := g.Decide(context.Background(), catalog.Decision{Photo: g.Content(p.ID), Label: label, Verdict: v}); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatalf("there is no photo %s", photo)
}

// knownPhotos are four photos with tags, folders and answers, and a set that
// explains their names.
func knownPhotos(t *testing.T) (dir string, g *gallery.Gallery, set label.Set) {
	t.Helper()
	dir = taggedFolder(t, map[string][]string{
		"trips/2024/cat":        {"animals|cat", "indoors"},
		"trips/100CANON/dahlia": {"Blume"},
		"garden/coffee-cup":     {"animals|birds|owl"},
		"astronaut":             nil,
	})
	g = readTagged(t, dir)
	answerOf(t, g, "cat", "indoors", catalog.Reject)    // against a tag
	answerOf(t, g, "astronaut", "owl", catalog.Accept)  // gives birds and animals
	answerOf(t, g, "dahlia", "animals", catalog.Reject) // takes all below it
	answerOf(t, g, "dahlia", "Rose", catalog.Withdraw)  // says nothing
	answerOf(t, g, "coffee-cup", "animals|birds|owl", catalog.Accept)

	return dir, g, label.Set{Labels: []label.Label{
		{Name: "flower", Synonyms: []string{"Blume"}}, {Name: "animals"}, {Name: "animals|birds"},
		{Name: "owl", Parent: "animals|birds"}, {Name: "cat", Parent: "animals"}, {Name: "indoors", Private: true},
	}}
}

// writeList writes a list into a folder.
func writeList(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

type knowledgeCase struct {
	name     string
	named    bool
	o        knowledgeOptions
	want     string
	disputes int
}

// knowledgeCases are what is to be known of them.
func knowledgeCases(t *testing.T, dir string) []knowledgeCase {
	write := func(name, text string) string { return writeList(t, dir, name, text) }
	return []knowledgeCase{
		{"labels of the set", true, knowledgeOptions{tags: "sidecars"}, `astronaut: +animals! +animals|birds! +owl!
cat: +animals +cat -indoors!
coffee-cup: +animals! +animals|birds! +owl!
dahlia: -animals! -animals|birds! -cat! +flower -owl!`, 1},
		{"labels that are found", false, knowledgeOptions{tags: "auto"}, `astronaut: +animals! +owl!
cat: +animals +cat -indoors!
coffee-cup: +animals! +owl!
dahlia: -animals! -cat! +flower -owl!`, 1},
		{"folders", false, knowledgeOptions{tags: "folders"}, `astronaut: +animals! +owl!
cat: -indoors! +trips
coffee-cup: +animals! +garden +owl!
dahlia: -animals! -owl! +trips`, 0},
		{"complete", false, knowledgeOptions{tags: "folders", complete: true}, `astronaut: +animals! +owl!
cat: -indoors! +trips
coffee-cup: +animals! +garden +owl!
dahlia: -animals! -owl! +trips`, 0},
		{"list", false, knowledgeOptions{tags: write("list.csv", "garden/coffee-cup.jpg,cup;owl\n"+filepath.Join(dir, "astronaut.jpg")+",person\nnowhere.jpg,cup\n")}, `astronaut: +animals! +owl! +person
cat: -indoors!
coffee-cup: +animals! +cup +owl!
dahlia: -animals! -owl!`, 0},
		{"matrix", true, knowledgeOptions{tags: write("matrix.csv", "\ufeffPath,flower,cat\ntrips/100CANON/dahlia.jpg,1,0\ntrips/2024/cat.jpg,0,\n")}, `astronaut: +animals! +animals|birds! +owl!
cat: -flower -indoors!
coffee-cup: +animals! +animals|birds! +owl!
dahlia: -animals! -animals|birds! -cat! +flower -owl!`, 0},
		{"matrix that knows no", true, knowledgeOptions{tags: write("signs.csv", "file,flower,cat\ntrips/100CANON/dahlia.jpg,1,-1\ntrips/2024/cat.jpg,0,1\n")}, `astronaut: +animals! +animals|birds! +owl!
cat: +animals +cat -indoors!
coffee-cup: +animals! +animals|birds! +owl!
dahlia: -animals! -animals|birds! -cat! +flower -owl!`, 0},
		{"captions", false, knowledgeOptions{tags: write("captions.csv", "image,caption\nastronaut.jpg,\"a woman, smiling\"\nastronaut.jpg,a suit\n")}, "astronaut: a suit\nastronaut: a woman, smiling", 0},
	}
}

func TestKnowledge(t *testing.T) {
	dir, g, set := knownPhotos(t)
	for _, c := range knowledgeCases(t, dir) {
		t.Run(c.name, func(t *testing.T) {
			got, err := knowledge(context.Background(), g, set, c.named, c.o)
			if err != nil {
				t.Fatal(err)
			}
			if err := got.Validate(); err != nil {
				t.Error(err)
			}
			if text := show(got); text != c.want {
				t.Errorf("got\n%s\nwant\n%s", text, c.want)
			}
			if len(got.disputes) != c.disputes || got.Complete != c.o.complete {
				t.Errorf("%d disputes, complete %t: %v", len(got.disputes), got.Complete, got.disputes)
			}
			if len(got.Labels) == 0 && (got.Photos[0].Alike == 0 || got.Photos[0].Alike != got.Photos[1].Alike) {
				t.Error("captions of one photo may be parted")
			}
			for i, p := range got.Photos {
				if g.Photo(got.ids[i]).Path != p.Path {
					t.Errorf("%s is photo %d", p.Path, got.ids[i])
				}
			}
		})
	}
}

// What makes no sense in a list is told with its line.
func TestBadLists(t *testing.T) {
	dir, g, set := knownPhotos(t)
	for text, want := range map[string]string{
		"":                                   "it is empty",
		"path,tag\n":                         "it names no photo",
		"a.jpg\n":                            ":1: it has 1 fields",
		"astronaut.jpg,x\na.jpg,b,c\n":       ":2: it has 3 fields",
		"astronaut.jpg,\"x\n":                ":1: extraneous or missing \" in quoted-field",
		"path,dog,cat\nastronaut.jpg,1,2\n":  `:2: cat is "2"; want 1, 0, -1 or nothing`,
		"path,dog,cat\nastronaut.jpg,1\n":    ":2: it has 2 fields, the heading 3",
		"path,dog,\nastronaut.jpg,1,1\n":     ":1: column 3 has no name",
		"path,caption\nastronaut.jpg, \n":    ":2: the caption of astronaut.jpg is empty",
		"path,tag\n,dog\n":                   ":2: it has no path",
		"x.jpg,dog\ny.jpg,dog\n":             ":1: x.jpg is none of the photos, nor is any other",
		"path,dog,Dog\nastronaut.jpg,1,-1\n": ":2: Dog of astronaut.jpg: line 2 says the opposite",
	} {
		file := writeList(t, dir, "bad.csv", text)
		_, err := knowledge(context.Background(), g, set, false, knowledgeOptions{tags: file})
		if err == nil || !strings.HasPrefix(err.Error(), "read tags "+file) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// Folders with names that people gave count, not those of cameras and dates.
func TestFolderTags(t *testing.T) {
	for name, want := range map[string]bool{
		"dog": true, "2024": false, "2024-05-01": false, "100CANON": false, "DCIM": false, "dcim": false,
		"2024 Rome": true, "日本": true, ".": false, "101_PANA": false, "B52": true,
	} {
		if isFolderTag(name) != want {
			t.Errorf("%s: %t", name, !want)
		}
	}
}

// Names become labels once, whatever they are written like.
func TestFound(t *testing.T) {
	set := label.Set{Labels: []label.Label{{Name: "dog", Synonyms: []string{"Hund"}}, {Name: "sea"}}}
	names := []string{"Hund", "DOG", "animals|dog", "owl", "animals|birds|owl", "inline_skate", "ok", "bad\x01name", "a||b"}
	var got []string
	for _, l := range found(names, set) {
		got = append(got, fmt.Sprint(l.Name, l.Prompts))
	}
	want := []string{"dog[]", "animals|birds|owl[]", "inline_skate[This is a photo of inline skate.]", "ok[]"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
