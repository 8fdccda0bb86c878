package catalog

import (
	"fmt"
	"runtime"
	"testing"
)

// BenchmarkCatalog measures with 100,000 photos and vectors of 768 values.
func BenchmarkCatalog(b *testing.B) {
	const n, dim = 100_000, 768
	if testing.Short() {
		b.Skip("it makes a catalog of 200 MB")
	}
	dir := b.TempDir()
	s := Sample{Photos: n, Dim: dim, Root: "/photos"}
	c := openAt(b, dir)
	must(b, s.Generate(bg, c))
	r := rootAt(b, c, s.Root)
	closed(b, c)

	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			closed(b, got(Open(bg, dir))(b))
		}
	})
	b.Run("open+files", func(b *testing.B) {
		for b.Loop() {
			c := got(Open(bg, dir))(b)
			if len(got(c.Files(bg, r))(b)) != n {
				b.Fatal("files are missing")
			}
			closed(b, c)
		}
	})
	c = openAt(b, dir)
	benchReads(b, c)
	b.Run("vectors", func(b *testing.B) {
		b.SetBytes(n * int64(layoutOf(s.Model()).stride))
		for b.Loop() {
			x := got(c.Vectors(bg, s.Model()))(b)
			if x.Len() != n {
				b.Fatal("vectors are missing")
			}
			must(b, x.Close())
		}
	})
	b.Run("memory", func(b *testing.B) {
		var before, after runtime.MemStats
		for b.Loop() {
			runtime.GC()
			runtime.ReadMemStats(&before)
			files, x := got(c.Files(bg, r))(b), got(c.Vectors(bg, s.Model()))(b)
			runtime.GC()
			runtime.ReadMemStats(&after)
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/1e6, "MB")
			runtime.KeepAlive(files)
			must(b, x.Close())
		}
	})
}

func benchReads(b *testing.B, c *Catalog) {
	b.Run("photos", func(b *testing.B) {
		for b.Loop() {
			got(c.Photos(bg))(b)
		}
	})
	b.Run("status", func(b *testing.B) {
		for b.Loop() {
			got(c.Status(bg))(b)
		}
	})
	b.Run("verify", func(b *testing.B) {
		for b.Loop() {
			got(c.verify(bg))(b)
		}
	})
}

func BenchmarkSync(b *testing.B) {
	for _, n := range []int{1, 10_000} {
		b.Run(fmt.Sprint(n, "-new"), func(b *testing.B) {
			s := Sample{Photos: n}
			c := openAt(b, b.TempDir())
			first := 0
			for b.Loop() {
				r := rootAt(b, c, fmt.Sprint("/", first))
				must(b, c.Sync(bg, r, Changes{At: noon, Found: got(s.files("", first, first+n))(b)}))
				first += n
			}
		})
	}
}

// BenchmarkPut stores vectors of 768 values in batches of several sizes.
func BenchmarkPut(b *testing.B) {
	m := Model{Digest: "m", Dim: 768}
	list := records(m, 0, 10_000)
	for _, n := range []int{16, 256, len(list)} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			c := openAt(b, b.TempDir())
			b.SetBytes(int64(n) * int64(layoutOf(m).stride))
			at := 0
			for b.Loop() {
				if at+n > len(list) {
					at = 0
				}
				must(b, c.Put(bg, Batch{Model: m, Vectors: list[at : at+n]}))
				at += n
			}
		})
	}
}
