package finetune

import "testing"

// Few photos are seen more often; what a person says stays.
func TestTowerOptions(t *testing.T) {
	labels := Set{Labels: []Label{{Name: "owl"}}}
	for _, c := range []struct {
		name                 string
		depth                Depth
		set                  Set
		rows                 int
		o                    Options
		epochs, steps, looks int
		rate                 float64
	}{
		{"few photos", DepthLoRA, labels, 33, Options{}, 100, 200, 20, 3e-3},
		{"one photo", DepthLoRA, labels, 1, Options{}, 200, 200, 20, 3e-3},
		{"many photos", DepthLoRA, labels, 3200, Options{}, 5, 500, 5, 3e-3},
		{"captions", DepthLoRA, Set{}, 3200, Options{}, 5, 500, 5, 1e-3},
		{"full", DepthFull, labels, 33, Options{}, 5, 10, 5, 1e-5},
		{"said", DepthLoRA, labels, 33, Options{Epochs: 3, Batch: 11, LR: 0.5}, 3, 9, 3, 0.5},
	} {
		o := TowerOptions(c.depth, c.set, make([]int, c.rows), c.o)
		if steps := o.total(c.rows); o.Epochs != c.epochs || steps != c.steps || steps/o.ValidateEvery != c.looks || o.LR != c.rate || o.Warmup < 1 {
			t.Errorf("%s: %d steps, %+v", c.name, steps, o)
		}
		if _, err := o.check(c.rows); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
