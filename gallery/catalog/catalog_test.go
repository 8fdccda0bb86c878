package catalog

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"image/gif"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	bg   = context.Background()
	noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
)

const day = 24 * time.Hour

func openAt(t testing.TB, dir string) *Catalog {
	t.Helper()
	c, err := Open(bg, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func closed(t testing.TB, c *Catalog) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// got is for a result that must come without an error.
func got[T any](v T, err error) func(t testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		must(t, err)
		return v
	}
}

// hashN is the hash of a made-up content.
func hashN(n int) Hash { return sha256.Sum256(fmt.Append(nil, "photo ", n)) }

func rootAt(t testing.TB, c *Catalog, path string) Root {
	t.Helper()
	return got(c.Root(bg, path))(t)
}

func syncFiles(t testing.TB, c *Catalog, r Root, ch Changes) {
	t.Helper()
	must(t, c.Sync(bg, r, ch))
}

func filesOf(t testing.TB, c *Catalog, r Root) []File {
	t.Helper()
	files := got(c.Files(bg, r))(t)
	for i := range files {
		files[i].Missing = files[i].Missing.UTC()
	}
	return files
}

func wantFiles(t *testing.T, c *Catalog, r Root, want ...File) {
	t.Helper()
	have := filesOf(t, c, r)
	slices.SortFunc(want, func(a, b File) int { return cmp.Compare(a.ID, b.ID) })
	if len(have) != len(want) {
		t.Fatalf("%d files, want %d: %+v", len(have), len(want), have)
	}
	for i := range want {
		if have[i] != want[i] {
			t.Errorf("file %+v\nwant %+v", have[i], want[i])
		}
	}
}

// hostile names: each is what some file system takes as a file's name.
var hostile = []string{
	"a\nb.jpg", "tab\there.jpg", "\xff\xfe\x80.jpg", "%41?#&=.jpg", "'; DROP TABLE files; --.jpg",
	"\u202egpj.exe", "e\u0301.jpg", "é.jpg", strings.Repeat("x", 251) + ".jpg", "\x01\x1b[31m.jpg", " ", "\\", "\"",
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	c := openAt(t, dir)
	r := rootAt(t, c, "/photos")
	if r.Path != "/photos" || !r.Scanned.IsZero() {
		t.Errorf("a new root is %+v", r)
	}
	wantFiles(t, c, r)
	var found []File
	for i, name := range hostile {
		found = append(found, File{Path: "2024/" + name, Size: int64(i), Modified: -5 + int64(i)<<60, Device: 1<<64 - 1, Inode: 1<<63 + uint64(i)})
	}
	found[1].Hash = hashN(1)
	found[2].Error = "read photo \xff\x00\n: broken"
	syncFiles(t, c, r, Changes{At: noon, Found: found})
	for i, f := range found {
		if f.ID == 0 || i > 0 && f.ID <= found[i-1].ID {
			t.Errorf("file %d has ID %d", i, f.ID)
		}
	}
	other := rootAt(t, c, "/photos/2024")
	wantFiles(t, c, other)
	closed(t, c)

	c = openAt(t, dir)
	wantFiles(t, c, r, found...)
	if again := rootAt(t, c, "/photos/x/.."); again.ID != r.ID || !again.Scanned.Equal(noon) {
		t.Errorf("the root is %+v, was %+v", again, r)
	}
	if roots := got(c.Roots(bg))(t); len(roots) != 2 || roots[0].Path != "/photos" || roots[1].ID != other.ID {
		t.Errorf("roots %+v", roots)
	}
	want := []Failure{{filepath.Join("/photos/2024", hostile[2]), found[2].Error}}
	if fails := got(c.Failures(bg))(t); !slices.Equal(fails, want) {
		t.Errorf("failures %q, want %q", fails, want)
	}
	for _, bad := range []string{"", "/etc/passwd"} {
		if err := c.Sync(bg, r, Changes{Found: []File{{Path: bad}}}); err == nil || !strings.Contains(err.Error(), "not below a root") {
			t.Errorf("path %q: error %v", bad, err)
		}
	}
}

// A data folder and photo folders may have hostile names, too.
func TestHostileFolders(t *testing.T) {
	base := t.TempDir()
	for _, name := range hostile {
		if name == "\\" || len(name) > 200 && os.PathSeparator == '\\' {
			continue
		}
		dir := filepath.Join(base, name)
		c := openAt(t, dir)
		r := rootAt(t, c, dir)
		syncFiles(t, c, r, Changes{Found: []File{{Path: "a"}}})
		closed(t, c)
		if _, err := os.Stat(filepath.Join(dir, databaseName)); err != nil {
			t.Error(err)
		}
		c = openAt(t, dir)
		if r := rootAt(t, c, dir); r.Path != dir || len(filesOf(t, c, r)) != 1 {
			t.Errorf("%q: root %+v", dir, r)
		}
		closed(t, c)
	}
}

func TestSync(t *testing.T) {
	c := openAt(t, t.TempDir())
	r := rootAt(t, c, "/photos")
	f := []File{
		{Path: "a", Size: 1, Modified: 1, Hash: hashN(1)},
		{Path: "b", Size: 2, Modified: 2, Hash: hashN(2)},
		{Path: "c", Size: 3, Modified: 3, Error: "broken"},
		{Path: "d", Size: 4, Modified: 4},
	}
	syncFiles(t, c, r, Changes{At: noon, Found: f})

	// a and b change places, c is changed, d is missing.
	f[0].Path, f[1].Path = "b", "a"
	f[2].Size, f[2].Error = 33, ""
	syncFiles(t, c, r, Changes{At: noon.Add(day), Found: slices.Clone(f[:3]), Missing: []int64{f[3].ID}})
	f[3].Missing = noon.Add(day)
	wantFiles(t, c, r, f...)

	// Still missing: since then. b takes the place of d, which is no more.
	f[1].Path = "d"
	syncFiles(t, c, r, Changes{At: noon.Add(2 * day), Found: f[1:2], Missing: []int64{f[3].ID}})
	wantFiles(t, c, r, f[:3]...)

	// a goes to another root; b is missing and comes back.
	other := rootAt(t, c, "/disk")
	syncFiles(t, c, other, Changes{Found: f[:1]})
	wantFiles(t, c, other, f[0])
	syncFiles(t, c, r, Changes{At: noon, Missing: []int64{f[1].ID}})
	syncFiles(t, c, r, Changes{Found: f[1:2]})
	wantFiles(t, c, r, f[1:3]...)

	// Another process has found the same files first, and read one of them.
	same := []File{{Path: f[1].Path, Size: 2, Modified: 2}, {Path: "c", Size: 34, Modified: 3}}
	syncFiles(t, c, r, Changes{Found: same})
	if same[0].ID != f[1].ID || same[1].ID != f[2].ID {
		t.Errorf("files known by path have new IDs: %+v", same)
	}
	f[2].Size = 34
	wantFiles(t, c, r, f[1:3]...)

	// A file that was forgotten meanwhile is a new one.
	gone := File{ID: 999, Path: "e"}
	list := []File{gone}
	syncFiles(t, c, r, Changes{Found: list})
	if list[0].ID == 999 {
		t.Error("a file that was forgotten kept its ID")
	}
	wantFiles(t, c, r, f[1], f[2], list[0])

	// All or nothing.
	before := filesOf(t, c, r)
	if c.Sync(bg, r, Changes{Found: []File{{Path: "f"}, {Path: "/"}}, Missing: []int64{f[1].ID}}) == nil {
		t.Error("a path that is none was stored")
	}
	wantFiles(t, c, r, before...)
}

func TestPut(t *testing.T) {
	c := openAt(t, t.TempDir())
	r := rootAt(t, c, "/photos")
	f := []File{{Path: "a", Size: 1, Modified: 1}, {Path: "b", Size: 2, Modified: 2}, {Path: "c", Size: 3, Modified: 3}}
	syncFiles(t, c, r, Changes{Found: f})
	zone := time.FixedZone("", -9000)
	photos := []Photo{
		{Hash: hashN(1), Format: "jpeg", Width: 4000, Height: 3000, Orientation: 6, Taken: time.Date(1999, 12, 31, 23, 59, 59, 120, zone)},
		{Hash: hashN(2), Format: "png", Width: 1, Height: 2, Orientation: 1},
	}
	must(t, c.Put(bg, Batch{
		Photos: photos,
		Readings: []Reading{
			{File: f[0].ID, Size: 1, Modified: 1, Hash: hashN(1)},
			{File: f[1].ID, Size: 2, Modified: 2, Error: "broken"},
			{File: f[2].ID, Size: 3, Modified: 4, Hash: hashN(2)}, // it has changed since
			{File: 999, Hash: hashN(3)},
		},
	}))
	f[0].Hash, f[1].Error = hashN(1), "broken"
	wantFiles(t, c, r, f...)

	byHash := func() []Photo {
		list := got(c.Photos(bg))(t)
		slices.SortFunc(list, func(a, b Photo) int { return cmp.Compare(a.Format, b.Format) })
		return list
	}
	have := byHash()
	if len(have) != 2 || have[1] != photos[1] || !have[0].Taken.Equal(photos[0].Taken) || have[0].Taken.Format(time.RFC3339) != "1999-12-31T23:59:59-02:30" {
		t.Errorf("photos %+v\nwant %+v", have, photos)
	}
	photos[1].Width = 7
	must(t, c.Put(bg, Batch{Photos: photos[1:]}))
	if have := byHash(); have[1] != photos[1] {
		t.Errorf("photo %+v, want %+v", have[1], photos[1])
	}
	if err := c.Put(bg, Batch{Photos: []Photo{{Format: "png"}}}); err == nil {
		t.Error("a photo without a hash was stored")
	}
}

func TestSources(t *testing.T) {
	c := openAt(t, t.TempDir())
	r := rootAt(t, c, "/photos")
	f := []File{{Path: "a"}, {Path: "b"}, {Path: "c"}}
	syncFiles(t, c, r, Changes{Found: f})
	beach, odd := Tag{"dc:subject", "beach"}, Tag{"lr:hierarchicalSubject", "a|b\xff\x00\n"}
	dusk := Tag{"dc:subject", "dusk"}
	put := func(list ...Source) {
		t.Helper()
		must(t, c.Put(bg, Batch{Sources: list}))
	}
	check := func(want ...Source) {
		t.Helper()
		have := got(c.Sources(bg, r))(t)
		if !reflect.DeepEqual(have, want) {
			t.Errorf("sources %+v\nwant %+v", have, want)
		}
	}
	own := Source{File: f[0].ID, Size: 1, Modified: 2, Tags: []Tag{odd, beach, dusk}}
	sidecar := Source{File: f[0].ID, Name: "a\xff.xmp", Size: 3, Modified: 4, Tags: []Tag{beach}, Error: "byte 3: broken\n"}
	empty := Source{File: f[1].ID, Size: 5, Modified: 6}
	put(own, sidecar, empty, Source{File: 999, Tags: []Tag{beach}})
	check(own, sidecar, empty)
	own.Tags, own.Modified = []Tag{dusk, odd, dusk, beach, odd}, 9
	put(sidecar, own)
	own.Tags = []Tag{dusk, odd, beach}
	check(sidecar, own, empty)
	put(Source{File: f[0].ID, None: true})
	check(empty)
	put(own)
	check(own, empty)
	if list := got(c.Sources(bg, rootAt(t, c, "/")))(t); len(list) != 0 {
		t.Errorf("another root has %+v", list)
	}

	// A sidecar belongs to a name: where a file has gone, others may lie.
	put(own, sidecar)
	f[0].Path = "d"
	syncFiles(t, c, r, Changes{Found: f[:1]})
	check(own, empty)
}

// A source that is broken is told once, and not of a photo that failed.
func TestTagFailures(t *testing.T) {
	c := openAt(t, t.TempDir())
	r := rootAt(t, c, "/photos")
	f := []File{{Path: "b/a.jpg"}, {Path: "b/a.cr2"}, {Path: "a", Error: "no photo"}, {Path: "gone"}}
	syncFiles(t, c, r, Changes{Found: f})
	must(t, c.Put(bg, Batch{Sources: []Source{
		{File: f[0].ID, Name: "a.xmp", Error: "empty"},
		{File: f[1].ID, Name: "a.xmp", Error: "empty"},
		{File: f[1].ID, Error: "byte 9: XMP"},
		{File: f[0].ID},
		{File: f[2].ID, Error: "no metadata"},
		{File: f[2].ID, Name: "a.xmp", Error: "torn"},
		{File: f[3].ID, Error: "gone"},
	}}))
	syncFiles(t, c, r, Changes{At: noon, Missing: []int64{f[3].ID}})
	want := []Failure{{"/photos/a.xmp", "torn"}, {"/photos/b/a.cr2", "byte 9: XMP"}, {"/photos/b/a.xmp", "empty"}}
	for i := range want {
		want[i].Path = filepath.Join(r.Path, strings.TrimPrefix(want[i].Path, "/photos/"))
	}
	if list := got(c.TagFailures(bg))(t); !slices.Equal(list, want) {
		t.Errorf("%+v\nwant %+v", list, want)
	}
}

func TestForget(t *testing.T) {
	c := openAt(t, t.TempDir())
	r := rootAt(t, c, "/photos")
	m := Model{Digest: "m", Dim: 4}
	f := []File{
		{Path: "stays", Hash: hashN(0)},
		{Path: "goes", Hash: hashN(1)},
		{Path: "copy", Hash: hashN(0)},
		{Path: "returns", Hash: hashN(2)},
		{Path: "changes", Hash: hashN(3)},
	}
	syncFiles(t, c, r, Changes{At: noon, Found: f})
	var b Batch
	for i := range 4 {
		b.Photos = append(b.Photos, Photo{Hash: hashN(i), Format: "jpeg"})
		b.Vectors = append(b.Vectors, Record{hashN(i), SampleVector(hashN(i), 4)})
	}
	b.Model = m
	b.Sources = []Source{{File: f[1].ID, Tags: []Tag{{"f", "v"}}}}
	must(t, c.Put(bg, b))
	must(t, c.Decide(bg, Decision{Photo: hashN(1), Label: "dog", Verdict: Accept}))

	f[4].Hash = hashN(4)
	syncFiles(t, c, r, Changes{At: noon, Found: f[4:], Missing: []int64{f[1].ID, f[2].ID, f[3].ID}})
	forget := func(now time.Time, files, photos int) Forgotten {
		t.Helper()
		gone := got(c.Forget(bg, now, 30*day))(t)
		if gone.Files != files || gone.Photos != photos {
			t.Errorf("after %v: forgot %+v, want %d files and %d photos", now.Sub(noon), gone, files, photos)
		}
		return gone
	}
	forget(noon.Add(day), 0, 0)
	forget(noon.Add(29*day), 0, 0)
	syncFiles(t, c, r, Changes{Found: f[3:4]})
	if gone := forget(noon.Add(30*day), 2, 1); gone.Bytes != 0 {
		t.Errorf("vectors were rewritten for a quarter of them: %+v", gone)
	}
	wantFiles(t, c, r, f[0], f[3], f[4])
	// The photo that was overwritten is of no use only since someone noticed.
	gone := forget(noon.Add(31*day), 0, 1)
	if gone.Bytes != 2*layoutOf(m).offset(1)-2*headerSize {
		t.Errorf("half of the vectors were of no use, %+v", gone)
	}
	x := got(c.Vectors(bg, m))(t)
	defer x.Close()
	for i, want := range []bool{true, false, true, false} {
		v, ok := vectorOf(x, hashN(i))
		if ok != want || ok && !slices.Equal(v, rounded(SampleVector(hashN(i), 4))) {
			t.Errorf("photo %d has vector %v", i, v)
		}
	}
	if list := got(c.Decisions(bg))(t); len(list) != 1 {
		t.Errorf("answers %+v", list)
	}
	if list := got(c.Sources(bg, r))(t); len(list) != 0 {
		t.Errorf("tags %+v", list)
	}
	forget(noon.Add(400*day), 0, 0)
}

func TestRunsAndStatus(t *testing.T) {
	c := openAt(t, t.TempDir())
	run := Run{Kind: "index", Started: noon, Model: "m", Device: "cpu"}
	must(t, c.PutRun(bg, &run))
	second := Run{Kind: "index", Started: noon, Ended: noon.Add(time.Second), Found: 3, Done: 2, Failed: 1, Error: "disk full"}
	must(t, c.PutRun(bg, &second))
	run.Ended, run.Done = noon.Add(time.Minute), 7
	must(t, c.PutRun(bg, &run))
	runs := got(c.Runs(bg, 10))(t)
	for i := range runs {
		runs[i].Started, runs[i].Ended = runs[i].Started.UTC(), runs[i].Ended.UTC()
	}
	if want := []Run{second, run}; !slices.Equal(runs, want) {
		t.Errorf("runs %+v\nwant %+v", runs, want)
	}
	if runs := got(c.Runs(bg, 1))(t); len(runs) != 1 || runs[0].ID != second.ID {
		t.Errorf("the last run is %+v", runs)
	}

	r := rootAt(t, c, "/photos")
	rootAt(t, c, "/empty")
	f := []File{{Path: "a", Size: 5, Hash: hashN(1)}, {Path: "b", Size: 6, Error: "e"}, {Path: "c", Size: 7}, {Path: "d", Size: 8}}
	syncFiles(t, c, r, Changes{At: noon, Found: f})
	syncFiles(t, c, r, Changes{At: noon, Missing: []int64{f[3].ID}})
	must(t, c.Put(bg, Batch{Model: Model{Digest: "m", Preprocess: 2, Dim: 4, Name: "net"}, Vectors: []Record{{hashN(1), make([]float32, 4)}}}))
	st := got(c.Status(bg))(t)
	if st.Bytes == 0 || st.Photos != 1 || st.Decisions != 0 || st.Schema != len(schema) || len(st.Roots) != 2 || len(st.Models) != 1 {
		t.Fatalf("status %+v", st)
	}
	if s := st.Roots[0]; s.Files != 0 || s.Waiting != 0 || s.Missing != 0 || s.Bytes != 0 {
		t.Errorf("an empty root has %+v", s)
	}
	if s := st.Roots[1]; s.Files != 3 || s.Bytes != 18 || s.Waiting != 1 || s.Failed != 1 || s.Missing != 1 {
		t.Errorf("root %+v", s)
	}
	if s := st.Models[0]; s.Name != "net" || s.Segments != 1 || s.Vectors != 1 || s.Bytes != headerSize+128 {
		t.Errorf("model %+v", s)
	}
}

func TestSample(t *testing.T) {
	dir, photos := t.TempDir(), t.TempDir()
	c := openAt(t, dir)
	s := Sample{Photos: 700, Dim: 8, Root: photos, Files: true}
	must(t, s.Generate(bg, c))
	files := filesOf(t, c, rootAt(t, c, photos))
	x := got(c.Vectors(bg, s.Model()))(t)
	defer x.Close()
	if len(files) != 700 || x.Len() != 700 {
		t.Fatalf("%d files, %d vectors", len(files), x.Len())
	}
	for _, f := range files {
		name := filepath.Join(photos, f.Path)
		info := got(os.Stat(name))(t)
		r := got(os.Open(name))(t)
		if h := got(HashOf(r))(t); h != f.Hash || info.Size() != f.Size || info.ModTime().UnixNano() != f.Modified {
			t.Fatalf("%s is not as the catalog says", name)
		}
		got(r.Seek(0, 0))(t)
		if _, err := gif.Decode(r); err != nil {
			t.Fatal(err)
		}
		r.Close()
	}
}
