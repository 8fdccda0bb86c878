package cli

import (
	"context"
	"errors"
	"fmt"
	"image"
	"math"
	"runtime/debug"
	"slices"
	"time"

	"sigla/finetune"
	"sigla/gallery"
	"sigla/gallery/label"
	"sigla/gallery/photo"
	"sigla/model"
	"sigla/ui"
)

// towerMethod learns in the towers: depths lora and full. The model that learns
// is a copy of its own.
type towerMethod struct {
	*finetune.Towers
	l     *lesson
	own   *encoder
	train *model.Trainer

	fitted []finetune.Threshold
}

const towerCache = 1 << 30 // bytes of photos that are kept ready

func newTowerMethod(ctx context.Context, l *lesson) (_ *towerMethod, err error) {
	m := &towerMethod{l: l}
	if m.own, err = l.loadToTrain(ctx); err != nil {
		return nil, err
	}
	m.own.texts = nil // what is kept of texts is the published model's
	defer func() {
		if err != nil {
			err = errors.Join(err, m.own.Close())
		}
	}()
	if m.train, err = l.selectTensors(m.own.Model); err != nil {
		return nil, err
	}
	if m.Towers, err = finetune.NewTowers(m.own.Model, m.train, l.known.Set, m.towersOptions()); err != nil {
		return nil, err
	}
	if m.Rows() == 0 {
		return nil, l.nothingToLearn(finetune.ErrNothingToLearn)
	}
	return m, ctx.Err()
}

// selectTensors prepares what is trained.
func (l *lesson) selectTensors(m *model.Model) (*model.Trainer, error) {
	if l.setup.Depth == finetune.DepthFull {
		return m.NewTrainer(l.setup.Tensors...)
	}
	return m.NewLoRA(finetune.DefaultLoRA(l.known.Set, l.setup.Rank, l.setup.Seed))
}

// changesPhotos reports whether the image tower learns, so that all photos have to
// be embedded anew.
func (l *lesson) changesPhotos() bool {
	return l.setup.Depth == finetune.DepthFull || finetune.DefaultLoRA(l.known.Set, l.setup.Rank, l.setup.Seed).Image
}

func (m *towerMethod) towersOptions() finetune.TowersOptions {
	return finetune.TowersOptions{
		Photo: m.read, Held: m.l.held, Cache: towerCache, DecayAll: m.l.setup.DecayAll, Warn: m.l.warnPhoto,
	}
}

// read prepares a photo of the set.
func (m *towerMethod) read(_ context.Context, i int) (any, error) {
	img, _, err := photo.Read(m.l.known.Photos[i].Path)
	if err != nil {
		return nil, err
	}
	return m.own.Prepare(img)
}

func (m *towerMethod) options() finetune.Options { return m.l.towerRun() }

// towerRun are the numbers of a run in the towers.
func (l *lesson) towerRun() finetune.Options {
	s, balance := l.setup, finetune.DefaultBalance(l.setup.Depth, l.known.Set)
	if s.Balance != nil {
		balance = *s.Balance
	}
	return finetune.TowerOptions(s.Depth, l.known.Set, l.learn, finetune.Options{
		Batch: s.Batch, Epochs: s.Epochs, LR: s.Rate, Balance: balance, Seed: s.Seed, CheckpointEvery: time.Minute,
	})
}

func (m *towerMethod) plan(ctx context.Context) (ui.TrainPlan, error) {
	return m.l.planTowers(ctx, m.own.Device())
}

// planTowers foresees a run without the memory of one, and says if there is too
// little. A device of hardware has memory of its own, of which it says nothing.
func (l *lesson) planTowers(ctx context.Context, device string) (ui.TrainPlan, error) {
	p := l.plan()
	p.Device = device
	if len(l.known.Labels) > 0 {
		p.Learned = len(l.known.Decided(l.learn))
	}
	if len(l.learn) == 0 || len(l.known.Labels) > 0 && p.Learned == 0 {
		return p, l.nothingToLearn(finetune.ErrNothingToLearn)
	}
	o := l.towerRun()
	foreseen, err := finetune.NewPlan(l.enc.Config(), l.selectTensors, l.known.Set, finetune.TowersOptions{Held: l.held, Cache: towerCache}, o)
	if err != nil {
		return p, err
	}
	p.Steps, p.Bytes = foreseen.Steps, foreseen.Memory()
	if foreseen.Drawn > len(l.learn) {
		p.Notes = append(p.Notes, fmt.Sprintf("rare labels are drawn more often: an epoch has %d photos instead of %d", foreseen.Drawn, len(l.learn)))
	}
	if free := availableMemory(); free > 0 && (!l.trainsOnGPU() || l.settings.device == "gpu:software") {
		if err := foreseen.Fits(free); err != nil {
			return p, err
		}
	}
	photo, text, err := l.timeEach(ctx)
	p.Time = time.Duration(p.Steps*foreseen.Texts) * 3 * text // forward once, backward twice
	if !l.changesPhotos() {
		p.Time += time.Duration(len(l.learn)+len(l.held)) * photo // once
		return p, err
	}
	p.Time += time.Duration(foreseen.Drawn*o.Epochs) * 3 * photo
	p.Notes = append(p.Notes, "when it is kept all photos are embedded anew")
	return p, err
}

// timeEach is how long the model takes for a photo and for a text.
func (l *lesson) timeEach(ctx context.Context) (photo, text time.Duration, err error) {
	const n = 4
	side := l.info.ImageSize
	x, err := l.enc.Prepare(image.NewNRGBA(image.Rect(0, 0, side, side)))
	if err != nil {
		return 0, 0, err
	}
	begun := time.Now()
	if _, err = l.enc.Embed(ctx, slices.Repeat([]any{x}, n)); err != nil {
		return 0, 0, err
	}
	photo = time.Since(begun) / n
	begun = time.Now()
	_, err = rescued(l.enc, func(m *model.Model) ([][]float32, error) { // the cache would answer at once
		return m.EmbedTexts(ctx, slices.Repeat([]string{"a photo"}, n))
	})
	return photo, time.Since(begun) / n, err
}

func (m *towerMethod) note() {}

// sides compares the photos held back as they were looked at first and last: to
// embed all photos for it would take as long as to learn.
func (m *towerMethod) sides(context.Context) (ui.TrainSides, error) {
	first, last := m.Looks()
	if len(first.Logits) != len(last.Logits) { // a photo has gone meanwhile
		return ui.TrainSides{}, nil
	}
	known := m.l.known
	s := sides{ids: at(known.ids, last.Photos), before: first.Logits, after: last.Logits}
	for _, own := range at(known.labels, last.Labels) {
		s.names, s.cuts = append(s.names, own.Leaf()), append(s.cuts, logit(own.Cutoff()))
	}
	told := s.told()
	told.Held = true
	return told, nil
}

func at[V any](values []V, places []int) []V {
	some := make([]V, len(places))
	for i, place := range places {
		some[i] = values[place]
	}
	return some
}

// result scores the photos held back before and after.
func (m *towerMethod) result(ctx context.Context) (ui.TrainResult, error) {
	r := ui.TrainResult{Whole: true}
	var err error
	if r.After, err = m.Validate(ctx); err != nil || len(m.l.known.Labels) == 0 {
		return r, err
	}
	photos, learned := m.l.held, [][]float32(nil)
	if m.l.changesPhotos() {
		if learned, photos, err = m.EmbedHeld(ctx); err != nil {
			return r, fmt.Errorf("check what was learned: %w", err)
		}
	}
	vectors := make([][]float32, len(photos))
	for i, id := range at(m.l.known.ids, photos) {
		vectors[i] = m.l.g.Vector(id)
	}
	if !m.l.changesPhotos() {
		learned = vectors
	}
	before, err := m.scores(ctx, m.l.enc, vectors)
	if err != nil {
		return r, err
	}
	// Not by the encoder, which knows nothing of what was learned when the device
	// fails and it loads the model again.
	after, err := m.scores(ctx, m.own.Model, learned)
	if err != nil {
		return r, err
	}
	thresholds := make([]float64, len(m.l.known.labels))
	for i, own := range m.l.known.labels {
		thresholds[i] = own.Cutoff()
	}
	report := m.l.known.Evaluate(photos, thresholds, before, after)
	for _, own := range report.Labels {
		v := finetune.Verdict{Label: own.Label, Before: own.Before.AveragePrecision.Value, After: own.After.AveragePrecision.Value, Low: own.Gain.Low, High: own.Gain.High}
		switch {
		case own.Shown == 0 || own.NotShown == 0 || math.IsNaN(v.Low+v.High):
			v = finetune.Verdict{Label: own.Label, Reason: "too few photos are held back to say"}
		case own.Gain.Low > 0:
			v.Kept = true
			r.Kept++
		default:
			v.Reason = "it is not surely better"
		}
		r.Labels = append(r.Labels, v)
	}
	r.Thresholds, err = m.l.fitThresholds(after, photos)
	m.fitted = r.Thresholds
	return r, err
}

// scored is a model that embeds labels, and says how to read their scores.
type scored interface {
	gallery.TextEmbedder
	Info() model.Info
}

// scores scores vectors of photos by a model.
func (m *towerMethod) scores(ctx context.Context, by scored, photos [][]float32) (finetune.Scores, error) {
	c, err := gallery.NewClassifier(ctx, label.Set{Templates: m.l.set.Templates, Labels: m.l.known.labels}, by)
	if err != nil {
		return finetune.Scores{}, err
	}
	info := by.Info()
	h := finetune.Heads{Score: model.Score{LogScale: info.LogScale, Bias: info.Bias}}
	for _, v := range c.Vectors() {
		h.Labels = append(h.Labels, finetune.Head{Vector: v, Adjust: model.Adjust{Scale: 1}})
	}
	return h.Scores(m.own.engine, photos)
}

func (m *towerMethod) adapter(card finetune.Card) (*finetune.Adapter, error) {
	a, err := m.Adapter(card)
	if a != nil {
		a.Labels = finetune.Moved(a.Labels, m.fitted)
	}
	return a, err
}

func (m *towerMethod) close() error {
	err := m.own.Close()
	debug.FreeOSMemory()
	return err
}
