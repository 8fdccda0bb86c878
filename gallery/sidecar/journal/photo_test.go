package journal

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// photoWith is an edit of a photo.
func photoWith(path, more string) Edit {
	e := with(path, more)
	e.Photo = true
	return e
}

// TestPhotos: what cannot be replaced whole, or is not as planned, is left alone;
// whoever keeps what is known of contents is told of the others, and their
// undoing, before they are touched.
func TestPhotos(t *testing.T) {
	dir := t.TempDir()
	j := open(t, filepath.Join(dir, "runs"))
	path := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"ok", "behind", "hard", "readonly", "changed", "sidecar"} {
		write(t, path(name), name)
	}
	must(t, os.Symlink("behind", path("link")))
	must(t, os.Link(path("hard"), path("hard2")))
	must(t, os.Chmod(path("readonly"), 0o444))
	var edits []Edit
	for _, name := range []string{"ok", "link", "hard", "readonly", "changed"} {
		edits = append(edits, photoWith(path(name), "+"))
	}
	edits[4].Modified = time.Unix(1, 0)
	edits = append(edits, with(path("sidecar"), "+"))
	var told []Replacement
	o := Options{Begin: func(list []Replacement) error {
		if text(path("ok")) == "ok+" != (len(told) > 0) {
			t.Error("it is told late")
		}
		told = append(told, list...)
		return nil
	}}
	result, err := j.Apply(bg, edits, o)
	must(t, err)
	if result.Written != 2 || len(result.Failed) != 4 || text(path("ok")) != "ok+" || text(path("behind")) != "behind" {
		t.Errorf("%+v", result)
	}
	for _, f := range result.Failed {
		want := map[string]string{"link": "a link", "hard": "2 names", "readonly": "read-only", "changed": "changed by another program"}[filepath.Base(f.Path)]
		if want == "" || !strings.Contains(f.Err.Error(), want) {
			t.Errorf("%s: %v", f.Path, f.Err)
		}
	}
	_, err = j.Undo(bg, result.Run, o)
	must(t, err)
	old, changed := hashOf([]byte("ok")), hashOf([]byte("ok+"))
	if want := []Replacement{{path("ok"), old, changed}, {path("ok"), changed, old}}; !slices.Equal(told, want) || text(path("ok")) != "ok" {
		t.Errorf("%v, want %v", told, want)
	}
	no := errors.New("no")
	o.Begin = func([]Replacement) error { return no }
	if _, err := j.Apply(bg, edits[:1], o); !errors.Is(err, no) || text(path("ok")) != "ok" {
		t.Errorf("%v, %q", err, text(path("ok")))
	}
	if runs, err := j.Runs(); err != nil || len(runs) != 1 {
		t.Errorf("%v, %v", runs, err)
	}
}

// TestBatches: files that are large together are written in several batches.
func TestBatches(t *testing.T) {
	steps := make([]*step, 600)
	for i := range steps {
		steps[i] = &step{entry: &entry{Size: 1000}}
	}
	if n := batch(steps); n != batchFiles {
		t.Errorf("%d small files", n)
	}
	for i := range steps {
		steps[i].Size = batchBytes / 4
	}
	if n := batch(steps); n != 4 {
		t.Errorf("%d large files", n)
	}
	steps[0].Size = 2 * batchBytes
	if n := batch(steps); n != 1 {
		t.Errorf("%d files with a huge one first", n)
	}
	if n := batch(steps[:0]); n != 0 {
		t.Errorf("%d of none", n)
	}
}
