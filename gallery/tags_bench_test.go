package gallery

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"sigla/gallery/catalog"
)

// BenchmarkTags scans photos with a sidecar of five tags each and reads their
// tags: the first time, and again with the catalog when nothing has changed,
// beside the scan alone. The tags are 500, as a person's vocabulary.
func BenchmarkTags(b *testing.B) {
	if testing.Short() {
		b.Skip("it writes 220,000 files")
	}
	for _, n := range []int{10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) { benchmarkTags(b, n) })
	}
}

func benchmarkTags(b *testing.B, photos int) {
	dir := b.TempDir()
	data := filepath.Join(dir, "data")
	s := catalog.Sample{Photos: photos, Root: filepath.Join(dir, "photos"), Files: true}
	ctx := context.Background()
	open := func(ctx context.Context) (*catalog.Catalog, error) { return catalog.Open(ctx, data) }
	c, err := open(ctx)
	if err == nil {
		err = errors.Join(s.Generate(ctx, c), c.Close())
	}
	if err == nil {
		err = writeSidecars(s.Root)
	}
	if err != nil {
		b.Fatal(err)
	}
	run := func(b *testing.B, read bool) *Gallery {
		g := New()
		g.UseCatalog(open)
		err := g.Scan(ctx, s.Root)
		if read {
			err = errors.Join(err, g.ReadTags(ctx))
		}
		if err := errors.Join(err, g.CatalogErr(), g.Close()); err != nil {
			b.Fatal(err)
		}
		if n := g.Progress().Tagged; read && n != photos {
			b.Fatalf("%d photos have tags", n)
		}
		return g
	}
	report := func(b *testing.B) {
		b.ReportMetric(float64(photos*b.N)/b.Elapsed().Seconds(), "photos/s")
	}
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			if err := forgetTags(data); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
			run(b, true)
		}
		report(b)
	})
	b.Run("scan", func(b *testing.B) {
		for b.Loop() {
			run(b, false)
		}
		report(b)
	})
	b.Run("again", func(b *testing.B) {
		for b.Loop() {
			run(b, true)
		}
		report(b)
		without, with := heap(run(b, false)), heap(run(b, true))
		b.ReportMetric(with-without, "MB")
	})
}

// heap returns how much memory is in use with a gallery, in MB.
func heap(g *Gallery) float64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	runtime.KeepAlive(g)
	return float64(m.HeapAlloc) / 1e6
}

// forgetTags takes the tags out of a catalog.
func forgetTags(data string) error {
	ctx := context.Background()
	c, err := catalog.Open(ctx, data)
	if err != nil {
		return err
	}
	defer c.Close()
	roots, err := c.Roots(ctx)
	if err != nil {
		return err
	}
	list, err := c.Sources(ctx, roots[0])
	if err != nil {
		return err
	}
	for i := range list {
		list[i].None = true
	}
	return c.Put(ctx, catalog.Batch{Sources: list})
}

// writeSidecars puts one beside every photo.
func writeSidecars(dir string) error {
	rnd := rand.New(rand.NewPCG(1, 2))
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		words := make([]string, 5)
		for i := range words {
			words[i] = fmt.Sprintf("a tag of mine %d", rnd.IntN(500))
		}
		return os.WriteFile(path+".xmp", xmp(words...), 0o644)
	})
}
