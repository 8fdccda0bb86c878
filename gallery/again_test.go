package gallery

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sigla/gallery/catalog"
)

// here returns the names of the photos that are not gone.
func here(g photographed) []string {
	var list []string
	for _, p := range g.Photos() {
		if p.State != Gone {
			list = append(list, p.Name)
		}
	}
	slices.Sort(list)
	return list
}

func checkHere(t *testing.T, g photographed, want ...string) {
	t.Helper()
	slices.Sort(want)
	if got := here(g); !slices.Equal(got, want) {
		t.Errorf("here are %q\nwant     %q", got, want)
	}
	if p := g.Progress(); p.Found != len(want) {
		t.Errorf("progress %+v with %d photos", p, len(want))
	}
}

// photoNamed returns the photo of that name that is there.
func photoNamed(t *testing.T, g photographed, name string) Photo {
	t.Helper()
	for _, p := range g.Photos() {
		if p.Name == name && p.State != Gone {
			return p
		}
	}
	t.Fatalf("no photo %q in %q", name, here(g))
	return Photo{}
}

// overwrite writes another photo into a file, with another date.
func overwrite(t testing.TB, path string, n int) {
	t.Helper()
	writePhoto(t, path, n)
	later := time.Now().Add(time.Duration(n) * time.Second)
	if err := os.Chtimes(path, later, later); err != nil {
		t.Fatal(err)
	}
}

func remove(t testing.TB, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}

func catalogueIn(data string) func(context.Context) (*catalog.Catalog, error) {
	return func(ctx context.Context) (*catalog.Catalog, error) { return catalog.Open(ctx, data) }
}

// A gallery that is scanned again is what a new one would be, with a catalog or
// without; photos keep their IDs, and what counts them knows.
func TestScanAgain(t *testing.T) {
	for _, kept := range []bool{false, true} {
		dir := tree(t, "0.png", "1.png", "2.png", "a/3.png", "a/b/4.png", "c/5.png")
		at := func(name string) string { return filepath.Join(dir, name) }
		g, e := New(), new(fake)
		if kept {
			g.UseCatalog(catalogueIn(t.TempDir()))
			g.UseModel(fakeModel)
		}
		scan(t, g, dir)
		embed(t, g, e)
		scores := g.Scores(classifier(t, fakeSet, new(fakeTexts)), fakeLogit)

		remove(t, at("1.png"))
		remove(t, at("a"))
		overwrite(t, at("2.png"), 1002)
		writePhoto(t, at("c/6.png"), 6)
		rename(t, at("0.png"), at("c/0.png"))
		scan(t, g, dir)
		embed(t, g, e)
		checkHere(t, g, "2.png", "c/0.png", "c/5.png", "c/6.png")
		checkTurned(t, scores, g)
		want := []int{0, 1, 2, 3, 4, 5, 6, 1002}
		if !kept {
			want = slices.Insert(want, 0, 0) // what a moved file holds is not known
		}
		checkEmbedded(t, e, want...)
		if got := photoNamed(t, g, "2.png"); got.ID != 2 || !near(g.Vector(got.ID), 1002) {
			t.Errorf("a changed photo is %+v", got)
		}

		// Back again: the vectors are still there.
		writePhoto(t, at("a/b/4.png"), 4)
		rename(t, at("c/0.png"), at("0.png"))
		before := len(e.embedded())
		scan(t, g, dir)
		embed(t, g, e)
		checkHere(t, g, "0.png", "2.png", "a/b/4.png", "c/5.png", "c/6.png")
		checkTurned(t, scores, g)
		if n := len(e.embedded()) - before; kept && n > 0 {
			t.Errorf("%d photos were embedded though they were known", n)
		}
		if got := photoNamed(t, g, "0.png"); got.ID != 0 {
			t.Errorf("photo 0 came back as %d", got.ID)
		}
		if err := errors.Join(g.CatalogErr(), g.Close()); err != nil {
			t.Error(err)
		}
	}
}

func near(v []float32, n int) bool { return len(v) == fakeDim && dot(v, fakeVector(n)) > 0.999 }

// checkTurned is checkScores after an Update, and the same of Rank.
func checkTurned(t *testing.T, s *Scores, g *Gallery) {
	t.Helper()
	s.Update()
	checkScores(t, s, g)
	ready := map[int]bool{}
	for _, p := range g.Photos() {
		ready[p.ID] = p.State == Ready
		if !ready[p.ID] {
			delete(ready, p.ID)
		}
	}
	if n := g.Progress().Done; n != len(ready) {
		t.Errorf("%d are done, %d ready", n, len(ready))
	}
	for _, limit := range []int{0, 2} {
		hits := g.Rank(fakeVector(3), limit, nil)
		if want := len(ready); limit == 0 && len(hits) != want {
			t.Errorf("%d hits of %d photos", len(hits), want)
		}
		for _, h := range hits {
			if !ready[h.ID] {
				t.Errorf("photo %d is a hit and not there", h.ID)
			}
		}
	}
}

// Many turns at random: scores and counts stay those of the photos.
func TestScoresOfTurns(t *testing.T) {
	var vectors [][]float32
	for i := range 700 {
		vectors = append(vectors, fakeVector(i%50)) // equal values, too
	}
	g := filled(vectors)
	s := g.Scores(classifier(t, fakeSet, new(fakeTexts)), fakeLogit)
	for round := range 20 {
		g.mu.Lock()
		for i := range 60 {
			switch id := (round*97 + i*31) % 700; g.slots[id].State {
			case Gone:
				g.again(id, true)
			case Ready:
				if g.lose(id); i%3 == 0 {
					g.again(id, false)
					g.rows.add(id, fakeVector(id+round))
					g.settle(id, nil)
				}
			}
		}
		g.changed()
		g.mu.Unlock()
		if round%3 != 1 {
			checkTurned(t, s, g)
		}
	}
}

// What is said of a folder is what it is like now.
func TestSkippedAgain(t *testing.T) {
	dir := tree(t, "a.jpg", "b/c.jpg", "b/v.mp4")
	at := func(name string) string { return filepath.Join(dir, name) }
	symlink(t, "nowhere", at("gone.jpg"))
	symlink(t, "nowhere", at("b/gone.jpg"))
	g := New()
	for range 2 {
		scan(t, g, dir)
		checkSkipped(t, g, map[string]string{at("gone.jpg"): "no such file", at("b/gone.jpg"): "no such file"})
		checkLeftOut(t, g, 0, "1 .mp4")
	}
	remove(t, at("gone.jpg"))
	scan(t, g, dir)
	checkSkipped(t, g, map[string]string{at("b/gone.jpg"): "no such file"})
	remove(t, at("b"))
	scan(t, g, dir)
	checkSkipped(t, g, nil)
	checkLeftOut(t, g, 0, "")
}

// A drive that vanishes leaves its photos as they were, out of reach; so does a
// folder that is empty where it was mounted.
func TestRootVanishes(t *testing.T) {
	for _, kept := range []bool{false, true} {
		one, two, data := tree(t, "a/0.png", "1.png"), t.TempDir(), t.TempDir()
		writePhoto(t, filepath.Join(two, "2.png"), 2) // of another content than those
		away := filepath.Join(t.TempDir(), "away")
		g, e := New(), new(fake)
		if kept {
			g.UseCatalog(catalogueIn(data))
			g.UseModel(fakeModel)
		}
		scan(t, g, one, two)
		embed(t, g, e)
		rename(t, one, away)
		for _, mounted := range []bool{false, true} {
			if mounted {
				if err := os.Mkdir(one, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			err := g.Scan(context.Background(), one, two)
			if err == nil || strings.Count(err.Error(), "\n") > 0 || !strings.Contains(err.Error(), one) {
				t.Errorf("error %v", err)
			}
			checkHere(t, g, "1.png", "a/0.png", "2.png")
			for _, p := range g.Photos() {
				if p.State != Ready || p.Unreachable != (p.Name != "2.png") {
					t.Errorf("%s: %+v", p.Name, p)
				}
			}
			if n := len(g.Rank(fakeVector(0), 0, nil)); n != 3 {
				t.Errorf("%d hits", n)
			}
		}
		remove(t, one)
		rename(t, away, one)
		scan(t, g, one, two)
		embed(t, g, e)
		checkEmbedded(t, e, 0, 1, 2)
		for _, p := range g.Photos() {
			if p.State != Ready || p.Unreachable {
				t.Errorf("back: %+v", p)
			}
		}
		if err := errors.Join(g.CatalogErr(), g.Close()); err != nil {
			t.Error(err)
		}
	}
}

// Everything that is deleted from a folder that is still the same is gone.
func TestEmptiedFolder(t *testing.T) {
	dir := tree(t, "0.png", "a/1.png")
	g := New()
	scan(t, g, dir)
	remove(t, filepath.Join(dir, "0.png"))
	remove(t, filepath.Join(dir, "a"))
	scan(t, g, dir)
	checkHere(t, g)
}

// A photo that was named is gone with its file, not because a scan of its folder
// passes it by.
func TestNamedPhotosAgain(t *testing.T) {
	dir := tree(t, "0.dat", ".h/1.png", "2.png")
	at := func(name string) string { return filepath.Join(dir, name) }
	g := New()
	scan(t, g, at("0.dat"), at(".h"), dir)
	scan(t, g, dir)
	checkHere(t, g, "0.dat", "1.png", "2.png")
	remove(t, at("0.dat"))
	if err := g.Scan(context.Background(), at("0.dat")); err == nil {
		t.Error("no error for a named file that is not there")
	}
	checkHere(t, g, "1.png", "2.png")
}

// The photos of the catalog are there before the walk has come to them, in its
// order, and nobody reads those that may not be there.
func TestCatalogFirst(t *testing.T) {
	dir, data := tree(t, "a/9.png", "10.png", "9.png", "a/b/1.png", "B/2.png"), t.TempDir()
	order := names(session(t, data, new(fake), dir))
	remove(t, filepath.Join(dir, "9.png"))
	writePhoto(t, filepath.Join(dir, "a/11.png"), 11)
	g := New()
	g.UseCatalog(catalogueIn(data))
	err := g.walk(context.Background(), func(w *walk) error {
		at := rootPlace(dir)
		w.turnTo(at)
		if got := names(g); !slices.Equal(got, order) {
			t.Errorf("the catalog gives %q\nin order  %q", got, order)
		}
		g.mu.Lock()
		for id := range g.slots {
			if g.free(id) {
				t.Errorf("photo %d may be read before it is known to be there", id)
			}
		}
		g.mu.Unlock()
		return w.root(dir)
	})
	if err := errors.Join(err, g.CatalogErr(), g.Close()); err != nil {
		t.Error(err)
	}
	checkHere(t, g, "10.png", "B/2.png", "a/11.png", "a/9.png", "a/b/1.png")
}

// A link that the catalog has by another name than the walk is one photo.
func TestCatalogFirstWithLinks(t *testing.T) {
	dir, data := tree(t, "b/0.png", "b/c/1.png"), t.TempDir()
	symlink(t, "b", filepath.Join(dir, "a"))
	symlink(t, filepath.Join("b", "0.png"), filepath.Join(dir, "l.png"))
	for range 3 {
		e := new(fake)
		g := session(t, data, e, dir)
		checkHere(t, g, "a/c/1.png", "l.png")
	}
	remove(t, filepath.Join(dir, "a"))
	remove(t, filepath.Join(dir, "l.png"))
	for range 2 {
		e := new(fake)
		checkHere(t, session(t, data, e, dir), "b/0.png", "b/c/1.png")
		checkEmbedded(t, e)
	}
}

// A scan that is called off says nothing about what it has not come to.
func TestScanCalledOff(t *testing.T) {
	dir, data := photoFolder(t, 20), t.TempDir()
	session(t, data, new(fake), dir)
	ctx, cancel := context.WithCancel(context.Background())
	g := New()
	g.UseCatalog(catalogueIn(data))
	g.UseModel(fakeModel)
	err := g.walk(ctx, func(w *walk) error {
		w.turnTo(rootPlace(dir))
		cancel()
		return w.root(dir)
	})
	if err != nil {
		t.Error(err)
	}
	if n := len(here(g)); n != 20 {
		t.Errorf("%d photos", n)
	}
	embed(t, g, new(fake))
	if err := g.Close(); err != nil {
		t.Error(err)
	}
	if _, root := status(t, data); root.Files != 20 || root.Missing != 0 {
		t.Errorf("status %+v", root)
	}
}

// What could not be read is read again when it might be: when the file has
// changed, or when it was the system that refused it.
func TestFailedAgain(t *testing.T) {
	dir := tree(t, "0.png", "1.png")
	writeFile(t, filepath.Join(dir, "1.png"), []byte("half a photo"))
	g, e := New(), new(fake)
	scan(t, g, dir)
	embed(t, g, e)
	if p := g.Photo(1); p.State != Failed {
		t.Fatalf("photo %+v", p)
	}
	scan(t, g, dir)
	if p := g.Photo(1); p.State != Failed {
		t.Errorf("the same file is %+v", p)
	}
	overwrite(t, filepath.Join(dir, "1.png"), 1)
	scan(t, g, dir)
	embed(t, g, e)
	checkReady(t, g)
}
