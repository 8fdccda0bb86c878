package cli

import (
	"context"
	"reflect"
	"sync"

	"sigla/finetune"
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
	enc *encoder // as Load made it, or Keep; nil until then

	ready *lesson // gathered for a wish; nil: none
	wish  ui.TrainWish
}

// setModel has the trainer begin with a model.
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
		Model: t.settings.model, Paths: t.paths, Labels: t.settings.labels, Template: t.settings.templates,
		Tags: "auto", Complete: wish.Complete, Depth: wish.Depth, Aim: wish.Aim, Prototype: wish.Prototype,
	}, wish.Labels)
	if err != nil {
		return nil, err
	}
	l.data, l.hint = t.data, "c says that absent tags are wrong"
	return l, l.gather(ctx)
}

// newLesson begins with the model as it was published, whatever it is used with.
func (a *app) newLesson(enc *encoder, src model.Source, g *gallery.Gallery, setup trainSetup, set label.Set) (*lesson, error) {
	plain := *enc
	if d := enc.adapter; d != nil {
		if d.merged {
			return nil, usagef("train %s: it is used with adapter %s, which has changed its towers: train without it (--adapter none)", enc.Model.Info().Name, d.name)
		}
		plain.adapter = nil
	}
	return &lesson{app: a, g: g, enc: &plain, info: plain.Info(), src: src, data: dataDir(), setup: setup, named: a.settings.labels != "", set: set}, nil
}

// Plan implements ui.Trainer. What it gathers is learned from if Begin comes with
// the same wish: what was said is what is done.
func (t *trainer) Plan(ctx context.Context, wish ui.TrainWish, depths []finetune.Depth, tell func(finetune.Depth, ui.TrainPlan, error)) {
	l, err := t.lesson(ctx, wish)
	t.mu.Lock()
	if t.ready = nil; err == nil {
		t.ready, t.wish = l, wish
	}
	t.mu.Unlock()
	for _, depth := range depths {
		if err != nil {
			tell(depth, ui.TrainPlan{}, err)
			continue
		}
		one := *l
		one.setup.Depth = depth
		p, err := one.foresee(ctx)
		tell(depth, p, err)
	}
}

// take returns what Plan has gathered for a wish, once; nil if that was another.
func (t *trainer) take(wish ui.TrainWish) *lesson {
	t.mu.Lock()
	defer t.mu.Unlock()
	l, was := t.ready, t.wish
	t.ready = nil
	was.Depth, was.Aim, was.Prototype = wish.Depth, wish.Aim, wish.Prototype // what is gathered is the same
	if l == nil || !reflect.DeepEqual(was, wish) {
		return nil
	}
	l.setup.Depth, l.setup.Aim, l.setup.Prototype = wish.Depth, wish.Aim, wish.Prototype
	return l
}

// foresee plans what is not begun. Depths that change the towers are not loaded
// for it.
func (l *lesson) foresee(ctx context.Context) (p ui.TrainPlan, err error) {
	if l = l.usable(); l.towers() {
		device, err := l.trainsOn()
		if err != nil {
			return p, err
		}
		return l.planTowers(ctx, device)
	}
	_, err = l.onDevice(ctx, func(l *lesson) error {
		m, err := newLinearMethod(ctx, l)
		if err != nil {
			return err
		}
		defer m.close()
		p, err = m.plan(ctx)
		return err
	})
	return p, err
}

// Begin implements ui.Trainer.
func (t *trainer) Begin(ctx context.Context, wish ui.TrainWish) (ui.Training, error) {
	l := t.take(wish)
	if l == nil {
		var err error
		if l, err = t.lesson(ctx, wish); err != nil {
			return nil, err
		}
	}
	run, err := l.begin(ctx, "")
	if err != nil {
		return nil, err
	}
	return run, nil
}
