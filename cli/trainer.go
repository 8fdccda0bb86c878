package cli

import (
	"context"
	"sync"

	"sigla/gallery"
	"sigla/gallery/label"
	"sigla/model"
	"sigla/ui"
)

// trainer trains for the explorer, on the photos that it shows. It implements
// ui.Trainer.
type trainer struct {
	*app
	g     *gallery.Gallery
	src   model.Source
	data  string
	paths []string

	mu  sync.Mutex
	enc *encoder // as Load made it; nil until then
}

// use has the trainer begin with a model.
func (t *trainer) setModel(enc *encoder) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.enc = enc
}

// lesson gathers what there is to learn from.
func (t *trainer) lesson(ctx context.Context, wish ui.TrainWish) (*lesson, error) {
	t.mu.Lock()
	enc := t.enc
	t.mu.Unlock()
	l, err := t.newLesson(enc, t.src, t.g, trainSetup{
		Paths: t.paths, Labels: t.settings.labels, Template: t.settings.templates, Tags: "auto", Complete: wish.Complete, Depth: wish.Depth,
	}, wish.Labels)
	if err != nil {
		return nil, err
	}
	l.data = t.data
	return l, l.gather(ctx)
}

// newLesson begins with the model as it was published, whatever it is used with.
func (a *app) newLesson(enc *encoder, src model.Source, g *gallery.Gallery, setup trainSetup, set label.Set) (*lesson, error) {
	plain := *enc
	if d := enc.adapter; d != nil {
		if len(d.Tensors)+len(d.LowRank) > 0 {
			return nil, usagef("train %s: it is used with adapter %s, which has changed its towers: train without it (--adapter none)", enc.Model.Info().Name, d.name)
		}
		plain.adapter = nil
	}
	return &lesson{app: a, g: g, enc: &plain, info: plain.Info(), src: src, data: dataDir(), setup: setup, named: a.settings.labels != "", set: set}, nil
}

// Plan implements ui.Trainer.
func (t *trainer) Plan(ctx context.Context, wish ui.TrainWish) (ui.TrainPlan, error) {
	l, err := t.lesson(ctx, wish)
	if err != nil {
		return ui.TrainPlan{}, err
	}
	return l.foresee(ctx)
}

// foresee plans what is not begun. Depths that change the towers are not loaded
// for it.
func (l *lesson) foresee(ctx context.Context) (ui.TrainPlan, error) {
	if l.towers() {
		return l.planTowers(l.enc.Config())
	}
	m, err := newLinearMethod(ctx, l)
	if err != nil {
		return ui.TrainPlan{}, err
	}
	defer m.close()
	return m.plan(ctx)
}

// Begin implements ui.Trainer.
func (t *trainer) Begin(ctx context.Context, wish ui.TrainWish) (ui.Training, error) {
	l, err := t.lesson(ctx, wish)
	if err != nil {
		return nil, err
	}
	run, err := l.begin(ctx, "")
	if err != nil {
		return nil, err
	}
	return run, nil
}
