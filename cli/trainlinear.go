package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"sigla/finetune"
	"sigla/ui"
)

// linearMethod learns on embeddings: depths calibrate and head.
type linearMethod struct {
	*finetune.Linear
	l      *lesson
	engine engine // its own: the explorer's computes as well
	data   finetune.Embedded
	zero   finetune.Heads
	names  []string
	cuts   []float64 // by label: logit of its threshold

	mu      sync.Mutex
	noted   time.Time
	heads   *finetune.Heads // at the last note
	before  []float32       // scores of all photos by zero; nil until sides are asked for
	learned finetune.Heads  // what the gate keeps
	fitted  []finetune.Threshold
}

func newLinearMethod(ctx context.Context, l *lesson) (*linearMethod, error) {
	if len(l.known.Labels) == 0 {
		return nil, fmt.Errorf("train: %s has captions, which teach the towers: depth lora or full", l.known.from)
	}
	engine, err := l.linearEngine(ctx)
	if err != nil {
		return nil, err
	}
	m := &linearMethod{l: l, engine: engine}
	if m.data, err = l.known.embedded(ctx, l.g, l.enc, l.set.Templates); err == nil {
		m.Linear, err = finetune.NewLinear(engine, m.data, l.setup.method(), finetune.DefaultPrior, l.learn, l.held)
	}
	if errors.Is(err, finetune.ErrNothingToLearn) {
		err = l.nothingToLearn(err)
	}
	if err != nil {
		return nil, errors.Join(err, engine.Close())
	}
	m.zero = m.data.ZeroShot()
	for _, own := range l.known.labels {
		m.names, m.cuts = append(m.names, own.Leaf()), append(m.cuts, logit(own.Cutoff()))
	}
	return m, nil
}

func (m *linearMethod) method() finetune.Method { return m.l.setup.method() }

// method is what learns on embeddings.
func (s trainSetup) method() finetune.Method {
	switch {
	case s.Depth != finetune.DepthHead:
		return finetune.Calibrate
	case s.Prototype:
		return finetune.Prototype
	}
	return finetune.LinearHead
}

// nothingToLearn says what a person can do.
func (l *lesson) nothingToLearn(err error) error {
	if l.setup.Complete {
		return fmt.Errorf("%w: every photo has the same tags", err)
	}
	return fmt.Errorf("%w: reject labels that photos do not show; or %s", err, l.hint)
}

// Between two checkpoints of a run on embeddings, which takes seconds.
const linearCheckpoint = 300 * time.Millisecond

func (m *linearMethod) options() finetune.Options {
	o := finetune.LinearOptions()
	s := m.l.setup
	o.Seed, o.ValidateEvery, o.CheckpointEvery, o.Checkpoints = s.Seed, 10, linearCheckpoint, 12
	o.Batch = cmp.Or(s.Batch, o.Batch)
	o.LR = cmp.Or(s.Rate, o.LR)
	if s.Epochs > 0 {
		o.Steps, o.Epochs = 0, s.Epochs
	}
	return o
}

// plan times some steps.
func (m *linearMethod) plan(ctx context.Context) (ui.TrainPlan, error) {
	o := m.options()
	p := m.l.plan()
	p.Learned = m.Learned()
	perEpoch := (m.Rows() + o.Batch - 1) / o.Batch
	p.Steps = cmp.Or(o.Steps, o.Epochs*perEpoch)
	dim, labels := int64(m.l.info.Width+1), int64(m.Learned())
	rows := int64(min(m.Rows(), o.Batch))
	p.Bytes = 4 * (2*rows*dim + 8*labels*dim + int64(len(m.data.Photos))*dim)
	measured := finetune.Plan{Steps: p.Steps, PerEpoch: perEpoch}
	fresh, err := finetune.NewLinear(m.engine, m.data, m.method(), finetune.DefaultPrior, m.l.learn, m.l.held)
	if err == nil {
		err = measured.Measure(ctx, fresh, o)
	}
	p.Time = measured.Whole
	return p, err
}

// plan says what every depth has in common.
func (l *lesson) plan() ui.TrainPlan {
	p := ui.TrainPlan{
		Depth: l.setup.Depth, Data: finetune.Summarize(l.known.Set), From: l.known.from,
		Held: len(l.held), Seed: l.setup.Seed, Learned: len(l.known.Labels),
	}
	if n := len(l.known.disputes); n > 0 {
		p.Notes = append(p.Notes, fmt.Sprintf("%d tags are contradicted by answers: the answers count", n))
	}
	if g := l.g.Progress(); g.Done+g.Failed < g.Found {
		p.Notes = append(p.Notes, fmt.Sprintf("%d photos are not embedded yet and are left out", g.Found-g.Done-g.Failed))
	} else if g.Failed > 0 {
		p.Notes = append(p.Notes, fmt.Sprintf("%d photos cannot be read and are left out", g.Failed))
	}
	return p
}

// note keeps what was learned for the sides, a few times a second.
func (m *linearMethod) note() {
	if time.Since(m.noted) < 200*time.Millisecond {
		return
	}
	m.noted = time.Now()
	if h, err := m.Heads(); err == nil {
		m.mu.Lock()
		m.heads = &h
		m.mu.Unlock()
	}
}

// sides compares the scores of all photos of the set.
func (m *linearMethod) sides(ctx context.Context) (ui.TrainSides, error) {
	m.mu.Lock()
	h, before := m.heads, m.before
	m.mu.Unlock()
	if h == nil {
		return ui.TrainSides{}, nil
	}
	if before == nil {
		before = m.scan(m.zero)
		m.mu.Lock()
		m.before = before
		m.mu.Unlock()
	}
	if err := ctx.Err(); err != nil {
		return ui.TrainSides{}, err
	}
	return sides{m.l.known.ids, m.names, m.cuts, before, m.scan(*h)}.told(), nil
}

// scan scores all photos by heads. It takes no memory of an engine: one trains
// meanwhile.
func (m *linearMethod) scan(h finetune.Heads) []float32 {
	vectors := make([][]float32, len(h.Labels))
	for i, l := range h.Labels {
		vectors[i] = l.Vector
	}
	scores := make([]float32, len(m.data.Images)*len(vectors))
	m.l.enc.cpu.Scan(scores, vectors, m.data.Images)
	scale, bias := math.Exp(float64(h.Score.LogScale)), float64(h.Score.Bias)
	for i, cosine := range scores {
		l := h.Labels[i%len(vectors)]
		scores[i] = float32(l.Scale*scale*float64(cosine) + bias + l.Delta)
	}
	return scores
}

// result asks the gate which labels became better, by cross-validation over all
// photos, and measures what it keeps on those held back.
func (m *linearMethod) result(ctx context.Context) (ui.TrainResult, error) {
	m.noted = time.Time{}
	m.note()
	var r ui.TrainResult
	chosen, err := finetune.Choose(ctx, m.engine, m.data, m.method(), finetune.DefaultPrior, m.l.setup.Seed)
	if err != nil {
		return r, fmt.Errorf("check what was learned: %w", err)
	}
	r.Labels = chosen.Verdicts
	h, err := m.Heads()
	if err != nil {
		return r, err
	}
	if m.learned, err = chosen.Apply(ctx, m.engine, m.data, h, finetune.DefaultPrior, m.l.learn); err != nil {
		return r, fmt.Errorf("calibrate: %w", err)
	}
	for _, v := range r.Labels {
		if v.Kept {
			r.Kept++
		}
	}
	if r.Before, err = m.Look(ctx, m.zero); err == nil {
		r.After, err = m.Look(ctx, m.learned)
	}
	if err == nil {
		r.Thresholds, err = m.l.fitThresholds(chosen.After, m.data.Rest(nil))
		m.fitted = r.Thresholds
	}
	if doubts := m.data.Doubts(chosen.After); len(doubts) > 0 {
		r.Notes = append(r.Notes, fmt.Sprintf("the other photos make %d tags doubtful; sigla eval --depth %s lists them", len(doubts), m.l.setup.Depth))
	}
	return r, err
}

func (m *linearMethod) adapter(card finetune.Card) (*finetune.Adapter, error) {
	labels := finetune.Moved(m.learned.Tuned(m.zero, m.data.Labels), m.fitted)
	if len(labels) == 0 {
		return nil, nil
	}
	return &finetune.Adapter{Card: card, Labels: labels}, nil
}

func (m *linearMethod) close() error {
	if err := m.engine.Close(); !isDeviceFailure(err) {
		return err
	}
	return nil
}
