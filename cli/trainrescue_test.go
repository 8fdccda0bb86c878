package cli

import (
	"context"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"sigla/finetune"
	"sigla/gpu"
	"sigla/ui"
)

// fragileGPU has --device gpu be an engine that fails after some Reads, until the
// test ends.
func fragileGPU(t *testing.T, reads int64) *fragile {
	t.Helper()
	device := &fragile{Engine: cpuEngine(t)}
	device.left.Store(reads)
	injectGPU(t, 1, func(gpu.Options) (engine, error) { return device, nil })
	return device
}

// lessonOf gathers for a training of a few steps on a device.
func lessonOf(t *testing.T, u *trainer, depth finetune.Depth, device string) *lesson {
	t.Helper()
	u.settings.device, u.settings.precision = device, "f32"
	u.broken = breakdown{} // each has a device of its own
	l, err := u.lesson(context.Background(), ui.TrainWish{Depth: depth, Complete: true})
	if err != nil {
		t.Fatal(err)
	}
	l.setup.Epochs, l.setup.Batch = 5, 4
	l.warnPhoto = func(err error) { t.Error(err) } // another batch has another curve
	return l
}

// A lived is what became of a training.
type lived struct {
	events   []finetune.Event // as they are logged in the end
	told     []int            // steps as they were told of
	warnings []string
	sides    ui.TrainSides
	result   ui.TrainResult
}

// live trains to the end and measures. between is called before what was learned
// is measured.
func live(t *testing.T, l *lesson, each func(*trainRun, finetune.Event), between func(*trainRun)) lived {
	t.Helper()
	ctx := context.Background()
	run, err := l.begin(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := run.Discard(); err != nil {
			t.Error(err)
		}
	}()
	var out lived
	err = run.Train(ctx, finetune.Watch{
		Event: func(e finetune.Event) {
			out.told = append(out.told, e.Step)
			if each != nil {
				each(run, e)
			}
		},
		Warn: func(err error) { out.warnings = append(out.warnings, err.Error()) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if between != nil {
		between(run)
	}
	if out.sides, err = run.Sides(ctx); err != nil {
		t.Fatal(err)
	}
	if out.result, err = run.Result(ctx); err != nil {
		t.Fatal(err)
	}
	if _, out.events, err = readRun(run.dir); err != nil {
		t.Fatal(err)
	}
	for i := range out.events {
		out.events[i].Seconds, out.events[i].PairsPerSecond = 0, 0
	}
	return out
}

// notes takes the notes off events.
func (v *lived) notes() (notes []string) {
	for i := range v.events {
		if n := v.events[i].Note; n != "" {
			notes = append(notes, n)
		}
		v.events[i].Note = ""
	}
	return notes
}

// Wherever the device fails, a training of any depth goes on by itself with the
// processor from its last checkpoint, says so once, and is the training that the
// processor alone does.
func TestTrainingFallsBack(t *testing.T) {
	for _, name := range depthNames() {
		t.Run(name, func(t *testing.T) {
			u, depth := classroom(t, twoKinds), finetune.Depth(name)
			want := live(t, lessonOf(t, u, depth, "cpu"), nil, nil)
			if depth == finetune.DepthLoRA && want.sides.Up+want.sides.Down == 0 {
				t.Error("none held back has changed sides")
			}
			whole := fragileGPU(t, 1<<40)
			if well := live(t, lessonOf(t, u, depth, "gpu"), nil, nil); !reflect.DeepEqual(well.events, want.events) {
				t.Fatal("the engine that does not fail gives another curve")
			}
			reads := 1<<40 - whole.left.Load()
			for _, part := range []float64{0, 0.2, 0.5, 0.8, 0.99} {
				fragileGPU(t, int64(part*float64(reads)))
				got := live(t, lessonOf(t, u, depth, "gpu"), func(run *trainRun, e finetune.Event) {
					if e.Step == 4 {
						run.current().Checkpoint() // or it may be of the beginning; a device that has failed has none
					}
				}, nil)
				notes := got.notes()
				if !reflect.DeepEqual(got.events, want.events) {
					t.Errorf("failed after %.0f %% of the reads: the curve is another one", 100*part)
				}
				last := fmt.Sprint(got.result.Notes)
				if !strings.Contains(last, "on the cpu from step ") || !strings.Contains(last, ": fragile failed: it was reset") || len(notes) > 1 {
					t.Errorf("after %.0f %%: notes %q, of the result %s", 100*part, notes, last)
				}
				if n := len(got.warnings); n == 0 && len(notes) > 0 || n > 0 && !strings.Contains(last, got.warnings[n-1]) {
					t.Errorf("after %.0f %%: warned of %q", 100*part, got.warnings)
				}
				if a, b := got.sides, want.sides; a.Held && !reflect.DeepEqual(a, b) {
					t.Errorf("after %.0f %%: changed sides %+v, want %+v", 100*part, a, b)
				}
				if a, b := got.result.After, want.result.After; a != b {
					t.Errorf("after %.0f %%: the result is %+v, want %+v", 100*part, a, b)
				}
			}
		})
	}
}

// Where the device has failed already it is the processor that a plan names.
func TestPlansAfterFailure(t *testing.T) {
	u, device := classroom(t, twoKinds), fragileGPU(t, 1<<40)
	for _, depth := range []finetune.Depth{finetune.DepthLoRA, finetune.DepthHead} {
		l := lessonOf(t, u, depth, "gpu")
		l.enc.engine = device
		for _, where := range []string{"gpu fragile", "cpu "} {
			if plan, err := l.foresee(context.Background()); err != nil || !strings.HasPrefix(plan.Device, where) {
				t.Errorf("%s is said to train on %q, %v; want %s", depth, plan.Device, err, where)
			}
			u.broken.failed.Store(&gpu.DeviceError{Renderer: "fragile"})
		}
	}
}

// A device that fails when the steps are taken costs nothing: what was learned is
// measured, gone back from and branched off all the same.
func TestFallsBackAfterTraining(t *testing.T) {
	u := classroom(t, twoKinds)
	for _, depth := range []finetune.Depth{finetune.DepthHead, finetune.DepthLoRA} {
		want := live(t, lessonOf(t, u, depth, "cpu"), nil, nil)
		for name, after := range map[string]func(*trainRun) error{
			"measure": func(*trainRun) error { return nil },
			"rewind":  func(r *trainRun) error { return r.Rewind(0) },
			"branch":  func(r *trainRun) error { return r.Branch(0) },
		} {
			device := fragileGPU(t, 1<<40)
			got := live(t, lessonOf(t, u, depth, "gpu"), nil, func(r *trainRun) {
				device.left.Store(0)
				if err := after(r); err != nil {
					t.Fatalf("%s, %s: %v", depth, name, err)
				}
				if name != "measure" {
					if err := r.Train(context.Background(), finetune.Watch{}); err != nil {
						t.Error(err)
					}
				}
			})
			got.notes()
			if !reflect.DeepEqual(got.events, want.events) || got.result.After != want.result.After {
				t.Errorf("%s, %s: another training", depth, name)
			}
		}
	}
}

// A Stop is obeyed also when the device fails at the step in hand, and a pause
// holds.
func TestStopWhileFailing(t *testing.T) {
	u := classroom(t, twoKinds)
	device := fragileGPU(t, 1<<40)
	run, err := lessonOf(t, u, finetune.DepthLoRA, "gpu").begin(context.Background(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer run.Discard()
	err = run.Train(context.Background(), finetune.Watch{Event: func(e finetune.Event) {
		if e.Step == 3 {
			device.left.Store(0)
			run.Stop()
		}
	}})
	if err != nil || run.current().Step() != 0 {
		t.Errorf("stopped at step %d: %v", run.current().Step(), err)
	}
	if told := steps(t, run, nil); len(told) != 10 {
		t.Errorf("%d steps were left: %v", len(told), told)
	}
}

// A photo that cannot be read is told of once, whatever reads it again.
func TestWarnsOnceOfPhotos(t *testing.T) {
	u := classroom(t, twoKinds)
	device := fragileGPU(t, 1<<40)
	l := lessonOf(t, u, finetune.DepthLoRA, "gpu")
	var warnings []string
	l.warnPhoto = once(func(err error) { warnings = append(warnings, err.Error()) })
	if err := os.WriteFile(l.known.Photos[l.learn[0]].Path, []byte("torn"), 0o644); err != nil {
		t.Fatal(err)
	}
	got := live(t, l, func(_ *trainRun, e finetune.Event) {
		if e.Step == 6 {
			device.left.Store(0)
		}
	}, nil)
	if len(got.notes()) != 1 || len(warnings) != 1 {
		t.Errorf("warnings %q", warnings)
	}
}

// A run that is taken up has the steps that it was begun with, and is said to,
// though runs that are begun now have others.
func TestResumesOldRun(t *testing.T) {
	u := classroom(t, twoKinds)
	l := lessonOf(t, u, finetune.DepthLoRA, "cpu")
	run, err := l.begin(context.Background(), "")
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Close(); err != nil {
		t.Fatal(err)
	}
	l.setup.Epochs = 0
	again, err := l.begin(context.Background(), run.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Discard()
	if now := l.towerRun().Epochs; now <= 5 || again.plan.Steps != 10 {
		t.Errorf("a plan of %d steps, of %d epochs now", again.plan.Steps, now)
	}
	if told := steps(t, again, nil); len(told) != 10 {
		t.Errorf("%d steps", len(told))
	}
}

// What cannot be loaded onto the processor either ends the training with both
// reasons, and the run can be taken up again.
func TestFallBackOfTrainingFails(t *testing.T) {
	u := classroom(t, twoKinds)
	device := fragileGPU(t, 1<<40)
	l := lessonOf(t, u, finetune.DepthLoRA, "gpu")
	run, err := l.begin(context.Background(), "")
	if err != nil {
		t.Fatal(err)
	}
	u.settings.precision = "int8" // no engine trains so
	device.left.Store(20)
	err = run.Train(context.Background(), finetune.Watch{})
	if err == nil || !strings.Contains(err.Error(), "it was reset") || !strings.Contains(err.Error(), "go on with the cpu: train in int8") {
		t.Fatalf("%v", err)
	}
	u.settings.device, u.settings.precision = "cpu", "f32"
	_ = run.Close() // the device's failure
	again, err := l.begin(context.Background(), run.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Discard()
	if told := steps(t, again, nil); told[len(told)-1] != 10 {
		t.Errorf("steps %v", told)
	}
}

// A device on which the model fails to load is asked once by a process, and told of
// once, whatever computes after that; a training begins with the processor.
func TestFallBackAsksOnce(t *testing.T) {
	atHome(t)
	dir := taggedFolder(t, twoKinds)
	asked := 0
	injectGPU(t, 1e18, func(gpu.Options) (engine, error) {
		asked++
		return &fragile{Engine: cpuEngine(t)}, nil // it fails at once
	})
	for _, args := range [][]string{
		{"train", dir, "--complete", "--epochs", "2", "--fit-threshold", "f1", "--name", "learned"},
		{"train", dir, "--complete", "--epochs", "1", "--depth", "lora"},
		{"eval", dir, "--adapter", "learned"}, // with it and without
	} {
		t.Run(args[0]+" "+args[len(args)-1], func(t *testing.T) {
			asked = 0
			var out, said strings.Builder
			status := Run(append(args, "--device", "gpu"), strings.NewReader(""), &out, &said)
			if status != exitDone || asked != 1 {
				t.Errorf("status %d, the device was asked %d times:\n%s", status, asked, said.String())
			}
			if got := strings.Count(said.String(), "sigla: "); got != 1 || !strings.Contains(said.String(), "sigla: compute on fragile: it was reset; the cpu goes on\n") {
				t.Errorf("%d complaints:\n%s", got, said.String())
			}
			if args[0] == "train" && strings.Count(out.String(), `"note":"on the cpu from step 0: fragile failed: it was reset"`) != 1 {
				t.Errorf("the events are\n%s", out.String())
			}
		})
	}
}

// A device that fails in a training is not asked by the next one, and each says
// where it trains.
func TestFallBackIsRemembered(t *testing.T) {
	u := classroom(t, twoKinds)
	fragileGPU(t, 20)
	first := live(t, lessonOf(t, u, finetune.DepthHead, "gpu"), nil, nil)
	asked, opens := 0, openGPU
	openGPU = func(ctx context.Context, o gpu.Options) (engine, error) {
		asked++
		return opens(ctx, o)
	}
	broken := u.broken.failed.Load()
	l := lessonOf(t, u, finetune.DepthLoRA, "gpu")
	u.broken.failed.Store(broken)
	u.broken.told.Store(true)
	second := live(t, l, nil, nil)
	if asked > 0 || len(second.warnings) > 0 {
		t.Errorf("asked %d times, warned of %q", asked, second.warnings)
	}
	if a, b := first.notes(), second.notes(); len(a) != 1 || len(b) != 1 || !strings.HasPrefix(b[0], "on the cpu from step 0: fragile failed") {
		t.Errorf("notes %q, %q", a, b)
	}
}

// The line of progress says where it trains, not that something has happened.
func TestProgressOfTraining(t *testing.T) {
	for name, c := range map[string]struct {
		note string // of the event
		why  string // the processor trains
		want string
	}{
		"all is well":      {"", "", "step 3/10 · loss"},
		"another note":     {"a photo cannot be read", "", "step 3/10 · loss"},
		"the device fails": {"on the cpu from step 2: X failed: it was reset", "on the cpu from step 2: X failed: it was reset", "on the cpu · step 3/10 · loss"},
		"it has failed":    {"", "on the cpu from step 0: X failed: it was reset", "on the cpu · step 3/10 · loss"},
	} {
		var said, out strings.Builder
		a := &app{stderr: &said, stdout: &out, progress: &progress{w: &said, on: true}}
		report, done, err := a.reporter(&trainRun{note: c.why}, a.output(), "", false)
		if err != nil {
			t.Fatal(err)
		}
		report(finetune.Event{Step: 3, Steps: 10, Note: c.note})
		if err := done(); err != nil {
			t.Error(err)
		}
		if line := strings.TrimPrefix(said.String(), "\r"); !strings.HasPrefix(line, c.want) {
			t.Errorf("%s: %q", name, line)
		}
	}
}
