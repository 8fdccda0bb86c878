package ref

import (
	"math"

	"sigla/backend"
)

// SigmoidLoss goes row by row. With the logit l = exp(t)·⟨x, y⟩ + b, a pair adds
// −log σ(z·l) to the sum, and the gradient by its logit is
// −z·σ(−z·l) = −z/(1 + exp(z·l)).
func (engine) SigmoidLoss(loss, dx, dy, dt, db, x, y, t, b backend.Buf, p backend.Pairs) {
	p.Check(loss, dx, dy, dt, db, x, y, t, b)
	images, texts := floats(x), floats(y)
	scale, bias := math.Exp(float64(floats(t)[0])), float64(floats(b)[0])
	rows := float64(p.Rows)
	sum, sumT, sumB := 0.0, 0.0, 0.0
	sumX, sumY := make([]float64, p.Dim), make([]float64, p.Cols*p.Dim)
	label := make([]int8, p.Cols)
	for i := range p.Rows {
		image := images[i*p.Dim:][:p.Dim]
		p.Labels(label, i, 0)
		clear(sumX)
		for j, z := range label {
			if z == 0 {
				continue
			}
			text := texts[j*p.Dim:][:p.Dim]
			cosine := dot(image, text)
			logit := float64(z) * (scale*cosine + bias)
			grad := -float64(z) / (1 + math.Exp(logit)) / rows
			sum += softplus(-logit) / rows
			sumT += grad * scale * cosine
			sumB += grad
			addScaled(sumX, grad*scale, text)
			addScaled(sumY[j*p.Dim:], grad*scale, image)
		}
		store(floats(dx)[i*p.Dim:], sumX)
	}
	store(floats(dy), sumY)
	floats(loss)[0] = float32(sum)
	accumulate(floats(dt), []float64{sumT})
	accumulate(floats(db), []float64{sumB})
}

// softplus is log(1 + eˣ) = −log σ(−x), for any x without overflow.
func softplus(x float64) float64 { return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }
