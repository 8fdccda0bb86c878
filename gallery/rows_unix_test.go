//go:build unix

package gallery

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"sigla/gallery/catalog"
)

// A mapped file that another program shortens costs its vectors, and neither
// the program nor the other photos.
func TestVectorsThatAreGone(t *testing.T) {
	dir, data := photoFolder(t, 30), t.TempDir()
	session(t, data, new(fake), filepath.Join(dir, "1.png"), filepath.Join(dir, "2.png"))
	g := New()
	g.UseCatalog(func(ctx context.Context) (*catalog.Catalog, error) { return catalog.Open(ctx, data) })
	g.UseModel(fakeModel)
	g.UseScanner(engine(t))
	scan(t, g, dir)
	embed(t, g, new(fake))
	files, err := filepath.Glob(filepath.Join(data, "vectors", "*", "*"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	if err := os.Truncate(files[0], 0); err != nil {
		t.Fatal(err)
	}
	zero := 0
	for _, hit := range g.Rank(fakeVector(3), 0, func(id int) bool { return g.Photo(id).Name == "1.png" || g.Photo(id).Name == "2.png" }) {
		if hit.Cosine == 0 && norm(g.Vector(hit.ID)) == 0 {
			zero++
		}
	}
	if zero != 2 || g.CatalogErr() == nil {
		t.Errorf("%d vectors are gone, error %v", zero, g.CatalogErr())
	}
	if hit := g.Rank(fakeVector(7), 1, func(id int) bool { return g.Photo(id).Name == "7.png" }); len(hit) != 1 || hit[0].Cosine < 0.999 {
		t.Errorf("a photo that was just embedded: %v", hit)
	}
	g.Close()
}
