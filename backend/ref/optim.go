package ref

import (
	"math"

	"sigla/backend"
)

func (engine) SumSquares(dst, x backend.Buf) {
	backend.CheckSumSquares(dst, x)
	s := floats(x)
	accumulate(floats(dst), []float64{dot(s, s)})
}

func (engine) AdamW(w, g, m, v backend.Buf, a backend.Adam) {
	a.Check(w, g, m, v)
	weight, first, second := floats(w), floats(m), floats(v)
	lr, beta1, beta2 := float64(a.LR), float64(a.Beta1), float64(a.Beta2)
	correct1 := 1 - math.Pow(beta1, float64(a.Step))
	correct2 := 1 - math.Pow(beta2, float64(a.Step))
	for i, g := range floats(g) {
		grad := float64(g) * float64(a.Scale)
		m := beta1*float64(first[i]) + (1-beta1)*grad
		v := beta2*float64(second[i]) + (1-beta2)*grad*grad
		step := m / correct1 / (math.Sqrt(v/correct2) + float64(a.Eps))
		weight[i] = float32(float64(weight[i])*(1-lr*float64(a.Decay)) - lr*step)
		first[i], second[i] = float32(m), float32(v)
	}
}
