package journal

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// Old runs are forgotten when a new one is there: not the last ones, none of
// the last month, and none that is not finished or cannot be read.
func TestPrune(t *testing.T) {
	dir := t.TempDir()
	runs := filepath.Join(dir, "runs")
	j := open(t, runs)
	const head = `{"version":1,"at":"2020-01-01T00:00:00Z"}` + "\n"
	entry := `{"entry":{"path":"` + filepath.ToSlash(filepath.Join(dir, "x")) + `","target":"","before":"","after":"","from":0,"old":"","new":""}}` + "\n"
	now := time.Now().UTC()
	var kept []string
	run := func(at time.Time, text string, keep bool) {
		id := at.Format(idLayout)
		write(t, filepath.Join(runs, id+suffix), text)
		if keep {
			kept = append(kept, id)
		}
	}
	old := now.Add(-keepFor - time.Hour)
	for i := range 5 {
		at := old.AddDate(-1, 0, i)
		run(at, head+entry+`{"state":"ready"}`+"\n"+`{"state":"applied"}`+"\n", false)
		run(at.Add(time.Second), head+entry+`{"state":"undone"}`+"\n", false)
		run(at.Add(2*time.Second), head+entry+`{"state":"ready"}`+"\n", true)
		run(at.Add(3*time.Second), head+entry+`{"state":"applied"}`+"\n"+`{"state":"undoing"}`+"\n", true)
		run(at.Add(4*time.Second), head+entry, true)
		run(at.Add(5*time.Second), "{{{\n", true)
	}
	for i := range keepLast - 3 { // old, but among the last
		run(old.Add(time.Duration(i)*time.Second), head+`{"state":"applied"}`+"\n", true)
	}
	for i := range 2 {
		run(now.Add(-keepFor+time.Hour+time.Duration(i)*time.Second), head+`{"state":"applied"}`+"\n", true)
	}
	write(t, filepath.Join(runs, "of somebody else"+suffix), head)
	photo := filepath.Join(dir, "a")
	write(t, photo, "one")
	result, err := j.Apply(bg, []Edit{with(photo, "more")}, Options{})
	must(t, err)
	ids, err := j.ids()
	must(t, err)
	want := append(kept, result.Run, "of somebody else")
	slices.Sort(want)
	slices.Sort(ids)
	if !slices.Equal(ids, want) {
		t.Errorf("left\n%q\nwant\n%q", ids, want)
	}
	if _, err := j.Undo(bg, result.Run, Options{}); err != nil || text(photo) != "one" {
		t.Errorf("undo: %v, %q", err, text(photo))
	}
}

// Within a month nothing is forgotten, however much there is.
func TestPruneKeepsAMonth(t *testing.T) {
	runs := filepath.Join(t.TempDir(), "runs")
	j := open(t, runs)
	now := time.Now().UTC()
	for i := range 3 * keepLast {
		write(t, filepath.Join(runs, now.Add(-time.Duration(i)*time.Hour).Format(idLayout)+suffix), `{"version":1}`+"\n"+`{"state":"applied"}`+"\n")
	}
	must(t, j.prune(now))
	if ids, err := j.ids(); err != nil || len(ids) != 3*keepLast {
		t.Errorf("%d are left, %v", len(ids), err)
	}
	must(t, j.prune(now.AddDate(1, 0, 0)))
	if ids, err := j.ids(); err != nil || len(ids) != keepLast {
		t.Errorf("%d are left after a year, %v", len(ids), err)
	}
}

// Wrote finds the run that wrote a file, by whatever path, while the journal is
// open and when it is not.
func TestWrote(t *testing.T) {
	dir := t.TempDir()
	runs := filepath.Join(dir, "runs")
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	write(t, a, "one")
	write(t, b, "two")
	j := open(t, runs)
	began := time.Now().UTC().Truncate(time.Second)
	first, err := j.Apply(bg, []Edit{with(a, "more")}, Options{})
	must(t, err)
	second, err := j.Apply(bg, []Edit{with(a, "more"), with(b, "more")}, Options{})
	must(t, err)
	_, err = j.Undo(bg, second.Run, Options{})
	must(t, err)
	for path, want := range map[string]string{a: first.Run, b: second.Run, filepath.Join(dir, "c"): ""} {
		if r, ok := Wrote(runs, path, began); r.ID != want || ok != (want != "") || r.Undone != (want == second.Run) {
			t.Errorf("%s: %+v, want %q", path, r, want)
		}
	}
	if link := filepath.Join(dir, "link"); os.Symlink(dir, link) == nil {
		if r, _ := Wrote(runs, filepath.Join(link, "b"), began); r.ID != second.Run {
			t.Errorf("through a link: %+v", r)
		}
	}
	for _, at := range []time.Time{began.Add(time.Hour), began.Add(-48 * time.Hour)} {
		if r, ok := Wrote(runs, a, at); ok {
			t.Errorf("at %v: %+v", at, r)
		}
	}
	if _, ok := Wrote(filepath.Join(dir, "none"), a, began); ok {
		t.Error("found in a journal that is not there")
	}
}

// A folder is tried without a trace, and one that is read-only is told.
func TestProbe(t *testing.T) {
	dir := t.TempDir()
	for name, try := range map[string]func(string) error{"probe": probe, "probeNamed": probeNamed} {
		if err := try(dir); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := try(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s of a folder that is not there: %v", name, err)
		}
		if left := leftovers(t, dir); len(left) > 0 {
			t.Errorf("%s left %q", name, left)
		}
	}
}
