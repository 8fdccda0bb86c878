package sidecar

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"sigla/gallery/sidecar/journal"
)

func openJournal(t *testing.T) *journal.Journal {
	t.Helper()
	j, err := journal.Open(context.Background(), filepath.Join(t.TempDir(), "runs"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j
}

// contents returns the files of a folder and what is in them.
func contentsOf(t *testing.T, dir string) map[string]string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := make(map[string]string)
	for _, f := range list {
		b, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[f.Name()] = string(b)
	}
	return files
}

// applied plans a change of all photos of a folder and applies it.
func applied(t *testing.T, j *journal.Journal, photos []string, c Change) journal.Result {
	t.Helper()
	var list []Photo
	for _, path := range photos {
		list = append(list, Photo{Path: path, Files: Look(path), Change: c})
	}
	result, err := NewPlan(list, Full).Apply(context.Background(), j, journal.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// TestApplyCorpus: the plan of every sidecar of the corpus is what is written,
// a second application writes nothing, and undoing restores every byte.
func TestApplyCorpus(t *testing.T) {
	dir := t.TempDir()
	j := openJournal(t)
	photos := []string{filepath.Join(dir, "none.jpg")}
	write(t, photos[0], "")
	editable := 1
	for path, text := range seeds(t) {
		name := strings.ReplaceAll(strings.TrimPrefix(strings.TrimSuffix(path, ".xmp"), "testdata"), string(filepath.Separator), "-")
		photo := filepath.Join(dir, name[1:]+".jpg")
		write(t, photo, "")
		write(t, photo+".xmp", text)
		photos = append(photos, photo)
		if !strings.Contains(path, "broken") && unsafe[name[1:]] == "" {
			editable++
		}
	}
	before := contentsOf(t, dir)
	c := Change{Accept: []Mark{auto("nature|sky & sea|strand"), user("dog")}, Reject: []string{"owl"}}
	var plans []PhotoPlan
	for _, path := range photos {
		plans = append(plans, planOf(t, path, c, Full, false))
	}
	result := applied(t, j, photos, c)
	if result.Written != editable || len(result.Failed) != len(unsafe) {
		t.Errorf("%d of %d were written; %v", result.Written, editable, result.Failed)
	}
	checkPlans(t, plans)
	after := contentsOf(t, dir)
	if again := applied(t, j, photos, c); again.Written > 0 {
		t.Errorf("a second application wrote %d files", again.Written)
	}
	if _, err := j.Undo(context.Background(), result.Run, journal.Options{NoSync: true}); err != nil {
		t.Fatal(err)
	}
	restored := contentsOf(t, dir)
	changed := 0
	for name, text := range before {
		if restored[name] != text {
			t.Errorf("%s is not restored", name)
		}
		if after[name] != text {
			changed++
		}
	}
	if len(restored) != len(before) || result.Written != changed+1 {
		t.Errorf("%d files, want %d; %d changed, %d written", len(restored), len(before), changed, result.Written)
	}
}

// checkPlans checks that files that were edited have what was planned.
func checkPlans(t *testing.T, plans []PhotoPlan) {
	t.Helper()
	for _, p := range plans {
		for _, f := range p.Files {
			values, err := ReadFile(f.Path)
			if err != nil {
				continue
			}
			for _, field := range f.Fields {
				got := strings.Join(tidy(map[Field][]string{"": texts(values, field.Field)})[""], "\n")
				want := strings.Join(tidy(map[Field][]string{"": append(append([]string{}, field.Kept...), field.Added...)})[""], "\n")
				if got != want && unsafe[strings.TrimSuffix(filepath.Base(p.Path), ".jpg")] == "" {
					t.Errorf("%s: %s has %q, planned was %q", filepath.Base(f.Path), field.Field, got, want)
				}
			}
		}
	}
}

// TestApplyNew: a sidecar that is made for a tag goes with it, and a photo that
// is not there gets none.
func TestApplyNew(t *testing.T) {
	dir := t.TempDir()
	j := openJournal(t)
	photo := filepath.Join(dir, "a.jpg")
	write(t, photo, "")
	if r := applied(t, j, []string{photo, filepath.Join(dir, "gone.jpg")}, accept(user("owl"))); r.Written != 1 || len(r.Failed) != 1 ||
		!strings.Contains(r.Failed[0].Err.Error(), "its photo is not there") {
		t.Errorf("%+v", r)
	}
	if r := applied(t, j, []string{photo}, accept(user("dog"))); r.Written != 1 {
		t.Errorf("%+v", r)
	}
	r := applied(t, j, []string{photo}, withdraw("owl", "dog"))
	if files := contentsOf(t, dir); r.Written != 1 || len(files) != 1 {
		t.Errorf("%+v, %v", r, files)
	}
	if _, err := j.Undo(context.Background(), r.Run, journal.Options{}); err != nil {
		t.Fatal(err)
	}
	if tags, err := Read(photo); err != nil || list(tags.Tags) != "owl; dog" {
		t.Errorf("%v, %v", tags, err)
	}
}

// TestApplyChanged: what another program wrote after the plan was made is left
// alone (W7).
func TestApplyChanged(t *testing.T) {
	dir := folder(t, map[string]string{"a.jpg": "", "a.xmp": "one", "b.jpg": "", "b.xmp": "two"})
	j := openJournal(t)
	var photos []Photo
	for _, name := range []string{"a.jpg", "b.jpg"} {
		path := filepath.Join(dir, name)
		photos = append(photos, Photo{Path: path, Files: Look(path), Change: accept(user("owl"))})
	}
	plan := NewPlan(photos, Full)
	write(t, filepath.Join(dir, "a.xmp"), sidecarOf("uno"))
	result, err := plan.Apply(context.Background(), j, journal.Options{})
	if err != nil || result.Written != 1 || len(result.Failed) != 1 || !strings.Contains(result.Failed[0].Err.Error(), "changed by another program") {
		t.Errorf("%+v, %v", result, err)
	}
	if got := contentsOf(t, dir)["a.xmp"]; got != sidecarOf("uno") {
		t.Error(got)
	}
}

// TestEditLarge: a sidecar of nearly 50 MB is edited like any other.
func TestEditLarge(t *testing.T) {
	if testing.Short() || runtime.GOARCH == "386" {
		t.Skip("takes some hundred megabytes")
	}
	inner := `<a:b xmlns:a="urn:a">` + strings.Repeat("xyz &lt; ", 5<<20) + `</a:b>`
	doc := strings.Replace(sidecarOf("owl"), "/></rdf:RDF>", ">"+inner+"</rdf:Description></rdf:RDF>", 1)
	with := edited(t, doc, accept(user("dog")))
	if len(with) < 45<<20 || edited(t, with, withdraw("dog")) != doc {
		t.Errorf("%d bytes", len(with))
	}
}
