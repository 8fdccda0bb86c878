package finetune

import (
	"context"
	"fmt"
	"time"

	"sigla/backend"
	"sigla/model"
)

// A Plan is what a run is going to take, told before it begins.
type Plan struct {
	Need       model.Need
	Texts      int   // of a step: all labels' prompts, or the captions of its photos
	Photos     int64 // bytes of photos that are kept in memory
	Checkpoint int64 // bytes of each on the disk
	Disk       int64 // bytes of all checkpoints, and of the one that is being written
	Steps      int
	PerEpoch   int // steps
	Drawn      int // photos of an epoch, those that come twice counted twice

	// Known after Measure.
	First time.Duration // of the first epoch, in which photos are read
	Epoch time.Duration // of each one after
	Whole time.Duration // of the run, validations left out
}

// margin is by how much a run may need more than is foreseen: what is no tensor
// of the engine, and garbage. Measured: up to 8 %.
func margin(bytes int64) int64 { return bytes/8 + 64<<20 }

// Memory is what the process has to have, at most.
func (p Plan) Memory() int64 { return p.Need.Total() + p.Photos + margin(p.Need.Total()+p.Photos) }

// Fits says what to do if the memory that is available is too little.
func (p Plan) Fits(available int64) error {
	if p.Memory() <= available {
		return nil
	}
	const gib = 1 << 30
	return fmt.Errorf("train: it takes %.2f GiB of memory, %.2f are available: parts of a batch with fewer photos, fewer names that are trained, or low-rank updates take less",
		float64(p.Memory())/gib, float64(available)/gib)
}

// NewPlan foresees the run of a Towers with a model of a shape. prepare selects
// what is trained, see model.Foresee. The set says how many photos there are and
// how many texts a batch has.
func NewPlan(c model.Config, prepare func(*model.Model) (*model.Trainer, error), set Set, o TowersOptions, run Options) (Plan, error) {
	l := &Towers{set: set, o: o}
	l.choose()
	run, err := run.check(len(l.rows))
	if err != nil {
		return Plan{}, err
	}
	photos := min(run.Batch, len(l.rows))
	texts := photos
	if len(set.Labels) > 0 {
		texts = 0
		for _, label := range set.Labels {
			texts += len(label.Texts)
		}
	}
	epoch := newRepeats(len(l.rows), l.Repeats(run.Balance)).photos()
	p := Plan{Texts: max(texts, 1), Steps: run.total(epoch), PerEpoch: batches(epoch, run.Batch), Drawn: epoch}
	if p.Need, err = model.Foresee(c, prepare, photos, p.Texts, o.Micro); err != nil {
		return Plan{}, err
	}
	p.Photos = max(min(o.Cache, p.Need.Photo*int64(len(l.rows)+len(o.Held))), p.Need.Photo*int64(photos))
	p.Checkpoint = p.Need.Gradients + p.Need.Moments
	p.Disk = p.Checkpoint * int64(run.Checkpoints+1)
	return p, nil
}

// Measure times the steps of a learner, which is not fit to be trained
// afterwards: no weight has changed, but the moments have.
func (p *Plan) Measure(ctx context.Context, l Learner, o Options) error {
	o, err := o.check(l.Rows())
	if err != nil {
		return err
	}
	s := newSampler(l, o)
	still := backend.Adam{Beta1: 0.9, Beta2: 0.95, Eps: 1, Scale: 1, Step: 1}
	step := func(batch []int) (time.Duration, error) {
		begun := time.Now()
		if _, _, err := l.Gradient(ctx, batch); err != nil {
			return 0, err
		}
		if _, _, err := l.SumSquares(); err != nil {
			return 0, err
		}
		return time.Since(begun), l.Update(still)
	}
	var batch []int
	var fresh time.Duration
	rounds := 2 // memory is touched for the first time in the first
	if p.PerEpoch < rounds {
		rounds = 1 // the second would read nothing
	}
	for range rounds {
		err := untilRead(&s, func(next []int) (err error) {
			batch = next
			fresh, err = step(next)
			return err
		})
		if err != nil {
			return err
		}
	}
	known, err := step(batch)
	if err != nil {
		return err
	}
	n := time.Duration(p.PerEpoch)
	p.First, p.Epoch = n*max(fresh, known), n*known
	p.Whole = min(p.First, time.Duration(p.Steps)*max(fresh, known)) + time.Duration(max(p.Steps-p.PerEpoch, 0))*known
	return nil
}
