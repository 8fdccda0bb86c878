package backendtest

import (
	"testing"

	"sigla/backend"
	"sigla/backend/speed"
)

// Bench measures the engines that open makes, in GFLOP/s where arithmetic counts
// and in GB/s, read and written, where memory does, with 4 photos at a time.
func Bench(b *testing.B, open func() backend.Backend) {
	for _, o := range append(append(speed.Operations(4), speed.Losses(1024)...), speed.Losses(4096)[0]) {
		b.Run(o.Name, func(b *testing.B) {
			e := open()
			run, done := speed.NewStage(e).Set(o)
			wait := func() {
				if err := e.Read(make([]float32, 1), done.Slice(0, 1)); err != nil {
					b.Fatal(err)
				}
			}
			run() // packs weights, compiles shaders
			wait()
			b.ResetTimer()
			for range b.N {
				run()
			}
			wait()
			b.StopTimer()
			if o.FLOPs > 0 {
				b.ReportMetric(o.FLOPs*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			} else {
				b.ReportMetric(o.Bytes*float64(b.N)/b.Elapsed().Seconds()/1e9, "GB/s")
			}
			if err := e.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}
