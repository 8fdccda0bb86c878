package gallery

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"sigla/gallery/catalog"
)

// fakeDim is odd and above 8, so that dot products have a rest.
const fakeDim = 11

// fakeVector returns the unit vector that stands for n.
func fakeVector(n int) []float32 {
	r := rand.New(rand.NewPCG(uint64(n), 7))
	v := make([]float32, fakeDim)
	for i := range v {
		v[i] = float32(r.NormFloat64())
	}
	return addUnit(make([]float32, fakeDim), v)
}

// rounded returns a vector as it is with a catalog: rounded to half precision,
// and of length 1 again.
func rounded(v []float32) []float32 {
	half := make([]uint16, len(v))
	catalog.Narrow(half, v)
	wide := make([]float32, len(v))
	catalog.Widen(wide, half)
	inverse := float32(1 / norm(wide))
	for i := range wide {
		wide[i] *= inverse
	}
	return wide
}

// writePhoto writes a picture of one pixel, whose colour is the number n.
func writePhoto(t testing.TB, path string, n int) {
	t.Helper()
	img := image.NewNRGBA(image.Rect(0, 0, 1, 1))
	img.Set(0, 0, color.NRGBA{uint8(n >> 16), uint8(n >> 8), uint8(n), 255})
	var data bytes.Buffer
	if err := png.Encode(&data, img); err != nil {
		t.Fatal(err)
	}
	writeFile(t, path, data.Bytes())
}

func writeFile(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// photoNumber reads back what writePhoto wrote.
func photoNumber(img image.Image) int {
	c := color.NRGBAModel.Convert(img.At(img.Bounds().Min.X, img.Bounds().Min.Y)).(color.NRGBA)
	return int(c.R)<<16 | int(c.G)<<8 | int(c.B)
}

// fake is an Embedder of the pictures that writePhoto writes. The functions, if
// set, run first and may fail, block or panic.
type fake struct {
	onPrepare func(n int) error
	onEmbed   func(ctx context.Context, numbers []int) error

	mu      sync.Mutex
	batches [][]int
}

func (f *fake) Prepare(img image.Image) (any, error) {
	n := photoNumber(img)
	if f.onPrepare != nil {
		if err := f.onPrepare(n); err != nil {
			return nil, err
		}
	}
	return n, nil
}

func (f *fake) Embed(ctx context.Context, batch []any) ([][]float32, error) {
	var numbers []int
	var vectors [][]float32
	for _, input := range batch {
		numbers = append(numbers, input.(int))
		vectors = append(vectors, fakeVector(input.(int)))
	}
	f.mu.Lock()
	f.batches = append(f.batches, numbers)
	f.mu.Unlock()
	if f.onEmbed != nil {
		if err := f.onEmbed(ctx, numbers); err != nil {
			return nil, err
		}
	}
	return vectors, nil
}

// embedded returns the numbers of all photos in the order of their embedding.
func (f *fake) embedded() []int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Concat(f.batches...)
}

var errFake = errors.New("the fake refuses")

// photoFolder writes n photos, of numbers 0 to n-1, and returns their folder.
func photoFolder(t testing.TB, n int) string {
	t.Helper()
	dir := t.TempDir()
	for i := range n {
		writePhoto(t, filepath.Join(dir, fmt.Sprintf("%d.png", i)), i)
	}
	return dir
}

// scanned returns a gallery of n photos whose numbers are their IDs.
func scanned(t testing.TB, n int) *Gallery {
	t.Helper()
	g := New()
	if err := g.Scan(context.Background(), photoFolder(t, n)); err != nil {
		t.Fatal(err)
	}
	if g.Len() != n {
		t.Fatalf("found %d photos of %d", g.Len(), n)
	}
	return g
}

// filled returns a gallery of ready photos with these vectors, without files.
func filled(vectors [][]float32) *Gallery {
	g := New()
	fill(g, vectors)
	return g
}

// fill adds ready photos. A nil vector adds one that has failed.
func fill(g *Gallery, vectors [][]float32) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, v := range vectors {
		id := len(g.slots)
		g.slots = append(g.slots, slot{Photo: Photo{ID: id}})
		if v == nil {
			g.settle(id, errFake)
			continue
		}
		g.rows.fits(len(v))
		g.rows.add(id, v)
		g.settle(id, nil)
	}
	g.changed()
}

// checkReady says that the photos of these IDs, and no others, are ready with
// the right vectors, and that all others have failed.
func checkReady(t *testing.T, g *Gallery, failed ...int) {
	t.Helper()
	for _, p := range g.Photos() {
		if slices.Contains(failed, p.ID) {
			if p.State != Failed || p.Err == nil || g.Vector(p.ID) != nil {
				t.Errorf("photo %d: state %d, error %v; want failed", p.ID, p.State, p.Err)
			}
			continue
		}
		want := fakeVector(p.ID)
		if g.rows.halved {
			want = rounded(want)
		}
		if got := g.Vector(p.ID); p.State != Ready || p.Err != nil || !slices.Equal(got, want) {
			t.Errorf("photo %d: state %d, error %v, vector %v, want %v", p.ID, p.State, p.Err, got, want)
		}
		if p.Info.Width != 1 || p.Info.Height != 1 {
			t.Errorf("photo %d: info %+v", p.ID, p.Info)
		}
	}
	progress := g.Progress()
	if progress.Done != g.Len()-len(failed) || progress.Failed != len(failed) {
		t.Errorf("progress %+v; want %d failed of %d", progress, len(failed), g.Len())
	}
}

// A closed is a gallery that is closed, and the vectors that it had.
type closed struct {
	*Gallery
	vectors [][]float32 // by ID
}

func closeGallery(t *testing.T, g *Gallery) closed {
	t.Helper()
	c := closed{Gallery: g}
	for id := range g.Len() {
		c.vectors = append(c.vectors, g.Vector(id))
	}
	if err := g.Close(); err != nil {
		t.Error(err)
	}
	for id := range g.Len() {
		if v := g.Vector(id); v != nil {
			t.Errorf("photo %d has a vector after the end", id)
		}
	}
	return c
}
