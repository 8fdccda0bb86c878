package ui

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/exp/golden"

	"sigla/finetune"
	"sigla/gallery/label"
)

// run200 are the events of the recorded run.
func run200(t testing.TB) []finetune.Event {
	t.Helper()
	data, err := os.ReadFile("../model/testdata/golden/hf/siglip-bicubic/run200.json")
	if err != nil {
		t.Fatal(err)
	}
	var recorded struct {
		Rows []struct {
			Step     int     `json:"step"`
			Loss     float64 `json:"loss"`
			LogScale float64 `json:"t_prime"`
			Bias     float64 `json:"bias"`
			GradNorm float64 `json:"grad_norm"`
			LR       float64 `json:"lr"`
		} `json:"rows"`
	}
	if err := json.Unmarshal(data, &recorded); err != nil {
		t.Fatal(err)
	}
	var events []finetune.Event
	for _, r := range recorded.Rows[:200] {
		e := finetune.Event{
			Step: r.Step + 1, Steps: 200, Loss: r.Loss, LogScale: r.LogScale, Temperature: math.Exp(r.LogScale), Bias: r.Bias,
			LR: r.LR, GradNorm: r.GradNorm, PairsPerSecond: 6200, Seconds: float64(r.Step+1) / 10,
		}
		if e.Step%20 == 0 {
			e.Validation = &finetune.Validation{Loss: r.Loss, AveragePrecision: 0.66 + float64(e.Step)/1200, Photos: 5, Labels: 3}
		}
		events = append(events, e)
	}
	return events
}

// tutor is a trainer whose trainings tell recorded events as fast as a test lets
// them.
type tutor struct {
	events []finetune.Event
	allow  chan int // events that may be told; closed: all
	fails  error    // of Plan and Begin
	ends   error    // of Train
	wishes []TrainWish
	began  TrainWish
	runs   []*lessonRun
	whole  bool
	worse  bool
}

func newTutor(t testing.TB) *tutor {
	return &tutor{events: run200(t), allow: make(chan int, 1)}
}

func (u *tutor) plan(d finetune.Depth) TrainPlan {
	return TrainPlan{
		Depth: d, Data: finetune.Summary{Photos: 1204, Labels: 37, Known: map[string]int{"tag": 3000, "person": 12}},
		From: "tags in files", Learned: 31, Held: 240, Seed: 1, Steps: 200, Time: 7 * time.Second, Bytes: 12e6, Device: "cpu avx512 · bf16",
		Notes: []string{"2 tags are contradicted by answers: the answers count"},
	}
}

func (u *tutor) Plan(_ context.Context, wish TrainWish, depths []finetune.Depth, tell func(finetune.Depth, TrainPlan, error)) {
	u.wishes = append(u.wishes, wish)
	for _, d := range depths {
		tell(d, u.plan(d), u.fails)
	}
}

func (u *tutor) Begin(_ context.Context, wish TrainWish) (Training, error) {
	if u.fails != nil {
		return nil, u.fails
	}
	u.began = wish
	r := &lessonRun{tutor: u, depth: wish.Depth, change: make(chan struct{}, 8)}
	u.runs = append(u.runs, r)
	return r, nil
}

// lessonRun is a training of a tutor.
type lessonRun struct {
	*tutor
	depth finetune.Depth

	mu        sync.Mutex
	next      int // event
	stopped   bool
	paused    bool
	change    chan struct{}
	branches  []int
	kept      bool
	discarded bool
	closed    bool
}

func (r *lessonRun) Plan() TrainPlan { return r.plan(r.depth) }

func (r *lessonRun) Before() finetune.Validation {
	return finetune.Validation{AveragePrecision: 0.66, Photos: 240, Labels: 31}
}

func (r *lessonRun) Train(ctx context.Context, w finetune.Watch) error {
	allowed := 0
	for {
		r.mu.Lock()
		stop, wait, next := r.stopped, r.paused, r.next
		r.stopped = false
		r.mu.Unlock()
		switch {
		case stop || next >= len(r.events):
			return r.ends
		case wait:
			select {
			case <-r.change:
			case <-ctx.Done():
				return ctx.Err()
			}
			continue
		case allowed == 0:
			select {
			case n, ok := <-r.allow:
				if allowed = n; !ok {
					allowed = len(r.events)
				}
			case <-r.change:
			case <-ctx.Done():
				return ctx.Err()
			}
			continue
		}
		allowed--
		r.mu.Lock()
		r.next++
		r.mu.Unlock()
		w.Event(r.events[next])
	}
}

func (r *lessonRun) set(f func()) {
	r.mu.Lock()
	f()
	r.mu.Unlock()
	select {
	case r.change <- struct{}{}:
	default: // it has not seen the change before yet
	}
}

func (r *lessonRun) Pause()                      { r.set(func() { r.paused = true }) }
func (r *lessonRun) Resume()                     { r.set(func() { r.paused = false }) }
func (r *lessonRun) Stop()                       { r.set(func() { r.stopped = true }) }
func (r *lessonRun) Checkpoints() ([]int, error) { return []int{0, 50, 100}, nil }
func (r *lessonRun) Rewind(step int) error       { r.set(func() { r.next = step }); return nil }
func (r *lessonRun) Branch(step int) error {
	r.set(func() { r.next, r.branches = step, append(r.branches, step) })
	return nil
}

func (r *lessonRun) Sides(context.Context) (TrainSides, error) {
	return TrainSides{Up: 14, Down: 6, Photos: []SideChange{{ID: 0, Label: "red", Up: true}, {ID: 1, Label: "日本の海", Up: false}, {ID: 2, Label: "blue", Up: true}}}, nil
}

func (r *lessonRun) Result(context.Context) (TrainResult, error) {
	after := 0.81
	if r.worse {
		after = 0.6
	}
	return TrainResult{
		Thresholds: r.fitted(),
		Before:     finetune.Validation{AveragePrecision: 0.66, Photos: 240, Labels: 31}, After: finetune.Validation{AveragePrecision: after, Photos: 240, Labels: 31},
		Kept: 2, Whole: r.whole, Notes: []string{"the other photos make 5 tags doubtful"},
		Labels: []finetune.Verdict{
			{Label: "red", Kept: true, As: finetune.LinearHead, Before: 0.61, After: 0.9, Low: 0.1, High: 0.4},
			{Label: "green", Kept: true, As: finetune.Calibrate, Before: 0.7, After: 0.7, Reason: "more than that is not surely better"},
			{Label: "日本の海", Before: 0.7, After: 0.71, Low: -0.1, High: 0.1, Reason: "it is not surely better"},
			{Label: "rare", Reason: "too few photos show it: 1 that differ, 3 are needed"},
		},
	}, nil
}

// fitted are thresholds, if they were asked for.
func (r *lessonRun) fitted() []finetune.Threshold {
	if r.began.Aim == finetune.AimNone {
		return nil
	}
	return []finetune.Threshold{
		{Label: "red", Value: finetune.Interval{Value: 0.23, Low: 0.15, High: 0.41}},
		{Label: "green", Reason: "no threshold has a precision of 0.9"},
		{Label: "日本の海", Value: finetune.Interval{Value: 0.62, Low: 0.5, High: 0.7}},
		{Label: "rare", Reason: "too few photos show it: 1 that differ, 3 are needed"},
	}
}

// What the sheet says of thresholds and heads is what is begun.
func TestTrainWish(t *testing.T) {
	u := newTutor(t)
	close(u.allow)
	d := school(t, 80, 24, u).press("T").has("thresholds stay where they are")
	d.press("t").has("(best F1)").press("t").has("9 of 10 tags are right").press("m").has("mean of its photos").press("enter")
	if u.began.Aim != "0.9" || !u.began.Prototype || u.began.Depth != finetune.DepthHead {
		t.Errorf("began %+v", u.began)
	}
	d.has("2 of 4 thresholds moved", "≥ 0.23 (0.15 to 0.41)").press("d", "d", "T").has("9 of 10 tags are right")
}

// schooled are colours after a training: they know one label more surely.
type schooled struct{ *colours }

func (schooled) Tune(l label.Label) label.Label {
	if l.Name == "red" {
		l.Bias += 20
	}
	return l
}

func (r *lessonRun) Keep(context.Context) (Learned, error) {
	r.kept = true
	if r.whole {
		return Learned{Name: "run"}, nil
	}
	return Learned{"run", []label.Label{{Name: "red"}, {Name: "owl"}}, schooled{&colours{closed: true}}}, nil
}

func (r *lessonRun) Discard() error { r.discarded, r.closed = true, true; return nil }
func (r *lessonRun) Close() error   { r.closed = true; return nil }

// school opens an explorer that can train.
func school(t testing.TB, w, h int, u *tutor) *driver {
	return open(t, w, h, photos(t, 6), func(o *Options) { o.Trainer = u }).start()
}

// told lets so many events be told, and waits until the screen has them.
func (d *driver) told(u *tutor, n, last int) *driver {
	d.t.Helper()
	u.allow <- n
	return d.until(func() bool { return d.m.train.last.Step == last })
}

func TestTrainScreens(t *testing.T) {
	for _, size := range [][2]int{{60, 20}, {80, 24}, {120, 40}} {
		screen := func(name string, show func(u *tutor) *driver) {
			t.Run(fmt.Sprintf("%s/%dx%d", name, size[0], size[1]), func(t *testing.T) {
				u := newTutor(t)
				d := show(u)
				checkCells(t, d.m)
				golden.RequireEqual(t, d.text())
				inks := d.m.view().Content
				d.send(tea.BackgroundColorMsg{Color: color.White})
				checkCells(t, d.m)
				if d.m.view().Content == inks {
					t.Error("light and dark look the same")
				}
			})
		}
		screen("sheet", func(u *tutor) *driver { return school(t, size[0], size[1], u).press("T") })
		screen("nothing", func(u *tutor) *driver {
			u.fails = errors.New("nothing to learn: no label has photos of both sides")
			return school(t, size[0], size[1], u).press("T", "enter")
		})
		screen("running", func(u *tutor) *driver {
			d := school(t, size[0], size[1], u).press("T")
			d.send(keyPress("enter"))
			d.told(u, 120, 120)
			return d.until(func() bool { return d.m.train.sides.Up > 0 })
		})
		screen("fallen", func(u *tutor) *driver {
			u.events[99].Note = "on the cpu from step 99: NVIDIA GeForce RTX 3060/PCIe/SSE2 failed: it was reset"
			d := school(t, size[0], size[1], u).press("T")
			d.send(keyPress("enter"))
			d.told(u, 120, 120)
			return d.until(func() bool { return d.m.train.sides.Up > 0 })
		})
		screen("picking", func(u *tutor) *driver {
			d := school(t, size[0], size[1], u).press("T")
			d.send(keyPress("enter"))
			d.told(u, 120, 120)
			d.send(keyPress("space"))
			d.send(keyPress("r"))
			d.until(func() bool { return d.m.train.pick.on && d.m.train.sides.Up > 0 })
			d.send(keyPress("left"))
			return d
		})
		screen("fitted", func(u *tutor) *driver {
			close(u.allow)
			return school(t, size[0], size[1], u).press("T", "t", "m", "enter")
		})
		screen("done", func(u *tutor) *driver {
			close(u.allow)
			return school(t, size[0], size[1], u).press("T", "enter")
		})
	}
}

// A training goes on behind the photos, and what it brought is used at once.
func TestTrainAndKeep(t *testing.T) {
	u := newTutor(t)
	d := school(t, 120, 40, u).press("T", "c", "up")
	if n := len(u.wishes); n != 2 || u.wishes[0].Complete || !u.wishes[1].Complete {
		t.Errorf("asked for %+v", u.wishes)
	}
	d.has("a tag that a photo does not have is wrong for it", "▸ calibrate")
	d.send(keyPress("enter"))
	d.told(u, 30, 30)
	d.has("calibrate on 37 labels", "step  30 / 200")
	d.send(keyPress("esc"))
	d.hasNot("learning rate").send(keyPress("J"))
	d.has("● training", "step  30 / 200")
	d.send(keyPress("esc"))
	d.send(keyPress("T"))
	close(u.allow)
	d.rest().has("step 200 / 200", "before 0.660  after 0.810", "the gate keeps 2 of 4 labels")
	before := d.m.labels.cuts[0]
	d.press("enter").has("kept as run, 1 label added")
	if r := u.runs[0]; !r.kept || !r.closed || r.discarded {
		t.Errorf("%+v", r)
	}
	if d.m.labels.set.Index("owl") < 0 || !(d.m.labels.cuts[0] < before) {
		t.Error("the explorer does not use what was kept")
	}
	if _, ok := d.m.enc.(schooled); !ok || d.m.train.stage != trainNone {
		t.Error("the training is not over")
	}
}

func TestTrainPauseRewindBranch(t *testing.T) {
	u := newTutor(t)
	d := school(t, 80, 24, u).press("T")
	d.send(keyPress("enter"))
	d.told(u, 120, 120)
	d.send(keyPress("space"))
	d.has("‖ paused", "Space go on")
	d.send(keyPress("r"))
	d.until(func() bool { return d.m.train.pick.on })
	d.has("rewind to step 0 50 [100]").send(keyPress("s")) // no key acts beside it
	d.send(keyPress("left"))
	d.send(keyPress("enter"))
	d.until(func() bool { return d.m.train.last.Step == 50 })
	if n := len(d.m.train.curves[0]); n != 50 {
		t.Errorf("%d points are left of 50", n)
	}
	d.send(keyPress("space"))
	d.told(u, 1, 51)
	d.send(keyPress("b"))
	d.until(func() bool { return d.m.train.pick.on })
	d.has("branch off step").send(keyPress("home"))
	d.send(keyPress("enter"))
	d.until(func() bool { return d.m.train.last.Step == 0 })
	if got := u.runs[0].branches; len(got) != 1 || got[0] != 0 {
		t.Errorf("branched off %v", got)
	}
	d.told(u, 10, 10)
	d.send(keyPress("s"))
	d.rest().has("step  10 / 200", "done", "Enter keep and use")
	// From there it can go back, too.
	close(u.allow)
	d.press("r", "enter").has("step 200 / 200", "done")
}

func TestTrainDiscard(t *testing.T) {
	u := newTutor(t)
	d := school(t, 80, 24, u).press("T")
	d.send(keyPress("enter"))
	d.told(u, 5, 5)
	d.send(keyPress("d"))
	d.has("d again discards the training")
	d.send(keyPress("up")) // takes it back
	d.send(keyPress("d"))
	if u.runs[0].discarded {
		t.Fatal("discarded by one press")
	}
	d.send(keyPress("d"))
	d.rest().has("the training is discarded: nothing has changed").hasNot("learning rate")
	if r := u.runs[0]; !r.discarded || r.kept {
		t.Errorf("%+v", r)
	}
	// And there is room for another.
	d.press("T").has("learn from your tags")
}

func TestTrainFails(t *testing.T) {
	u := newTutor(t)
	u.ends = errors.New("train: at step 200 the loss is not finite (labels): try a learning rate below 1")
	close(u.allow)
	d := school(t, 120, 40, u).press("T", "enter").has("failed", "not finite")
	if d.m.train.stage != trainDone {
		t.Error("what there is cannot be kept")
	}
	d.press("esc", "J").has("✗ training")

	u = newTutor(t)
	d = school(t, 80, 24, u).press("T")
	u.fails = errors.New("open training: this model is being trained by another sigla")
	d.press("enter").has("being trained by another sigla").hasNot("learning rate")
}

// Depths that change the model have the explorer opened anew.
func TestTrainWhole(t *testing.T) {
	u := newTutor(t)
	u.whole = true
	close(u.allow)
	u.worse = true
	d := school(t, 120, 40, u).press("T", "down", "enter").has("became better; what was learned is of all")
	d.press("enter").has("Enter again keeps it all the same")
	if context.Cause(d.m.work.ctx) != nil {
		t.Fatal("what is worse is kept by one press")
	}
	d.press("enter")
	if cause := context.Cause(d.m.work.ctx); !errors.Is(cause, ErrReopen) {
		t.Errorf("the explorer ends with %v", cause)
	}
	d.closed = true // as its cause is no error here
	d.m.close()
}

// Leaving the explorer while it trains ends the training, which can be taken up.
func TestTrainLeave(t *testing.T) {
	u := newTutor(t)
	d := school(t, 80, 24, u).press("T")
	d.send(keyPress("enter"))
	d.told(u, 5, 5)
	d.close()
	if r := u.runs[0]; !r.closed || r.discarded || r.kept {
		t.Errorf("%+v", r)
	}
}

func TestReplay(t *testing.T) {
	u := newTutor(t)
	close(u.allow)
	r := &lessonRun{tutor: u, depth: finetune.DepthHead, change: make(chan struct{}, 8)}
	d := open(t, 80, 24, filepath.Join(t.TempDir()), func(o *Options) { o.Replay, o.Load, o.Paths = replayed{r}, nil, nil }).start()
	d.has("step 200 / 200", "done").hasNot("keep and use")
	d.press("enter", "d", "d", "r", "space")
	if r.discarded || r.kept {
		t.Error("something was done to a run of the past")
	}
	if d.press("esc"); !d.quit {
		t.Error("esc does not leave")
	}
}

type replayed struct{ *lessonRun }

func (r replayed) Plan() TrainPlan {
	p := r.lessonRun.Plan()
	p.Recorded = true
	return p
}

// Tens of thousands of steps take no more memory than their curves can show.
func TestTrainLong(t *testing.T) {
	u := newTutor(t)
	u.events = nil
	for i := range 60_000 {
		u.events = append(u.events, finetune.Event{Step: i + 1, Steps: 60_000, Loss: math.Sin(float64(i) / 900), Temperature: 30, Bias: -8})
	}
	u.events[31_234].Loss = 99
	close(u.allow)
	d := school(t, 120, 40, u).press("T", "enter").has("step 60,000 / 60,000", "99.00")
	for _, c := range d.m.train.curves {
		if len(c) > 8*curveParts {
			t.Errorf("%d points are kept", len(c))
		}
	}
	if !strings.Contains(d.text(), "30.00") {
		t.Error("a constant has no value")
	}
}
