//go:build gpu && cgo && (linux || windows)

package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"sigla/backend/speed"
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
	device := &encoder{engine: e, cpu: cpuEngine(t), rescue: &rescue{device: new(breakdown)}}
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

// Operations are measured on the driver, and what giving it work costs.
func TestSoftwareOperations(t *testing.T) {
	e, err := gpu.Open(gpu.Options{Software: true})
	if err != nil {
		require.Missing(t, "gl", err.Error())
	}
	defer e.Close()
	before := e.Dispatches()
	e.Zero(e.Alloc(1, 0))
	e.ReLU6(e.Alloc(1, 1), e.Alloc(1, 1))
	if got := e.Dispatches() - before; got != 1 {
		t.Errorf("one operation has %d dispatches", got)
	}
	b := benchmark{Launch: &launchCost{Photos: 8, Count: 100}, Runs: []benchRun{{What: "photos", Batch: 8, Each: 1e9}}}
	var all []speed.Operation
	for _, o := range append(speed.Operations(1), speed.Losses(32)...) {
		if o.FLOPs < 2e7 && o.Bytes < 2e7 { // the rest takes long
			all = append(all, o)
		}
	}
	if err := b.timed(context.Background(), e, speed.NewStage(e), all, time.Nanosecond); err != nil {
		t.Fatal(err)
	}
	b.shares()
	if len(b.Operations) != len(all) || len(all) < 8 {
		t.Errorf("%d of %d operations are measured", len(b.Operations), len(all))
	}
	for i, o := range b.Operations {
		if o.Name != all[i].Name || o.Took <= 0 || (o.Rate > 0) == (o.Bytes > 0) || (o.Rate > 0) != (o.Share > 0) {
			t.Errorf("%+v", o)
		}
	}
	if b.Product <= 0 || b.Peak <= 0 || b.Launch == nil || b.Launch.Each <= 0 || b.Launch.Share <= 0 {
		t.Errorf("product %g, peak %g, launch %+v", b.Product, b.Peak, b.Launch)
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

// With --precision bf16 the frozen weights of depth lora are stored so, and the curve
// is that of float32 but for their rounding: up to a part in 256 of each changes a
// cosine in its third decimal, which exp(t') makes some tenths of a logit.
func TestSoftwareTrainsPacked(t *testing.T) {
	u := classroom(t, twoKinds)
	train := func(device, precision string) (losses []float64) {
		l := lessonOf(t, u, finetune.DepthLoRA, device)
		l.setup.Epochs, u.settings.precision = 1, precision
		run, err := l.begin(context.Background(), "")
		if err != nil {
			t.Fatal(err)
		}
		defer run.Discard()
		if own := run.learner().(*towerMethod).own.Device(); strings.Contains(own, "weights in bf16") != (precision == "bf16") {
			t.Errorf("--precision %s trains on %s", precision, own)
		}
		err = run.Train(context.Background(), finetune.Watch{
			Event: func(e finetune.Event) { losses = append(losses, e.Loss) },
			Warn:  func(err error) { t.Error(err) },
		})
		if err != nil {
			t.Fatal(err)
		}
		return losses
	}
	want, got := train("cpu", "f32"), train("gpu:software", "bf16")
	if len(got) != len(want) || len(got) == 0 {
		t.Fatalf("losses %v, want %v", got, want)
	}
	for i := range got {
		if apart := math.Abs(got[i]-want[i]) / want[i]; !(apart <= 0.05) {
			t.Errorf("step %d: loss %g, want %g", i, got[i], want[i])
		}
	}
	t.Logf("losses %.4f, in float32 %.4f", got, want)
}

// A benchmark of training says what it took of the device, which a processor's has not.
func TestSoftwareBenchesTraining(t *testing.T) {
	atHome(t)
	for device, is := range map[string]string{"gpu:software": "gpu:software ", "cpu": "cpu "} {
		var out strings.Builder
		a := &app{stdout: &out, threads: 1, progress: &progress{w: &out}}
		a.settings.device, a.settings.precision, a.settings.format = device, "auto", "json"
		if err := a.benchTrain(context.Background(), starter(), training{"lora", 1}); err != nil {
			if strings.Contains(err.Error(), "open device") {
				require.Missing(t, "gl", err.Error())
			}
			t.Fatal(err)
		}
		var b trainBenchmark
		if err := json.Unmarshal([]byte(out.String()), &b); err != nil {
			t.Fatal(err)
		}
		on := device != "cpu"
		// The starter's weights without the token table, and what a photo takes.
		if !strings.HasPrefix(b.Device, is) || b.OnDevice.Within != on || (b.OnDevice.Bytes > 45e6) != on || b.Peak <= 0 || b.Pairs <= 0 {
			t.Errorf("%s: %+v", device, b)
		}
	}
}

// A verdict of auto for a device that is gone is not believed: the processor
// computes, without a word, and the verdict is made again.
func TestVanishedGPU(t *testing.T) {
	atHome(t)
	processor := cpuEngine(t)
	defer processor.Close()
	if p, err := probe(context.Background(), false); err == nil {
		t.Skipf("this machine has %s", p.Renderer)
	}
	gone, err := json.Marshal(verdict{verdictFormat, "NVIDIA GeForce RTX 3060/PCIe/SSE2, 4.6.0 NVIDIA 550.54", fmt.Sprintf("%s, %d threads", processor, processor.Threads()), 5e12, 1e11, 2e11})
	if err != nil {
		t.Fatal(err)
	}
	path := verdictPath()
	if err := errors.Join(os.MkdirAll(gpuCache(), 0o755), os.WriteFile(path, gone, 0o644)); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	a := &app{stderr: &said, progress: &progress{w: &said}}
	a.settings.device = "auto"
	e, trains, err := a.device(context.Background(), processor)
	if err != nil || e != engine(processor) || trains || said.Len() > 0 {
		t.Errorf("%v computes, %v, said %q", e, err, said.String())
	}
	var v verdict
	if data, err := os.ReadFile(path); err != nil || json.Unmarshal(data, &v) != nil || v.faster() {
		t.Errorf("the verdict is %+v, %v", v, err)
	}
}

// near compares two curves: the events have as many steps, and losses, t' and b
// that are within 1e-3.
func near(t *testing.T, got, want []finetune.Event) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d steps, want %d", len(got), len(want))
	}
	most := 0.0
	for i, e := range got {
		w := want[i]
		most = max(most, math.Abs(e.Loss-w.Loss)/max(1, w.Loss), math.Abs(e.LogScale-w.LogScale), math.Abs(e.Bias-w.Bias))
	}
	t.Logf("%d steps: at most %.1e apart", len(got), most)
	if !(most <= 1e-3) {
		t.Errorf("the curve is %g from the processor's:\n%+v\n%+v", most, got, want)
	}
}
