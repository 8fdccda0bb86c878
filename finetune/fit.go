package finetune

import (
	"context"
	"math"

	"sigla/backend"
)

// How a Linear is learned: all photos are one batch as long as they are not more
// than LinearBatch, and rates are in logits.
const (
	LinearSteps = 150
	LinearRate  = 0.3
	LinearBatch = 8192
	linearWarm  = 5 // steps of warming up
)

// fit learns to convergence: AdamW with the rate warming up and then falling
// along a cosine.
func (l *Linear) fit(ctx context.Context) error {
	all := make([]int, l.Rows())
	for i := range all {
		all[i] = i
	}
	for step := 1; step <= LinearSteps; step++ {
		if _, _, err := l.Gradient(ctx, all); err != nil {
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
