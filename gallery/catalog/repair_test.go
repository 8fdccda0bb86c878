package catalog

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigla/internal/require"
)

// damagedCatalog returns a folder with a catalog and what its database holds.
func damagedCatalog(t testing.TB) (dir string, database []byte) {
	t.Helper()
	dir = t.TempDir()
	c := openAt(t, dir)
	s := Sample{Photos: 300, Dim: modelA.Dim, Root: "/photos"}
	must(t, s.Generate(bg, c))
	fillFixture(t, c)
	closed(t, c)
	return dir, got(os.ReadFile(filepath.Join(dir, databaseName)))(t)
}

const pageSize = 4096

// checkRebuilt opens a catalog whose database was lost.
func checkRebuilt(t testing.TB, dir string) {
	t.Helper()
	c := openAt(t, dir)
	defer closed(t, c)
	wantVectors(t, index(t, c, modelA), 1, 3)
	if n := checkIndex(t, index(t, c, Sample{Dim: modelA.Dim}.Model())); n != 300 {
		t.Errorf("%d vectors of the sample", n)
	}
	wantDecisions(t, c, dog, cat)
}

// reset makes the folder as it was, but for the database.
func reset(t testing.TB, dir string, database []byte) {
	t.Helper()
	for path := range contents(t, dir) {
		if name := filepath.Base(path); strings.HasPrefix(name, databaseName) {
			must(t, os.Remove(path))
		}
	}
	must(t, os.WriteFile(filepath.Join(dir, databaseName), database, 0o600))
}

// Whichever page of the database is lost: Verify says so, nothing is written
// over, and Repair has all vectors and answers again.
func TestDamagedPages(t *testing.T) {
	dir, database := damagedCatalog(t)
	path := filepath.Join(dir, databaseName)
	r := rand.New(rand.NewPCG(3, 4))
	pages := r.Perm(len(database) / pageSize)
	slices.Sort(pages[1:])
	if i := slices.Index(pages, 0); i > 0 {
		pages[0], pages[i] = pages[i], pages[0] // the first page, and some others
	}
	for _, page := range pages[:require.Rounds(2, 12, 12)] {
		broken := slices.Clone(database)
		for i := range pageSize {
			broken[page*pageSize+i] = byte(r.Uint32())
		}
		reset(t, dir, broken)
		problems := got(Verify(bg, dir))(t)
		if len(problems) == 0 || problems[0].Path != path {
			t.Fatalf("page %d: problems %v", page, problems)
		}
		if c, err := Open(bg, dir); err == nil {
			closed(t, c)
		} else if !errors.Is(err, ErrDamaged) {
			t.Errorf("page %d: error %v", page, err)
		}
		if now := got(os.ReadFile(path))(t); !bytes.Equal(now, broken) {
			t.Fatalf("page %d: the database was written to", page)
		}
		done := got(Repair(bg, dir))(t)
		if len(done) != 1 || !strings.Contains(done[0].Text, "scan the folders of photos again") {
			t.Errorf("page %d: repair did %v", page, done)
		}
		if aside := got(os.ReadFile(path + ".damaged-1"))(t); !bytes.Equal(aside, broken) {
			t.Errorf("page %d: what was moved aside is something else", page)
		}
		if problems := got(Verify(bg, dir))(t); len(problems) != 0 {
			t.Errorf("page %d: after the repair %v", page, problems)
		}
		checkRebuilt(t, dir)
	}
}

// A database that is cut off, empty, or something else altogether.
func TestDamagedDatabase(t *testing.T) {
	dir, database := damagedCatalog(t)
	for name, data := range map[string][]byte{
		"cut off":       database[:len(database)/2],
		"a little left": database[:100],
		"text":          []byte("this is not a database, whatever its name says"),
	} {
		reset(t, dir, data)
		if _, err := Open(bg, dir); name != "cut off" && (!errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "sigla index --repair")) {
			t.Errorf("%s: error %v", name, err)
		}
		if problems := got(Verify(bg, dir))(t); len(problems) == 0 {
			t.Errorf("%s: no problem", name)
		}
		if done := got(Repair(bg, dir))(t); len(done) != 1 {
			t.Errorf("%s: repair did %v", name, done)
		}
		checkRebuilt(t, dir)
		if done := got(Repair(bg, dir))(t); len(done) != 0 {
			t.Errorf("%s: a second repair did %v", name, done)
		}
	}
	for _, data := range [][]byte{nil, {}} { // removed by hand, or emptied
		reset(t, dir, data)
		if data == nil {
			must(t, os.Remove(filepath.Join(dir, databaseName)))
		}
		checkRebuilt(t, dir)
	}
}

// Any bit of the database may flip: no crash, and a repair that is done leaves
// a catalog that works.
func TestFlippedDatabaseBits(t *testing.T) {
	dir, database := damagedCatalog(t)
	r := rand.New(rand.NewPCG(5, 6))
	for round := range require.Rounds(4, 24, 24) {
		broken := slices.Clone(database)
		at := r.IntN(len(broken))
		if round%2 == 0 {
			at = r.IntN(len(broken)/pageSize)*pageSize + r.IntN(120) // headers
		}
		broken[at] ^= 1 << r.IntN(8)
		reset(t, dir, broken)
		if c, err := Open(bg, dir); err == nil {
			for _, root := range got2(c.Roots(bg)) {
				c.Files(bg, root)
				c.Sources(bg, root)
			}
			c.Photos(bg)
			c.Status(bg)
			c.Decisions(bg)
			c.Put(bg, Batch{Model: modelA, Vectors: records(modelA, 1, 2)})
			c.Close()
		}
		if _, err := Verify(bg, dir); err != nil && !errors.Is(err, ErrNewer) && !strings.Contains(err.Error(), "catalog") {
			t.Errorf("bit of byte %d: error %v", at, err)
		}
		if _, err := Repair(bg, dir); err == nil {
			checkRebuilt(t, dir)
		} else if !errors.Is(err, ErrNewer) && !strings.Contains(err.Error(), "another program") {
			t.Errorf("bit of byte %d: repair %v", at, err)
		}
	}
}

func got2[T any](v T, _ error) T { return v }

func TestRepairSegments(t *testing.T) {
	dir := t.TempDir()
	c := smallSegments(t, dir, 20)
	put(t, c, modelA, 0, 50)
	closed(t, c)
	l := layoutOf(modelA)
	seg := func(n int) string { return c.segmentPath(place{"a0", n}) }
	broken := map[string][]byte{}
	for path, change := range map[string]func(b []byte){
		seg(1): func(b []byte) { b[l.offset(3)+70]++; b[l.offset(7)]++ },
		seg(2): func(b []byte) { clear(b[:headerSize]) },
	} {
		b := got(os.ReadFile(path))(t)
		change(b)
		must(t, os.WriteFile(path, b, 0o600))
		broken[path] = b
	}
	check := func(problems int) {
		t.Helper()
		if list := got(Verify(bg, dir))(t); len(list) != problems {
			t.Errorf("problems %v", list)
		}
		if done := got(Repair(bg, dir))(t); len(done) != problems {
			t.Errorf("repair did %v", done)
		}
		for path, b := range broken {
			if aside := got(os.ReadFile(path + ".damaged-1"))(t); !bytes.Equal(aside, b) {
				t.Errorf("%s was changed", path)
			}
		}
		if list := got(Verify(bg, dir))(t); len(list) != 0 {
			t.Errorf("after the repair: %v", list)
		}
		c := openAt(t, dir)
		defer closed(t, c)
		x := index(t, c, modelA)
		if n := checkIndex(t, x); n != 48 || len(x.Damage()) != 0 {
			t.Errorf("%d vectors, damage %v", n, x.Damage())
		}
	}
	check(2)

	// The same with the database gone, too.
	for path, b := range broken {
		must(t, os.Remove(path+".damaged-1"))
		must(t, os.WriteFile(path, b, 0o600))
	}
	for n := 4; n <= 5; n++ { // what the first repair has made of them
		must(t, os.Remove(seg(n)))
	}
	must(t, os.WriteFile(filepath.Join(dir, databaseName), []byte("gone"), 0o600))
	check(3)
}

func TestRepairLog(t *testing.T) {
	dir := t.TempDir()
	c := openAt(t, dir)
	must(t, c.Decide(bg, dog, cat))
	closed(t, c)
	path := filepath.Join(dir, logName)
	data := got(os.ReadFile(path))(t)
	broken := slices.Concat([]byte("junk\n"), data, []byte("{\"photo\":1}\n"))
	must(t, os.WriteFile(path, broken, 0o600))
	problems := got(Verify(bg, dir))(t)
	if len(problems) != 2 || problems[0].Text != "line 1 is not an answer" || problems[1].Text != "line 4 is not an answer" {
		t.Errorf("problems %v", problems)
	}
	if done := got(Repair(bg, dir))(t); len(done) != 1 || done[0].Path != path {
		t.Errorf("repair did %v", done)
	}
	if now := got(os.ReadFile(path))(t); !bytes.Equal(now, data) {
		t.Errorf("the log is now\n%s", now)
	}
	if aside := got(os.ReadFile(path + ".damaged-1"))(t); !bytes.Equal(aside, broken) {
		t.Error("the log as it was is lost")
	}
	c = openAt(t, dir)
	wantDecisions(t, c, dog, cat)
	if problems := got(c.verify(bg))(t); len(problems) != 0 {
		t.Errorf("problems %v", problems)
	}
}

func TestNoCatalog(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "none")
	if _, err := Verify(bg, dir); err == nil {
		t.Error("nothing was verified")
	}
	if _, err := Repair(bg, dir); err == nil {
		t.Error("nothing was repaired")
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("a folder was made")
	}
}
