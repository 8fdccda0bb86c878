package sidecar

import (
	"cmp"
	"context"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigla/gallery/sidecar/journal"
)

// planTwins plans a change of a.jpg with its raw file in a folder.
func planTwins(dir string, c Change, naming Naming) PhotoPlan {
	photo, raw := filepath.Join(dir, "a.jpg"), filepath.Join(dir, "a.cr2")
	return NewPlan([]Photo{{Path: photo, Twins: []string{raw}, Files: Look(photo, raw), Shared: true, Change: c}}, naming).Photos[0]
}

// targetsOf says which sidecars a plan writes.
func targetsOf(plan PhotoPlan) string {
	var list []string
	for _, f := range plan.Files {
		text := filepath.Base(f.Path)
		if f.New {
			text += " new"
		}
		if f.Extension != "" {
			text += " for " + f.Extension
		}
		if f.Photo != "" {
			text += " beside " + filepath.Base(f.Photo)
		}
		list = append(list, text)
	}
	return strings.Join(list, ", ")
}

// TestPlanTwins: which sidecars of a raw file and a JPEG are written, so that
// programs which show them apart show the tags of both.
func TestPlanTwins(t *testing.T) {
	for _, c := range []struct {
		files  string
		naming Naming
		want   string
	}{
		{"", Full, "a.jpg.xmp new, a.cr2.xmp new beside a.cr2"},
		{"", Adobe, "a.jpg.xmp new, a.xmp new for cr2 beside a.cr2"},
		{"a.xmp", Full, "a.xmp"},
		{"a.xmp", Adobe, "a.xmp"},
		{"a.xmp=.cr2", Full, "a.jpg.xmp new, a.xmp beside a.cr2"},
		{"a.xmp=.jpg", Full, "a.xmp, a.cr2.xmp new beside a.cr2"},
		{"a.xmp=.jpg", Adobe, "a.xmp, a.cr2.xmp new beside a.cr2"},
		{"a.cr2.xmp", Full, "a.jpg.xmp new, a.cr2.xmp beside a.cr2"},
		{"a.jpg.xmp a.xmp", Full, "a.jpg.xmp, a.xmp beside a.cr2"},
		{"a.jpg.xmp a.xmp a.cr2.xmp", Full, "a.jpg.xmp, a.cr2.xmp beside a.cr2"},
	} {
		files := map[string]string{"a.jpg": "", "a.cr2": ""}
		for name := range strings.FieldsSeq(c.files) {
			name, text, _ := strings.Cut(name, "=")
			files[name] = cmp.Or(text, "x")
		}
		dir := folder(t, files)
		before := contentsOf(t, dir)
		plan := planTwins(dir, accept(user("owl")), c.naming)
		if list := targetsOf(plan); list != c.want {
			t.Errorf("%+v: %s", c, list)
		}
		if !slices.Equal(plan.Added, []string{"owl"}) || !slices.ContainsFunc(plan.Shown[Immich], func(s string) bool { return s == "owl" }) {
			t.Errorf("%+v: %+v", c, plan)
		}
		// What is written is read of each file by itself, and is all there is to it.
		j := openJournal(t)
		result, err := Plan{[]PhotoPlan{plan}}.Apply(context.Background(), j, journal.Options{NoSync: true})
		if err != nil || len(result.Failed) > 0 {
			t.Fatal(err, result)
		}
		for _, file := range []string{"a.jpg", "a.cr2"} {
			if tags, err := Read(filepath.Join(dir, file)); err != nil || !tags.Set().Has("owl") {
				t.Errorf("%+v: %s has %v, %v", c, file, tags, err)
			}
		}
		if again := planTwins(dir, accept(user("owl")), c.naming); len(again.Files) > 0 || len(again.Added) > 0 {
			t.Errorf("%+v: again %+v", c, again)
		}
		gone := planTwins(dir, withdraw("owl"), c.naming)
		if !slices.Equal(gone.Removed, []string{"owl"}) || slices.Contains(gone.Kept, "x") != (c.files != "" && !strings.Contains(c.files, "=")) {
			t.Errorf("%+v: withdrawn %+v", c, gone)
		}
		if result, err := (Plan{[]PhotoPlan{gone}}).Apply(context.Background(), j, journal.Options{NoSync: true}); err != nil || len(result.Failed) > 0 {
			t.Fatal(err, result)
		}
		if after := contentsOf(t, dir); !maps.Equal(before, after) {
			t.Errorf("%+v: withdrawn, there are %v", c, slices.Sorted(maps.Keys(after)))
		}
	}
}

// TestTwinsMissing: what somebody took out of the sidecar of one of two files is
// rejected for both, but for what others wrote.
func TestTwinsMissing(t *testing.T) {
	dir := folder(t, map[string]string{"a.jpg": "", "a.cr2": ""})
	j := openJournal(t)
	apply := func(c Change) PhotoPlan {
		t.Helper()
		plan := planTwins(dir, c, Full)
		if result, err := (Plan{[]PhotoPlan{plan}}).Apply(context.Background(), j, journal.Options{NoSync: true}); err != nil || len(result.Failed) > 0 {
			t.Fatal(err, result)
		}
		return plan
	}
	apply(accept(auto("owl"), auto("dusk")))
	raw := filepath.Join(dir, "a.cr2.xmp")
	text := contentsOf(t, dir)["a.cr2.xmp"]
	write(t, raw, strings.ReplaceAll(text, "<rdf:li>owl</rdf:li>", ""))
	plan := apply(accept(auto("owl")))
	if len(plan.Missing) != 1 || plan.Missing[0].Label != "owl" || !slices.Equal(plan.Removed, []string{"owl"}) || len(plan.Files) != 1 || filepath.Base(plan.Files[0].Path) != "a.jpg.xmp" {
		t.Errorf("%+v", plan)
	}
	for _, file := range []string{"a.jpg", "a.cr2"} {
		if tags, err := Read(filepath.Join(dir, file)); err != nil || tags.Set().Has("owl") || !tags.Set().Has("dusk") {
			t.Errorf("%s has %v, %v", file, tags, err)
		}
	}
	if plan := apply(accept(user("owl"))); !slices.Equal(plan.Added, []string{"owl"}) || len(plan.Files) != 2 {
		t.Errorf("a person sets it: %+v", plan)
	}
}
