package sidecar

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sigla/gallery/sidecar/journal"
)

// BenchmarkApply writes 2,000 sidecars in one folder, every fourth of them new,
// and reports how many of these files are plainly read, written and renamed in a
// second, one by one, in the same folder right after: with what else runs on the
// machine, only the ratio says something.
func BenchmarkApply(b *testing.B) {
	for name, o := range map[string]journal.Options{"sync": {}, "no-sync": {NoSync: true}} {
		b.Run(name, func(b *testing.B) { benchmarkApply(b, o) })
	}
}

func benchmarkApply(b *testing.B, o journal.Options) {
	const n = 2000
	dir := b.TempDir()
	doc, err := os.ReadFile("testdata/digikam.xmp")
	if err != nil {
		b.Fatal(err)
	}
	j, err := journal.Open(context.Background(), filepath.Join(dir, "runs"))
	if err != nil {
		b.Fatal(err)
	}
	defer j.Close()
	var applied, undone, plain time.Duration
	for round := 0; b.Loop(); round++ {
		photos := make([]Photo, n)
		folder := filepath.Join(dir, fmt.Sprint(round))
		if err := os.Mkdir(folder, 0o755); err != nil {
			b.Fatal(err)
		}
		for i := range photos {
			path := filepath.Join(folder, fmt.Sprintf("%04d.jpg", i))
			if err := os.WriteFile(path, nil, 0o644); err != nil {
				b.Fatal(err)
			}
			if i%4 != 0 {
				if err := os.WriteFile(path+".xmp", doc, 0o644); err != nil {
					b.Fatal(err)
				}
			}
			photos[i] = Photo{Path: path, Files: Look(path), Change: accept(auto("nature|strand"))}
			photos[i].Files = photos[i].Files[:len(photos[i].Files)-1]
		}
		plan := NewPlan(photos, Full)
		start := time.Now()
		result, err := plan.Apply(context.Background(), j, o)
		if applied += time.Since(start); err != nil || result.Written != n {
			b.Fatal(err, result)
		}
		start = time.Now()
		result, err = j.Undo(context.Background(), result.Run, o)
		if undone += time.Since(start); err != nil || result.Written != n {
			b.Fatal(err, result)
		}
		plain += plainly(b, photos, !o.NoSync)
	}
	b.ReportMetric(n*float64(b.N)/applied.Seconds(), "sidecars/s")
	b.ReportMetric(n*float64(b.N)/undone.Seconds(), "undone/s")
	b.ReportMetric(n*float64(b.N)/plain.Seconds(), "plain/s")
	b.ReportMetric(plain.Seconds()/applied.Seconds(), "of-plain")
}

// plainly returns how long it takes to read sidecars, write them under another
// name, sync them if asked to, and rename them, one by one. What is new has to be
// made first, and is read as the rest.
func plainly(b *testing.B, photos []Photo, sync bool) time.Duration {
	doc, err := os.ReadFile("testdata/digikam.xmp")
	if err != nil {
		b.Fatal(err)
	}
	for _, p := range photos {
		if err := os.WriteFile(p.Path+".xmp", doc, 0o644); err != nil {
			b.Fatal(err)
		}
	}
	start := time.Now()
	for _, p := range photos {
		path := p.Path + ".xmp"
		doc, err := os.ReadFile(path)
		if err != nil {
			b.Fatal(err)
		}
		f, err := os.Create(path + ".tmp")
		if err == nil {
			_, err = f.Write(doc)
		}
		if err == nil && sync {
			err = f.Sync()
		}
		f.Close()
		if err == nil {
			err = os.Rename(path+".tmp", path)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(start)
}
