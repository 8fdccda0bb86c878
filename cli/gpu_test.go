//go:build gpu && cgo && (linux || windows)

package cli

import (
	"context"
	"math"
	"testing"

	"sigla/gpu"
	"sigla/internal/require"
	"sigla/model"
)

// The starter on Mesa's software driver: logits of all demo photos and labels as
// the processor has them.
func TestSoftwareScores(t *testing.T) {
	atHome(t)
	if e, err := gpu.Open(gpu.Options{Software: true, Cache: gpuCache()}); err != nil {
		require.Missing(t, "gl", err.Error())
	} else if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	e, err := gpu.Open(gpu.Options{Software: true, Cache: gpuCache()})
	if err != nil {
		t.Fatal(err)
	}
	device := &encoder{engine: e, cpu: cpuEngine(t), rescue: &rescue{}}
	if device.Model, err = model.Load(e, starter()); err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	processor, err := new(app).load(context.Background(), starter())
	if err != nil {
		t.Fatal(err)
	}
	defer processor.Close()
	processor.texts = nil
	got, err := testScore(context.Background(), device)
	if err != nil {
		t.Fatal(err)
	}
	want, err := testScore(context.Background(), processor)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(got-want) > 1e-5 || math.Abs(got-testProbability) > testTolerance {
		t.Errorf("p is %g on %s and %g on %s", got, device.Device(), want, processor.Device())
	}
}
