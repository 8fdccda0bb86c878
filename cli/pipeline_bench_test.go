package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sigla/gallery"
	"sigla/gallery/photo"
	"sigla/internal/require"
)

// repeated is an Embedder that takes times as long as the starter, and tells
// how long it was at work.
type repeated struct {
	*encoder
	times       int
	first, last time.Time
	busy        time.Duration
}

func (r *repeated) Embed(ctx context.Context, batch []any) (vectors [][]float32, err error) {
	start := time.Now()
	for range r.times {
		if vectors, err = r.encoder.Embed(ctx, batch); err != nil {
			return nil, err
		}
	}
	r.last = time.Now()
	r.busy += r.last.Sub(start)
	if r.first.IsZero() {
		r.first = start
	}
	return vectors, nil
}

// BenchmarkPipeline embeds real photos of 10 to 16 megapixels and says how far
// decoding and the model overlap: photos a second, beside the rates of decoding
// alone and of the model alone in the same run, all on all cores. Since both
// compute on the same cores, 1/(1/decode + 1/model) is what can be had; engine-%
// is how much of the time from its first batch to the last the model was at work.
// The starter costs less than decoding; a model of 40 starters costs more.
func BenchmarkPipeline(b *testing.B) {
	paths := middlePhotos(b)
	enc, err := new(app).load(context.Background(), starter())
	if err != nil {
		b.Fatal(err)
	}
	defer enc.Close()
	for _, times := range []int{1, 40} {
		b.Run(fmt.Sprintf("starter×%d", times), func(b *testing.B) {
			r := &repeated{encoder: enc, times: times}
			var decode, model, both time.Duration
			for range b.N {
				inputs, took := decodeAll(b, enc, paths)
				decode += took
				start := time.Now()
				if _, err := r.Embed(context.Background(), inputs[:16]); err != nil {
					b.Fatal(err)
				}
				model += time.Since(start) / 16
				*r = repeated{encoder: enc, times: times}
				g := gallery.New()
				start = time.Now()
				if err := g.Scan(context.Background(), paths...); err != nil {
					b.Fatal(err)
				}
				if err := g.Embed(context.Background(), r, nil); err != nil {
					b.Fatal(err)
				}
				both += time.Since(start)
			}
			each := func(d time.Duration) float64 { return d.Seconds() / float64(b.N) / float64(len(paths)) }
			rate, possible := 1/each(both), 1/(each(decode)+model.Seconds()/float64(b.N))
			b.ReportMetric(1/each(decode), "decode/s")
			b.ReportMetric(float64(b.N)/model.Seconds(), "model/s")
			b.ReportMetric(rate, "photos/s")
			b.ReportMetric(100*rate/possible, "%-of-possible")
			b.ReportMetric(100*r.busy.Seconds()/r.last.Sub(r.first).Seconds(), "engine-%")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// middlePhotos makes a folder of 32 photos out of the test data's four of that
// size.
func middlePhotos(b *testing.B) []string {
	dir := b.TempDir()
	var paths []string
	for i := range 8 {
		for _, name := range []string{"Bridge_by_Sander_Klootwijk", "Dragonfly_by_Bolly", "seeding_by_Clements_Engelhardt", "sunset_by_Aitzol_Berasategi"} {
			file, err := os.ReadFile(require.Data(b, "large", name+".jpg"))
			if err != nil {
				b.Fatal(err)
			}
			path := filepath.Join(dir, fmt.Sprintf("%d-%s.jpg", i, name))
			if err := os.WriteFile(path, file, 0o644); err != nil {
				b.Fatal(err)
			}
			paths = append(paths, path)
		}
	}
	return paths
}

// decodeAll prepares photos on all cores.
func decodeAll(b *testing.B, enc *encoder, paths []string) ([]any, time.Duration) {
	start := time.Now()
	inputs := make([]any, len(paths))
	var next atomic.Int32
	var all sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(paths) {
					return
				}
				img, _, err := photo.Read(paths[i])
				if err == nil {
					inputs[i], err = enc.Prepare(img)
				}
				if err != nil {
					b.Error(err)
				}
			}
		})
	}
	all.Wait()
	return inputs, time.Since(start)
}
