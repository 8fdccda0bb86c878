//go:build linux

package cli

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
	"time"

	"sigla/gallery/catalog"
)

// manyPhotos is how many photos the large catalog has.
const manyPhotos = 100_000

// largeCatalog makes a folder of generated photos, and a catalog with vectors
// of the starter for them, once.
var largeCatalog = sync.OnceValues(func() (dir string, err error) {
	dir = filepath.Join(programs, "large")
	photos := filepath.Join(dir, "photos")
	if err := os.MkdirAll(photos, 0o755); err != nil {
		return "", err
	}
	a := &app{}
	enc, err := a.load(context.Background(), starter())
	if err != nil {
		return "", err
	}
	defer enc.Close()
	c, err := catalog.Open(context.Background(), filepath.Join(dir, "data", "sigla"))
	if err != nil {
		return "", err
	}
	defer c.Close()
	m := enc.catalogModel()
	s := catalog.Sample{Photos: manyPhotos, Dim: m.Dim, As: m, Root: photos, Files: true}
	return dir, s.Generate(context.Background(), c)
})

var largeDone = regexp.MustCompile(`\b100,000(/100,000)? embedded`)

// launchLarge opens the explorer on the large catalog.
func launchLarge(b *testing.B, args ...string) *console {
	b.Helper()
	path, err := program()
	if err != nil {
		b.Fatal(err)
	}
	dir, err := largeCatalog()
	if err != nil {
		b.Fatal(err)
	}
	return launchWith(b, []string{"XDG_DATA_HOME=" + filepath.Join(dir, "data")}, path, 120, 40, append(args, filepath.Join(dir, "photos"))...)
}

// The explorer with 100,000 photos of a catalog: to the first frame and to the
// screen with all scored; from a key to its effect while that goes on, and when
// it is done; what is resident, with the starter and without a model.
func BenchmarkLarge(b *testing.B) {
	b.Run("start", func(b *testing.B) {
		var first, scored time.Duration
		for range b.N {
			c := launchLarge(b)
			c.shows("sigla")
			first += time.Since(c.start)
			c.await("all scored", func(screen string) bool { return largeDone.MatchString(screen) })
			scored += time.Since(c.start)
			c.press("q")
			c.exit()
		}
		b.ReportMetric(ms(first)/float64(b.N), "ms-to-first-frame")
		b.ReportMetric(ms(scored)/float64(b.N), "ms-to-all-embedded")
		b.ReportMetric(0, "ns/op")
	})
	b.Run("keys-while-scoring", func(b *testing.B) {
		c := launchLarge(b)
		c.shows("δ +0.0")
		busy := 0
		took := c.times(b.N, biasKeys, func(screen string) {
			if !largeDone.MatchString(screen) {
				busy++
			}
		})
		report(b, "", took)
		b.ReportMetric(100*float64(busy)/float64(b.N), "%-while-scoring")
		b.ReportMetric(0, "ns/op")
		c.press("q")
		c.exit()
	})
	b.Run("keys-idle", func(b *testing.B) {
		c := launchLarge(b)
		c.await("all scored", largeDone.MatchString)
		c.matches(`tags: +[1-9]`)
		time.Sleep(3 * time.Second) // the last counts, the last garbage collection
		report(b, "-bias", c.times(b.N, biasKeys, func(string) {}))
		report(b, "-page", c.times(b.N, pageKeys, func(string) {}))
		b.ReportMetric(c.statusMiB("VmHWM"), "MiB-peak")
		b.ReportMetric(c.statusMiB("VmRSS"), "MiB-resident")
		b.ReportMetric(0, "ns/op")
		c.press("q")
		c.exit()
	})
	b.Run("no-model", func(b *testing.B) {
		var peak, resident float64
		for range b.N {
			c := launchLarge(b, "--device", "gpu") // there is none, so nothing is loaded
			c.matches(`100,000 photos`)
			time.Sleep(3 * time.Second)
			peak, resident = c.statusMiB("VmHWM"), c.statusMiB("VmRSS")
			c.press("q")
			c.exit()
		}
		b.ReportMetric(peak, "MiB-peak")
		b.ReportMetric(resident, "MiB-resident")
		b.ReportMetric(0, "ns/op")
	})
}
