package gallery

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sigla/gallery/catalog"
)

// A run that is called off keeps what it has read, and the next goes on.
func TestReadTagsCancelled(t *testing.T) {
	dir, data := photoFolder(t, 200), t.TempDir()
	for i := range 200 {
		writeFile(t, filepath.Join(dir, fmt.Sprintf("%d.png.xmp", i)), xmp("owl", fmt.Sprint(i)))
	}
	for _, most := range []int{0, 1, 60, 120} {
		g := New()
		g.UseCatalog(func(ctx context.Context) (*catalog.Catalog, error) { return catalog.Open(ctx, data) })
		scan(t, g, dir)
		ctx, cancel := context.WithCancel(context.Background())
		stop := make(chan struct{})
		go func() {
			defer close(stop)
			for seen := uint64(0); g.Progress().Tagged < most; {
				var err error
				if seen, err = g.WaitChange(ctx, seen); err != nil {
					return
				}
			}
			cancel()
		}()
		if err := g.ReadTags(ctx); err != nil && err != context.Canceled {
			t.Error(err)
		}
		cancel()
		<-stop
		if most == 60 { // the same gallery goes on
			if err := g.ReadTags(context.Background()); err != nil {
				t.Error(err)
			}
			checkTags(t, g)
		}
		if err := errors.Join(g.CatalogErr(), g.Close()); err != nil {
			t.Error(err)
		}
	}
	g := readTags(t, data, dir)
	checkTags(t, g)
	checkCounted(t, data, g)
}

// While a photo on the screen is to be embedded only tags of the screen are
// read; and a gallery without a catalog that works reads them, too.
func TestTagsGiveWay(t *testing.T) {
	dir := photoFolder(t, 100)
	for i := range 100 {
		writeFile(t, filepath.Join(dir, fmt.Sprintf("%d.png.xmp", i)), xmp("owl"))
	}
	g := New()
	g.UseCatalog(func(context.Context) (*catalog.Catalog, error) { return nil, errFake })
	scan(t, g, dir)
	g.Want([]int{70, 71})
	gate, begun := make(chan struct{}), make(chan struct{}, 100)
	ended := make(chan error, 2)
	go func() {
		ended <- g.Embed(context.Background(), &fake{onEmbed: func(context.Context, []int) error {
			begun <- struct{}{}
			<-gate
			return nil
		}}, nil)
	}()
	<-begun
	go func() { ended <- g.ReadTags(context.Background()) }()
	for seen := uint64(0); g.Progress().Tagged < 2; {
		seen, _ = g.WaitChange(context.Background(), seen)
	}
	time.Sleep(20 * time.Millisecond) // for those that must not come
	if n := g.Progress().Tagged; n != 2 || !g.Photo(70).Tagged || !g.Photo(71).Tagged {
		t.Errorf("%d photos have tags while two on the screen wait", n)
	}
	close(gate)
	if err := errors.Join(<-ended, <-ended); err != nil {
		t.Fatal(err)
	}
	checkTags(t, g)
}

// Scan, Embed and ReadTags beside each other; for the race detector.
func TestTagsBesideEmbed(t *testing.T) {
	dir, data := photoFolder(t, 300), t.TempDir()
	for i := range 300 {
		writeFile(t, filepath.Join(dir, fmt.Sprintf("%d.png.xmp", i)), xmp("owl", fmt.Sprint("number ", i%10)))
	}
	for range 2 {
		g := New()
		g.UseCatalog(func(ctx context.Context) (*catalog.Catalog, error) { return catalog.Open(ctx, data) })
		g.UseModel(fakeModel)
		g.countScans(+1)
		ended := make(chan error, 2)
		go func() { ended <- g.Embed(context.Background(), new(fake), nil) }()
		go func() { ended <- g.ReadTags(context.Background()) }()
		g.Want([]int{200, 100})
		scan(t, g, dir)
		g.Want([]int{200, 100, 299})
		g.Tags(200)
		g.TagNames()
		g.TagProblems()
		scan(t, g, dir)
		g.countScans(-1)
		if err := errors.Join(<-ended, <-ended, g.CatalogErr()); err != nil {
			t.Fatal(err)
		}
		checkVectors(t, closeGallery(t, g))
		checkTags(t, g)
		checkCounted(t, data, g)
	}
}

// A photo that was overwritten is read again, and what lay beside the former
// one is forgotten with it.
func TestTagsOfChangedPhotos(t *testing.T) {
	dir, data := photoFolder(t, 2), t.TempDir()
	photo, side := filepath.Join(dir, "0.png"), filepath.Join(dir, "0.xmp")
	writeFile(t, side, xmp("owl"))
	readTags(t, data, dir)
	writeFile(t, photo, append([]byte("GIF89a\x01\x00\x01\x00\x00\x00\x00!\xff\x0bXMP DataXMP"), xmp("moth")...))
	later(t, photo)
	if err := os.Remove(side); err != nil {
		t.Fatal(err)
	}
	g := readTags(t, data, dir)
	checkTags(t, g)
	checkCounted(t, data, g)
}

// The same when the tags are read before the scan has come to its end, and with
// it the catalog has learned that the photo is another.
func TestTagsOfChangedPhotosWhileScanning(t *testing.T) {
	dir, data := photoFolder(t, 1), t.TempDir()
	photo, side := filepath.Join(dir, "0.png"), filepath.Join(dir, "0.xmp")
	writeFile(t, side, xmp("owl"))
	readTags(t, data, dir)
	later(t, photo)
	if err := os.Remove(side); err != nil {
		t.Fatal(err)
	}
	g := New()
	g.UseCatalog(func(ctx context.Context) (*catalog.Catalog, error) { return catalog.Open(ctx, data) })
	w := &walk{g: g, ctx: context.Background(), number: 1, sights: make(map[string]sight), others: make(map[int]other)}
	w.catalog = g.openCatalog(w.ctx)
	err := w.root(dir)
	err = errors.Join(err, g.ReadTags(w.ctx))
	w.conclude()
	if err := errors.Join(err, g.ReadTags(w.ctx), g.CatalogErr(), g.Close()); err != nil {
		t.Fatal(err)
	}
	checkTags(t, g)
	checkCounted(t, data, g)
}
