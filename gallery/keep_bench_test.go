package gallery

import (
	"context"
	"io/fs"
	"path/filepath"
	"runtime"
	"testing"

	"sigla/gallery/catalog"
)

// benchSample makes 100,000 photos with vectors of 768 values, and a catalog that
// has them.
func benchSample(b *testing.B) (s catalog.Sample, open func(context.Context) (*catalog.Catalog, error)) {
	b.Helper()
	if testing.Short() {
		b.Skip("it writes 100,000 files")
	}
	ctx := context.Background()
	dir := b.TempDir()
	data := filepath.Join(dir, "data")
	s = catalog.Sample{Photos: 100_000, Dim: 768, Root: filepath.Join(dir, "photos"), Files: true}
	open = func(ctx context.Context) (*catalog.Catalog, error) { return catalog.Open(ctx, data) }
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
	return s, open
}

// BenchmarkRescan scans and embeds photos that are in the catalog and have not
// changed.
func BenchmarkRescan(b *testing.B) {
	ctx := context.Background()
	s, open := benchSample(b)
	b.Run("walkdir", func(b *testing.B) { benchWalkDir(b, s) })
	b.Run("first", func(b *testing.B) { benchFirst(b, s, open) })
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

// benchWalkDir is the peer: what it costs to look at every file.
func benchWalkDir(b *testing.B, s catalog.Sample) {
	for b.Loop() {
		files := 0
		err := filepath.WalkDir(s.Root, func(_ string, e fs.DirEntry, err error) error {
			if err == nil && !e.IsDir() {
				files++
				_, err = e.Info()
			}
			return err
		})
		if err != nil || files != s.Photos {
			b.Fatal(files, err)
		}
	}
}

// benchFirst measures how long it takes until there is something to show.
func benchFirst(b *testing.B, s catalog.Sample, open func(context.Context) (*catalog.Catalog, error)) {
	ctx := context.Background()
	for b.Loop() {
		g := New()
		g.UseCatalog(open)
		ended := make(chan error)
		go func() { ended <- g.Scan(ctx, s.Root) }()
		var version uint64
		for g.Len() == 0 {
			version, _ = g.WaitChange(ctx, version)
		}
		b.StopTimer()
		if err := <-ended; err != nil || g.Len() != s.Photos {
			b.Fatal(err)
		}
		g.Close()
		b.StartTimer()
	}
}

// BenchmarkScanAgain looks again at photos that a gallery has: at all of them,
// and at one folder, as Watch does.
func BenchmarkScanAgain(b *testing.B) {
	ctx := context.Background()
	s, open := benchSample(b)
	g := New()
	g.UseCatalog(open)
	defer g.Close()
	if err := g.Scan(ctx, s.Root); err != nil {
		b.Fatal(err)
	}
	b.Run("all", func(b *testing.B) {
		for b.Loop() {
			if err := g.Scan(ctx, s.Root); err != nil || g.CatalogErr() != nil {
				b.Fatal(err, g.CatalogErr())
			}
		}
	})
	b.Run("folder", func(b *testing.B) {
		for b.Loop() {
			if err := g.lookAgain(ctx, map[string]bool{filepath.Join(s.Root, "0007"): false}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
