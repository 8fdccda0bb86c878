package gallery

import (
	"context"
	"path/filepath"
	"runtime"
	"testing"

	"sigla/gallery/catalog"
)

// BenchmarkRescan scans and embeds 100,000 photos with vectors of 768 values
// that are in the catalog and have not changed.
func BenchmarkRescan(b *testing.B) {
	if testing.Short() {
		b.Skip("it writes 100,000 files")
	}
	ctx := context.Background()
	dir := b.TempDir()
	data := filepath.Join(dir, "data")
	s := catalog.Sample{Photos: 100_000, Dim: 768, Root: filepath.Join(dir, "photos"), Files: true}
	open := func(ctx context.Context) (*catalog.Catalog, error) { return catalog.Open(ctx, data) }
	c, err := open(ctx)
	if err != nil {
		b.Fatal(err)
	}
	if err := s.Generate(ctx, c); err != nil {
		b.Fatal(err)
	}
	if err := c.Close(); err != nil {
		b.Fatal(err)
	}
	b.Run("scan", func(b *testing.B) {
		for b.Loop() {
			g := New()
			g.UseCatalog(open)
			if err := g.Scan(ctx, s.Root); err != nil || g.CatalogErr() != nil {
				b.Fatal(err, g.CatalogErr())
			}
			g.Close()
		}
	})
	b.Run("scan+embed", func(b *testing.B) {
		var g *Gallery
		for b.Loop() {
			g = New()
			g.UseCatalog(open)
			g.UseModel(s.Model())
			if err := g.Scan(ctx, s.Root); err != nil {
				b.Fatal(err)
			}
			if err := g.Embed(ctx, new(fake), nil); err != nil || g.CatalogErr() != nil {
				b.Fatal(err, g.CatalogErr())
			}
			if n := g.Progress().Remembered; n != s.Photos {
				b.Fatalf("%d photos were remembered", n)
			}
			g.Close()
		}
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		b.ReportMetric(float64(m.HeapAlloc)/1e6, "MB")
		runtime.KeepAlive(g)
	})
}
