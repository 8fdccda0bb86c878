package model

import (
	"math"
	"testing"

	"sigla/cpu"
)

// Products in bfloat16 turn the gradient of all weights by less than two
// degrees and change the loss by less than a hundredth.
func TestGradientInBF16(t *testing.T) {
	const dir = "testdata/golden/hf/siglip-bicubic"
	var losses [2]float32
	var grads [2][]float32
	for i := range grads {
		e, err := cpu.New(cpu.Options{BF16: i == 1})
		if err != nil {
			t.Fatal(err)
		}
		if i == 1 && e.Precision() != "bf16" {
			t.Skipf("%s multiplies bfloat16 no faster than float32", e)
		}
		m := loadOn(t, e, dir)
		batch := goldenBatch(t, m, dir)
		tr, err := m.NewTrainer()
		if err != nil {
			t.Fatal(err)
		}
		if losses[i], err = tr.Add(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		err = tr.Each(func(_ string, _ []int, _, grad []float32) error {
			grads[i] = append(grads[i], grad...)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	same := func(i, j int) float64 { return float64(dot(grads[i], grads[j])) }
	cosine := same(0, 1) / math.Sqrt(same(0, 0)*same(1, 1))
	t.Logf("loss %g and %g, cosine of the gradients %.6f", losses[0], losses[1], cosine)
	if !(cosine > math.Cos(2*math.Pi/180)) || cosine > 1-1e-12 {
		t.Errorf("the cosine of the gradients is %.6f", cosine)
	}
	if math.Abs(float64(losses[1]-losses[0])) > 1e-2*math.Abs(float64(losses[0])) {
		t.Errorf("loss %g in bf16, %g in f32", losses[1], losses[0])
	}
}
