package sidecar

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// planOf plans a change of one photo that is there.
func planOf(t *testing.T, photo string, c Change, naming Naming, shared bool) PhotoPlan {
	t.Helper()
	return NewPlan([]Photo{{Path: photo, Files: Look(photo), Shared: shared, Change: c}}, naming).Photos[0]
}

// TestPlan: what is added, removed and kept, by field, and what programs show.
func TestPlan(t *testing.T) {
	dir := folder(t, map[string]string{"a.cr2": "", "a.xmp": "forest"})
	photo := filepath.Join(dir, "a.cr2")
	got := planOf(t, photo, Change{Accept: []Mark{auto("animals|owl"), user("AC/DC")}, Reject: []string{"forest", "cat"}}, Full, false)
	want := PhotoPlan{
		Path: photo, Added: []string{"animals|owl", "AC/DC"}, Removed: []string{"forest"},
		Files: got.Files,
		Shown: map[Reader][]string{
			DigiKam: nil, Immich: {"animals/owl", "AC|DC"}, Darktable: nil,
			Lightroom: {"animals|owl", "AC/DC"}, PhotoPrism: {"owl", "AC/DC"},
		},
		Notes: []string{`"AC/DC": digiKam will show | for the /`},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v\nwant %+v", got, want)
	}
	fields := []FieldPlan{
		{Field: Subject, Added: []string{"owl", "AC/DC"}, Removed: []string{"forest"}},
		{Field: HierarchicalSubject, Added: []string{"animals|owl", "AC/DC"}},
		{Field: TagsList, Added: []string{"animals/owl", "AC|DC"}},
	}
	if f := got.Files[0]; len(got.Files) != 1 || f.Path != filepath.Join(dir, "a.xmp") || f.New || f.Size == 0 || f.Hash == "" ||
		!reflect.DeepEqual(f.Fields, fields) {
		t.Errorf("%+v", got.Files)
	}
	text, err := json.Marshal(Plan{[]PhotoPlan{got}})
	var again Plan
	if err != nil || json.Unmarshal(text, &again) != nil {
		t.Fatal(err)
	}
	if second, _ := json.Marshal(again); string(second) != string(text) {
		t.Errorf("%s is read as %s", text, second)
	}
}

// TestPlanNames: which sidecar is written (W6).
func TestPlanNames(t *testing.T) {
	for _, c := range []struct {
		files, photo string
		naming       Naming
		shared       bool
		want         string
	}{
		{"a.jpg", "a.jpg", Full, false, "a.jpg.xmp new"},
		{"a.jpg a.xmp", "a.jpg", Full, false, "a.xmp"},
		{"a.jpg a.jpg.xmp a.xmp", "a.jpg", Adobe, false, "a.jpg.xmp"},
		{"a.jpg", "a.jpg", Adobe, false, "a.xmp new"},
		{"a.jpg a.cr2", "a.cr2", Adobe, true, "a.xmp new for cr2"},
		{"a.jpg a.cr2", "a.jpg", Adobe, true, "a.jpg.xmp new"},
		{"a.jpg a.cr2 a.xmp=.cr2", "a.jpg", Full, true, "a.jpg.xmp new"},
		{"a.jpg a.cr2 a.xmp=.cr2", "a.cr2", Full, true, "a.xmp"},
		{"a", "a", Adobe, false, "a.xmp new"},
		{".jpg", ".jpg", Adobe, false, ".jpg.xmp new"},
	} {
		files := make(map[string]string)
		for name := range strings.FieldsSeq(c.files) {
			name, text, _ := strings.Cut(name, "=")
			if strings.HasSuffix(name, ".xmp") && text == "" {
				text = "x"
			}
			files[name] = text
		}
		dir := folder(t, files)
		plan := planOf(t, filepath.Join(dir, c.photo), accept(user("owl")), c.naming, c.shared)
		if len(plan.Files) != 1 {
			t.Errorf("%+v: %+v", c, plan)
			continue
		}
		f := plan.Files[0]
		got := filepath.Base(f.Path)
		if f.New {
			got += " new"
		}
		if f.Extension != "" {
			got += " for " + f.Extension
		}
		if got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

// TestPlanElsewhere: tags of the photo itself and of another sidecar come with
// the first tag; what is rejected goes from all sidecars, and a photo that has
// it keeps it.
func TestPlanElsewhere(t *testing.T) {
	photo := Photo{Path: "a.jpg", Files: []Known{
		{File: File{"a.jpg.xmp", []Value{{Subject, "owl"}}}},
		{File: File{"a.xmp", []Value{{Subject, "cat"}, {HierarchicalSubject, "animals|cat"}}}},
		{File: File{"a.jpg", []Value{{Keywords, "harbour"}, {Subject, "dusk"}}}},
	}, Change: Change{Accept: []Mark{auto("dog")}, Reject: []string{"animals|cat", "dusk"}}}
	got := NewPlan([]Photo{photo}, Full).Photos[0]
	if len(got.Files) != 2 || got.Files[1].Path != "a.xmp" || len(got.Files[1].Change.Accept) > 0 ||
		!slices.Equal(got.Files[0].Fields[0].Added, []string{"dog", "harbour"}) || !slices.Equal(got.Files[1].Fields[0].Removed, []string{"cat"}) {
		t.Errorf("%+v", got.Files)
	}
	if len(got.Notes) != 1 || !strings.Contains(got.Notes[0], "stays in the photo itself") {
		t.Errorf("%q", got.Notes)
	}
	for r, want := range map[Reader]string{DigiKam: "dog harbour owl", Immich: "dog harbour owl"} {
		list := got.Shown[r]
		if slices.Sort(list); strings.Join(list, " ") != want {
			t.Errorf("%s shows %q", r, list)
		}
	}
	broken := Photo{Path: "a.jpg", Files: []Known{{File: File{Path: "a.jpg.xmp"}, Err: fmt.Errorf("broken")}}, Change: accept(user("x"))}
	if got := NewPlan([]Photo{broken}, Full).Photos[0]; got.Refused != "broken" || len(got.Files) > 0 {
		t.Errorf("%+v", got)
	}
	if got := NewPlan([]Photo{{Path: "a.jpg", Change: Change{Reject: []string{"owl"}}}}, Full).Photos[0]; len(got.Files) > 0 || got.Shown != nil {
		t.Errorf("%+v", got)
	}
}

// timesShown returns how often a program shows each of the tags of a raw file
// with this sidecar, which has the name that the program looks for.
func timesShown(r Reader, values []Value) []int {
	separator, path := "|", "a.cr2.xmp"
	switch r {
	case DigiKam, Immich:
		separator = "/"
	case PhotoPrism:
		separator = ""
	case Lightroom:
		path = "a.xmp"
	}
	var shown []string
	for _, text := range r.Shows("a.cr2", []File{{path, values}}) {
		shown = append(shown, strings.Join(folded(split(text, separator)), "|"))
	}
	var times []int
	for _, tag := range alone(Merge(File{path, values}).Tags) {
		keys := folded(split(tag.String(), "|"))
		names := []string{strings.Join(keys, "|")}
		if r == PhotoPrism { // Windows writes a path to dc:subject, which is flat
			names = append(names, keys[len(keys)-1], strings.Join(keys, "/"))
		}
		if r == Darktable { // what follows a comma is lost
			names[0], _, _ = strings.Cut(names[0], ",")
		}
		n := 0
		for _, name := range shown {
			if slices.Contains(names, name) {
				n++
			}
		}
		times = append(times, n)
	}
	return times
}

// TestReaders: whatever field a program looks at, it shows the union, each tag
// once, of every sidecar of the corpus with a tag in it.
func TestReaders(t *testing.T) {
	safe(t, func(t *testing.T, doc string) {
		values, err := valuesOf(edited(t, doc, accept(auto("nature|sky & sea|strand"), user("AC/DC"))))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range Readers {
			for i, n := range timesShown(r, values) {
				// Others have spelled a tag of this one in several ways.
				if n != 1 && !(n > 1 && strings.HasSuffix(t.Name(), "/equal")) {
					t.Errorf("%s shows %s %d times", r, alone(Merge(File{"", values}).Tags)[i], n)
				}
			}
		}
	})
}

// TestShownBy: a program is said to show what is added if it shows all of it.
func TestShownBy(t *testing.T) {
	add := accept(auto("nature|sky & sea|strand"), user("AC/DC"))
	for _, photo := range []string{"a.cr2", "a.jpg"} {
		p := NewPlan([]Photo{{Path: photo, Change: add}}, Full).Photos[0]
		for _, r := range Readers {
			if got := p.ShownBy(r); got != (r != Lightroom) { // it does not look for a.cr2.xmp
				t.Errorf("%s of %s: %v, of %q", r, photo, got, p.Shown[r])
			}
			p.Shown[r] = p.Shown[r][:max(0, len(p.Shown[r])-1)]
			if p.ShownBy(r) {
				t.Errorf("%s shows one less of %s", r, photo)
			}
		}
	}
	if p := NewPlan([]Photo{{Path: "a.cr2", Change: add}}, Adobe).Photos[0]; !p.ShownBy(Lightroom) || p.ShownBy(DigiKam) {
		t.Errorf("%+v", p.Shown)
	}
}

// BenchmarkPlan plans tags for 100,000 photos whose tags are known; the target
// is 3 s for all.
func BenchmarkPlan(b *testing.B) {
	photos := make([]Photo, 100_000)
	for i := range photos {
		path := fmt.Sprintf("2024/IMG_%05d.jpg", i)
		photos[i] = Photo{Path: path, Change: Change{Accept: []Mark{auto("nature|strand"), auto("dusk")}}}
		if i%4 == 0 {
			continue // no tags yet
		}
		var values []Value
		for _, label := range []string{"animals|birds|owl", "places|harbour", "family", fmt.Sprint("day ", i%100)} {
			for _, f := range written {
				values = append(values, Value{f, f.spell(strings.Split(label, "|"))})
			}
		}
		photos[i].Files = []Known{{File: File{path + ".xmp", values}}, {File: File{path, []Value{{Keywords, "harbour"}}}}}
	}
	for b.Loop() {
		plan := NewPlan(photos, Full)
		if n := len(plan.Photos[1].Added); n != 2 || plan.Photos[1].Files == nil {
			b.Fatal(n)
		}
	}
	b.ReportMetric(float64(b.N)*float64(len(photos))/b.Elapsed().Seconds(), "photos/s")
}

// BenchmarkEdit edits a sidecar of 3 KB, as digiKam writes it.
func BenchmarkEdit(b *testing.B) {
	doc := []byte(seeds(b)["testdata/digikam.xmp"])
	b.SetBytes(int64(len(doc)))
	for b.Loop() {
		if _, err := Edit(doc, accept(auto("nature|strand"))); err != nil {
			b.Fatal(err)
		}
	}
}
