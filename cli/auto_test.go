package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"sigla/finetune"
	"sigla/gpu"
)

// injectGPU has a device that multiplies at a rate answer whoever asks for one, and
// open open it, until the test ends.
func injectGPU(t *testing.T, flops float64, open func(gpu.Options) (engine, error)) {
	t.Helper()
	probe, opens := probeGPU, openGPU
	probeGPU = func(context.Context, bool) (probed, error) {
		return probed{Renderer: "fragile", Version: "4.6", FLOPS: flops}, nil
	}
	openGPU = func(_ context.Context, o gpu.Options) (engine, error) { return open(o) }
	t.Cleanup(func() { probeGPU, openGPU = probe, opens })
}

// What auto decides on is what was measured: the processor's best in float32 for the
// model, and for the towers what it trains them at.
func TestVerdict(t *testing.T) {
	for _, c := range []struct {
		device, peak, training float64
		precision              string
		faster, trains         bool
	}{
		{0, 0, 0, "auto", false, false},
		{100, 100, 0, "auto", false, false},
		{101, 100, 180, "auto", true, false},
		{101, 100, 180, "bf16", true, false},
		{101, 100, 180, "f32", true, true}, // the processor would train in float32, too
		{181, 100, 180, "auto", true, true},
		{90, 100, 80, "auto", false, false}, // it trains where the model is
	} {
		v := verdict{Device: c.device, Peak: c.peak, Training: c.training}
		if f, tr := v.faster(), v.trains(c.precision); f != c.faster || tr != c.trains {
			t.Errorf("%+v: faster %v, trains %v", c, f, tr)
		}
	}
}

// A verdict is kept, and made again for another driver, another processor, and from
// a file that is not of this program.
func TestVerdictIsKept(t *testing.T) {
	atHome(t)
	processor := cpuEngine(t)
	defer processor.Close()
	ctx, a := context.Background(), &app{stderr: io.Discard, progress: &progress{w: io.Discard}}
	path := verdictPath()
	injectGPU(t, 1e18, nil)
	fast := a.verdict(ctx, processor)
	if !fast.faster() || !fast.trains("auto") || fast.Peak <= 0 || fast.Training <= 0 {
		t.Fatalf("%+v", fast)
	}
	injectGPU(t, 1, nil) // the same device: it is not measured again
	if v := a.verdict(ctx, processor); v != fast {
		t.Errorf("kept is %+v, want %+v", v, fast)
	}
	name := fmt.Sprintf("%s, %d threads", processor, processor.Threads())
	driver := "fragile, 4.6"
	for what, was := range map[string]any{
		"that of an older program": map[string]any{"Driver": driver, "Processor": name, "GPU": true},
		"no JSON":                  "}{",
		"of another format":        verdict{verdictFormat + 1, driver, name, 1e18, 1, 1},
		"of another processor":     verdict{verdictFormat, driver, "abacus", 1e18, 1, 1},
		"of another driver":        verdict{verdictFormat, "other", name, 1e18, 1, 1},
	} {
		data, err := json.Marshal(was)
		if err = errors.Join(err, os.WriteFile(path, data, 0o644)); err != nil {
			t.Fatal(err)
		}
		v := a.verdict(ctx, processor)
		if v.faster() || v.Peak <= 0 || v.Driver != driver || v.Processor != name {
			t.Errorf("%s: %+v", what, v)
		}
		var kept verdict
		if data, err := os.ReadFile(path); err != nil || json.Unmarshal(data, &kept) != nil || kept != v {
			t.Errorf("%s: kept is %+v, %v", what, kept, err)
		}
	}
}

// onAuto has a lesson of a few steps whose model auto has put where it is faster.
func onAuto(t *testing.T, u *trainer, depth finetune.Depth, precision string) (*lesson, *encoder) {
	t.Helper()
	u.settings.device, u.settings.precision = "auto", precision
	enc, err := u.open(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { enc.Close() })
	u.setModel(enc)
	l := lessonOf(t, u, depth, "auto")
	u.settings.precision = precision
	return l, enc
}

// auto trains the towers on a device that is faster at it, and leaves to the
// processor what takes seconds there, and all of it where the device is slower.
func TestAutoTrains(t *testing.T) {
	for _, c := range []struct {
		flops     float64
		precision string
		depth     finetune.Depth
		opened    []gpu.Storage // for the model, for the training
	}{
		{1e18, "auto", finetune.DepthLoRA, []gpu.Storage{gpu.F32, gpu.F32}},
		{1e18, "f32", finetune.DepthFull, []gpu.Storage{gpu.F32, gpu.F32}},
		{1e18, "bf16", finetune.DepthLoRA, []gpu.Storage{gpu.BF16, gpu.BF16}},
		{1e18, "bf16", finetune.DepthFull, []gpu.Storage{gpu.BF16, gpu.F32}},
		{1e18, "auto", finetune.DepthHead, []gpu.Storage{gpu.F32}},
		{1e18, "auto", finetune.DepthCalibrate, []gpu.Storage{gpu.F32}},
		{1, "auto", finetune.DepthLoRA, nil},
	} {
		t.Run(fmt.Sprint(c.depth, c.precision, c.flops), func(t *testing.T) {
			u := classroom(t, twoKinds)
			var opened []gpu.Storage
			var last *fragile
			injectGPU(t, c.flops, func(o gpu.Options) (engine, error) {
				opened = append(opened, o.Storage)
				last = &fragile{Engine: cpuEngine(t)}
				last.left.Store(1 << 40)
				return last, nil
			})
			l, enc := onAuto(t, u, c.depth, c.precision)
			plan, err := l.foresee(context.Background())
			if on := strings.HasPrefix(plan.Device, "gpu fragile"); err != nil || on != (len(c.opened) == 2) {
				t.Errorf("it is said to train on %q, %v", plan.Device, err)
			}
			got := live(t, l, nil, nil)
			if fmt.Sprint(opened) != fmt.Sprint(c.opened) {
				t.Errorf("opened %v, want %v", opened, c.opened)
			}
			if on := strings.HasPrefix(enc.Device(), "gpu fragile"); on != (len(c.opened) > 0) {
				t.Errorf("the model is on %s", enc.Device())
			}
			if len(c.opened) > 1 && last.left.Load() > 1<<40-20 {
				t.Error("the device that was opened for the training has hardly been read from")
			}
			if n := got.notes(); len(n)+len(got.warnings) > 0 {
				t.Errorf("said %q, %q", n, got.warnings)
			}
		})
	}
}

// A device that auto cannot open for the training, or that fails in the middle of
// it, is told of once, and the training is the one that the processor does.
func TestAutoFallsBack(t *testing.T) {
	want := live(t, lessonOf(t, classroom(t, twoKinds), finetune.DepthLoRA, "cpu"), nil, nil)
	for name, reads := range map[string]int64{"when it is opened": -1, "in the middle": 60} {
		t.Run(name, func(t *testing.T) {
			u, n := classroom(t, twoKinds), 0 // a process of its own
			injectGPU(t, 1e18, func(gpu.Options) (engine, error) {
				device := &fragile{Engine: cpuEngine(t)}
				device.left.Store(1 << 40)
				if n++; n == 2 {
					if device.left.Store(reads); reads < 0 {
						return nil, errors.New("it has gone")
					}
				}
				return device, nil
			})
			l, enc := onAuto(t, u, finetune.DepthLoRA, "f32")
			got := live(t, l, nil, nil)
			if n != 2 {
				t.Errorf("%d devices were opened", n)
			}
			got.notes()
			if len(got.warnings) != 1 || !strings.HasPrefix(got.warnings[0], "on the cpu from step ") {
				t.Errorf("warned of %q", got.warnings)
			}
			if reads < 0 && got.warnings[0] != "on the cpu from step 0: gpu failed: open device gpu: it has gone" {
				t.Errorf("warned of %q", got.warnings)
			}
			if !reflect.DeepEqual(got.events, want.events) || got.result.After != want.result.After {
				t.Error("it is not the processor's training")
			}
			if strings.Contains(enc.Device(), "failed") {
				t.Errorf("the model is on %s", enc.Device())
			}
		})
	}
}

// A model whose device has failed already is planned with and trained from all the
// same.
func TestAutoHasFailed(t *testing.T) {
	u := classroom(t, twoKinds)
	u.stderr = io.Discard
	u.progress = &progress{w: io.Discard}
	device := &fragile{Engine: cpuEngine(t)}
	device.left.Store(1 << 40)
	injectGPU(t, 1e18, func(gpu.Options) (engine, error) { return device, nil })
	l, enc := onAuto(t, u, finetune.DepthLoRA, "f32")
	device.left.Store(0)
	for range 2 { // the first finds out
		if plan, err := l.foresee(context.Background()); err != nil || plan.Time <= 0 {
			t.Errorf("%+v, %v", plan, err)
		}
	}
	if !strings.Contains(enc.Device(), "failed") {
		t.Errorf("the model is on %s", enc.Device())
	}
	live(t, l, nil, nil)
}

// Where auto cannot put the model onto a device, it is told once, and nothing is
// trained there.
func TestAutoCannotOpen(t *testing.T) {
	u := classroom(t, twoKinds)
	var said strings.Builder
	u.stderr = &said
	u.progress = &progress{w: &said}
	n := 0
	injectGPU(t, 1e18, func(gpu.Options) (engine, error) { n++; return nil, errors.New("it is busy") })
	l, enc := onAuto(t, u, finetune.DepthLoRA, "bf16")
	got := live(t, l, nil, nil)
	if n != 1 || said.String() != "sigla: open device gpu: it is busy; going on with the cpu\n" || len(got.notes())+len(got.warnings) > 0 {
		t.Errorf("opened %d times, said %q, warned of %q", n, said.String(), got.warnings)
	}
	if d := enc.Device(); !strings.HasPrefix(d, "cpu ") {
		t.Errorf("the model is on %s", d)
	}
}

// A benchmark of training runs where a training would.
func TestBenchesTrainingOnDevice(t *testing.T) {
	atHome(t)
	run := func(args ...string) (b trainBenchmark, said string) {
		t.Helper()
		var out, complaint strings.Builder
		status := Run(append([]string{"bench", "--train", "lora", "--batch", "1", "--format", "json"}, args...), strings.NewReader(""), &out, &complaint)
		if status == exitDone {
			if err := json.Unmarshal([]byte(out.String()), &b); err != nil {
				t.Fatal(err)
			}
		}
		return b, complaint.String()
	}
	injectGPU(t, 1e18, func(gpu.Options) (engine, error) {
		device := &fragile{Engine: cpuEngine(t)}
		device.left.Store(1 << 40)
		return device, nil
	})
	for _, device := range []string{"gpu", "auto"} {
		if b, said := run("--device", device); b.Device != "gpu fragile · f32" || b.Pairs <= 0 || b.Peak <= 0 || said != "" {
			t.Errorf("--device %s: %+v, said %q", device, b, said)
		}
	}
	for _, args := range [][]string{{"--device", "cpu"}, {"--device", "auto", "--precision", "f32"}} {
		injectGPU(t, 1, nil)
		atHome(t) // where nothing is known of the device
		if b, said := run(args...); !strings.HasPrefix(b.Device, "cpu ") || said != "" {
			t.Errorf("%v: %+v, said %q", args, b, said)
		}
	}
	injectGPU(t, 1, func(gpu.Options) (engine, error) { return nil, errors.New("it is busy") })
	for args, want := range map[string]string{
		"--device gpu":                  "sigla: open device gpu: it is busy; use --device cpu\n",
		"--device gpu --precision int8": "sigla: train in int8: want --precision f32 or bf16\n",
	} {
		if _, said := run(strings.Fields(args)...); said != want {
			t.Errorf("%s: %q", args, said)
		}
	}
}

// The doctor says what auto makes of a device, and what trains at each depth.
func TestDoctorOnAuto(t *testing.T) {
	for name, c := range map[string]struct {
		device string
		flops  float64
		want   []string
	}{
		"fast":  {"auto", 1e18, []string{"✓ gpu .*; the cpu does .* at best: auto computes and trains on the gpu", "✓ training  lora and full on gpu fragile; calibrate and head on cpu .* · f32"}},
		"slow":  {"auto", 1, []string{"✓ gpu .*; the cpu does .* at best: auto leaves everything to it", "✓ training  (lora and full|all depths) on cpu .* · f32"}},
		"asked": {"gpu", 1, []string{"✓ gpu .* GFLOP/s", "✓ training  all depths on gpu fragile"}},
	} {
		t.Run(name, func(t *testing.T) {
			atHome(t)
			injectGPU(t, c.flops, func(gpu.Options) (engine, error) {
				device := &fragile{Engine: cpuEngine(t)}
				device.left.Store(1 << 40)
				return device, nil
			})
			var out, said strings.Builder
			Run([]string{"doctor", "--device", c.device}, strings.NewReader(""), &out, &said)
			for _, want := range c.want {
				if !regexp.MustCompile("(?m)^" + want + "$").MatchString(out.String()) {
					t.Errorf("want %s in\n%s%s", want, out.String(), said.String())
				}
			}
		})
	}
	t.Run("there was none", func(t *testing.T) {
		atHome(t)
		processor := cpuEngine(t)
		defer processor.Close()
		(&app{}).compare(context.Background(), probed{}, processor)
		injectGPU(t, 1, nil)
		var out, said strings.Builder
		Run([]string{"doctor", "--device", "auto"}, strings.NewReader(""), &out, &said)
		if !regexp.MustCompile("(?m)^✓ gpu .*; the cpu does [1-9][0-9]* at best: auto leaves everything to it$").MatchString(out.String()) {
			t.Errorf("%s%s", out.String(), said.String())
		}
		if v, known := keptVerdict(processor); !known || v.Driver != "fragile, 4.6" {
			t.Errorf("kept is %+v", v)
		}
	})
	between := verdict{Device: 150e9, Peak: 100e9, Training: 180e9}
	if got, want := between.words("auto"), "the cpu does 100 at best, and 180 as it trains: auto computes on the gpu and trains on the cpu"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
