package ui

import (
	"context"
	"errors"
	"slices"

	tea "charm.land/bubbletea/v2"

	"sigla/finetune"
	"sigla/gallery/label"
	"sigla/ui/chart"
)

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

// sheet is what the sheet says that a training is to be.
type sheet struct {
	complete  bool
	aim       int // of trainAims
	prototype bool
}

// training is the state of the sheet and of the screen of a training.
type training struct {
	sheet
	planned map[finetune.Depth]planned // as far as it is known
	request int

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
	err     error  // what ended it
	trouble error  // what went wrong beside it last
	note    string // what happened to the run, as its events say
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
		if e.Note != "" { // the training goes on: trouble is over
			t.note, t.trouble = e.Note, nil
		}
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
	m.train = training{stage: trainBegins, plan: plan, sheet: m.train.sheet}
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
	if t.result.Kept+t.result.Moved() == 0 && !t.result.Whole {
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
	m.train = training{sheet: m.train.sheet}
	if m.overlay == overlayTraining {
		m.overlay = overlayNone
	}
}
