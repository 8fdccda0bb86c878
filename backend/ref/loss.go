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

// SoftmaxLoss goes row by row twice: for the log-sum-exps, then for the
// gradients. A pair's gradient by its logit is the sum of its probabilities in
// its row and its column, each with the weight of that line in its mean, less
// the shares that a +1 has in the two targets.
func (engine) SoftmaxLoss(loss, dx, dy, dt, x, y, t backend.Buf, p backend.Pairs) {
	p.CheckSoftmax(loss, dx, dy, dt, x, y, t)
	images, texts, scale := floats(x), floats(y), math.Exp(float64(floats(t)[0]))
	rows, cols := make([]line, p.Rows), make([]line, p.Cols)
	label := make([]int8, p.Cols)
	pairs := func(visit func(i, j int, target, logit float64)) {
		for i := range p.Rows {
			p.Labels(label, i, 0)
			for j, z := range label {
				if z != 0 {
					visit(i, j, max(0, float64(z)), scale*dot(images[i*p.Dim:][:p.Dim], texts[j*p.Dim:][:p.Dim]))
				}
			}
		}
	}
	pairs(func(i, j int, target, logit float64) {
		rows[i].add(target, logit)
		cols[j].add(target, logit)
	})
	sum := weigh(rows) + weigh(cols)
	sumT, sumX, sumY := 0.0, make([]float64, p.Rows*p.Dim), make([]float64, p.Cols*p.Dim)
	pairs(func(i, j int, target, logit float64) {
		grad := rows[i].grad(target, logit) + cols[j].grad(target, logit)
		sumT += grad * logit
		addScaled(sumX[i*p.Dim:], grad*scale, texts[j*p.Dim:][:p.Dim])
		addScaled(sumY[j*p.Dim:], grad*scale, images[i*p.Dim:][:p.Dim])
	})
	store(floats(dx), sumX)
	store(floats(dy), sumY)
	floats(loss)[0] = float32(sum)
	accumulate(floats(dt), []float64{sumT})
}

// A line is a row or a column of logits: exp(top)·sum is the sum of their
// exponentials.
type line struct {
	top, sum        float64
	targets, logits float64 // how many pairs are +1, and the sum of their logits
	weight          float64 // see weigh
}

func (l *line) add(target, logit float64) {
	if l.sum == 0 {
		l.top = logit
	}
	if logit > l.top {
		l.sum *= math.Exp(l.top - logit)
		l.top = logit
	}
	l.sum += math.Exp(logit - l.top)
	l.targets += target
	l.logits += target * logit
}

func (l *line) grad(target, logit float64) float64 {
	if l.targets == 0 {
		return 0
	}
	return l.weight * (math.Exp(logit-l.top)/l.sum - target/l.targets)
}

// weigh gives all lines with a target the same weight, ½ in all, and returns
// what they cost.
func weigh(lines []line) (loss float64) {
	n := 0.0
	for _, l := range lines {
		n += min(1, l.targets)
	}
	for i := range lines {
		if l := &lines[i]; l.targets > 0 {
			l.weight = 1 / (2 * n)
			loss += l.weight * (l.top + math.Log(l.sum) - l.logits/l.targets)
		}
	}
	return loss
}
