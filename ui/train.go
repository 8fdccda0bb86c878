package ui

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"

	"sigla/finetune"
	"sigla/gallery/label"
	"sigla/ui/chart"
)

// Trainer learns from what is known of the photos. Its methods may take long:
// they are called by commands.
type Trainer interface {
	// Plan says what trainings of the depths would learn from, and what they take:
	// tell is called for each, with an error where there is nothing to learn. The
	// depth of the wish does not matter.
	Plan(ctx context.Context, wish TrainWish, depths []finetune.Depth, tell func(finetune.Depth, TrainPlan, error))
	// Begin prepares a training. Nothing is learned yet.
	Begin(ctx context.Context, wish TrainWish) (Training, error)
}

// TrainWish is what a person wants to be learned.
type TrainWish struct {
	Labels   label.Set // of the explorer: they explain the names that tags have
	Depth    finetune.Depth
	Complete bool // a tag that a photo does not have is known to be wrong
}

// TrainPlan is what a training learns from, and what it takes.
type TrainPlan struct {
	Depth   finetune.Depth
	Data    finetune.Summary
	From    string // where it is said what photos show: "tags in files"
	Learned int    // labels of which both sides are known
	Held    int    // photos that are looked at and not learned from
	Seed    uint64
	Steps   int
	Time    time.Duration // expected; 0: not known
	Bytes   int64         // of memory, beside what is in use
	Notes   []string      // what a person should know before it begins

	Recorded bool // a run of the past is shown: nothing can be done to it
}

// Training is one run of a Trainer. Train is called by one goroutine at a time,
// the others at any time; Result, Keep and Discard only when Train has returned.
type Training interface {
	Plan() TrainPlan
	// Before is how the model does on the photos held back before it learns.
	Before() finetune.Validation
	// Train takes the steps that are left, as finetune.Run does.
	Train(ctx context.Context, w finetune.Watch) error
	Pause()
	Resume()
	Stop()

	Checkpoints() ([]int, error)
	Rewind(step int) error // forgets what came after
	Branch(step int) error // goes on from there, and leaves what came after on disk

	// Sides says which photos have changed sides since the start.
	Sides(ctx context.Context) (TrainSides, error)
	// Result measures what was learned.
	Result(ctx context.Context) (TrainResult, error)
	// Keep keeps what the gate lets through, for use from now on.
	Keep(ctx context.Context) (Learned, error)
	// Discard removes everything that the run wrote.
	Discard() error
	Close() error
}

// TrainSides are tags that came and went since the start of a training.
type TrainSides struct {
	Up, Down int          // pairs of a photo and a label
	Photos   []SideChange // some of them, those that changed most first
}

// SideChange is a photo that is above the threshold of a label now and was not,
// or the other way round.
type SideChange struct {
	ID    int
	Label string
	Up    bool
}

// TrainResult is how good what was learned is.
type TrainResult struct {
	Before, After finetune.Validation // on the photos held back
	Labels        []finetune.Verdict
	Kept          int // labels that are better and would be kept
	Whole         bool
	Notes         []string
}

// Learned is what was kept.
type Learned struct {
	Name   string        // of the adapter
	Labels []label.Label // that have learned
	// Encoder stands in the place of the former, with which it is closed. It is
	// nil if all photos must be embedded anew: the explorer ends with ErrReopen.
	Encoder Encoder
}

// ErrReopen is why Run returned when a training has changed the model so that
// nothing of what the explorer knows holds any more.
var ErrReopen = errors.New("the model has changed")

// trainStage says how far a training is.
type trainStage uint8

const (
	trainNone    trainStage = iota
	trainBegins             // data are made ready
	trainRuns               // or is paused
	trainEnds               // the step in hand is waited for
	trainMeasure            // what was learned is measured
	trainDone               // and may be kept
	trainKeeps
)

// training is the state of the sheet and of the screen of a training.
type training struct {
	// The sheet.
	complete bool
	planned  map[finetune.Depth]planned // as far as it is known
	request  int

	// The screen.
	stage   trainStage
	run     Training
	feed    *feed
	plan    TrainPlan
	before  finetune.Validation
	first   finetune.Event
	last    finetune.Event
	curves  [len(trainCurves)][]chart.Point
	after   *finetune.Validation // the latest
	sides   TrainSides
	pace    pace // of sides
	result  TrainResult
	err     error // what ended it
	trouble error // what went wrong beside it last
	paused  bool
	drop    bool // discard it when it has ended
	sure    bool // the key that discards was pressed once
	anyway  bool // likewise the one that keeps, of what is not better
	pick    pick
}

// trainCurves are what is drawn of events.
var trainCurves = [...]func(finetune.Event) float64{
	func(e finetune.Event) float64 { return e.Loss },
	func(e finetune.Event) float64 { return e.Temperature },
	func(e finetune.Event) float64 { return e.Bias },
}

// curveParts is how many parts of a curve keep their own highest and lowest
// points: more than any terminal has dots across.
const curveParts = 1024

// feed brings events from the goroutine that trains to the screen: it never
// waits for the screen, and the screen takes all that have come at once.
type feed struct {
	mu      sync.Mutex
	events  []finetune.Event
	trouble error
	over    bool          // nothing comes any more: the training has ended
	err     error         // with this
	ready   chan struct{} // holds one if something has come
}

func newFeed() *feed { return &feed{ready: make(chan struct{}, 1)} }

func (f *feed) put(e *finetune.Event, trouble error) {
	f.mu.Lock()
	if e != nil {
		f.events = append(f.events, *e)
	}
	if trouble != nil {
		f.trouble = trouble
	}
	f.mu.Unlock()
	f.wake()
}

func (f *feed) end(err error) {
	f.mu.Lock()
	f.over, f.err = true, err
	f.mu.Unlock()
	f.wake()
}

func (f *feed) wake() {
	select {
	case f.ready <- struct{}{}:
	default:
	}
}

func (f *feed) take() feedMsg {
	f.mu.Lock()
	defer f.mu.Unlock()
	msg := feedMsg{feed: f, events: f.events, trouble: f.trouble, over: f.over, err: f.err}
	f.events, f.trouble = nil, nil
	return msg
}

// feedMsg has what came since the last.
type feedMsg struct {
	feed    *feed
	events  []finetune.Event
	trouble error
	over    bool
	err     error
}

// feedPause is the least time between two looks at a feed: a screen has no use
// for more.
const feedPause = 30 * time.Millisecond

// listen waits for something to come.
func (m *root) listen() tea.Cmd {
	f := m.train.feed
	return m.work.command(func(ctx context.Context) tea.Msg {
		select {
		case <-f.ready:
		case <-ctx.Done():
			return nil
		}
		msg := f.take()
		if !msg.over {
			waitUntil(ctx, time.Now().Add(feedPause))
		}
		return msg
	})
}

func (m *root) fed(msg feedMsg) tea.Cmd {
	if msg.feed != m.train.feed {
		return nil // of a training that is over
	}
	m.learned(msg)
	if msg.over {
		return m.trained(msg.err)
	}
	return m.listen()
}

// learned takes over events.
func (m *root) learned(msg feedMsg) {
	t := &m.train
	if msg.trouble != nil {
		t.trouble = msg.trouble
	}
	for _, e := range msg.events {
		t.cut(e.Step - 1)
		if t.first.Step == 0 {
			t.first = e
		}
		t.last = e
		for i, value := range trainCurves {
			t.curves[i] = append(t.curves[i], chart.Point{X: float64(e.Step), Y: value(e)})
		}
		if e.Validation != nil {
			t.after = e.Validation
		}
	}
	for i, c := range t.curves {
		if len(c) > 8*curveParts {
			t.curves[i] = chart.Thin(c, curveParts)
		}
	}
	if len(msg.events) > 0 {
		t.pace.want(false)
	}
}

// cut forgets what came after a step, when a run has gone back.
func (t *training) cut(step int) {
	if t.last.Step <= step {
		return
	}
	for i, c := range t.curves {
		n := len(c)
		for n > 0 && c[n-1].X > float64(step) {
			n--
		}
		t.curves[i] = c[:n]
	}
	t.last.Step = step
	if step < t.first.Step {
		t.first = finetune.Event{}
	}
}

// trainMsg takes what the commands of a training bring.
func (m *root) trainMsg(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case planMsg:
		m.trainPlanned(msg)
	case beganMsg:
		return m.trainBegan(msg)
	case feedMsg:
		return m.fed(msg)
	case measuredMsg:
		return m.trainMeasured(msg)
	case keptMsg:
		return m.trainKept(msg)
	case droppedMsg:
		m.trainDropped(msg)
	case checkpointsMsg:
		m.checkpointsCame(msg)
	case wentBackMsg:
		return m.wentBack(msg)
	}
	return nil
}

type beganMsg struct {
	run    Training
	plan   TrainPlan
	before finetune.Validation
	err    error
}

// beginTraining prepares what the sheet says, on the screen of the training.
func (m *root) beginTraining(wish TrainWish) tea.Cmd {
	plan := m.train.planned[wish.Depth].plan
	m.train = training{stage: trainBegins, plan: plan, complete: wish.Complete}
	m.overlay, m.overlayTop = overlayTraining, 0
	trainer := m.o.Trainer
	return m.work.command(func(ctx context.Context) tea.Msg {
		run, err := trainer.Begin(ctx, wish)
		if err != nil {
			return beganMsg{err: err}
		}
		return beganMsg{run, run.Plan(), run.Before(), nil}
	})
}

func (m *root) trainBegan(msg beganMsg) tea.Cmd {
	t := &m.train
	if msg.err != nil {
		m.endTraining()
		m.warn(msg.err)
		return nil
	}
	if m.o.Replay != nil {
		m.train, m.overlay = training{}, overlayTraining
	}
	t.run, t.plan, t.before = msg.run, msg.plan, msg.before
	return m.trainOn()
}

// replay shows the run that the explorer was opened for, if there is one.
func (m *root) replay() tea.Cmd {
	run := m.o.Replay
	if run == nil {
		return nil
	}
	return m.work.command(func(context.Context) tea.Msg { return beganMsg{run, run.Plan(), run.Before(), nil} })
}

// trainOn takes the steps that are left.
func (m *root) trainOn() tea.Cmd {
	t := &m.train
	t.stage, t.err, t.result, t.feed = trainRuns, nil, TrainResult{}, newFeed()
	run, f := t.run, t.feed
	return tea.Batch(m.listen(), m.work.command(func(ctx context.Context) tea.Msg {
		standBack()
		f.end(run.Train(ctx, finetune.Watch{
			Event: func(e finetune.Event) { f.put(&e, nil) },
			Warn:  func(err error) { f.put(nil, err) },
		}))
		return nil
	}))
}

// trained follows the end of a training, whatever ended it.
func (m *root) trained(err error) tea.Cmd {
	t := &m.train
	t.err = err
	switch {
	case t.drop:
		return m.dropTraining()
	case t.plan.Recorded:
		t.stage = trainDone
		return nil
	case t.last.Step == 0: // it has learned nothing
		run := t.run
		m.endTraining()
		if err != nil {
			m.warn(err)
		}
		return m.closeRun(run)
	}
	t.stage, t.paused = trainMeasure, false
	t.pace.want(true)
	run := t.run
	return m.work.command(func(ctx context.Context) tea.Msg {
		result, err := run.Result(ctx)
		return measuredMsg{run, result, err}
	})
}

type measuredMsg struct {
	run    Training
	result TrainResult
	err    error
}

func (m *root) trainMeasured(msg measuredMsg) tea.Cmd {
	t := &m.train
	if msg.run != t.run || t.stage != trainMeasure {
		return nil
	}
	t.stage, t.result = trainDone, msg.result
	if msg.err != nil {
		t.err = errors.Join(t.err, msg.err)
	}
	if m.overlay != overlayTraining {
		m.say("the training is done: " + keyOf("train") + " shows what it brought")
	}
	if t.drop {
		return m.dropTraining()
	}
	return nil
}

// tellSides finds photos that changed sides, at the pace of what follows.
func (m *root) tellSides() tea.Cmd {
	run := m.train.run
	if run == nil || m.train.stage == trainKeeps {
		return nil
	}
	return m.spread(&m.train.pace, func(ctx context.Context) func(*root) {
		sides, err := run.Sides(ctx)
		if err != nil {
			return nil // the curves go on without
		}
		return func(m *root) {
			if m.train.run == run {
				m.train.sides = sides
			}
		}
	})
}

type keptMsg struct {
	learned Learned
	err     error
}

// keepTraining keeps what was learned.
func (m *root) keepTraining() tea.Cmd {
	t := &m.train
	if t.stage != trainDone || t.plan.Recorded {
		return nil
	}
	if t.result.Kept == 0 && !t.result.Whole {
		m.say("no label became better: there is nothing to keep")
		return nil
	}
	if r := t.result; r.Whole && r.After.AveragePrecision <= r.Before.AveragePrecision && !t.anyway {
		t.anyway = true
		m.say("it is not better on the photos held back: " + signOf("keep") + " again keeps it all the same")
		return nil
	}
	t.stage = trainKeeps
	run := t.run
	return m.work.command(func(ctx context.Context) tea.Msg {
		learned, err := run.Keep(ctx)
		return keptMsg{learned, err}
	})
}

func (m *root) trainKept(msg keptMsg) tea.Cmd {
	if msg.err != nil {
		m.train.stage = trainDone
		m.warn(msg.err)
		return nil
	}
	done := m.closeRun(m.train.run)
	m.endTraining()
	if msg.learned.Encoder == nil {
		m.work.stop(ErrReopen)
		return nil
	}
	m.enc = msg.learned.Encoder
	m.info = m.enc.Info()
	m.classes = nil // all labels may have other vectors
	added, more := m.learnLabels(msg.learned.Labels)
	m.say("kept as " + clean(msg.learned.Name) + more + "; sigla adapters lists and removes")
	m.align()
	return tea.Batch(done, added, m.classify())
}

// learnLabels adds those that have learned and are not in the set.
func (m *root) learnLabels(learned []label.Label) (cmd tea.Cmd, said string) {
	labels := slices.Clone(m.labels.set.Labels)
	for _, l := range learned {
		if m.labels.set.Index(l.Name) < 0 {
			labels = append(labels, l)
		}
	}
	n := len(labels) - len(m.labels.set.Labels)
	if n == 0 {
		return nil, ""
	}
	return m.change("", labels), ", " + plural(n, "label") + " added"
}

// dropTraining removes what the training wrote.
func (m *root) dropTraining() tea.Cmd {
	run := m.train.run
	m.endTraining()
	return m.work.command(func(context.Context) tea.Msg { return droppedMsg{run.Discard()} })
}

type droppedMsg struct{ err error }

func (m *root) trainDropped(msg droppedMsg) {
	if msg.err != nil {
		m.warn(msg.err)
		return
	}
	m.say("the training is discarded: nothing has changed")
}

func (m *root) closeRun(run Training) tea.Cmd {
	return m.work.command(func(context.Context) tea.Msg {
		if err := run.Close(); err != nil {
			return droppedMsg{err}
		}
		return nil
	})
}

// endTraining forgets the training that is on the screen.
func (m *root) endTraining() {
	complete := m.train.complete
	m.train = training{complete: complete}
	if m.overlay == overlayTraining {
		m.overlay = overlayNone
	}
}
