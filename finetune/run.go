package finetune

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"time"
)

// A Run drives a learner through its steps and writes down what happens. One
// goroutine calls Train; the other methods may be called from any goroutine at
// any time. Those that change the learner wait for the step in hand.
type Run struct {
	record Record
	steps  int

	mu      sync.Mutex // guards everything below, and the learner
	learner Learner
	batches sampler
	at      position
	torn    bool     // an update has failed: the learner is at no step
	saved   position // of the last checkpoint
	savedOn time.Time
	note    string  // for the next event
	files   *folder // nil: nothing is written

	control control
}

// A Watch is told what happens while a run trains, from the goroutine that
// trains. Functions may be nil; they may call the run's methods.
type Watch struct {
	Event func(Event) // after each step
	Warn  func(error) // what went wrong and is no reason to end
}

// New makes a run. If dir is not empty, the run is written down there: the
// folder must hold no other. Of r, the caller fills in Depth, Base, Setup and
// Options.
func New(dir string, l Learner, r Record) (*Run, error) {
	run, err := prepare(l, &r)
	if err != nil || dir == "" {
		return run, err
	}
	if run.files, err = createFolder(dir, r); err != nil {
		return nil, err
	}
	if err := run.save(); err != nil {
		return nil, errors.Join(err, run.files.abandon())
	}
	return run, nil
}

// Open takes up the run in a folder at its newest checkpoint, whatever ended
// it. The learner must be as it was when the run began.
func Open(dir string, l Learner) (*Run, error) {
	r, err := ReadRecord(dir)
	if err != nil {
		return nil, err
	}
	run, err := prepare(l, &r)
	if err != nil {
		return nil, err
	}
	if run.files, err = openFolder(dir, r.Base); err != nil {
		return nil, err
	}
	steps, err := Checkpoints(dir)
	switch {
	case err != nil:
	case len(steps) > 0:
		err = run.goTo(steps[len(steps)-1])
	default: // killed before its first checkpoint
		err = errors.Join(run.files.cut(0), run.save())
	}
	if err != nil {
		return nil, fmt.Errorf("take up training: %w", errors.Join(err, run.files.close()))
	}
	return run, nil
}

// Branch makes a run in a new folder that begins with a checkpoint of another
// one, and has the log until there. It may have other options. The other one
// must be closed if its folder lies beside the new one: both train one model.
func Branch(dir, from string, step int, l Learner, r Record) (*Run, error) {
	old, err := ReadRecord(from)
	if err != nil {
		return nil, err
	}
	if r.Base != old.Base {
		return nil, fmt.Errorf("branch off %s: it began with another model", from)
	}
	r.From, r.FromStep, r.Photos = from, step, 0
	run, err := prepare(l, &r)
	if err != nil {
		return nil, err
	}
	if run.at, err = readCheckpoint(filepath.Join(from, checkpointFolder), step, l); err != nil {
		return nil, fmt.Errorf("branch off %s: %w", from, err)
	}
	now, was := run.record.Options, old.Options
	if run.record.Photos != old.Photos || now.Batch != was.Batch || now.Balance != was.Balance {
		run.at.Place = place{Epoch: run.at.Place.Epoch + 1} // what is left of an epoch is cut otherwise
	}
	run.batches.seek(run.at.Place)
	if run.files, err = createFolder(dir, r); err != nil {
		return nil, err
	}
	err = run.files.copyLog(filepath.Join(from, eventsFile), step)
	if err == nil {
		err = run.save()
	}
	if err != nil {
		return nil, errors.Join(err, run.files.abandon())
	}
	return run, nil
}

func prepare(l Learner, r *Record) (*Run, error) {
	var err error
	rows := l.Rows()
	if r.Options, err = r.Options.check(rows); err != nil {
		return nil, err
	}
	if r.Photos != 0 && r.Photos != rows {
		return nil, fmt.Errorf("take up training: it began with %d photos, now there are %d", r.Photos, rows)
	}
	r.Photos = rows
	if r.Begun.IsZero() {
		r.Begun = time.Now().UTC().Truncate(time.Second)
	}
	batches := newSampler(l, r.Options)
	return &Run{
		record: *r, steps: r.Options.total(batches.repeats.photos()), learner: l, batches: batches,
		control: control{change: make(chan struct{}, 1)},
	}, nil
}

// Record is what is written down of the run.
func (r *Run) Record() Record { return r.record }

// Steps is the number of steps of the whole run.
func (r *Run) Steps() int { return r.steps }

// Step is the number of steps that are done.
func (r *Run) Step() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.at.Step
}

// gcPercent is how much garbage there may be beside what is in use, in per cent.
const gcPercent = 10

// Train takes the steps that are left. It ends with nil when all are done or
// Stop was called, with the context's error when that ends, and with a
// *NonFiniteError when the numbers run away. Whatever ends it, there is a
// checkpoint of the last step, if the disk takes it, and Train may be called
// again.
func (r *Run) Train(ctx context.Context, w Watch) error {
	defer r.control.end()
	// Nearly all memory is tensors, into which a collection does not look: to
	// collect often costs nothing, and the rest does not grow as large as they are.
	defer debug.SetGCPercent(debug.SetGCPercent(gcPercent))
	warn := func(err error) {
		if err != nil && w.Warn != nil {
			w.Warn(err)
		}
	}
	for {
		goOn, err := r.control.wait(ctx, func() { warn(r.Checkpoint()) })
		if err != nil || !goOn {
			return errors.Join(err, r.Checkpoint())
		}
		e, trouble, err := r.step(ctx)
		warn(trouble)
		if err != nil {
			return r.fallBack(err)
		}
		if e == nil {
			return r.Checkpoint()
		}
		if w.Event != nil {
			w.Event(*e)
		}
	}
}

// step takes a step and returns its event, or nil if none is left. trouble is
// what went wrong with the files.
func (r *Run) step(ctx context.Context) (e *Event, trouble, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	begun := time.Now()
	took := func() float64 { return time.Since(begun).Seconds() }
	if r.at.Open == nil {
		if r.at.Step >= r.steps {
			return nil, nil, nil
		}
		e, err := r.advance(ctx)
		if err != nil {
			r.batches.seek(r.at.Place)
			return nil, nil, err
		}
		e.PairsPerSecond /= took()
		r.at = position{Step: e.Step, Place: r.batches.at, Seconds: r.at.Seconds, Open: e}
	}
	e = r.at.Open
	if r.looks(e.Step) {
		v, err := r.learner.Validate(ctx)
		if err != nil {
			return nil, nil, err
		}
		e.Validation = &v
	}
	e.Seconds = r.at.Seconds + took()
	e.Note, r.note = r.note, ""
	r.at.Seconds, r.at.Open = e.Seconds, nil
	if r.files != nil {
		if trouble = r.files.add(*e); trouble != nil {
			trouble = fmt.Errorf("log step %d: %w; it is tried again", e.Step, trouble)
		}
		if time.Since(r.savedOn) >= r.record.Options.CheckpointEvery {
			trouble = errors.Join(trouble, r.save())
		}
	}
	return e, trouble, nil
}

// looks reports whether a step has a validation.
func (r *Run) looks(step int) bool {
	every := r.record.Options.ValidateEvery
	return every >= 0 && step == r.steps || every > 0 && step%every == 0
}

// advance learns from a batch. PairsPerSecond is still the number of pairs.
func (r *Run) advance(ctx context.Context) (*Event, error) {
	var e *Event
	err := untilRead(&r.batches, func(batch []int) (err error) {
		e, err = r.gradient(ctx, r.at.Step+1, batch)
		return err
	})
	if err != nil {
		return nil, err
	}
	err = r.learner.Update(r.record.Options.adam(e.Step, r.steps, e.GradNorm))
	r.torn = err != nil
	return e, err
}

// gradient adds the gradients of a batch, and checks them.
func (r *Run) gradient(ctx context.Context, step int, batch []int) (*Event, error) {
	e := &Event{Step: step, Steps: r.steps, LR: r.record.Options.rate(step, r.steps)}
	t, b := r.learner.Scalars()
	e.LogScale, e.Temperature, e.Bias = float64(t), math.Exp(float64(t)), float64(b)
	loss, pairs, err := r.learner.Gradient(ctx, batch)
	if err != nil {
		return e, err
	}
	squares, at, err := r.learner.SumSquares()
	if err != nil {
		return e, err
	}
	e.Loss, e.GradNorm, e.PairsPerSecond = loss, math.Sqrt(squares), float64(pairs)
	if !finite(loss) || !finite(squares) {
		return e, &NonFiniteError{Step: step, Loss: !finite(loss), Tensor: r.culprit(e, at), LR: e.LR}
	}
	return e, nil
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// culprit is the tensor whose values are not finite; if all are, the temperature,
// or the tensor whose gradient is not.
func (r *Run) culprit(e *Event, gradient string) string {
	var bad string
	r.learner.Each(func(name string, _ []int, values []float32) (bool, error) {
		for _, v := range values {
			if bad == "" && !finite(float64(v)) {
				bad = name
			}
		}
		return false, nil
	})
	switch {
	case bad != "":
		return bad
	case !finite(e.Temperature):
		return fmt.Sprintf("the temperature exp(t') with t' = %.3g", e.LogScale)
	}
	return "the gradient of " + gradient
}

// A NonFiniteError ends a run whose loss or gradients are no numbers any more.
type NonFiniteError struct {
	Step   int
	Loss   bool   // the loss is; else the gradients are
	Tensor string // what is not finite first
	LR     float64
	BackAt int // the step of the checkpoint that the learner has again, or -1
}

func (e *NonFiniteError) Error() string {
	what := "gradients are"
	if e.Loss {
		what = "loss is"
	}
	text := fmt.Sprintf("train: at step %d the %s not finite (%s): try a learning rate below %.2g", e.Step, what, e.Tensor, e.LR)
	if e.BackAt >= 0 {
		text += fmt.Sprintf("; the model is back at its checkpoint of step %d", e.BackAt)
	}
	return text
}

// fallBack ends a run whose step failed: at the last checkpoint if the numbers
// ran away, else with one.
func (r *Run) fallBack(err error) error {
	var bad *NonFiniteError
	if !errors.As(err, &bad) {
		return errors.Join(err, r.Checkpoint())
	}
	bad.BackAt = -1
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.files == nil {
		return err
	}
	if back := r.goTo(r.saved.Step); back != nil {
		return errors.Join(err, back)
	}
	bad.BackAt = r.at.Step
	return err
}

// Pause has the run wait after the step in hand, with a checkpoint.
func (r *Run) Pause() { r.control.set(paused) }

// Resume goes on after Pause.
func (r *Run) Resume() { r.control.set(running) }

// Stop ends Train after the step in hand, also while it is paused.
func (r *Run) Stop() { r.control.set(stopped) }

// Paused reports whether Pause was called last.
func (r *Run) Paused() bool { return r.control.get() == paused }

// Checkpoint writes down where the run is, unless that is written already.
func (r *Run) Checkpoint() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.files == nil || r.torn || r.saved == r.at {
		return nil
	}
	return r.save()
}

func (r *Run) save() error {
	err, first := r.files.save(r.at, r.learner, r.record.Options.Checkpoints), r.savedOn.IsZero()
	// The time is taken also if it fails: a full disk is not tried every step.
	r.savedOn = time.Now()
	switch {
	case err != nil && first:
		return fmt.Errorf("begin training: %w", err)
	case err != nil:
		return fmt.Errorf("save checkpoint of step %d: %w; the one of step %d stays", r.at.Step, err, r.saved.Step)
	}
	r.saved = r.at
	return nil
}

// Rewind goes back to a checkpoint, and forgets what came after it: Branch
// keeps that. A run that trains goes on from there at once, unless it is paused.
func (r *Run) Rewind(step int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.files == nil {
		return fmt.Errorf("rewind: the run writes no checkpoints")
	}
	if err := r.goTo(step); err != nil {
		return fmt.Errorf("rewind: %w", err)
	}
	return nil
}

// Replace goes on with another learner, which is as the first was when the run
// began, from the last checkpoint, as when the device of the former has failed.
func (r *Run) Replace(l Learner) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.files == nil {
		return errors.New("go on with another learner: the run writes no checkpoints")
	}
	if n := l.Rows(); n != r.record.Photos {
		return fmt.Errorf("go on with another learner: it has %d photos, the run began with %d", n, r.record.Photos)
	}
	was := r.learner
	r.learner = l
	if err := r.goTo(r.saved.Step); err != nil {
		r.learner = was
		return fmt.Errorf("go on with another learner: %w", err)
	}
	return nil
}

// Note has the next event say what has happened.
func (r *Run) Note(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.note = text
}

// goTo is at a checkpoint again. It gives up those that came later and the
// events after it, once the learner has what it was.
func (r *Run) goTo(step int) error {
	p, err := readCheckpoint(r.files.checkpoints(), step, r.learner)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("there is no checkpoint of step %d", step)
	}
	if err != nil {
		return err
	}
	r.at, r.saved, r.savedOn, r.torn = p, p, time.Now(), false
	r.batches.seek(p.Place)
	return r.files.forget(step)
}

// Close unlocks the folder. It waits for the step in hand; call it after Train.
func (r *Run) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.files == nil {
		return nil
	}
	err := r.files.close()
	r.files = nil
	return err
}
