//go:build gpu && cgo && (linux || windows)

package gpu

import (
	"path"
	"slices"
	"testing"

	"sigla/backend"
	"sigla/backend/backendtest"
)

// narrow has the device refuse bindings of more bytes, and take so many operations for
// 50 ms of work.
func narrow(e *engine, bytes int, work float64) {
	e.limits.Binding = bytes
	e.wait(func(d *device) { d.limits.Binding = bytes })
	for i := range e.tuning {
		e.tuning[i].GFLOPS = work / 0.05e9
	}
}

// On a device with small bindings, and on a slow one, every operation goes in many
// dispatches, and means the same.
func TestInParts(t *testing.T) {
	backendtest.Run(t, func(t *testing.T) backend.Backend {
		e, bytes, work := open(t).(*engine), 17<<10, 1e5
		switch path.Base(t.Name()) {
		case "DepthwiseConv":
			bytes = 128 << 10 // a photo is not cut
		case "SigmoidLoss", "SoftmaxLoss":
			bytes, work = 128<<10, 2e7 // nor are four values for each of 3,000 rows; a tile, in a few
		}
		narrow(e, bytes, work)
		return e
	})
}

// How fast a device was found to be decides how many dispatches there are, and never
// the bits.
func TestSlowDevice(t *testing.T) {
	var want [][]float32
	var dispatches [2]int
	for i := range dispatches {
		e := open(t).(*engine)
		if i == 1 {
			narrow(e, widestBinding, 1e5)
		}
		before := e.dispatches
		results := attend(e, backend.Attn{Batch: 3, Heads: 2, Queries: 70, Keys: 45, Dim: 64, KeyLens: []int32{45, 7, 30}})
		const rows = 600
		x, dw, norms := results[0].Slice(0, rows*32), e.Alloc(32*32, backend.Scratch), e.Alloc(rows*32, backend.Scratch)
		e.SumRows(dw.Slice(0, 32), x, rows, 32)
		e.MatMul(dw.Slice(0, 32*32), x, x, backend.Mat{M: 32, N: 32, K: rows, TransA: true, Add: true})
		e.Normalize(norms, backend.Buf{}, x, rows, 32)
		e.SumSquares(dw.Slice(0, 1), norms)
		for j, b := range append(results, dw, norms) {
			got := make([]float32, b.Len)
			if err := e.Read(got, b); err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				want = append(want, got)
			} else if !slices.Equal(got, want[j]) {
				t.Errorf("result %d has other bits on a slow device", j)
			}
		}
		dispatches[i] = e.dispatches - before
		e.Close()
	}
	if dispatches[1] < 4*dispatches[0] {
		t.Errorf("%d dispatches on a fast device, %d on a slow one", dispatches[0], dispatches[1])
	}
}
