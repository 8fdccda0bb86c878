//go:build gpu && cgo && (linux || windows)

package gpu

import (
	"path"
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
