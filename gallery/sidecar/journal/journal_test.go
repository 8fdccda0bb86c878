package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

var bg = context.Background()

func open(t *testing.T, dir string) *Journal {
	t.Helper()
	j, err := Open(bg, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	must(t, os.WriteFile(path, []byte(text), 0o644))
}

// text returns the content of a file, or "-" if there is none.
func text(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return "-"
	}
	return string(b)
}

// with is an edit that appends to a file, makes it or removes it.
func with(path, more string) Edit {
	return Edit{Path: path, Make: func(before []byte) ([]byte, error) {
		if more == "" {
			return nil, nil
		}
		return append(bytes.Clone(before), more...), nil
	}}
}

func made(path, content string) Edit {
	e := with(path, content)
	e.New = true
	return e
}

// leftovers returns the names of a folder that are not wanted there.
func leftovers(t *testing.T, dir string) []string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(dir, ".sigla*"))
	must(t, err)
	return list
}

func TestApplyAndUndo(t *testing.T) {
	dir := t.TempDir()
	j := open(t, filepath.Join(dir, "runs"))
	a, b, c, d := filepath.Join(dir, "a"), filepath.Join(dir, "b"), filepath.Join(dir, "c\xff"), filepath.Join(dir, "d")
	write(t, a, "one\n")
	write(t, b, "two\n")
	write(t, d, "gone\n")
	must(t, os.Chmod(a, 0o640))
	must(t, os.Chmod(d, 0o600))
	ahead := time.Now().Add(time.Hour).Truncate(time.Second)
	must(t, os.Chtimes(a, ahead, ahead))
	if runtime.GOOS == "darwin" || runtime.GOOS == "windows" {
		c = filepath.Join(dir, "c") // whose names are Unicode
	}
	result, err := j.Apply(bg, []Edit{with(a, "more"), {Path: b, Make: func(b []byte) ([]byte, error) { return b, nil }}, made(c, "new"), with(d, "")}, Options{})
	must(t, err)
	if result.Written != 3 || result.Unchanged != 1 || len(result.Failed) > 0 {
		t.Errorf("%+v", result)
	}
	if got := text(a) + text(b) + text(c) + text(d); got != "one\nmoretwo\nnew-" {
		t.Errorf("%q", got)
	}
	info, err := os.Stat(a)
	must(t, err)
	if info.Mode().Perm() != 0o640 && runtime.GOOS != "windows" || !info.ModTime().After(ahead) {
		t.Errorf("%v, %v", info.Mode(), info.ModTime())
	}
	runs, err := j.Runs()
	if err != nil || len(runs) != 1 || runs[0].ID != result.Run || runs[0].Undone || !slices.Equal(runs[0].Files, []string{a, c, d}) {
		t.Errorf("%+v, %v", runs, err)
	}
	result, err = j.Undo(bg, runs[0].ID, Options{})
	if err != nil || result.Written != 3 || len(result.Failed) > 0 {
		t.Errorf("%+v, %v", result, err)
	}
	if got := text(a) + text(b) + text(c) + text(d); got != "one\ntwo\n-gone\n" {
		t.Errorf("%q", got)
	}
	again, err := os.Stat(a)
	must(t, err)
	if !again.ModTime().After(info.ModTime()) {
		t.Error("the time did not go forward")
	}
	if info, err := os.Stat(d); err != nil || info.Mode().Perm() != 0o600 && runtime.GOOS != "windows" {
		t.Error(info.Mode(), err)
	}
	if _, err := j.Undo(bg, runs[0].ID, Options{}); err == nil || !strings.Contains(err.Error(), "undone already") {
		t.Error(err)
	}
	for _, id := range []string{"", "no", "../runs", "lock"} {
		if _, err := j.Undo(bg, id, Options{}); err == nil || !strings.Contains(err.Error(), "there is no run") {
			t.Errorf("%q: %v", id, err)
		}
	}
	if list := leftovers(t, dir); len(list) > 0 {
		t.Error(list)
	}
}

// TestNothing: what changes nothing leaves no run and touches no file.
func TestNothing(t *testing.T) {
	dir := t.TempDir()
	j := open(t, filepath.Join(dir, "runs"))
	a := filepath.Join(dir, "a")
	write(t, a, "one")
	before, err := os.Stat(a)
	must(t, err)
	result, err := j.Apply(bg, []Edit{{Path: a, Make: func(b []byte) ([]byte, error) { return bytes.Clone(b), nil }}}, Options{})
	after, _ := os.Stat(a)
	runs, _ := j.Runs()
	if err != nil || result.Run != "" || result.Unchanged != 1 || len(runs) > 0 || !after.ModTime().Equal(before.ModTime()) {
		t.Errorf("%+v, %v, %v", result, err, runs)
	}
}

// TestW7Refused: what is not as planned, or cannot be replaced whole, is left
// alone, and the rest is done.
func TestW7Refused(t *testing.T) {
	dir := t.TempDir()
	j := open(t, filepath.Join(dir, "runs"))
	path := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"ok", "size", "time", "hash", "there", "readonly", "broken", "twin", "hard", "photo", "alone"} {
		write(t, path(name), name)
	}
	must(t, os.Chmod(path("readonly"), 0o444))
	must(t, os.Mkdir(path("folder"), 0o755))
	must(t, os.Link(path("hard"), path("hard2")))
	must(t, os.Symlink("nowhere", path("dangling")))
	must(t, os.Symlink("twin", path("link")))
	info, err := os.Stat(path("ok"))
	must(t, err)
	edits := refusedEdits(path, info.ModTime())
	result, err := j.Apply(bg, edits, Options{NoSync: true})
	must(t, err)
	reasons := map[string]string{
		"size": "changed by another program", "time": "changed by another program", "hash": "changed by another program",
		"there": "a file of that name meanwhile", "missing": "not there any more", "readonly": "read-only",
		"folder": "not a regular file", "hard": "2 names (hard links)", "dangling": "a link to a file that is not there",
		"link": "is the same file as", "alone": "its photo is not there", "broken": "it is broken", "nofolder/x": "no such file",
	}
	for _, f := range result.Failed {
		name, _ := filepath.Rel(dir, f.Path)
		if reason := reasons[filepath.ToSlash(name)]; reason == "" || !strings.Contains(f.Err.Error(), reason) {
			t.Errorf("%s: %v", name, f.Err)
		}
		if strings.Contains(f.Err.Error(), dir) && name != "link" {
			t.Errorf("the path is there twice: %v", f.Err)
		}
	}
	if len(result.Failed) != len(reasons) || result.Written != 2 {
		t.Errorf("%+v", result)
	}
	for name, want := range map[string]string{"ok": "ok+", "twin": "twin+", "size": "size", "hard": "hard", "hard2": "hard", "there": "there"} {
		if got := text(path(name)); got != want {
			t.Errorf("%s has %q", name, got)
		}
	}
	if info, err := os.Lstat(path("link")); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Error("the link is none any more")
	}
}

// refusedEdits are two that can be done, and others.
func refusedEdits(path func(string) string, modified time.Time) []Edit {
	planned := func(name string, change func(e *Edit)) Edit {
		e := with(path(name), "+")
		change(&e)
		return e
	}
	return []Edit{
		planned("ok", func(e *Edit) {
			e.Size, e.Modified, e.Hash, e.Beside = 2, modified, hashOf([]byte("ok")), path("photo")
		}),
		planned("size", func(e *Edit) { e.Size = 3 }),
		planned("time", func(e *Edit) { e.Modified = modified.Add(-time.Second) }),
		planned("hash", func(e *Edit) { e.Hash = hashOf([]byte("hush")) }),
		planned("there", func(e *Edit) { e.New = true }),
		planned("missing", func(e *Edit) {}),
		planned("readonly", func(e *Edit) {}),
		planned("folder", func(e *Edit) {}),
		planned("hard", func(e *Edit) {}),
		planned("dangling", func(e *Edit) { e.New = true }),
		planned("twin", func(e *Edit) {}),
		planned("link", func(e *Edit) {}),
		planned("alone", func(e *Edit) { e.Beside = path("gone.jpg") }),
		planned("broken", func(e *Edit) { e.Make = func([]byte) ([]byte, error) { return nil, errors.New("it is broken") } }),
		planned("nofolder/x", func(e *Edit) { e.New = true }),
	}
}

// TestLink: the file that a symbolic link points to is changed, in its folder.
func TestLink(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	j := open(t, filepath.Join(dir, "runs"))
	write(t, filepath.Join(other, "file"), "one")
	must(t, os.Symlink(filepath.Join(other, "file"), filepath.Join(dir, "link")))
	result, err := j.Apply(bg, []Edit{with(filepath.Join(dir, "link"), "+")}, Options{})
	if got := text(filepath.Join(other, "file")); err != nil || result.Written != 1 || got != "one+" {
		t.Errorf("%q, %+v, %v", got, result, err)
	}
	if info, err := os.Lstat(filepath.Join(dir, "link")); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Error("the link is none any more")
	}
	if _, err = j.Undo(bg, result.Run, Options{}); err != nil || text(filepath.Join(other, "file")) != "one" {
		t.Error(err)
	}
}

// TestUndoChanged: what was changed since is left alone and reported; when it
// is back, the undoing can be tried again.
func TestUndoChanged(t *testing.T) {
	dir := t.TempDir()
	j := open(t, filepath.Join(dir, "runs"))
	a, b, c := filepath.Join(dir, "a"), filepath.Join(dir, "b"), filepath.Join(dir, "c")
	write(t, a, "one")
	write(t, b, "two")
	result, err := j.Apply(bg, []Edit{with(a, "+"), with(b, "+"), made(c, "new")}, Options{})
	must(t, err)
	write(t, a, "somebody's")
	write(t, c, "somebody's")
	undone, err := j.Undo(bg, result.Run, Options{})
	must(t, err)
	if got := text(a) + text(b) + text(c); got != "somebody'stwosomebody's" || undone.Written != 1 || len(undone.Failed) != 2 {
		t.Errorf("%q, %+v", got, undone)
	}
	if runs, err := j.Runs(); err != nil || runs[0].Undone {
		t.Errorf("%+v, %v", runs, err)
	}
	write(t, a, "one+")
	must(t, os.Remove(c))
	undone, err = j.Undo(bg, result.Run, Options{})
	if got := text(a) + text(b) + text(c); err != nil || got != "onetwo-" || undone.Written != 1 || undone.Unchanged != 2 {
		t.Errorf("%q, %+v, %v", got, undone, err)
	}
}

// TestReplaced: another program replaces a file between plan and apply, or
// while files are written.
func TestReplaced(t *testing.T) {
	dir := t.TempDir()
	j := open(t, filepath.Join(dir, "runs"))
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	write(t, a, "one")
	write(t, b, "two")
	e := with(a, "+")
	e.Make = func(before []byte) ([]byte, error) { // after it was read
		return append(bytes.Clone(before), '+'), os.WriteFile(a, []byte("uno"), 0o644)
	}
	result, err := j.Apply(bg, []Edit{e, with(b, "+")}, Options{})
	must(t, err)
	if len(result.Failed) != 1 || result.Failed[0].Path != a || !errors.Is(result.Failed[0].Err, errChanged) || text(a)+text(b) != "unotwo+" {
		t.Errorf("%+v, %q", result, text(a)+text(b))
	}
}

func TestLocked(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir)
	if _, err := Open(bg, dir); !errors.Is(err, ErrLocked) {
		t.Error(err)
	}
	must(t, j.Close())
	open(t, dir)
}

// TestTorn: a run whose file ends anywhere is one that has not begun, or one
// whose next state is not there yet; what is damaged is left as it is.
func TestTorn(t *testing.T) {
	dir := t.TempDir()
	a := filepath.Join(dir, "a")
	write(t, a, "one")
	j := open(t, filepath.Join(dir, "runs"))
	result, err := j.Apply(bg, []Edit{with(a, "+")}, Options{})
	must(t, err)
	must(t, j.Close())
	path := filepath.Join(dir, "runs", result.Run+suffix)
	whole := text(path)
	begun := strings.Index(whole, `{"state":"ready"}`) + len(`{"state":"ready"}`)
	for n := range len(whole) {
		write(t, path, whole[:n])
		write(t, a, "one")
		j, err := Open(bg, filepath.Join(dir, "runs"))
		must(t, err)
		want := "one"
		if n >= begun && n < len(whole)-1 {
			want = "one+"
		}
		if got := text(a); got != want {
			t.Fatalf("of %d bytes: %q, want %q", n, got, want)
		}
		if runs, err := j.Runs(); err != nil || len(runs) != len(j.Recovered) && n != len(whole)-1 {
			t.Fatalf("of %d bytes: %+v, %+v, %v", n, runs, j.Recovered, err)
		}
		must(t, j.Close())
	}
	for _, damage := range []string{"x" + whole, strings.Replace(whole, `"version":1`, `"version":9`, 1)} {
		write(t, path, damage)
		j := open(t, filepath.Join(dir, "runs"))
		if runs, err := j.Runs(); err == nil || len(runs) > 0 || len(j.Recovered) != 1 || text(path) != damage {
			t.Errorf("%+v, %v, %+v", runs, err, j.Recovered)
		}
		must(t, j.Close())
	}
}

// TestCancelled: a context that ends leaves files as they are, and a journal
// that can undo what was done.
func TestCancelled(t *testing.T) {
	dir := t.TempDir()
	j := open(t, filepath.Join(dir, "runs"))
	a := filepath.Join(dir, "a")
	write(t, a, "one")
	ctx, cancel := context.WithCancel(bg)
	e := with(a, "+")
	e.Make = func(before []byte) ([]byte, error) { cancel(); return append(bytes.Clone(before), '+'), nil }
	if _, err := j.Apply(ctx, []Edit{e}, Options{}); !errors.Is(err, context.Canceled) || text(a) != "one" {
		t.Error(err, text(a))
	}
}

func TestDifference(t *testing.T) {
	for _, c := range [][3]string{{"", "", " "}, {"", "a", " a"}, {"ab", "aab", "a a"}, {"abc", "axc", "ab x"}, {"aaa", "aa", "aaa a"}} {
		from, old, changed := difference([]byte(c[0]), []byte(c[1]))
		if got := c[0][:from] + string(changed) + c[0][from+len(old):]; got != c[1] {
			t.Errorf("%q: %q", c, got)
		}
	}
}

func TestNames(t *testing.T) {
	for _, n := range []name{"/a/b", "/a/\xff\xfe", "/ä\n\"", ""} {
		b, err := n.MarshalJSON()
		var again name
		if err != nil || again.UnmarshalJSON(b) != nil || again != n {
			t.Errorf("%q is read as %q from %s", n, again, b)
		}
	}
}

// TestSpelled: where case does not count, a file is found under another name
// than its own, and keeps that.
func TestSpelled(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "A.JPG.XMP"), "")
	write(t, filepath.Join(dir, "b.xmp"), "")
	if _, err := os.Stat(filepath.Join(dir, "B.xmp")); err != nil { // case counts
		write(t, filepath.Join(dir, "B.xmp"), "")
	}
	var p preparation
	for asked, want := range map[string]string{"a.jpg.xmp": "A.JPG.XMP", "A.JPG.XMP": "A.JPG.XMP", "none": "none", "b.xmp": "b.xmp"} {
		if got := p.spelled(filepath.Join(dir, asked)); got != filepath.Join(dir, want) {
			t.Errorf("%s is %s", asked, got)
		}
	}
}

// Progress goes from nothing to all of the files, and stops where a run is
// stopped: what was not written then can be told from what failed.
func TestProgress(t *testing.T) {
	dir := t.TempDir()
	j := open(t, filepath.Join(dir, "runs"))
	var list []Edit
	for n := range 3 * batchFiles {
		path := filepath.Join(dir, fmt.Sprint(n))
		write(t, path, "old")
		list = append(list, with(path, "+"))
	}
	ctx, stop := context.WithCancel(bg)
	var reading, writing []int
	result, err := j.Apply(ctx, list, Options{NoSync: true, Progress: func(s Stage, done, of int) {
		if s == Reading {
			reading = append(reading, done)
		} else if writing = append(writing, done); done == batchFiles {
			stop()
		}
		if of != len(list) {
			t.Errorf("%d of %d", done, of)
		}
	}})
	if err != nil || result.Written != batchFiles || len(result.Failed) != 2*batchFiles || !errors.Is(result.Failed[0].Err, context.Canceled) {
		t.Errorf("%d written, %d failed, %v", result.Written, len(result.Failed), err)
	}
	if want := []int{0, batchFiles, 2 * batchFiles}; !slices.Equal(reading, want) || !slices.Equal(writing, append(want, 3*batchFiles)) {
		t.Errorf("reading %v, writing %v", reading, writing)
	}
	if result, err = j.Undo(bg, result.Run, Options{NoSync: true}); err != nil || result.Written != batchFiles || len(result.Failed) > 0 {
		t.Errorf("%+v, %v", result, err)
	}
	for _, e := range list {
		if text(e.Path) != "old" {
			t.Fatalf("%s is %q", e.Path, text(e.Path))
		}
	}
}

// TestEmpty: a file can become empty, and be empty before.
func TestEmpty(t *testing.T) {
	dir := t.TempDir()
	j := open(t, filepath.Join(dir, "runs"))
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	write(t, a, "one")
	write(t, b, "")
	empty := with(a, "")
	empty.Make = func([]byte) ([]byte, error) { return []byte{}, nil }
	result, err := j.Apply(bg, []Edit{empty, with(b, "+")}, Options{})
	if err != nil || result.Written != 2 || text(a)+text(b) != "+" {
		t.Fatalf("%+v, %v, %q", result, err, text(a)+text(b))
	}
	if _, err := j.Undo(bg, result.Run, Options{}); err != nil || text(a) != "one" || text(b) != "" {
		t.Error(err)
	}
}
