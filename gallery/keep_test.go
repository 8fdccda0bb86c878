package gallery

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sigla/gallery/catalog"
)

var fakeModel = catalog.Model{Digest: "fake", Preprocess: 1, Dim: fakeDim, Name: "fake"}

// session is a run of the program on a catalog: it scans, embeds and ends.
func session(t *testing.T, data string, e Embedder, paths ...string) closed {
	t.Helper()
	g := New()
	g.UseCatalog(func(ctx context.Context) (*catalog.Catalog, error) { return catalog.Open(ctx, data) })
	g.UseModel(fakeModel)
	scan(t, g, paths...)
	embed(t, g, e)
	if err := g.CatalogErr(); err != nil {
		t.Error(err)
	}
	return closeGallery(t, g)
}

// checkEmbedded says which photos were embedded, by their numbers.
func checkEmbedded(t *testing.T, e *fake, want ...int) {
	t.Helper()
	got := e.embedded()
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("embedded %v, want %v", got, want)
	}
}

// checkVectors says that each photo is ready with the vector of its content in
// half precision, whether it was embedded or is from the catalog.
func checkVectors(t *testing.T, g closed) {
	t.Helper()
	for _, p := range g.Photos() {
		if p.State == Failed {
			continue
		}
		var number int
		if _, err := fmt.Sscanf(filepath.Base(p.Name), "%d", &number); err != nil {
			t.Fatal(err)
		}
		if p.State != Ready || p.Info.Width != 1 || p.Info.Format != "PNG" {
			t.Errorf("%s: state %d, error %v, info %+v", p.Name, p.State, p.Err, p.Info)
			continue
		}
		if got, want := g.vectors[p.ID], rounded(fakeVector(number)); !slices.Equal(got, want) {
			t.Errorf("%s has vector %v, want %v", p.Name, got, want)
		}
	}
}

// status returns what the catalog has of its only root with files.
func status(t *testing.T, data string) (st catalog.Status, root catalog.RootStatus) {
	t.Helper()
	c, err := catalog.Open(context.Background(), data)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if st, err = c.Status(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, r := range st.Roots {
		if r.Files+r.Missing > 0 {
			if root.Path != "" {
				t.Errorf("files are in %s and %s", root.Path, r.Path)
			}
			root = r
		}
	}
	return st, root
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(to), 0o755), os.Rename(from, to)); err != nil {
		t.Fatal(err)
	}
}

func TestFolderIsEmbeddedOnce(t *testing.T) {
	dir, data := photoFolder(t, 100), t.TempDir()
	first, again := new(fake), new(fake)
	session(t, data, first, dir)
	g := session(t, data, again, dir)
	checkEmbedded(t, again)
	checkVectors(t, g)
	if p := g.Progress(); p.Done != 100 || p.Remembered != 100 {
		t.Errorf("progress %+v", p)
	}

	// Nothing of a photo that has not changed is read.
	cold := New()
	cold.UseCatalog(func(ctx context.Context) (*catalog.Catalog, error) { return catalog.Open(ctx, data) })
	cold.UseModel(fakeModel)
	scan(t, cold, dir)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	embed(t, cold, again)
	checkVectors(t, closeGallery(t, cold))
	if p := cold.Progress(); p.Done != 100 {
		t.Errorf("without the files: progress %+v", p)
	}
	if st, root := status(t, data); root.Files != 100 || root.Waiting != 0 || st.Photos != 100 {
		t.Errorf("status %+v", st)
	}
}

// What a photo's vector is kept by is its content: where the file lies, and
// how often, does not matter.
func TestMovedPhotos(t *testing.T) {
	dir, data := photoFolder(t, 10), t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	session(t, data, new(fake), dir)
	rename(t, at("0.png"), at("0 renamed.png"))
	rename(t, at("1.png"), at("below/1.png"))
	rename(t, at("2.png"), at("aside")) // two files change places
	rename(t, at("3.png"), at("below/2.png"))
	rename(t, at("aside"), at("below/3.png"))
	writePhoto(t, at("4 copy.png"), 4)

	// Their names say otherwise now, so that checkVectors is of no use.
	e := new(fake)
	g := session(t, data, e, dir)
	checkEmbedded(t, e)
	for _, p := range g.Photos() {
		if want := map[string]int{"below/2.png": 3, "below/3.png": 2}[p.Name]; want != 0 && dot(g.vectors[p.ID], fakeVector(want)) < 0.999 {
			t.Errorf("%s does not have the vector of photo %d", p.Name, want)
		}
	}
	if _, root := status(t, data); root.Files != 11 || root.Missing != 4 {
		t.Errorf("status %+v, want 11 files and 4 missing", root)
	}
	e = new(fake)
	if g = session(t, data, e, dir); g.Progress().Remembered != 11 {
		t.Errorf("progress %+v", g.Progress())
	}
	checkEmbedded(t, e)
}

func TestChangedPhotos(t *testing.T) {
	dir, data := photoFolder(t, 5), t.TempDir()
	session(t, data, new(fake), dir)
	path := filepath.Join(dir, "3.png")
	writePhoto(t, path, 1003)
	if err := os.Chtimes(path, time.Time{}, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	e := new(fake)
	g := session(t, data, e, dir)
	checkEmbedded(t, e, 1003)
	if !slices.Equal(g.vectors[3], rounded(fakeVector(1003))) {
		t.Error("a changed photo does not have its new vector")
	}
	// A new date alone costs reading, not embedding.
	if err := os.Chtimes(path, time.Time{}, time.Now().Add(2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	e = new(fake)
	session(t, data, e, dir)
	checkEmbedded(t, e)
}

// What was read of a file counts only if it is the same file when it has been
// decoded: a vector must not be kept for another content.
func TestPhotoChangesWhileRead(t *testing.T) {
	path := filepath.Join(photoFolder(t, 1), "0.png")
	r := &run{keeps: true}
	before := r.read(path)
	before.check(path)
	if before.file == nil || before.content == (catalog.Hash{}) {
		t.Error("a file that did not change is forgotten")
	}
	writePhoto(t, path+".new", 7)
	if err := errors.Join(os.Chtimes(path+".new", time.Time{}, before.file.ModTime()), os.Rename(path+".new", path)); err != nil {
		t.Fatal(err)
	}
	if before.check(path); before != (reading{}) {
		t.Errorf("of another file of the same size and date remains %+v", before)
	}
	if gone := r.read(path + ".new"); gone != (reading{}) {
		t.Errorf("of a file that is not there: %+v", gone)
	}
}

func TestFailedPhotos(t *testing.T) {
	dir, data := photoFolder(t, 3), t.TempDir()
	path := filepath.Join(dir, "1.png")
	writeFile(t, path, []byte("no photo"))
	decoded := 0
	count := func(g *Gallery) { g.Decoded(func(int, image.Image) { decoded++ }) }
	first := session(t, data, new(fake), dir)

	g := New()
	count(g)
	g.UseCatalog(func(ctx context.Context) (*catalog.Catalog, error) { return catalog.Open(ctx, data) })
	scan(t, g, dir)
	if p := g.Photo(1); p.State != Failed || p.Err.Error() != first.Photo(1).Err.Error() {
		t.Errorf("before any model: state %d, error %v, want %v", p.State, p.Err, first.Photo(1).Err)
	}
	g.UseModel(fakeModel)
	embed(t, g, new(fake))
	if err := g.Close(); err != nil || decoded > 0 {
		t.Errorf("%d photos were decoded, error %v", decoded, err)
	}

	writePhoto(t, path, 1)
	e := new(fake)
	checkVectors(t, session(t, data, e, dir))
	checkEmbedded(t, e, 1)
	if _, root := status(t, data); root.Failed != 0 {
		t.Errorf("status %+v", root)
	}
}

// What a model refuses may be welcome to the next one, and what cannot be read
// now may be readable later: neither is the photo's fault.
func TestFailuresThatPass(t *testing.T) {
	dir, data := photoFolder(t, 3), t.TempDir()
	session(t, data, refuser(1), dir)
	e := new(fake)
	checkVectors(t, session(t, data, e, dir))
	checkEmbedded(t, e, 1)

	var r reading
	r.failed(fmt.Errorf("read photo x: %w", fs.ErrPermission))
	r.failed(fmt.Errorf("read photo x: %w", errOf(os.Open(filepath.Join(dir, "nothing")))))
	if r.reason != "read photo x: permission denied" && r.reason != "permission denied" {
		t.Errorf("reason %q", r.reason)
	}
}

func errOf(_ *os.File, err error) error { return err }

// A folder scanned by itself is part of the one that it lies in, whichever came
// first, and what lies elsewhere is not missing for it.
func TestFoldersInFolders(t *testing.T) {
	for _, order := range [][]string{{"", "a"}, {"a", ""}, {"a", "a/b", ""}, {"", "a/b", "a"}} {
		dir, data := t.TempDir(), t.TempDir()
		for i, name := range []string{"0.png", "a/1.png", "a/b/2.png", "c/3.png"} {
			writePhoto(t, filepath.Join(dir, name), i)
		}
		first := session(t, data, new(fake), filepath.Join(dir, order[0]))
		all := first.Len()
		for _, folder := range order[1:] {
			e := new(fake)
			g := session(t, data, e, filepath.Join(dir, folder))
			if n := len(e.embedded()); n != max(0, g.Len()-all) {
				t.Errorf("%v: %d photos of %q were embedded", order, n, folder)
			}
			all = max(all, g.Len())
			checkVectors(t, g)
		}
		if _, root := status(t, data); root.Files != 4 || root.Missing != 0 || root.Path != realPath(dir) {
			t.Errorf("%v: status %+v", order, root)
		}
		// Both at once, in either order: one is walked, none is missing.
		for _, paths := range [][]string{{dir, filepath.Join(dir, "a")}, {filepath.Join(dir, "a"), dir}} {
			e := new(fake)
			session(t, data, e, paths...)
			checkEmbedded(t, e)
			if _, root := status(t, data); root.Files != 4 || root.Missing != 0 {
				t.Errorf("%v: status %+v", paths, root)
			}
		}
	}
}

func TestMissingPhotos(t *testing.T) {
	dir, data := photoFolder(t, 4), t.TempDir()
	away := filepath.Join(t.TempDir(), "away")
	session(t, data, new(fake), dir)
	rename(t, filepath.Join(dir, "2.png"), filepath.Join(away, "2.png"))
	session(t, data, new(fake), dir)
	if _, root := status(t, data); root.Files != 3 || root.Missing != 1 {
		t.Errorf("status %+v", root)
	}
	// A drive that is not there says nothing about what is on it.
	rename(t, dir, away+" drive")
	g := New()
	g.UseCatalog(func(ctx context.Context) (*catalog.Catalog, error) { return catalog.Open(ctx, data) })
	if err := g.Scan(context.Background(), dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v", err)
	}
	if err := g.Close(); err != nil {
		t.Error(err)
	}
	if _, root := status(t, data); root.Files != 3 || root.Missing != 1 {
		t.Errorf("without the drive: status %+v", root)
	}
	rename(t, away+" drive", dir)
	rename(t, filepath.Join(away, "2.png"), filepath.Join(dir, "2.png"))
	e := new(fake)
	checkVectors(t, session(t, data, e, dir))
	checkEmbedded(t, e)
	if _, root := status(t, data); root.Files != 4 || root.Missing != 0 {
		t.Errorf("back again: status %+v", root)
	}
}

// What could not be looked at is not missing.
func TestSkippedFolders(t *testing.T) {
	dir, data := t.TempDir(), t.TempDir()
	for i, name := range []string{"a/0.png", "a/b/1.png", "ab/2.png"} {
		writePhoto(t, filepath.Join(dir, name), i)
	}
	session(t, data, new(fake), dir)
	g := New()
	g.UseCatalog(func(ctx context.Context) (*catalog.Catalog, error) { return catalog.Open(ctx, data) })
	err := g.walk(context.Background(), func(w *walk) error {
		at := rootPlace(dir)
		w.turnTo(at)
		w.sights[at.at] = looked
		w.skip(at.below("a"), fs.ErrPermission)
		return nil
	})
	if err := errors.Join(err, g.CatalogErr(), g.Close()); err != nil {
		t.Error(err)
	}
	if _, root := status(t, data); root.Files != 2 || root.Missing != 1 {
		t.Errorf("status %+v, want ab/2.png missing", root)
	}
}

// A run that is called off keeps what it has embedded.
func TestEmbedCancelledKeeps(t *testing.T) {
	dir, data := photoFolder(t, 60), t.TempDir()
	g := New()
	g.UseCatalog(func(ctx context.Context) (*catalog.Catalog, error) { return catalog.Open(ctx, data) })
	g.UseModel(fakeModel)
	scan(t, g, dir)
	ctx, cancel := context.WithCancel(context.Background())
	err := g.Embed(ctx, &fake{onEmbed: func(_ context.Context, numbers []int) error {
		if slices.Contains(numbers, 30) {
			cancel()
		}
		return nil
	}}, nil)
	done := g.Progress().Done
	if err != context.Canceled || done == 0 || done == 60 {
		t.Errorf("error %v with %d done", err, done)
	}
	if err := g.Close(); err != nil {
		t.Error(err)
	}
	e := new(fake)
	checkVectors(t, session(t, data, e, dir))
	if n := len(e.embedded()); n != 60-done {
		t.Errorf("%d embedded after %d were", n, done)
	}
}

// Files that are named alone are known by their content.
func TestSinglePhotos(t *testing.T) {
	dir, data := photoFolder(t, 3), t.TempDir()
	session(t, data, new(fake), filepath.Join(dir, "1.png"))
	e := new(fake)
	session(t, data, e, filepath.Join(dir, "1.png"))
	checkEmbedded(t, e)
	session(t, data, e, dir)
	checkEmbedded(t, e, 0, 2)
}

// Vectors belong to a model; the other model's remain.
func TestTwoModels(t *testing.T) {
	dir, data := photoFolder(t, 3), t.TempDir()
	session(t, data, new(fake), dir)
	for range 2 {
		g := New()
		g.UseCatalog(func(ctx context.Context) (*catalog.Catalog, error) { return catalog.Open(ctx, data) })
		g.UseModel(catalog.Model{Digest: "other", Preprocess: 1, Dim: 2})
		scan(t, g, dir)
		embed(t, g, &oddEmbedder{vectors: func(n int) [][]float32 { return slices.Repeat([][]float32{{0.6, 0.8}}, n) }})
		if p := g.Progress(); p.Done != 3 || len(g.Vector(0)) != 2 {
			t.Errorf("progress %+v", p)
		}
		if err := errors.Join(g.CatalogErr(), g.Close()); err != nil {
			t.Error(err)
		}
	}
	e := new(fake)
	session(t, data, e, dir)
	checkEmbedded(t, e)
}

// Whatever is wrong with the catalog, photos are embedded; it is left as it is.
func TestBrokenCatalog(t *testing.T) {
	dir, data := photoFolder(t, 5), t.TempDir()
	session(t, data, new(fake), dir)
	file := filepath.Join(data, "catalog.db")
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	garbage := slices.Repeat([]byte("garbage "), len(whole)/8)
	for name, open := range map[string]func(ctx context.Context) (*catalog.Catalog, error){
		"refused": func(context.Context) (*catalog.Catalog, error) { return nil, errFake },
		"damaged": func(ctx context.Context) (*catalog.Catalog, error) { return catalog.Open(ctx, data) },
		"closed later": func(ctx context.Context) (*catalog.Catalog, error) {
			c, err := catalog.Open(ctx, t.TempDir())
			return c, errors.Join(err, c.Close())
		},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "damaged" {
				writeFile(t, file, garbage)
			}
			g := New()
			g.UseCatalog(open)
			g.UseModel(fakeModel)
			scan(t, g, dir)
			e := new(fake)
			embed(t, g, e)
			checkReady(t, g)
			checkEmbedded(t, e, 0, 1, 2, 3, 4)
			if err := g.CatalogErr(); err == nil || strings.Contains(err.Error(), "\n") || name == "damaged" && !errors.Is(err, catalog.ErrDamaged) {
				t.Errorf("error %v", err)
			}
			g.Close()
		})
	}
	if now, err := os.ReadFile(file); err != nil || !slices.Equal(now, garbage) {
		t.Errorf("the damaged database was changed; error %v", err)
	}
}

// A catalog that is rebuilt has vectors and no facts: a photo's file is looked
// into, not embedded.
func TestRepairedCatalog(t *testing.T) {
	dir, data := photoFolder(t, 5), t.TempDir()
	session(t, data, new(fake), dir)
	writeFile(t, filepath.Join(data, "catalog.db"), []byte("garbage"))
	if _, err := catalog.Repair(context.Background(), data); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		e := new(fake)
		checkVectors(t, session(t, data, e, dir))
		checkEmbedded(t, e)
	}
}

// Scan and Embed beside each other, from the catalog and anew; for the race
// detector.
func TestScanBesideEmbed(t *testing.T) {
	dir, data := photoFolder(t, 300), t.TempDir()
	for run := range 2 {
		g := New()
		g.UseCatalog(func(ctx context.Context) (*catalog.Catalog, error) { return catalog.Open(ctx, data) })
		g.UseModel(fakeModel)
		g.countScans(+1)
		e := new(fake)
		ended := make(chan error)
		go func() { ended <- g.Embed(context.Background(), e, nil) }()
		g.Want([]int{200, 100, 299})
		scan(t, g, dir)
		g.Want([]int{200, 100, 299})
		g.countScans(-1)
		if err := errors.Join(<-ended, g.CatalogErr()); err != nil {
			t.Fatal(err)
		}
		checkVectors(t, closeGallery(t, g))
		if n := len(e.embedded()); n != 300*(1-run) {
			t.Errorf("run %d: %d embedded", run, n)
		}
	}
}
