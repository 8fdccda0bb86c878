package gallery

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"sigla/gallery/catalog"
	"sigla/gallery/sidecar"
	"sigla/internal/require"
)

// readTags is a run of the program that scans and reads tags, with the catalog
// in data or, if that is empty, without.
func readTags(t testing.TB, data string, paths ...string) *Gallery {
	t.Helper()
	g := New()
	if data != "" {
		g.UseCatalog(func(ctx context.Context) (*catalog.Catalog, error) { return catalog.Open(ctx, data) })
	}
	err := g.Scan(context.Background(), paths...)
	if err := errors.Join(err, g.ReadTags(context.Background()), g.CatalogErr(), g.Close()); err != nil {
		t.Fatal(err)
	}
	return g
}

// checkTags says that the gallery knows of every photo what sidecar.Read reads
// now, and complains of the same.
func checkTags(t testing.TB, g *Gallery) {
	t.Helper()
	tagged := 0
	problems := make(map[string]string)
	counts := make(map[string]int)
	for _, p := range g.Photos() {
		want := sidecar.Merge()
		var err error
		if p.State != Gone {
			want, err = sidecar.Read(p.Path, p.Files()[1:]...)
		}
		if have := g.Tags(p.ID); !reflect.DeepEqual(have, want) {
			t.Errorf("%s has %+v\nwant %+v", p.Name, have, want)
		}
		maps.Copy(problems, problemsIn(err))
		if p.Tagged != (len(want.Tags)+len(want.People) > 0) {
			t.Errorf("%s: tagged %v", p.Name, p.Tagged)
		}
		if p.Tagged {
			tagged++
		}
		for _, key := range keysOf(want) {
			counts[key]++
		}
	}
	if n := g.Progress().Tagged; n != tagged {
		t.Errorf("%d photos have tags, want %d", n, tagged)
	}
	told := make(map[string]string)
	for _, p := range g.TagProblems() {
		told[p.Path] = p.Err.Error()
	}
	for _, path := range slices.Sorted(maps.Keys(problems)) {
		if told[path] != problems[path] {
			t.Errorf("problem %q, want %q", told[path], problems[path])
		}
	}
	if len(told) != len(problems) {
		t.Errorf("%d problems, want %d", len(told), len(problems))
	}
	have := make(map[string]int)
	for _, n := range g.TagNames() {
		have[sidecar.Fold(n.Name)] += n.Photos
	}
	if !maps.Equal(have, counts) {
		t.Errorf("names %v\nwant %v", have, counts)
	}
}

// problemsIn returns what an error of sidecar.Read says, by file.
func problemsIn(err error) map[string]string {
	problems := make(map[string]string)
	var add func(err error)
	add = func(err error) {
		if joined, ok := err.(interface{ Unwrap() []error }); ok {
			for _, err := range joined.Unwrap() {
				add(err)
			}
		} else if e := (*sidecar.Error)(nil); errors.As(err, &e) {
			if before := problems[e.File]; before == "" {
				problems[e.File] = e.Error()
			} else {
				problems[e.File] = before + "; " + strings.TrimPrefix(e.Error(), "read tags of "+e.File+": ")
			}
		}
	}
	add(err)
	return problems
}

// keysOf returns the different names of tags and people.
func keysOf(tags sidecar.Tags) []string {
	keys := make(map[string]bool)
	for _, tag := range slices.Concat(tags.Tags, tags.People) {
		keys[sidecar.Fold(tag.String())] = true
	}
	return slices.Collect(maps.Keys(keys))
}

// xmp is a sidecar with these words as dc:subject.
func xmp(words ...string) []byte {
	return []byte(`<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">` +
		`<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:subject><rdf:Bag><rdf:li>` +
		strings.Join(words, "</rdf:li><rdf:li>") + `</rdf:li></rdf:Bag></dc:subject></rdf:Description></rdf:RDF></x:xmpmeta>`)
}

// later gives a file another date, as a program does that writes it a while
// after the scan.
func later(t testing.TB, path string) {
	t.Helper()
	info, err := os.Stat(path)
	if err == nil {
		err = os.Chtimes(path, time.Time{}, info.ModTime().Add(2*time.Second))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Every sidecar of the corpus, by both names, broken ones too.
func TestTagsOfCorpus(t *testing.T) {
	dir, data := t.TempDir(), t.TempDir()
	n := 0
	for _, pattern := range []string{"*.xmp", "broken/*.xmp"} {
		files, err := filepath.Glob(filepath.Join("sidecar/testdata", pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"%d.jpg.xmp", "%d.xmp"} {
				photo := filepath.Join(dir, fmt.Sprintf("%d.jpg", n))
				writePhoto(t, photo, n)
				writeFile(t, filepath.Join(dir, fmt.Sprintf(name, n)), text)
				n++
			}
		}
	}
	if n < 100 {
		t.Fatalf("%d sidecars", n)
	}
	for _, g := range []*Gallery{readTags(t, "", dir), readTags(t, data, dir), readTags(t, data, dir)} {
		if p := g.Progress(); p.Found != n || p.Tagged < 60 || len(g.TagProblems()) < 40 {
			t.Errorf("%+v, %d problems", p, len(g.TagProblems()))
		}
		checkTags(t, g)
		checkCounted(t, data, g)
	}
}

// checkCounted says that the catalog counts as the gallery does, and knows the
// same problems.
func checkCounted(t *testing.T, data string, g *Gallery) {
	t.Helper()
	c, err := catalog.Open(context.Background(), data)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	st, err := c.Status(context.Background())
	if err != nil || len(st.Roots) == 0 {
		return // the gallery was without a catalog
	}
	counted, err := CountTags(context.Background(), c)
	if want := (Tags{g.Progress().Tagged, len(g.TagNames())}); err != nil || counted != want {
		t.Errorf("the catalog counts %+v, %v; want %+v", counted, err, want)
	}
	failures, err := c.TagFailures(context.Background())
	if err != nil || len(failures) != len(g.TagProblems()) {
		t.Errorf("%d failures in the catalog, %v; want %d", len(failures), err, len(g.TagProblems()))
	}
	for i, p := range g.TagProblems() {
		if f := failures[slices.IndexFunc(failures, func(f catalog.Failure) bool { return filepath.Base(f.Path) == filepath.Base(p.Path) })]; p.Err.Error() != "read tags of "+p.Path+": "+f.Reason {
			t.Errorf("problem %d: %v, in the catalog %+v", i, p.Err, f)
		}
	}
}

// What has not changed is not opened: of a sidecar with other words, but of the
// same size and date, nothing is noticed.
func TestTagsAreReadOnce(t *testing.T) {
	dir, data := photoFolder(t, 3), t.TempDir()
	path := filepath.Join(dir, "1.png.xmp")
	writeFile(t, path, xmp("Owl", "forest"))
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	broken := filepath.Join(dir, "2.xmp")
	writeFile(t, broken, []byte("<x:xmpmeta"))
	old, err := os.Stat(broken)
	if err != nil {
		t.Fatal(err)
	}
	first := readTags(t, data, dir)
	checkTags(t, first)

	writeFile(t, path, xmp("Cat", "meadow"))
	writeFile(t, broken, []byte("<x:YYYmeta"))
	if err := errors.Join(os.Chtimes(path, time.Time{}, before.ModTime()), os.Chtimes(broken, time.Time{}, old.ModTime())); err != nil {
		t.Fatal(err)
	}
	g := readTags(t, data, dir)
	if have := g.Tags(1); !reflect.DeepEqual(have, first.Tags(1)) {
		t.Errorf("it was read again: %+v", have)
	}
	if a, b := fmt.Sprint(g.TagProblems()), fmt.Sprint(first.TagProblems()); a != b || !strings.Contains(a, "<x:xmpmeta") {
		t.Errorf("problems %s, first %s", a, b)
	}
	later(t, path)
	later(t, broken)
	g = readTags(t, data, dir)
	checkTags(t, g)
	checkCounted(t, data, g)
}

// Sidecars come, change and go, with and without the program's ending between,
// and the photos' tags follow.
func TestTagsFollow(t *testing.T) {
	for _, mode := range []string{"in memory", "one run", "many runs"} {
		t.Run(mode, func(t *testing.T) {
			dir, data := photoFolder(t, 6), t.TempDir()
			at := func(name string) string { return filepath.Join(dir, name) }
			g := New()
			if mode == "one run" {
				g.UseCatalog(func(ctx context.Context) (*catalog.Catalog, error) { return catalog.Open(ctx, data) })
			}
			rnd := rand.New(rand.NewPCG(1, 2))
			words := []string{"owl", "Owl", "forest", "dusk", "Ann", "straße", "STRASSE"}
			for round := range 30 {
				for range 1 + rnd.IntN(3) {
					path := at(fmt.Sprintf("%d%s", rnd.IntN(6), []string{".png.xmp", ".xmp", ".XMP", ".png.XMP"}[rnd.IntN(4)]))
					switch rnd.IntN(4) {
					case 0:
						os.Remove(path)
						continue
					case 1:
						writeFile(t, path, []byte("<broken"))
					default:
						rnd.Shuffle(len(words), func(i, j int) { words[i], words[j] = words[j], words[i] })
						writeFile(t, path, xmp(words[:1+rnd.IntN(3)]...))
					}
					if err := os.Chtimes(path, time.Time{}, time.Unix(int64(1e9+round), 0)); err != nil {
						t.Fatal(err)
					}
				}
				if mode == "many runs" {
					g = readTags(t, data, dir)
					checkCounted(t, data, g)
				} else {
					scan(t, g, dir)
					if err := g.ReadTags(context.Background()); err != nil {
						t.Fatal(err)
					}
				}
				checkTags(t, g)
			}
			if err := errors.Join(g.CatalogErr(), g.Close()); err != nil {
				t.Error(err)
			}
			if mode == "one run" {
				checkCounted(t, data, g)
				checkTags(t, readTags(t, data, dir))
			}
		})
	}
}

// A photo that is moved with its sidecar keeps its tags, and one that is moved
// without loses them.
func TestTagsOfMovedPhotos(t *testing.T) {
	dir, data := photoFolder(t, 3), t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for i := range 3 {
		writeFile(t, at(fmt.Sprintf("%d.png.xmp", i)), xmp("owl", fmt.Sprint("number ", i)))
	}
	readTags(t, data, dir)
	rename(t, at("0.png"), at("below/0 moved.png"))
	rename(t, at("0.png.xmp"), at("below/0 moved.png.xmp"))
	rename(t, at("1.png"), at("below/1.png"))
	g := readTags(t, data, dir)
	checkTags(t, g)
	checkCounted(t, data, g)
	if p := g.Progress(); p.Tagged != 2 {
		t.Errorf("%+v", p)
	}
	rename(t, at("1.png.xmp"), at("below/1.png.xmp"))
	g = readTags(t, data, dir)
	checkTags(t, g)
	checkCounted(t, data, g)
}

// A file that cannot be opened is tried again although it does not change.
func TestUnreadableSidecars(t *testing.T) {
	dir, data := photoFolder(t, 2), t.TempDir()
	path := filepath.Join(dir, "0.png.xmp")
	if err := os.Symlink(path, path); err != nil { // to itself
		t.Skip(err)
	}
	writeFile(t, filepath.Join(dir, "1.png.xmp", "a folder"), nil)
	g := readTags(t, data, dir)
	if p := g.TagProblems(); len(p) != 1 || p[0].Path != path || !strings.HasPrefix(p[0].Err.Error(), "read tags of "+path+": ") {
		t.Errorf("problems %v", p)
	}
	if g.Photo(0).State == Failed {
		t.Error("the photo has failed")
	}
	c, err := catalog.Open(context.Background(), data)
	if err != nil {
		t.Fatal(err)
	}
	if kept, err := c.TagFailures(context.Background()); len(kept) > 0 || err != nil {
		t.Errorf("what may pass is kept: %v, %v", kept, err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	target := filepath.Join(t.TempDir(), "target")
	writeFile(t, target, xmp("owl"))
	if err := errors.Join(os.Remove(path), os.Symlink(target, path)); err != nil {
		t.Fatal(err)
	}
	g = readTags(t, data, dir)
	checkTags(t, g)
	if len(g.TagProblems()) != 0 || g.Progress().Tagged != 1 {
		t.Errorf("problems %v", g.TagProblems())
	}
}

// A photo that failed says so by itself.
func TestTagsOfFailedPhotos(t *testing.T) {
	dir, data := t.TempDir(), t.TempDir()
	torn := append([]byte("\xff\xd8\xff\xe1\x20\x00http://ns.adobe.com/xap/1.0/\x00"), "<x:xmpmeta"...)
	writeFile(t, filepath.Join(dir, "0.jpg"), torn)
	writeFile(t, filepath.Join(dir, "0.jpg.xmp"), []byte("<broken"))
	for range 2 {
		g := New()
		g.UseCatalog(func(ctx context.Context) (*catalog.Catalog, error) { return catalog.Open(ctx, data) })
		g.UseModel(fakeModel)
		scan(t, g, dir)
		if err := g.ReadTags(context.Background()); err != nil {
			t.Fatal(err)
		}
		embed(t, g, new(fake))
		if err := errors.Join(g.CatalogErr(), g.Close()); err != nil {
			t.Error(err)
		}
		if p := g.TagProblems(); len(p) != 1 || filepath.Ext(p[0].Path) != ".xmp" || g.Photo(0).State != Failed {
			t.Errorf("problems %v of %+v", p, g.Photo(0))
		}
		checkCounted(t, data, g)
	}
}

// The catalog may be deleted: the tags are in the files.
func TestTagsAreRebuilt(t *testing.T) {
	dir, data := photoFolder(t, 40), t.TempDir()
	for i := range 40 {
		writeFile(t, filepath.Join(dir, fmt.Sprintf("%d.xmp", i)), xmp("owl", fmt.Sprint("number ", i%7)))
	}
	first := readTags(t, data, dir)
	if err := os.Remove(filepath.Join(data, "catalog.db")); err != nil {
		t.Fatal(err)
	}
	again := readTags(t, data, dir)
	for id := range 40 {
		if !reflect.DeepEqual(first.Tags(id), again.Tags(id)) {
			t.Errorf("photo %d has %+v, had %+v", id, again.Tags(id), first.Tags(id))
		}
	}
	checkCounted(t, data, again)
	checkTags(t, again)
}

// Spellings are counted together and named by the most frequent.
func TestTagNames(t *testing.T) {
	dir := photoFolder(t, 6)
	for i, words := range [][]string{{"Owl", "dusk"}, {"owl"}, {"owl", "OWL", "Dusk"}, {"straße"}, {"STRASSE"}} {
		writeFile(t, filepath.Join(dir, fmt.Sprintf("%d.png.xmp", i)), xmp(words...))
	}
	g := readTags(t, "", dir)
	want := []TagName{{"owl", 3}, {"Dusk", 2}, {"STRASSE", 2}}
	if have := g.TagNames(); !slices.Equal(have, want) {
		t.Errorf("%v, want %v", have, want)
	}
	if names := New().TagNames(); len(names) != 0 {
		t.Errorf("an empty gallery has %v", names)
	}
}

// Real photos, with whatever their cameras and programs wrote.
func TestTagsOfRealPhotos(t *testing.T) {
	dir, data := t.TempDir(), t.TempDir()
	f, err := os.Open(require.Data(t, "metadata", "exif-samples.tar"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag != tar.TypeReg || !filepath.IsLocal(h.Name) {
			continue
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(dir, h.Name), content)
	}
	for range 2 {
		g := readTags(t, data, dir)
		checkTags(t, g)
		checkCounted(t, data, g)
		t.Logf("%d photos, %d tagged, %d names, problems %v", g.Len(), g.Progress().Tagged, len(g.TagNames()), g.TagProblems())
		if g.Len() < 50 {
			t.Errorf("%d photos", g.Len())
		}
	}
}
