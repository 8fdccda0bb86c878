package finetune

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// The rates are those of the recorded run.
func TestRate(t *testing.T) {
	run := readRun200(t)
	o := Options{LR: run.Settings.LR, Warmup: run.Settings.Warmup}
	for i, row := range run.Rows[:run.Settings.Steps] {
		if got := o.rate(i+1, run.Settings.Steps); math.Abs(got-row.LR) > 1e-12 {
			t.Errorf("step %d: %g, want %g", i+1, got, row.LR)
		}
	}
	o.Warmup = 500 // longer than the run
	if got := o.rate(100, 100); got != o.LR {
		t.Errorf("after the warm-up: %g", got)
	}
	o.Warmup = 0
	if got := o.rate(1, 100); got != o.LR {
		t.Errorf("without warm-up: %g", got)
	}
}

type run200 struct {
	Settings struct {
		Steps, Warmup int
		LR, Clip      float64
		WeightDecay   float64 `json:"weight_decay"`
		Betas         [2]float64
		Eps           float64
	}
	Rows []struct {
		Loss, Bias, LR float64
		LogScale       float64 `json:"t_prime"`
		GradNorm       float64 `json:"grad_norm"`
	}
}

const bicubic = "../model/testdata/golden/hf/siglip-bicubic"

func readRun200(t *testing.T) (run run200) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(bicubic, "run200.json"))
	if err == nil {
		err = json.Unmarshal(data, &run)
	}
	if err != nil || len(run.Rows) != 201 || run.Settings.Steps != 200 {
		t.Fatalf("%d rows, %v", len(run.Rows), err)
	}
	return run
}

func TestAdamOfAStep(t *testing.T) {
	o, err := Options{Steps: 10, Batch: 1, LR: 0.5, Clip: 2, Decay: 0.25}.check(1)
	if err != nil {
		t.Fatal(err)
	}
	if a := o.adam(3, 10, 8); a.Scale != 0.25 || a.Step != 3 || a.Decay != 0.25 || a.Beta1 != 0.9 || a.Beta2 != 0.95 || a.Eps != 1e-8 || a.LR != float32(o.rate(3, 10)) {
		t.Errorf("%+v", a)
	}
	if a := o.adam(3, 10, 2); a.Scale != 1 {
		t.Errorf("a gradient that is short enough is scaled by %g", a.Scale)
	}
	o.Clip = -1
	if a := o.adam(3, 10, 8); a.Scale != 1 {
		t.Errorf("without clipping a gradient is scaled by %g", a.Scale)
	}
}

func TestOptionsRefused(t *testing.T) {
	for want, change := range map[string]func(*Options){
		"train: batch is 0; it must be at least 1":                                     func(o *Options) { o.Batch = 0 },
		"train: steps and epochs is 0 and 0; it must be one of them above 0":           func(o *Options) { o.Steps = 0 },
		"train: steps and epochs is 5 and 5; it must be one of them above 0":           func(o *Options) { o.Epochs = 5 },
		"train: learning rate is NaN; it must be above 0":                              func(o *Options) { o.LR = math.NaN() },
		"train: learning rate is -1; it must be above 0":                               func(o *Options) { o.LR = -1 },
		"train: warm-up is -1; it must be 0 steps or more":                             func(o *Options) { o.Warmup = -1 },
		"train: decay is 3; it must be 0 or more, and below 1 times the learning rate": func(o *Options) { o.Decay = 3 },
		"train: balance is 11; it must be from 0 to 10":                                func(o *Options) { o.Balance = 11 },
		"train: balance is NaN; it must be from 0 to 10":                               func(o *Options) { o.Balance = math.NaN() },
		"train: beta2 is 1; it must be from 0 to below 1":                              func(o *Options) { o.Beta2 = 1 },
		"train: time between checkpoints is -1s; it must be above 0":                   func(o *Options) { o.CheckpointEvery = -time.Second },
		"train: checkpoints is 2; it must be at least 4":                               func(o *Options) { o.Checkpoints = 2 },
	} {
		o := Options{Steps: 5, Batch: 2, LR: 0.5}
		change(&o)
		if _, err := New("", newLine(), record(o)); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if _, err := New("", &line{}, record(lineOptions)); err == nil || err.Error() != "train: there is no photo to learn from" {
		t.Error(err)
	}
}

// Of many checkpoints those stay that are spread over the run.
func TestSurplus(t *testing.T) {
	var kept []int
	for step := range 1001 {
		kept = append(kept, step)
		for _, s := range surplus(kept, 8) {
			kept = slices.DeleteFunc(kept, func(k int) bool { return k == s })
		}
		if len(kept) > 8 || kept[0] != 0 || kept[len(kept)-1] != step || step > 0 && !slices.Contains(kept, step-1) {
			t.Fatalf("after step %d: %v", step, kept)
		}
	}
	for i := 1; i < len(kept); i++ {
		if gap := kept[i] - kept[i-1]; gap > 300 {
			t.Errorf("a gap of %d steps: %v", gap, kept)
		}
	}
}

// begun makes a run with checkpoints after the steps, and closes nothing.
func begun(t *testing.T, dir string, o Options, after ...int) *Run {
	t.Helper()
	r, err := New(dir, newLine(), record(o))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	trainTo(t, r, after...)
	return r
}

// trainTo trains until the last of the steps, with a checkpoint after each.
func trainTo(t *testing.T, r *Run, after ...int) {
	t.Helper()
	err := r.Train(context.Background(), Watch{Event: func(e Event) {
		if slices.Contains(after, e.Step) {
			if err := r.Checkpoint(); err != nil {
				t.Error(err)
			}
		}
		if e.Step == after[len(after)-1] {
			r.Stop()
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
}

func TestRewind(t *testing.T) {
	want, _ := train(t, "", lineOptions)
	dir := filepath.Join(t.TempDir(), "run")
	r := begun(t, dir, lineOptions, 10, 20, 30)
	if err := r.Rewind(15); err == nil || err.Error() != "rewind: there is no checkpoint of step 15" {
		t.Error(err)
	}
	if r.Step() != 30 {
		t.Errorf("at step %d after a rewind to nowhere", r.Step())
	}
	if err := r.Rewind(10); err != nil || r.Step() != 10 {
		t.Fatalf("at step %d: %v", r.Step(), err)
	}
	if steps, _ := Checkpoints(dir); !reflect.DeepEqual(steps, []int{0, 10}) {
		t.Errorf("checkpoints %v", steps)
	}
	if got := logged(t, dir); !reflect.DeepEqual(got, want[:10]) {
		t.Errorf("the log has %d events", len(got))
	}
	trainTo(t, r, 120)
	if got := logged(t, dir); !reflect.DeepEqual(got, want) {
		t.Error("a run that went back is another one")
	}
}

// A run that repeats photos goes back, is taken up and branches as others do.
func TestBalancedRunGoesOn(t *testing.T) {
	o := lineOptions
	o.Balance = 0.3
	want, _ := train(t, "", o)
	dir := filepath.Join(t.TempDir(), "run")
	r := begun(t, dir, o, 5, 10, 20)
	if err := errors.Join(r.Rewind(10), r.Close()); err != nil {
		t.Fatal(err)
	}
	r, err := Open(dir, newLine())
	if err != nil || r.Step() != 10 || r.Steps() != 240 {
		t.Fatalf("step %d of %d, %v", r.Step(), r.Steps(), err)
	}
	trainTo(t, r, 240)
	r.Close()
	if got := logged(t, dir); !reflect.DeepEqual(got, want) {
		t.Error("a run that went back and was taken up is another one")
	}
	for balance, at := range map[float64]place{o.Balance: {Epoch: 1, Batch: 4}, 0: {Epoch: 2}} {
		b := o
		b.Balance = balance
		branch := filepath.Join(t.TempDir(), "branch")
		if r, err = Branch(branch, dir, 10, newLine(), record(b)); err != nil {
			t.Fatal(err)
		}
		if r.at.Place != at {
			t.Errorf("balance %g: it branches at %+v, want %+v", balance, r.at.Place, at)
		}
		trainTo(t, r, 40)
		r.Close()
		if got := logged(t, branch); balance == o.Balance && !reflect.DeepEqual(got, want[:40]) {
			t.Error("a branch with the same options is another run")
		}
	}
}

// A run can be sent back while it trains.
func TestRewindWhileTraining(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	r := begun(t, dir, lineOptions, 10)
	back := make(chan error, 1)
	sent := false
	err := r.Train(context.Background(), Watch{Event: func(e Event) {
		if e.Step == 60 && !sent {
			sent = true
			go func() { back <- r.Rewind(10) }()
			if err := <-back; err != nil {
				t.Error(err)
			}
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	want, _ := train(t, "", lineOptions)
	if got := logged(t, dir); !sent || !reflect.DeepEqual(got, want) {
		t.Error("a run that went back is another one")
	}
}

func TestBranch(t *testing.T) {
	want, _ := train(t, "", lineOptions)
	dir := filepath.Join(t.TempDir(), "run")
	begun(t, dir, lineOptions, 10, 20)
	same, other := filepath.Join(t.TempDir(), "same"), filepath.Join(t.TempDir(), "other")
	r, err := Branch(same, dir, 10, newLine(), record(lineOptions))
	if err != nil {
		t.Fatal(err)
	}
	trainTo(t, r, 120)
	if got := logged(t, same); !reflect.DeepEqual(got, want) {
		t.Error("a branch with the same options is another run")
	}
	if rec := r.Record(); rec.From != dir || rec.FromStep != 10 {
		t.Errorf("it is of %s, step %d", rec.From, rec.FromStep)
	}
	r.Close()

	o := lineOptions
	o.LR, o.Batch = 0.01, 5
	if r, err = Branch(other, dir, 10, newLine(), record(o)); err != nil {
		t.Fatal(err)
	}
	trainTo(t, r, 80)
	r.Close()
	got := logged(t, other)
	if len(got) != 80 || !reflect.DeepEqual(got[:10], want[:10]) || got[10].Loss == want[10].Loss || got[10].Steps != 80 {
		t.Errorf("a branch with other options: %d events, %+v", len(got), got[10])
	}
	if steps, _ := Checkpoints(dir); !reflect.DeepEqual(steps, []int{0, 10, 20}) {
		t.Errorf("the run it is of has checkpoints %v", steps)
	}
	foreign := record(lineOptions)
	foreign.Base = "another"
	if _, err := Branch(filepath.Join(t.TempDir(), "x"), dir, 10, newLine(), foreign); err == nil || !strings.Contains(err.Error(), "it began with another model") {
		t.Error(err)
	}
	if _, err := Branch(filepath.Join(t.TempDir(), "x"), dir, 11, newLine(), record(lineOptions)); err == nil || !strings.Contains(err.Error(), "step-00000011") {
		t.Error(err)
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	r := begun(t, dir, lineOptions, 10)
	refuse := func(what, want string, err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", what, err, want)
		}
	}
	_, err := Open(dir, newLine())
	refuse("twice at once", dir+" is being trained by another sigla", err)
	_, err = New(dir, newLine(), record(lineOptions))
	refuse("over another at once", dir+" is being trained by another sigla", err)
	_, err = New(filepath.Join(filepath.Dir(dir), "second"), newLine(), record(lineOptions))
	refuse("the model at once", "this model is being trained by another sigla", err)
	r.Close()
	_, err = New(dir, newLine(), record(lineOptions))
	refuse("over another", dir+" holds one already", err)
	_, err = Open(t.TempDir(), newLine())
	refuse("no run", "holds no training", err)
	less := newLine()
	less.x = less.x[1:]
	_, err = Open(dir, less)
	refuse("other data", "it began with 10 photos, now there are 9", err)

	path := filepath.Join(dir, checkpointFolder, "step-00000010.safetensors")
	data, _ := os.ReadFile(path)
	os.WriteFile(path, data[:len(data)-1], 0o644)
	_, err = Open(dir, newLine())
	refuse("a damaged checkpoint", path, err)
	os.WriteFile(path, []byte(strings.Replace(string(data), `"m.line"`, `"x.line"`, 1)), 0o644)
	_, err = Open(dir, newLine())
	refuse("of another learner", "it has no tensor m.line [2]", err)
	os.WriteFile(path, data, 0o644)
	os.WriteFile(filepath.Join(dir, recordFile), []byte("{"), 0o644)
	_, err = Open(dir, newLine())
	refuse("a damaged record", "read training "+dir, err)
}

func TestDiscard(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	r := begun(t, dir, lineOptions, 10)
	if err := Discard(dir); err == nil || !strings.Contains(err.Error(), "is being trained") {
		t.Error(err)
	}
	r.Close()
	if err := os.WriteFile(filepath.Join(dir, "notes.txt"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Discard(dir); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 || left[0].Name() != "notes.txt" {
		t.Errorf("left over: %v, %v", left, err)
	}
	if err := Discard(dir); err == nil {
		t.Error("what is no run was discarded")
	}
}
