package gallery

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// photographed is a gallery, or one that is closed.
type photographed interface {
	Photos() []Photo
	Progress() Progress
}

func names(g photographed) []string {
	var list []string
	for _, p := range g.Photos() {
		list = append(list, p.Name)
	}
	return list
}

func scan(t *testing.T, g *Gallery, paths ...string) {
	t.Helper()
	if err := g.Scan(context.Background(), paths...); err != nil {
		t.Fatal(err)
	}
}

func checkNames(t *testing.T, g *Gallery, want ...string) {
	t.Helper()
	if got := names(g); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func tree(t *testing.T, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	for i, f := range files {
		writePhoto(t, filepath.Join(dir, filepath.FromSlash(f)), i)
	}
	return dir
}

func symlink(t *testing.T, target, link string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, link); err != nil {
		t.Skip("no symbolic links here:", err)
	}
}

func TestScanOrder(t *testing.T) {
	dir := tree(t, "img10.jpg", "img2.jpg", "IMG1.JPG", "z.png", "notes.txt", "jpg", ".hidden.jpg", ".git/a.jpg",
		"10/a.jpg", "9/b.jpg", "9/below/a.jpg", "9/a.jpg", "empty/notes.txt", "folder.jpg/x.jpg")
	g := New()
	scan(t, g, dir)
	checkNames(t, g, "IMG1.JPG", "img2.jpg", "img10.jpg", "z.png",
		"9/a.jpg", "9/b.jpg", "9/below/a.jpg", "10/a.jpg", "folder.jpg/x.jpg")
	for i, p := range g.Photos() {
		info, err := os.Stat(p.Path)
		if err != nil {
			t.Fatal(err)
		}
		if p.ID != i || p.State != Waiting || p.Size != info.Size() || !p.Modified.Equal(info.ModTime()) {
			t.Errorf("photo %d: %+v", i, p)
		}
		if p.Path != filepath.Join(dir, filepath.FromSlash(p.Name)) {
			t.Errorf("%s has path %s", p.Name, p.Path)
		}
		if g.Photo(i).Path != p.Path {
			t.Errorf("Photo(%d) is not Photos()[%d]", i, i)
		}
	}
	if s := g.Skipped(); len(s) > 0 {
		t.Errorf("skipped %v", s)
	}
}

func TestScanNamedPaths(t *testing.T) {
	dir := tree(t, "a.jpg", "photo.dat", ".hidden/b.jpg", "sub/c.jpg")
	at := func(name string) string { return filepath.Join(dir, name) }
	g := New()
	scan(t, g, at("photo.dat"), at(".hidden"), at("sub"), at("a.jpg"), dir, dir+"/./sub/..", at("a.jpg"), at("sub/../a.jpg"))
	checkNames(t, g, "photo.dat", "b.jpg", "c.jpg", "a.jpg")

	writePhoto(t, at("sub/new.jpg"), 9)
	scan(t, g, dir)
	checkNames(t, g, "photo.dat", "b.jpg", "c.jpg", "a.jpg", "sub/new.jpg")
}

func TestScanRelativePaths(t *testing.T) {
	t.Chdir(tree(t, "a.jpg", "sub/b.jpg"))
	g := New()
	scan(t, g, ".", "sub", "./a.jpg")
	checkNames(t, g, "a.jpg", "sub/b.jpg")
	if p := g.Photo(1).Path; p != filepath.Join("sub", "b.jpg") {
		t.Errorf("path %q of a photo below the current folder", p)
	}
}

func TestScanErrors(t *testing.T) {
	dir := tree(t, "a.jpg")
	missing := filepath.Join(dir, "missing")
	other := filepath.Join(dir, "other.jpg")
	g := New()
	err := g.Scan(context.Background(), missing, dir, other)
	if err == nil {
		t.Fatal("no error")
	}
	lines := strings.Split(err.Error(), "\n")
	for i, path := range []string{missing, other} {
		if len(lines) != 2 || !strings.HasPrefix(lines[i], "scan "+path+": ") || strings.Count(lines[i], path) != 1 {
			t.Errorf("errors %q; want one line for each path", lines)
			break
		}
	}
	checkNames(t, g, "a.jpg")
	if p := g.Progress(); p.Scanning || p.Found != 1 {
		t.Errorf("progress %+v", p)
	}
}

func TestScanCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	g := New()
	if err := g.Scan(ctx, tree(t, "a.jpg")); err != context.Canceled {
		t.Errorf("got error %v", err)
	}
	if g.Len() != 0 {
		t.Errorf("%d photos found after the end", g.Len())
	}
}

func TestScanLinks(t *testing.T) {
	dir := tree(t, "b/photo.jpg", "b/deep/er/photo.jpg", "z/x.bin")
	outside := tree(t, "out.jpg", "in/in.jpg")
	at := func(name string) string { return filepath.Join(dir, name) }
	symlink(t, "b", at("a"))                                   // followed first, so b is not visited again
	symlink(t, filepath.Join("..", ".."), at("b/deep/up"))     // a loop
	symlink(t, ".", at("self"))                                // another
	symlink(t, outside, at("out"))                             // two ways
	symlink(t, filepath.Join(outside, "in"), at("out2"))       // into one folder
	symlink(t, filepath.Join(outside, "out.jpg"), at("o.jpg")) // a photo, before its folder is visited
	symlink(t, filepath.Join("z", "x.bin"), at("z.jpg"))       // a photo by its link's name
	symlink(t, filepath.Join("z", "x.bin"), at("z.bin"))       // none
	symlink(t, "nowhere", at("gone.jpg"))
	symlink(t, "nowhere", at("c/gone.jpg")) // skipped once, though
	symlink(t, "c", at("d"))                // c is reached twice
	symlink(t, "round", at("round"))

	g := New()
	scan(t, g, dir)
	checkNames(t, g, "o.jpg", "z.jpg", "a/photo.jpg", "a/deep/er/photo.jpg", "out/in/in.jpg")
	checkSkipped(t, g, map[string]string{
		at("gone.jpg"):   "no such file",
		at("c/gone.jpg"): "no such file",
		at("round"):      "",
		at("a/deep/up"):  "symbolic link to a folder that it lies in",
		at("self"):       "symbolic link to a folder that it lies in",
	})
}

// Every folder links to every other: there are 14! ways through them.
func TestScanMaze(t *testing.T) {
	const n = 14
	dir := t.TempDir()
	folder := func(i int) string { return filepath.Join(dir, fmt.Sprint("folder", i)) }
	for i := range n {
		writePhoto(t, filepath.Join(folder(i), "photo.jpg"), i)
		for j := range n {
			if j != i {
				symlink(t, folder(j), filepath.Join(folder(i), fmt.Sprint("to", j)))
			}
		}
	}
	g := New()
	scan(t, g, dir)
	if g.Len() != n {
		t.Errorf("%d photos, want %d", g.Len(), n)
	}
}

// checkSkipped says what was skipped, and that each error is one line which
// says the path once.
func checkSkipped(t *testing.T, g *Gallery, want map[string]string) {
	t.Helper()
	skipped := g.Skipped()
	if len(skipped) != len(want) {
		t.Errorf("%d skipped, want %d: %v", len(skipped), len(want), skipped)
	}
	for _, s := range skipped {
		reason, ok := want[s.Path]
		text := s.Err.Error()
		if !ok || !strings.HasPrefix(text, "scan "+s.Path+": ") || !strings.Contains(text, reason) ||
			strings.Count(text, s.Path) != 1 || strings.Contains(text, "\n") {
			t.Errorf("skipped %s: %q, want %q", s.Path, text, reason)
		}
	}
}

func TestScanHostileNames(t *testing.T) {
	dir := t.TempDir()
	var want []string
	for _, name := range []string{
		"new\nline.jpg", "\x1b[31mred.jpg", "bad\xff\xfeutf8.jpg", "tab\t.jpg", "-rf.jpg", " .jpg", "rtl\u202egpj.jpg",
		"🦉.jpg", "e\u0301.jpg", "'\"\\$(x).jpg", strings.Repeat("long", 62) + "abc.jpg",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Logf("not a name here: %q: %v", name, err)
			continue
		}
		want = append(want, name)
	}
	g := New()
	scan(t, g, dir)
	got := names(g)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// Photos are there as soon as they are found, not when their folder is done.
func TestScanShowsPhotosAtOnce(t *testing.T) {
	dir := photoFolder(t, 50)
	g := New()
	done := make(chan error)
	go func() { done <- g.Scan(context.Background(), dir) }()
	var version uint64
	for last := 0; last < 50; {
		var err error
		if version, err = g.WaitChange(context.Background(), version); err != nil {
			t.Fatal(err)
		}
		n := g.Len()
		if n < last || n > 0 && g.Photo(n-1).Name == "" {
			t.Fatalf("%d photos after %d", n, last)
		}
		last = n
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestScansBesideEachOther(t *testing.T) {
	dir := photoFolder(t, 40)
	g := New()
	done := make(chan error)
	for range 4 {
		go func() { done <- g.Scan(context.Background(), dir) }()
	}
	for range 4 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	got := names(g)
	slices.Sort(got)
	if len(slices.Compact(got)) != 40 || g.Len() != 40 {
		t.Errorf("%d photos of 40: %q", g.Len(), got)
	}
}

func TestScanReadsNothingElse(t *testing.T) {
	dir := tree(t, "a.jpg", "b/c.jpg")
	var before []fs.FileInfo
	files := []string{dir, filepath.Join(dir, "a.jpg"), filepath.Join(dir, "b"), filepath.Join(dir, "b", "c.jpg")}
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil {
			t.Fatal(err)
		}
		before = append(before, info)
	}
	g := New()
	scan(t, g, dir)
	if err := g.Embed(context.Background(), new(fake), nil); err != nil {
		t.Fatal(err)
	}
	for i, f := range files {
		info, err := os.Stat(f)
		if err != nil || !info.ModTime().Equal(before[i].ModTime()) || info.Mode() != before[i].Mode() || info.Size() != before[i].Size() {
			t.Errorf("%s was changed: %v, %v", f, info, err)
		}
	}
}
