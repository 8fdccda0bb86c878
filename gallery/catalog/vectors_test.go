package catalog

import (
	"bytes"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigla/internal/require"
)

// rounded is a vector as it comes back from half precision.
func rounded(v []float32) []float32 {
	out := make([]float32, len(v))
	for i, x := range v {
		out[i] = wide(half(x))
	}
	return out
}

var modelA = Model{Digest: "a0", Preprocess: 1, Dim: 70, Name: "A"}

var loopModel = Model{Digest: "loop", Preprocess: 1, Dim: 33}

// smallSegments opens a catalog whose segments hold a few records only.
func smallSegments(t testing.TB, dir string, rows int) *Catalog {
	t.Helper()
	c, err := open(bg, dir, rows)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func records(m Model, from, to int) []Record {
	var list []Record
	for i := from; i < to; i++ {
		list = append(list, Record{hashN(i), SampleVector(hashN(i), m.Dim)})
	}
	return list
}

func put(t testing.TB, c *Catalog, m Model, from, to int) {
	t.Helper()
	must(t, c.Put(bg, Batch{Model: m, Vectors: records(m, from, to)}))
}

func index(t testing.TB, c *Catalog, m Model) *Index {
	t.Helper()
	x, err := c.Vectors(bg, m)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	return x
}

// vectorOf returns the vector of a photo.
func vectorOf(x *Index, photo Hash) ([]float32, bool) {
	row, ok := x.Find(photo)
	if !ok {
		return nil, false
	}
	v := make([]float32, x.Model().Dim)
	Widen(v, x.Row(row))
	return v, true
}

// checkIndex holds every vector of an index to what follows from its hash, by
// photo and by block, and returns the photos' number.
func checkIndex(t testing.TB, x *Index) int {
	t.Helper()
	dim := x.Model().Dim
	found, row := 0, 0
	for _, b := range x.Blocks() {
		if b.First != row {
			t.Fatalf("a block begins with row %d, not %d", b.First, row)
		}
		for i, h := range b.Hashes {
			row++
			if h == (Hash{}) {
				continue
			}
			found++
			want := rounded(SampleVector(h, dim))
			have := make([]float32, dim)
			Widen(have, b.Vectors[i*b.Stride:][:dim])
			if !slices.Equal(have, want) {
				t.Fatalf("row %d holds another vector than that of photo %s", row-1, h)
			}
			if at, ok := x.Find(h); !ok || at != b.First+i {
				t.Fatalf("photo %s is in row %d, not %d", h, at, b.First+i)
			}
			if v, ok := vectorOf(x, h); !ok || !slices.Equal(v, want) {
				t.Fatalf("photo %s has another vector", h)
			}
		}
	}
	if found != x.Len() || row != x.Rows() {
		t.Fatalf("%d photos in %d rows, the index says %d in %d", found, row, x.Len(), x.Rows())
	}
	return found
}

func wantVectors(t testing.TB, x *Index, from, to int) {
	t.Helper()
	if n := checkIndex(t, x); n != to-from {
		t.Fatalf("%d photos have vectors, want %d", n, to-from)
	}
	for i := from; i < to; i++ {
		if _, ok := x.Find(hashN(i)); !ok {
			t.Fatalf("photo %d has no vector", i)
		}
	}
}

func TestVectors(t *testing.T) {
	dir := t.TempDir()
	c := smallSegments(t, dir, 10)
	x := index(t, c, modelA)
	wantVectors(t, x, 0, 0)
	if v, ok := vectorOf(x, hashN(1)); ok || v != nil {
		t.Errorf("a photo without a vector has %v", v)
	}
	put(t, c, modelA, 0, 4)
	put(t, c, modelA, 4, 37)
	if n := got(x.Refresh(bg))(t); n != 37 || len(x.Blocks()) != 4 {
		t.Errorf("refresh added %d rows in %d blocks", n, len(x.Blocks()))
	}
	wantVectors(t, x, 0, 37)
	old := x.Blocks()

	// Others side by side: other weights, other preprocessing, other length.
	b := Model{Digest: modelA.Digest, Preprocess: 2, Dim: modelA.Dim}
	d := Model{Digest: "d", Preprocess: 1, Dim: 1}
	put(t, c, b, 30, 50)
	put(t, c, d, 0, 1)
	put(t, c, modelA, 37, 40)
	put(t, c, modelA, 0, 41) // all but one are there already
	if n := got(x.Refresh(bg))(t); n != 44 {
		t.Errorf("refresh added %d rows", n)
	}
	wantVectors(t, x, 0, 41)
	if again := x.Blocks(); again[0].First != 0 || &again[0].Hashes[0] != &old[0].Hashes[0] {
		t.Error("rows changed their numbers")
	}
	if n := got(x.Refresh(bg))(t); n != 0 {
		t.Errorf("%d rows are new of none", n)
	}
	closed(t, c)
	wantVectors(t, x, 0, 41) // the mapping outlives the catalog

	c = smallSegments(t, dir, 10)
	wantVectors(t, index(t, c, Model{Digest: "a0", Preprocess: 1}), 0, 41)
	wantVectors(t, index(t, c, b), 30, 50)
	wantVectors(t, index(t, c, d), 0, 1)
	if m := index(t, c, Model{Digest: "a0", Preprocess: 1}).Model(); m != modelA {
		t.Errorf("the model is %+v", m)
	}
	if problems := got(Verify(bg, dir))(t); len(problems) != 0 {
		t.Errorf("problems %v", problems)
	}
}

func TestPutVectorsErrors(t *testing.T) {
	c := openAt(t, t.TempDir())
	put(t, c, modelA, 0, 3)
	long := records(modelA, 3, 5)
	long[1].Vector = long[1].Vector[1:]
	nan := records(modelA, 3, 5)
	nan[1].Vector[3] = float32(math.NaN())
	large := records(modelA, 3, 4)
	large[0].Vector[3] = 65520
	for name, b := range map[string]Batch{
		"values, not":            {Model: modelA, Vectors: long},
		"holds NaN":              {Model: modelA, Vectors: nan},
		"holds 65520":            {Model: modelA, Vectors: large},
		"without a hash":         {Model: modelA, Vectors: []Record{{Vector: make([]float32, 70)}}},
		"do not fit those":       {Model: Model{Digest: "a0", Preprocess: 1, Dim: 3}, Vectors: records(Model{Dim: 3}, 3, 4)},
		"digest \"\"":            {Model: Model{Dim: 3}, Vectors: records(Model{Dim: 3}, 3, 4)},
		"digest \"../x\"":        {Model: Model{Digest: "../x", Dim: 3}, Vectors: records(Model{Dim: 3}, 3, 4)},
		"vectors of 0 values":    {Model: Model{Digest: "x"}, Vectors: []Record{{Hash: hashN(3)}}},
		"has the version -1":     {Model: Model{Digest: "x", Dim: 1, Preprocess: -1}, Vectors: []Record{{Hash: hashN(3)}}},
		"digest \"" + longDigest: {Model: Model{Digest: longDigest, Dim: 1}, Vectors: []Record{{Hash: hashN(3)}}},
	} {
		b.Photos = []Photo{{Hash: hashN(4), Format: "jpeg"}}
		if err := c.Put(bg, b); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v, want one with %q", err, name)
		}
	}
	if list := got(c.Photos(bg))(t); len(list) != 0 {
		t.Errorf("half a batch was stored: %+v", list)
	}
	if _, err := c.Vectors(bg, Model{Digest: "a0", Preprocess: 1, Dim: 3}); err == nil {
		t.Error("vectors were opened as if they were of another length")
	}
	put(t, c, modelA, 3, 5)
	wantVectors(t, index(t, c, modelA), 0, 5)
}

var longDigest = strings.Repeat("f", 65)

// onlySegment returns the path of the only segment in a catalog.
func onlySegment(t testing.TB, dir string) string {
	t.Helper()
	c := &Catalog{dir: dir}
	files := got(c.segmentFiles())(t)
	if len(files) != 1 {
		t.Fatalf("%d segments", len(files))
	}
	for p := range files {
		return c.segmentPath(p)
	}
	return ""
}

// A batch that was torn at any byte is counted up to its last whole record.
func TestTornSegment(t *testing.T) {
	m := Model{Digest: "a0", Preprocess: 1, Dim: 5}
	l := layoutOf(m)
	base := t.TempDir()
	c := openAt(t, base)
	put(t, c, m, 0, 3)
	closed(t, c)
	database := got(os.ReadFile(c.path(databaseName)))(t)
	c = openAt(t, base)
	put(t, c, m, 3, 5)
	closed(t, c)
	path := onlySegment(t, base)
	whole := got(os.ReadFile(path))(t)
	if int64(len(whole)) != l.offset(5) {
		t.Fatalf("the segment has %d bytes", len(whole))
	}
	remain := func(data []byte, n int) {
		t.Helper()
		must(t, os.WriteFile(path, data, 0o600))
		f := got(os.OpenFile(path, os.O_RDWR, 0))(t)
		defer f.Close()
		s, hashes, err := l.gather(segment{rows: 3}, f, int64(len(data)))
		if info := got(f.Stat())(t); err != nil || s.rows != n || len(hashes) != n-3 || info.Size() != l.offset(n) {
			t.Fatalf("of %d bytes %d records and %d bytes remain, error %v", len(data), s.rows, info.Size(), err)
		}
	}
	// A power cut may leave a record that is whole and was never written.
	hollow := slices.Clone(whole)
	clear(hollow[l.offset(4):])
	remain(hollow, 4)
	copy(hollow[l.offset(4):], whole[l.offset(4):])
	clear(hollow[l.offset(3):l.offset(4)])
	remain(hollow, 5)
	for size := l.offset(3); size <= l.offset(5); size++ {
		n := l.rows(size)
		remain(whole[:size], n)
		if size%25 != 0 && n < 5 {
			continue
		}
		must(t, os.WriteFile(path, whole[:size], 0o600))
		must(t, os.WriteFile(c.path(databaseName), database, 0o600))
		c := openAt(t, base)
		wantVectors(t, index(t, c, m), 0, n)
		put(t, c, m, n, 7)
		wantVectors(t, index(t, c, m), 0, 7)
		// Another process is killed while this one has the catalog open.
		f := got(os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0))(t)
		got(f.Write(whole[l.offset(3):][:1+size%200]))(t)
		f.Close()
		put(t, c, m, 7, 8)
		wantVectors(t, index(t, c, m), 0, 8)
		if info := got(os.Stat(path))(t); info.Size() != l.offset(8) {
			t.Fatalf("the segment has %d bytes", info.Size())
		}
		closed(t, c)
	}
}

// The first batch of a segment may be torn as its header is written.
func TestTornHeader(t *testing.T) {
	dir := t.TempDir()
	c := openAt(t, dir)
	put(t, c, modelA, 0, 1)
	closed(t, c)
	path := onlySegment(t, dir)
	whole := got(os.ReadFile(path))(t)
	for _, size := range []int{0, 1, 8, headerSize - 1, headerSize} {
		must(t, os.Remove(c.path(databaseName)))
		must(t, os.WriteFile(path, whole[:size], 0o600))
		c := openAt(t, dir)
		put(t, c, modelA, 0, 2)
		wantVectors(t, index(t, c, modelA), 0, 2)
		if problems := got(c.verify(bg))(t); len(problems) != 0 {
			t.Fatalf("torn at %d: %v", size, problems)
		}
		closed(t, c)
	}
}

// No bit of a segment can change unnoticed, and none makes a vector that of
// another photo.
func TestFlippedBits(t *testing.T) {
	m := Model{Digest: "a0", Preprocess: 1, Dim: 5}
	l := layoutOf(m)
	dir := t.TempDir()
	c := openAt(t, dir)
	put(t, c, m, 0, 3)
	path := onlySegment(t, dir)
	whole := got(os.ReadFile(path))(t)
	for i := range whole {
		for bit := range 8 {
			b := slices.Clone(whole)
			b[i] ^= 1 << bit
			want := 2
			if i < headerSize {
				want = 0
				if m, err := parseHeader(b); err == nil {
					t.Fatalf("byte %d, bit %d flipped: the header says %+v", i, bit, m)
				}
			} else if n := damaged(got(l.readRecords(bytes.NewReader(b), 0, 3))(t)); n != 1 {
				t.Fatalf("byte %d, bit %d flipped: %d records are damaged", i, bit, n)
			}
			if (8*i+bit)%97 != 0 {
				continue
			}
			must(t, os.WriteFile(path, b, 0o600))
			x := index(t, c, m)
			if n := checkIndex(t, x); n != want || len(x.Damage()) != 1 {
				t.Fatalf("byte %d, bit %d flipped: %d vectors, damage %v", i, bit, n, x.Damage())
			}
			must(t, x.Close())
		}
	}
	whole[len(whole)-1] = 1
	must(t, os.WriteFile(path, whole, 0o600))
	problems := got(c.verify(bg))(t)
	if len(problems) != 1 || problems[0].Path != path || !strings.Contains(problems[0].Text, "1 of its 3 records") {
		t.Fatalf("problems %v", problems)
	}
	// The photo gets a vector again; the damaged record stays where it is.
	put(t, c, m, 2, 3)
	wantVectors(t, index(t, c, m), 0, 3)
	if info := got(os.Stat(path))(t); info.Size() != l.offset(4) {
		t.Errorf("the segment has %d bytes", info.Size())
	}
}

// What is missing or foreign is noted, and never written over.
func TestLostSegments(t *testing.T) {
	dir := t.TempDir()
	c := smallSegments(t, dir, 4)
	put(t, c, modelA, 0, 10)
	seg := func(n int) string { return c.segmentPath(place{"a0", n}) }
	first := got(os.ReadFile(seg(1)))(t)
	must(t, os.Remove(seg(2)))
	must(t, os.Truncate(seg(3), layoutOf(modelA).offset(1)))
	x := index(t, c, modelA)
	if n := checkIndex(t, x); n != 5 || len(x.Damage()) != 2 {
		t.Errorf("%d vectors, damage %v", n, x.Damage())
	}
	put(t, c, modelA, 4, 8)
	put(t, c, modelA, 9, 10)
	wantVectors(t, index(t, c, modelA), 0, 10)
	if info := got(os.Stat(seg(3)))(t); info.Size() != layoutOf(modelA).offset(1) {
		t.Error("a segment that was cut off was written to")
	}
	// A segment of another model under that name.
	put(t, c, Model{Digest: "b", Dim: 3}, 0, 2)
	foreign := got(os.ReadFile(c.segmentPath(place{"b", 1})))(t)
	must(t, os.WriteFile(seg(1), foreign, 0o600))
	must(t, os.WriteFile(c.segmentPath(place{"a0", 77}), foreign, 0o600))
	must(t, os.WriteFile(c.segmentPath(place{"b", 9}), []byte(strings.Repeat("junk", 100)), 0o600))
	closed(t, c)
	c = smallSegments(t, dir, 4)
	if n := checkIndex(t, index(t, c, modelA)); n != 6 {
		t.Errorf("%d vectors", n)
	}
	var names []string
	for _, p := range got(Verify(bg, dir))(t) {
		names = append(names, strings.TrimPrefix(p.Path, dir))
	}
	want := []string{"/vectors/a0/0001.f16", "/vectors/a0/0002.f16", "/vectors/a0/0003.f16", "/vectors/a0/0077.f16", "/vectors/b/0009.f16"}
	if !slices.Equal(names, want) {
		t.Errorf("problems in %v, want %v", names, want)
	}
	closed(t, c)
	got(Repair(bg, dir))(t)
	if problems := got(Verify(bg, dir))(t); len(problems) != 0 {
		t.Errorf("after the repair: %v", problems)
	}
	must(t, os.WriteFile(seg(1)+".x", first, 0o600)) // not a segment's name
	c = smallSegments(t, dir, 4)
	if n := checkIndex(t, index(t, c, modelA)); n != 6 {
		t.Errorf("%d vectors after the repair", n)
	}
}

// Whatever a segment file holds, reading it ends, and only what was written as
// a record is one.
func TestMangledSegments(t *testing.T) {
	l := layoutOf(Model{Digest: "a0", Preprocess: 1, Dim: 5})
	whole := slices.Clone(l.header)
	for _, r := range records(l.Model, 0, 3) {
		record := make([]byte, l.stride)
		must(t, l.encode(record, r))
		whole = append(whole, record...)
	}
	path := filepath.Join(t.TempDir(), "0001.f16")
	r := rand.New(rand.NewPCG(7, 8))
	for range require.Rounds(100, 500, 500) {
		data := mangle(r, whole)
		must(t, os.WriteFile(path, data, 0o600))
		m, err := parseHeader(data)
		if err == nil && (m.validate() != nil || !bytes.HasPrefix(data, layoutOf(m).header)) {
			t.Errorf("the header says %+v", m)
		}
		inspect(path, place{"a0", 1}, segment{Model: l.Model, rows: r.IntN(5)}, true)
		inspect(path, place{m.Digest, 1}, segment{}, false)
		file := got(os.OpenFile(path, os.O_RDWR, 0))(t)
		s, hashes, err := l.gather(segment{}, file, int64(len(data)))
		file.Close()
		if err != nil || s.rows != len(hashes) {
			t.Fatalf("%d rows of %d hashes, error %v", s.rows, len(hashes), err)
		}
		for i, h := range hashes {
			if h != (Hash{}) && !bytes.Contains(whole, data[l.offset(i):][:l.stride]) {
				t.Errorf("record %d passed", i)
			}
		}
	}
}

// mangle returns data after a few accidents: bits flipped, parts cut out,
// doubled, moved, or overwritten.
func mangle(r *rand.Rand, data []byte) []byte {
	data = slices.Clone(data)
	for range 1 + r.IntN(3) {
		if len(data) == 0 {
			return data
		}
		from := r.IntN(len(data))
		part := slices.Clone(data[from:][:r.IntN(min(300, len(data)-from)+1)])
		switch r.IntN(5) {
		case 0:
			data[from] ^= 1 << r.IntN(8)
		case 1:
			data = slices.Delete(data, from, from+len(part))
		case 2:
			data = slices.Insert(data, r.IntN(len(data)), part...)
		case 3:
			copy(data[r.IntN(len(data)):], part)
		case 4:
			data = data[:from]
		}
	}
	return data
}
