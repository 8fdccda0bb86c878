package sidecar

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigla/gallery/sidecar/journal"
)

// embedding returns photos that are looked at as a plan with Embed does it.
func embedding(c Change, paths ...string) []Photo {
	var list []Photo
	for _, path := range paths {
		p := Photo{Path: path, Files: Look(path), Embed: true, Change: c}
		for i := range p.Files {
			if k := &p.Files[i]; k.JPEG && k.Err == nil {
				k.Err = Embeddable(k.Path)
			}
		}
		list = append(list, p)
	}
	return list
}

// inFolder are the files of TestEmbedPlan.
func inFolder(t *testing.T) map[string]string {
	all := variants(t)
	return map[string]string{
		"alone.jpg":      all["iptc digest"].file,
		"beside.jpg":     all["xmp"].file,
		"beside.jpg.xmp": sidecarOf("wood"),
		"picture.png":    pngWith(),
		"two.jpg":        all["xmp two"].file,
		"words.jpg":      all["xpkeywords"].file,
		"twice.jpg":      all["plain"].file,
		"twice.cr2":      "II*\x00raw",
	}
}

// checkEmbedPlan checks which files are to be written, and what is said of it.
func checkEmbedPlan(t *testing.T, plan Plan) {
	t.Helper()
	want := map[string][]string{
		"alone.jpg": {"alone.jpg"}, "beside.jpg": {"beside.jpg", "beside.jpg.xmp"}, "picture.png": {"picture.png.xmp"},
		"two.jpg": nil, "words.jpg": {"words.jpg"}, "twice.jpg": {"twice.jpg", "twice.cr2.xmp"},
	}
	notes := map[string]string{"picture.png": "picture.png is no JPEG", "twice.jpg": "twice.cr2 is no JPEG"}
	for _, p := range plan.Photos {
		name := filepath.Base(p.Path)
		var got []string
		for _, f := range p.Files {
			got = append(got, filepath.Base(f.Path))
			if f.Embed != strings.HasSuffix(f.Path, ".jpg") {
				t.Errorf("%s: %+v", name, f)
			}
		}
		if !slices.Equal(got, want[name]) || (p.Refused != "") != (name == "two.jpg") || !strings.Contains(strings.Join(p.Notes, ";"), notes[name]) {
			t.Errorf("%s: %q, %q, %q", name, got, p.Refused, p.Notes)
		}
	}
}

// same checks that files of a folder are what they were.
func same(t *testing.T, dir string, before map[string]string, names ...string) {
	t.Helper()
	for _, name := range names {
		if b, _ := os.ReadFile(filepath.Join(dir, name)); string(b) != before[name] {
			t.Errorf("%s is not what it was", name)
		}
	}
}

// TestEmbedPlan: tags go into JPEGs, into their sidecars only if there are any,
// and into sidecars of other photos; the plan says so, and what it says is what
// is read afterwards. Undoing gives every byte back.
func TestEmbedPlan(t *testing.T) {
	dir, before := t.TempDir(), inFolder(t)
	path := func(name string) string { return filepath.Join(dir, name) }
	for name, text := range before {
		write(t, path(name), text)
	}
	c := accept(auto("nature|strand"))
	photos := embedding(c, path("alone.jpg"), path("beside.jpg"), path("picture.png"), path("two.jpg"), path("words.jpg"))
	twin := Photo{Path: path("twice.jpg"), Twins: []string{path("twice.cr2")}, Embed: true, Change: c}
	twin.Files = Look(twin.Path, twin.Twins...)
	plan := NewPlan(append(photos, twin), Full)
	checkEmbedPlan(t, plan)
	bg := context.Background()
	j, err := journal.Open(bg, path("runs"))
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	result, err := plan.Apply(bg, j, journal.Options{NoSync: true})
	if err != nil || result.Written != 7 || len(result.Failed) > 0 {
		t.Fatalf("%+v, %v", result, err)
	}
	for _, p := range plan.Photos {
		var files []File
		for _, k := range Look(p.Path) {
			files = append(files, k.File)
		}
		if got := DigiKam.Shows(p.Path, files); p.Refused == "" && !slices.Equal(got, p.Shown[DigiKam]) {
			t.Errorf("%s: digiKam shows %q, the plan says %q", p.Path, got, p.Shown[DigiKam])
		}
	}
	if again := NewPlan(embedding(c, path("alone.jpg"), path("beside.jpg")), Full); len(again.Photos[0].Files)+len(again.Photos[1].Files) > 0 {
		t.Errorf("it changes something again: %+v", again)
	}
	// What the model holds no longer goes from photo and sidecar, to the byte.
	down := NewPlan(embedding(withdraw("nature|strand"), path("alone.jpg"), path("beside.jpg"), path("words.jpg")), Full)
	if result, err := down.Apply(bg, j, journal.Options{NoSync: true}); err != nil || result.Written != 4 {
		t.Errorf("%+v, %v", result, err)
	}
	same(t, dir, before, "alone.jpg", "beside.jpg", "beside.jpg.xmp", "words.jpg")
	runs, err := j.Runs()
	for _, run := range runs {
		if result, err := j.Undo(bg, run.ID, journal.Options{NoSync: true}); err != nil || len(result.Failed) > 0 {
			t.Errorf("%+v, %v", result, err)
		}
	}
	if err != nil {
		t.Error(err)
	}
	same(t, dir, before, slices.Collect(maps.Keys(before))...)
	if _, err := os.Stat(path("picture.png.xmp")); err == nil {
		t.Error("the new sidecar is there still")
	}
}

// TestEmbedMissing: a tag that somebody took out of the photo is a rejection, and
// a rejected one in EXIF is told of.
func TestEmbedMissing(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a.jpg"), filepath.Join(dir, "b.jpg")
	file := embedded(t, plainJPEG(t), accept(auto("strand"), auto("owl")))
	write(t, a, strings.ReplaceAll(file, "<rdf:li>owl</rdf:li>", "<!--tak e n out  -->"))
	write(t, b, variants(t)["xpkeywords"].file)
	plan := NewPlan(slices.Concat(embedding(accept(auto("owl")), a), embedding(Change{Reject: []string{"owl"}}, b)), Full)
	if p := plan.Photos[0]; p.Refused != "" || len(p.Missing) != 1 || p.Missing[0].Label != "owl" || slices.Contains(p.Added, "owl") {
		t.Errorf("%+v", p)
	}
	if p := plan.Photos[1]; len(p.Files) > 0 || !strings.Contains(strings.Join(p.Notes, ";"), `"owl" stays in EXIF`) {
		t.Errorf("%+v", p)
	}
}
