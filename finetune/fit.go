package finetune

import (
	"cmp"
	"context"

	"sigla/model"
)

// LinearOptions are how a Linear is learned to convergence: all photos at once,
// as long as they are not too many. The rate is in logits. With these the
// objective comes within 3 % of where it would end, and average precision within
// 0.003, from 1 to 50 photos a label and from 10 to 100 labels.
func LinearOptions() Options {
	return Options{Steps: 200, Batch: 8192, LR: 2, Warmup: 5, Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, Clip: -1}
}

// fewestSteps is how many steps low-rank updates take at least: 5 epochs of few
// photos are too few.
const fewestSteps = 200

// TowerOptions fills in what o leaves open of a run that changes the towers, over
// the photos learn of a set: at most 32 a batch, 5 epochs, with DepthLoRA at least
// 200 steps, the rate of the depth. It looks at the photos held back once an
// epoch, of short epochs twenty times in all. Rate and steps for labels were chosen
// on halves of the training lists (docs/TRAINING.md).
func TowerOptions(d Depth, set Set, learn []int, o Options) Options {
	rate, steps := 1e-5, 1
	if d == DepthLoRA {
		rate, steps = 1e-3, fewestSteps
		if len(set.Labels) > 0 {
			rate = 3e-3
		}
	}
	o.Batch, o.LR = cmp.Or(o.Batch, 32), cmp.Or(o.LR, rate)
	perEpoch := max(1, batches(newRepeats(len(learn), set.Repeats(learn, o.Balance)).photos(), o.Batch))
	o.Epochs = cmp.Or(o.Epochs, max(5, (steps+perEpoch-1)/perEpoch))
	all := o.Epochs * perEpoch
	o.ValidateEvery, o.Warmup = max(perEpoch, all/20), max(1, all/10)
	return o
}

// DefaultBalance is the Options.Balance of a depth, for a set of labels. That of
// low-rank updates was measured (docs/TRAINING.md).
func DefaultBalance(d Depth, set Set) float64 {
	if d == DepthLoRA && len(set.Labels) > 0 {
		return 2
	}
	return 0
}

// DefaultLoRA is what is trained of a model that learns low-rank updates from a
// set, of rank 8 if rank is 0. Of labels, updates of the text tower alone brought
// nearly all that those of both did, cost other classes least, and photos keep
// their vectors (docs/TRAINING.md). Captions teach both towers.
func DefaultLoRA(set Set, rank int, seed uint64) model.LoRA {
	rank = cmp.Or(rank, 8)
	return model.LoRA{
		Rank: rank, Alpha: 2 * float64(rank), Targets: []string{"q", "v"}, Image: len(set.Labels) == 0, Text: true, Seed: seed,
	}
}

// DefaultPrior was chosen on the training lists of two collections (docs/TRAINING.md).
var DefaultPrior = Prior{Vector: 8, Scale: 0.5, Delta: 2, Global: 3}

// fit learns to convergence, with nothing written down.
func (l *Linear) fit(ctx context.Context) error {
	o, all := LinearOptions(), make([]int, l.Rows())
	for i := range all {
		all[i] = i
	}
	n := batches(len(all), o.Batch)
	for step := 1; step <= o.Steps; step++ {
		k := step % n
		if _, _, err := l.Gradient(ctx, all[k*len(all)/n:(k+1)*len(all)/n]); err != nil {
			return err
		}
		if err := l.Update(o.adam(step, o.Steps, 0)); err != nil {
			return err
		}
	}
	return nil
}
