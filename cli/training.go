package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"sigla/finetune"
	"sigla/gallery"
	"sigla/gallery/label"
	"sigla/gpu"
	"sigla/model"
	"sigla/ui"
)

// A lesson is what a training is made of: photos of which something is known,
// and the model as it was published.
type lesson struct {
	*app
	g     *gallery.Gallery
	enc   *encoder // without an adapter
	info  model.Info
	src   model.Source
	data  string // folder of runs and adapters
	setup trainSetup
	named bool // the labels are those of the set, whatever tags there are
	set   label.Set
	known *trainSet
	learn []int // photos of known
	held  []int

	failed    *gpu.DeviceError // the device that was asked for: the processor trains; nil: none
	hint      string           // how a person says that absent tags are wrong
	warnPhoto func(error)      // told of photos that cannot be read; may be nil
}

// trainSetup says how a training was begun. It stands in its run.json, from
// which it is made again.
type trainSetup struct {
	Model     string         `json:"model,omitempty"` // of --model
	Paths     []string       `json:"paths"`
	Labels    string         `json:"labels,omitempty"` // of --labels
	Template  []string       `json:"template,omitempty"`
	Tags      string         `json:"tags"`
	Complete  bool           `json:"complete"`
	Depth     finetune.Depth `json:"depth"`
	Prototype bool           `json:"prototype,omitempty"` // of depth head
	Aim       finetune.Aim   `json:"fit_threshold,omitempty"`
	Epochs    int            `json:"epochs,omitempty"` // 0: the depth's own
	Batch     int            `json:"batch,omitempty"`
	Rank      int            `json:"rank,omitempty"`
	Rate      float64        `json:"rate,omitempty"`
	Balance   *float64       `json:"-"`                 // nil: the depth's own; a run has it among its options
	Tensors   []string       `json:"tensors,omitempty"` // patterns, of depth full
	Seed      uint64         `json:"seed"`
	DecayAll  bool           `json:"decay_all,omitempty"`
}

// A method is what learns at one depth.
type method interface {
	finetune.Learner
	options() finetune.Options
	plan(ctx context.Context) (ui.TrainPlan, error)
	note()                                              // what was learned by now, by the goroutine that trains
	sides(ctx context.Context) (ui.TrainSides, error)   // since the start, at the last note
	result(ctx context.Context) (ui.TrainResult, error) // may take long
	// adapter is what result lets through; nil if that is nothing.
	adapter(card finetune.Card) (*finetune.Adapter, error)
	close() error
}

// gather finds what is known of the photos, and divides them.
func (l *lesson) gather(ctx context.Context) error {
	if l.info.Kind == model.CLIP.String() {
		return fmt.Errorf("train %s: it chooses among labels and has no bias; training needs a SigLIP model", l.info.Name)
	}
	var err error
	o := knowledgeOptions{tags: l.setup.Tags, complete: l.setup.Complete}
	if l.known, err = knowledge(ctx, l.g, l.set, l.named, o); err != nil {
		return err
	}
	if l.setup.Balance != nil && *l.setup.Balance > 0 && len(l.known.Labels) == 0 {
		return usagef("train --balance: captions have no labels that could be rare")
	}
	l.learn, l.held = l.known.HoldOut(l.setup.Seed)
	return nil
}

// fitThresholds finds thresholds on scored photos, if that is wanted; those that a
// person has set stay.
func (l *lesson) fitThresholds(scores finetune.Scores, photos []int) ([]finetune.Threshold, error) {
	if l.setup.Aim == finetune.AimNone {
		return nil, nil
	}
	fitted, err := l.known.FitThresholds(scores, photos, l.setup.Aim)
	for i := range fitted {
		if l.known.labels[i].Threshold != 0 {
			fitted[i] = finetune.Threshold{Label: fitted[i].Label, Reason: "you have set it"}
		}
	}
	return fitted, err
}

// towers reports whether the towers learn.
func (l *lesson) towers() bool {
	return l.setup.Depth == finetune.DepthLoRA || l.setup.Depth == finetune.DepthFull
}

// newMethod makes what learns at the depth of the setup.
func (l *lesson) newMethod(ctx context.Context) (method, error) {
	if l.towers() {
		return newTowerMethod(ctx, l)
	}
	return newLinearMethod(ctx, l)
}

// trainRun is a run of a lesson. It implements ui.Training.
type trainRun struct {
	*lesson
	plan    ui.TrainPlan
	before  finetune.Validation
	log     io.Writer  // takes the events, too; nil: nobody
	falling sync.Mutex // held while the processor takes over

	mu      sync.Mutex // guards those below
	method  method
	note    string // why the processor trains; "": nothing has failed
	untold  bool   // nobody was warned of note
	dir     string
	run     *finetune.Run
	trains  bool
	stopped bool
	off     *branching // wanted while it trains
	measure ui.TrainResult
}

// branching is a wish to go on from a checkpoint in a folder of its own.
type branching struct {
	step int
	done chan error
}

// trainRunsDir is where runs lie in a folder of data.
func trainRunsDir(data string) string { return filepath.Join(data, "runs") }

// newRunDir makes a folder for a run that begins now.
func newRunDir(data string, depth finetune.Depth) (string, error) {
	if err := os.MkdirAll(trainRunsDir(data), 0o755); err != nil {
		return "", fmt.Errorf("begin training: %w", err)
	}
	stem := time.Now().Format("2006-01-02-150405") + "-" + string(depth)
	for n := 1; ; n++ {
		dir := filepath.Join(trainRunsDir(data), stem)
		if n > 1 {
			dir += fmt.Sprintf("-%d", n)
		}
		if err := os.Mkdir(dir, 0o755); err == nil {
			return dir, nil
		} else if !errors.Is(err, fs.ErrExist) {
			return "", fmt.Errorf("begin training: %w", err)
		}
	}
}

// begin makes a training of a lesson, in a new folder or, to take it up again,
// in that of a run.
func (l *lesson) begin(ctx context.Context, dir string) (t *trainRun, err error) {
	by, err := l.onDevice(ctx, func(l *lesson) error {
		t, err = l.prepare(ctx, dir)
		return err
	})
	if err == nil && by.failed != nil {
		t.say(by.failed)
	}
	return t, err
}

func (l *lesson) prepare(ctx context.Context, dir string) (t *trainRun, err error) {
	t = &trainRun{lesson: l, dir: dir}
	if t.method, err = l.newMethod(ctx); err != nil {
		return nil, err
	}
	m := t.method // an error takes t away
	defer func() {
		if err != nil {
			err = errors.Join(err, m.close())
		}
	}()
	if t.plan, err = t.method.plan(ctx); err != nil {
		return nil, err
	}
	if t.before, err = t.method.Validate(ctx); err != nil {
		return nil, err
	}
	if dir != "" {
		if t.run, err = finetune.Open(dir, t.method); err == nil {
			t.plan.Steps = t.run.Steps() // which it was begun with, whatever a run has now
		}
		return t, err
	}
	setup, err := json.Marshal(l.setup)
	if err != nil {
		return nil, err
	}
	if t.dir, err = newRunDir(l.data, l.setup.Depth); err != nil {
		return nil, err
	}
	t.run, err = finetune.New(t.dir, t.method, finetune.Record{
		Depth: string(l.setup.Depth), Base: l.info.Digest, Setup: setup, Options: t.method.options(),
	})
	if err != nil {
		err = errors.Join(err, os.RemoveAll(t.dir))
	}
	return t, err
}

// Plan implements ui.Training.
func (t *trainRun) Plan() ui.TrainPlan { return t.plan }

// Before implements ui.Training.
func (t *trainRun) Before() finetune.Validation { return t.before }

// current is the run, of which a branch makes another.
func (t *trainRun) current() *finetune.Run {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.run
}

// Train implements ui.Training. When the device fails, the processor takes the
// steps that are left after the last checkpoint.
func (t *trainRun) Train(ctx context.Context, w finetune.Watch) error {
	t.warn(w)
	for {
		t.mu.Lock()
		run, m := t.run, t.method
		t.trains = true
		t.mu.Unlock()
		err := run.Train(ctx, t.watch(m, w))
		fell, err := t.fallBack(ctx, m, err)
		t.warn(w)
		t.mu.Lock()
		off := t.off
		t.off = nil
		if err != nil || off == nil && (!fell || t.stopped) {
			t.trains, t.stopped = false, false
			t.mu.Unlock()
			if off != nil {
				off.done <- err
			}
			return err
		}
		if off != nil {
			off.done <- t.branch(off.step)
		}
		t.mu.Unlock()
	}
}

// watch is told of steps before w is.
func (t *trainRun) watch(m method, w finetune.Watch) finetune.Watch {
	return finetune.Watch{Warn: w.Warn, Event: func(e finetune.Event) {
		m.note()
		if t.log != nil {
			if err := finetune.WriteEvent(t.log, e); err != nil && w.Warn != nil {
				w.Warn(fmt.Errorf("write events: %w", err))
			}
		}
		if w.Event != nil {
			w.Event(e)
		}
	}}
}

// Pause and Resume implement ui.Training.
func (t *trainRun) Pause()  { t.current().Pause() }
func (t *trainRun) Resume() { t.current().Resume() }

// Stop implements ui.Training. It is obeyed also if the device fails at the step
// in hand.
func (t *trainRun) Stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stopped = t.trains
	t.run.Stop()
}

// Checkpoints implements ui.Training.
func (t *trainRun) Checkpoints() ([]int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return finetune.Checkpoints(t.dir)
}

// Rewind implements ui.Training.
func (t *trainRun) Rewind(step int) error {
	return t.rescued(context.Background(), func(method) error { return t.current().Rewind(step) })
}

// Branch implements ui.Training. While it trains, the goroutine that does goes
// over to the branch between two steps.
func (t *trainRun) Branch(step int) error {
	t.mu.Lock()
	if !t.trains {
		t.mu.Unlock()
		return t.rescued(context.Background(), func(method) error {
			t.mu.Lock()
			defer t.mu.Unlock()
			return t.branch(step)
		})
	}
	off := &branching{step, make(chan error, 1)}
	t.off = off
	t.run.Stop()
	t.mu.Unlock()
	return <-off.done
}

// branch closes the run and opens another one from a checkpoint of it; if that
// fails the run is as it was. t.mu is held.
func (t *trainRun) branch(step int) error {
	if _, _, err := t.method.SumSquares(); err != nil {
		return err // the device has failed: nothing is closed yet
	}
	dir, err := newRunDir(t.data, t.setup.Depth)
	if err != nil {
		return err
	}
	record := t.run.Record()
	record.Begun = time.Time{}
	if err := t.run.Close(); err != nil {
		return err
	}
	run, err := finetune.Branch(dir, t.dir, step, t.method, record)
	if err != nil {
		os.RemoveAll(dir)
		if back, again := finetune.Open(t.dir, t.method); again == nil {
			t.run = back
		} else {
			err = errors.Join(err, again)
		}
		return err
	}
	t.dir, t.run = dir, run
	return nil
}

// Sides implements ui.Training.
func (t *trainRun) Sides(ctx context.Context) (ui.TrainSides, error) { return t.learner().sides(ctx) }

// Result implements ui.Training.
func (t *trainRun) Result(ctx context.Context) (ui.TrainResult, error) {
	var r ui.TrainResult
	err := t.rescued(ctx, func(m method) (err error) {
		r, err = m.result(ctx)
		return err
	})
	if r.Before.Photos == 0 {
		r.Before = t.before
	}
	if note := t.told(); note != "" {
		r.Notes = append(r.Notes, note)
	}
	if err == nil {
		t.measure = r
	}
	return r, err
}

// keep writes what the gate lets through as an adapter. It returns nil and no
// error if that is nothing.
func (t *trainRun) keep(name string) (*adapter, error) {
	card, err := finetune.NewCard(t.current().Record(), t.info, t.known.Set, version())
	if err != nil {
		return nil, err
	}
	card.Before, card.After, card.Gate = &t.measure.Before, &t.measure.After, t.measure.Labels
	card.Thresholds = t.measure.Thresholds
	var made *finetune.Adapter
	err = t.rescued(context.Background(), func(m method) error {
		made, err = m.adapter(card)
		return err
	})
	if made == nil || err != nil {
		return nil, err
	}
	kept := finetune.Kept(filepath.Join(t.data, "adapters"))
	if err := kept.Add(name, made); err != nil {
		return nil, err
	}
	return newAdapter(name, made), nil
}

// name is what the run is called, and what is kept of it.
func (t *trainRun) name() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return filepath.Base(t.dir)
}

// Keep implements ui.Training: the adapter becomes the model's default.
func (t *trainRun) Keep(context.Context) (ui.Learned, error) {
	d, err := t.keep(t.name())
	if err != nil {
		return ui.Learned{}, err
	}
	if d == nil {
		return ui.Learned{}, errors.New("keep what was learned: no label became better")
	}
	kept := finetune.Kept(filepath.Join(t.data, "adapters"))
	if err := kept.SetDefault(t.info.Digest, d.name); err != nil {
		return ui.Learned{}, err
	}
	learned := ui.Learned{Name: d.name}
	for _, l := range t.known.labels {
		if d.labels.Index(l.Name) >= 0 {
			learned.Labels = append(learned.Labels, l)
		}
	}
	if t.setup.Depth == finetune.DepthCalibrate || t.setup.Depth == finetune.DepthHead {
		enc := *t.enc
		enc.adapter = d
		learned.Encoder = &enc
	}
	return learned, nil
}

// Discard implements ui.Training.
func (t *trainRun) Discard() error {
	err := t.Close()
	return errors.Join(err, os.RemoveAll(t.dir))
}

// Close implements ui.Training.
func (t *trainRun) Close() error {
	return errors.Join(t.current().Close(), t.learner().close())
}
