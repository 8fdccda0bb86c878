package catalog

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the fixture of the present schema, if there is none")

func fixture(number int) string { return filepath.Join("testdata", fmt.Sprintf("schema-%d", number)) }

// fillFixture makes the catalog that the fixtures hold.
func fillFixture(t testing.TB, c *Catalog) {
	r := rootAt(t, c, "/photos")
	f := []File{
		{Path: "a\n\xff.jpg", Size: 1, Modified: 2, Device: 3, Inode: 4, Hash: hashN(1)},
		{Path: "b.jpg", Size: 5, Modified: 6, Error: "broken"},
		{Path: "c.jpg", Size: 7, Modified: 8, Hash: hashN(2)},
	}
	syncFiles(t, c, r, Changes{At: noon, Found: f})
	syncFiles(t, c, r, Changes{At: noon.Add(day), Missing: []int64{f[2].ID}})
	must(t, c.Put(bg, Batch{
		Photos:  []Photo{{Hash: hashN(1), Format: "jpeg", Width: 4, Height: 3, Orientation: 6, Taken: noon}},
		Sources: fixtureSources(len(schema)),
		Model:   modelA,
		Vectors: records(modelA, 1, 3),
	}))
	must(t, c.Decide(bg, dog, cat))
	must(t, c.PutRun(bg, &Run{Kind: "index", Started: noon, Ended: noon.Add(day), Model: "A", Device: "cpu", Found: 3, Done: 2, Failed: 1}))
}

// fixtureSources are the sources that the fixture of a schema has, all of its
// first file.
func fixtureSources(number int) []Source {
	list := []Source{{File: 1, Name: "a.xmp", Size: 9, Modified: 10, Tags: []Tag{{"dc:subject", "beach"}}}}
	if number >= 2 {
		list[0].Tags = []Tag{{"dc:subject", "beach"}, {"xmp:Rating", "3"}, {"dc:subject", "Abend"}}
		list = append(list, Source{File: 1, Size: 1, Modified: 2, Error: "byte 7: broken"})
	}
	return list
}

// checkFixture checks what came of the fixture of a schema.
func checkFixture(t *testing.T, c *Catalog, number int) {
	roots := got(c.Roots(bg))(t)
	if len(roots) != 1 || roots[0].Path != "/photos" || !roots[0].Scanned.Equal(noon.Add(day)) {
		t.Fatalf("roots %+v", roots)
	}
	wantFiles(t, c, roots[0],
		File{ID: 1, Path: "a\n\xff.jpg", Size: 1, Modified: 2, Device: 3, Inode: 4, Hash: hashN(1)},
		File{ID: 2, Path: "b.jpg", Size: 5, Modified: 6, Error: "broken"},
		File{ID: 3, Path: "c.jpg", Size: 7, Modified: 8, Hash: hashN(2), Missing: noon.Add(day)})
	photos := got(c.Photos(bg))(t)
	if len(photos) != 1 || photos[0] != (Photo{hashN(1), "jpeg", 4, 3, 6, noon}) {
		t.Errorf("photos %+v", photos)
	}
	sources := got(c.Sources(bg, roots[0]))(t)
	if want := fixtureSources(number); !reflect.DeepEqual(sources, want) {
		t.Errorf("sources %+v\nwant %+v", sources, want)
	}
	wantVectors(t, index(t, c, modelA), 1, 3)
	wantDecisions(t, c, dog, cat)
	runs := got(c.Runs(bg, 9))(t)
	if len(runs) != 1 || runs[0].Kind != "index" || !runs[0].Ended.Equal(noon.Add(day)) || runs[0].Failed != 1 {
		t.Errorf("runs %+v", runs)
	}
}

// Every schema that there ever was is opened and brought to the present one.
func TestSchemas(t *testing.T) {
	if dir := fixture(len(schema)); *update {
		c := openAt(t, dir)
		fillFixture(t, c)
		closed(t, c)
		must(t, os.Remove(filepath.Join(dir, "lock")))
	}
	for number := 1; number <= len(schema); number++ {
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(fixture(number))); err != nil {
			t.Fatalf("schema %d has no fixture; write it with -update before the schema changes: %v", number, err)
		}
		if n := got(schemaOf(bg, filepath.Join(dir, databaseName)))(t); n != number {
			t.Fatalf("the fixture of schema %d has %d", number, n)
		}
		c := openAt(t, dir)
		checkFixture(t, c, number)
		closed(t, c)
		if n := got(schemaOf(bg, filepath.Join(dir, databaseName)))(t); n != len(schema) {
			t.Errorf("schema %d became %d", number, n)
		}
		if problems := got(Verify(bg, dir))(t); len(problems) != 0 {
			t.Errorf("schema %d: %v", number, problems)
		}
	}
	c := openAt(t, t.TempDir())
	fillFixture(t, c)
	checkFixture(t, c, len(schema))
}

// contents returns the files below a folder and what they hold.
func contents(t testing.TB, dir string) map[string]string {
	t.Helper()
	files := make(map[string]string)
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		files[path] = string(data)
		return err
	}))
	return files
}

// A catalog that is not ours to change is left as it is, to the byte.
func TestRefusedCatalogs(t *testing.T) {
	for name, c := range map[string]struct {
		change func(t *testing.T, c *Catalog)
		want   string
		is     error
	}{
		"newer": {func(t *testing.T, c *Catalog) { got(c.one.Exec("PRAGMA user_version = 99"))(t) }, "its schema is 99, this program knows", ErrNewer},
		"other": {func(t *testing.T, c *Catalog) { got(c.one.Exec("PRAGMA application_id = 7"))(t) }, "the database of another program", nil},
	} {
		dir := t.TempDir()
		cat := openAt(t, dir)
		fillFixture(t, cat)
		c.change(t, cat)
		closed(t, cat)
		before := contents(t, dir)
		_, openErr := Open(bg, dir)
		_, verifyErr := Verify(bg, dir)
		_, repairErr := Repair(bg, dir)
		for _, err := range []error{openErr, verifyErr, repairErr} {
			if err == nil || !strings.Contains(err.Error(), c.want) || c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("%s: error %v", name, err)
			}
		}
		after := contents(t, dir)
		delete(after, filepath.Join(dir, databaseName+"-shm")) // SQLite's, to read at all
		delete(after, filepath.Join(dir, databaseName+"-wal"))
		if !maps.Equal(before, after) {
			t.Errorf("%s: something was changed", name)
		}
	}
}

// A segment of a later format is not touched either.
func TestNewerSegment(t *testing.T) {
	dir := t.TempDir()
	c := openAt(t, dir)
	put(t, c, modelA, 0, 2)
	path := onlySegment(t, dir)
	data := got(os.ReadFile(path))(t)
	data[8]++
	must(t, os.WriteFile(path, data, 0o600))
	put(t, c, modelA, 2, 4)
	closed(t, c)
	if _, err := Repair(bg, dir); !errors.Is(err, ErrNewer) {
		t.Errorf("repair: error %v", err)
	}
	if again := got(os.ReadFile(path))(t); !bytes.Equal(again, data) {
		t.Error("it was changed")
	}
}
