package finetune

import (
	"context"
	"math"

	"sigla/backend"
)

// How a Linear is learned to convergence: by so many steps, each on a batch of
// all photos, or of as many as LinearBatch. Rates are in logits. With these the
// objective is within 3 % of what it comes to in the end, and average precision
// within 0.003, from 1 to 50 photos a label and from 10 to 100 labels.
const (
	LinearSteps = 200
	LinearRate  = 2
	LinearBatch = 8192
	linearWarm  = 5 // steps of warming up
)

// DefaultPrior was chosen on the training lists of two collections (docs/TRAINING.md).
var DefaultPrior = Prior{Vector: 8, Scale: 0.5, Delta: 2, Global: 3}

// fit learns to convergence: the rate warms up and then falls along a cosine.
func (l *Linear) fit(ctx context.Context) error {
	all := make([]int, l.Rows())
	for i := range all {
		all[i] = i
	}
	batches := (len(all) + LinearBatch - 1) / LinearBatch
	for step := 1; step <= LinearSteps; step++ {
		batch := all[(step%batches)*len(all)/batches : (step%batches+1)*len(all)/batches]
		if _, _, err := l.Gradient(ctx, batch); err != nil {
			return err
		}
		rate := LinearRate * min(1, float64(step)/linearWarm) * (1 + math.Cos(math.Pi*float64(step-1)/LinearSteps)) / 2
		err := l.Update(backend.Adam{LR: float32(rate), Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, Scale: 1, Step: step})
		if err != nil {
			return err
		}
	}
	return nil
}
