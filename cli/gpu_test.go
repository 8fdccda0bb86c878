//go:build gpu && cgo && linux

package cli

import (
	"context"
	"math"
	"testing"

	"sigla/finetune"
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

// Each depth of training on Mesa's software driver has the curve of the processor.
func TestSoftwareTrains(t *testing.T) {
	u := classroom(t, twoKinds)
	for _, name := range depthNames() {
		t.Run(name, func(t *testing.T) {
			depth := finetune.Depth(name)
			short := func(device string) *lesson {
				l := lessonOf(t, u, depth, device)
				if l.towers() {
					l.setup.Epochs = 1
				}
				return l
			}
			want := live(t, short("cpu"), nil, nil)
			got := live(t, short("gpu:software"), nil, nil)
			if n := len(got.notes()) + len(got.warnings) + len(got.result.Notes) - len(want.result.Notes); n != 0 {
				t.Errorf("it was not the device that trained: %q, %q", got.warnings, got.result.Notes)
			}
			near(t, got.events, want.events)
		})
	}
}
