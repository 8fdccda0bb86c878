package finetune

import (
	"context"
	"math"
	"strings"
	"testing"
	"time"

	"sigla/backend/ref"
	"sigla/model"
)

func TestPlan(t *testing.T) {
	m, set, o := loadBicubic(t, ref.New())
	o.Held = []int{3}
	run := Options{Epochs: 5, Batch: 2, LR: 1e-3, Checkpoints: 4}
	prepare := func(m *model.Model) (*model.Trainer, error) { return m.NewTrainer("text_model.*") }
	p, err := NewPlan(m.Config(), prepare, set, o, run)
	if err != nil {
		t.Fatal(err)
	}
	embedding := int64(4 * m.Config().Dim) // the image tower is frozen
	if p.Texts != 2 || p.Steps != 10 || p.PerEpoch != 2 || p.Photos != 4*embedding || p.Disk != 5*p.Checkpoint || p.Checkpoint != 3*p.Need.Gradients {
		t.Errorf("%+v", p)
	}
	o.Cache = 0
	if p, err := NewPlan(m.Config(), prepare, set, o, run); err != nil || p.Photos != 2*embedding {
		t.Errorf("without a cache %+v, %v", p, err)
	}
	if err := p.Fits(p.Memory()); err != nil {
		t.Error(err)
	}
	if err := p.Fits(p.Memory() - 1); err == nil || !strings.Contains(err.Error(), "GiB of memory") {
		t.Error(err)
	}

	l := towers(t, m, set, o, "text_model.*")
	before, _ := l.Scalars()
	if err := p.Measure(context.Background(), l, run); err != nil {
		t.Fatal(err)
	}
	if p.First < p.Epoch || p.Epoch <= 0 || p.Whole != p.First+4*p.Epoch {
		t.Errorf("%+v", p)
	}
	if after, _ := l.Scalars(); after != before {
		t.Errorf("measuring has moved t' from %g to %g", before, after)
	}

	labels := labelled(set)
	p, err = NewPlan(m.Config(), func(m *model.Model) (*model.Trainer, error) { return m.NewTrainer() }, labels, o, run)
	texts := 0
	for _, l := range labels.Labels {
		texts += len(l.Texts)
	}
	if err != nil || p.Texts != texts || p.PerEpoch != 2 || p.Drawn != 3 { // of three photos something is known, the fourth is held back
		t.Errorf("%+v, %v", p, err)
	}
	run.Batch, run.Balance = 2, 10 // two labels, a photo each
	balanced, err := NewPlan(m.Config(), func(m *model.Model) (*model.Trainer, error) { return m.NewTrainer() }, labels, o, run)
	factors := labels.Repeats([]int{0, 1, 2}, 10)
	want := factors[0] + factors[1] + factors[2]
	if err != nil || want <= 4 || balanced.Drawn != int(math.Ceil(want)) || balanced.PerEpoch != (balanced.Drawn+1)/2 || balanced.Steps != 5*balanced.PerEpoch {
		t.Errorf("rare labels drawn more often, %g photos: %+v, %v", want, balanced, err)
	}
	run.Batch = 0
	if _, err := NewPlan(m.Config(), prepare, set, o, run); err == nil {
		t.Error("no batch was accepted")
	}
	if _, err := NewPlan(m.Config(), func(m *model.Model) (*model.Trainer, error) { return m.NewTrainer("no*") }, set, o, Options{Steps: 1, Batch: 1, LR: 1}); err == nil {
		t.Error("a pattern that matches nothing was accepted")
	}
}

// The first epoch of a set that is one batch takes the time of its photos, too.
func TestPlanOfOneBatch(t *testing.T) {
	m, set, o := loadBicubic(t, ref.New())
	const slow = 50 * time.Millisecond
	photo := o.Photo
	o.Photo = func(ctx context.Context, i int) (any, error) {
		time.Sleep(slow)
		return photo(ctx, i)
	}
	o.Cache = 1 << 30
	p := Plan{Steps: 5, PerEpoch: 1}
	if err := p.Measure(context.Background(), towers(t, m, set, o, "text_model.*"), Options{Epochs: 5, Batch: len(set.Photos), LR: 1e-3}); err != nil {
		t.Fatal(err)
	}
	if p.First < slow || p.Whole != p.First+4*p.Epoch {
		t.Errorf("%+v", p)
	}
}
