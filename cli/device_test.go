package cli

import (
	"context"
	"errors"
	"image"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"

	"sigla/backend"
	"sigla/cpu"
	"sigla/finetune"
	"sigla/gpu"
	"sigla/model"
)

// fragile is an engine whose device fails at the Read that it is told.
type fragile struct {
	*cpu.Engine
	left atomic.Int64 // Reads that go well
}

func (e *fragile) Read(dst []float32, src backend.Buf) error {
	if e.left.Add(-1) < 0 {
		return &gpu.DeviceError{Renderer: "fragile", Err: errors.New("it was reset")}
	}
	return e.Engine.Read(dst, src)
}

func (e *fragile) String() string { return "gpu fragile" }

func cpuEngine(t *testing.T) *cpu.Engine {
	t.Helper()
	e, err := cpu.New(cpu.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// When the device fails, at whatever Read, the run goes on with the processor
// and gives the same vectors; the status line says so.
func TestFallBack(t *testing.T) {
	a := new(app)
	texts := []string{"a cat", "a dog"}
	plain, err := a.load(context.Background(), starter())
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	plain.texts = nil
	want, err := plain.EmbedTexts(context.Background(), texts)
	if err != nil {
		t.Fatal(err)
	}
	for reads := range int64(5) {
		device := &fragile{Engine: cpuEngine(t)}
		device.left.Store(1 << 40) // while the model is loaded
		e := &encoder{engine: device, cpu: cpuEngine(t), rescue: &rescue{reload: func() (*model.Model, error) { return a.loadOnCPU(starter()) }, device: &a.broken}}
		if e.Model, err = model.Load(device, starter()); err != nil {
			t.Fatal(err)
		}
		device.left.Store(reads)
		for range 4 {
			got, err := e.EmbedTexts(context.Background(), texts)
			if err != nil {
				t.Fatal(err)
			}
			for i := range got {
				for j := range got[i] {
					if got[i][j] != want[i][j] {
						t.Fatalf("after %d reads value %d of text %d is %g, want %g", reads, j, i, got[i][j], want[i][j])
					}
				}
			}
		}
		if d, failed := e.Device(), reads < 4; strings.Contains(d, "(gpu fragile failed)") != failed {
			t.Errorf("after %d reads the device is %q", reads, d)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A model that cannot be loaded again leaves both reasons; other errors are not
// the device's and change nothing.
func TestFallBackFails(t *testing.T) {
	device := &fragile{Engine: cpuEngine(t)}
	device.left.Store(1 << 40)
	e := &encoder{engine: device, cpu: cpuEngine(t), rescue: &rescue{reload: func() (*model.Model, error) { return nil, errors.New("the file is gone") }, device: new(breakdown)}}
	var err error
	if e.Model, err = model.Load(device, starter()); err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := e.EmbedTexts(ctx, []string{"a cat"}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	device.left.Store(0)
	_, err = e.EmbedTexts(context.Background(), []string{"a cat"})
	if err == nil || !strings.Contains(err.Error(), "it was reset") || !strings.Contains(err.Error(), "the file is gone") {
		t.Errorf("%v", err)
	}
}

// turnedAdapter writes an adapter of low rank for the starter.
func turnedAdapter(t *testing.T) (path string) {
	t.Helper()
	m, err := model.Load(cpuEngine(t), starter())
	if err != nil {
		t.Fatal(err)
	}
	info, updates := m.Info(), turned(m.Config())
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "turned.safetensors")
	err = finetune.WriteAdapter(path, &finetune.Adapter{Card: finetune.Card{Depth: finetune.DepthLoRA, Alpha: 1,
		Base: finetune.Base{Name: info.Name, Digest: info.Digest}}, Tensors: model.Scalars(info.LogScale, info.Bias), LowRank: updates})
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// A model that an adapter has changed is changed in the same way when the processor
// takes it after a failure, or not used at all.
func TestFallBackKeepsAdapter(t *testing.T) {
	atHome(t)
	path := turnedAdapter(t)
	device := &fragile{Engine: cpuEngine(t)}
	injectGPU(t, 1, func(gpu.Options) (engine, error) { return device, nil })
	for _, lost := range []bool{false, true} {
		device.left.Store(1 << 40)
		a := &app{stderr: io.Discard, progress: &progress{w: io.Discard}}
		a.settings.device, a.settings.precision, a.settings.adapter = "gpu", "auto", path
		e, err := a.open(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		photo, err := e.Prepare(image.NewNRGBA(image.Rect(0, 0, 64, 64)))
		if err != nil {
			t.Fatal(err)
		}
		want, err := e.Embed(context.Background(), []any{photo})
		if err != nil {
			t.Fatal(err)
		}
		if lost {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
		device.left.Store(0)
		got, err := e.Embed(context.Background(), []any{photo})
		same := reflect.DeepEqual(got, want)
		if lost && !errors.Is(err, fs.ErrNotExist) || !lost && (err != nil || !same) {
			t.Errorf("the adapter's file is gone: %v; the photo is embedded as before: %v; %v", lost, same, err)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
		device = &fragile{Engine: cpuEngine(t)}
	}
}

// What is written of a model is never what a device has rounded.
func TestMergesOnProcessor(t *testing.T) {
	atHome(t)
	injectGPU(t, 1e18, func(o gpu.Options) (engine, error) {
		t.Errorf("a device is opened that stores weights in %v", o.Storage)
		return &fragile{Engine: cpuEngine(t)}, nil
	})
	for _, device := range []string{"gpu", "auto"} {
		a := &app{stderr: io.Discard, progress: &progress{w: io.Discard}}
		a.settings.device, a.settings.precision = device, "bf16"
		dir := filepath.Join(t.TempDir(), "merged")
		if err := a.mergeAdapter(context.Background(), turnedAdapter(t), dir); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(filepath.Join(dir, "model.safetensors")); err != nil {
			t.Error(err)
		}
	}
}

// A device that fails when the model is loaded, or when an adapter changes it, is
// told of once, and the processor has both.
func TestFallsBackWhenOpened(t *testing.T) {
	atHome(t)
	path := turnedAdapter(t)
	open := func(device *fragile) (e *encoder, said string) {
		t.Helper()
		injectGPU(t, 1, func(gpu.Options) (engine, error) { return device, nil })
		var out strings.Builder
		a := &app{stderr: &out, progress: &progress{w: &out}}
		a.settings.device, a.settings.precision, a.settings.adapter = "gpu", "auto", path
		e, err := a.open(context.Background())
		if err != nil {
			t.Fatalf("after %d reads: %v", device.left.Load(), err)
		}
		t.Cleanup(func() { e.Close() })
		return e, out.String()
	}
	whole := &fragile{Engine: cpuEngine(t)}
	whole.left.Store(1 << 40)
	well, _ := open(whole)
	reads := 1<<40 - whole.left.Load()
	if reads < 4 {
		t.Fatalf("the model and the adapter take %d reads", reads)
	}
	for left := range reads {
		device := &fragile{Engine: cpuEngine(t)}
		device.left.Store(left)
		e, said := open(device)
		if said != "sigla: compute on fragile: it was reset; the cpu goes on\n" {
			t.Errorf("after %d reads it is said %q", left, said)
		}
		if d := e.Device(); !strings.HasPrefix(d, "cpu ") || !strings.HasSuffix(d, "(fragile failed)") || e.Info().Digest != well.Info().Digest {
			t.Errorf("after %d reads %q has model %+v", left, d, e.Info())
		}
	}
}

// A build without the engine says what to do.
func TestWithoutGPU(t *testing.T) {
	if gpu.Built {
		t.Skip("this build has the gpu engine")
	}
	atHome(t)
	for _, device := range []string{"gpu", "gpu:software"} {
		var said strings.Builder
		status := Run([]string{"embed", "--text", "a cat", "--device", device}, strings.NewReader(""), &said, &said)
		if status != exitFailed || !strings.Contains(said.String(), "built without GPU") || !strings.Contains(said.String(), "--device cpu") {
			t.Errorf("--device %s: %d %s", device, status, said.String())
		}
	}
}
