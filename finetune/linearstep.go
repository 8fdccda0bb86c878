package finetune

import (
	"context"
	"fmt"
	"math"
	"slices"

	"sigla/backend"
	"sigla/model"
)

// Gradient implements Learner. What the prior pulls is part of the gradient and
// not of the loss, so that the losses of a run and of its validation compare.
func (l *Linear) Gradient(ctx context.Context, batch []int) (loss float64, pairs int, err error) {
	if err := ctx.Err(); err != nil {
		return 0, 0, err
	}
	l.load(batch)
	y, err := l.labels()
	if err != nil {
		return 0, 0, err
	}
	rows, columns := l.pairs.Rows, l.pairs.Cols
	x := l.take("x", rows*l.pairs.Dim)
	dx, dy, out := l.take("dx", x.Len), l.take("dy", y.Len), l.take("loss", 1)
	l.e.SigmoidLoss(out, dx, dy, l.t.g, l.b.g, x, y, l.t.w, l.b.w, l.pairs)
	if l.method == LinearHead {
		l.e.Add(l.g, l.g, dy)
	} else if err := l.project(dy); err != nil {
		return 0, 0, err
	}
	if err := l.pull(); err != nil {
		return 0, 0, err
	}
	value, err := l.read(out)
	if err != nil {
		return 0, 0, fmt.Errorf("learn on embeddings: %w", err)
	}
	pairs = len(l.pairs.Except)
	if l.pairs.Default != 0 {
		pairs = rows * columns
	}
	return float64(value[0]), pairs, nil
}

// load puts the photos of a batch into the engine. Their order does not matter
// to the loss: the same batch again costs nothing.
func (l *Linear) load(batch []int) {
	photos := make([]int, len(batch))
	for i, row := range batch {
		photos[i] = l.rows[row]
	}
	slices.Sort(photos)
	if slices.Equal(photos, l.batch) {
		return
	}
	l.batch = photos
	l.pairs = l.d.Pairs(photos, l.columns)
	l.pairs.Dim = len(l.d.Texts[0]) + 1
	x := make([]float32, 0, len(photos)*l.pairs.Dim)
	for _, p := range photos {
		x = append(append(x, l.d.Images[p]...), float32(l.ones))
	}
	l.put("x", x)
}

// labels returns the labels' vectors, each with the value that makes δ, [labels,
// dim + 1].
func (l *Linear) labels() (backend.Buf, error) {
	if l.method == LinearHead {
		return l.w, nil
	}
	w, err := l.read(l.w)
	if err != nil {
		return backend.Buf{}, err
	}
	var y []float32
	for i, v := range l.start {
		s := float32(math.Exp(float64(w[2*i])))
		for _, x := range v {
			y = append(y, s*x)
		}
		y = append(y, w[2*i+1])
	}
	return l.put("y", y), nil
}

// project adds the gradient by log s and δ, of that by the vectors.
func (l *Linear) project(dy backend.Buf) error {
	d, err := l.read(dy)
	if err != nil {
		return err
	}
	w, err := l.read(l.w)
	if err != nil {
		return err
	}
	var grad []float32
	for i, v := range l.start {
		row := d[i*(len(v)+1):][:len(v)+1]
		grad = append(grad, float32(math.Exp(float64(w[2*i]))*dot(row[:len(v)], v)), row[len(v)])
	}
	l.e.Add(l.g, l.g, l.put("project", grad))
	return nil
}

// pull adds the gradient of the prior: half the squares of what was learned in
// units of its deviation, over the number of photos.
func (l *Linear) pull() error {
	w, err := l.read(l.w)
	if err != nil {
		return err
	}
	n, square := float64(len(l.rows)), func(x float64) float64 { return x * x }
	byScale := 1 / square(l.prior.Scale) / n
	byVector, byDelta := square(l.scale/l.prior.Vector)/n, square(l.scale*l.ones/l.prior.Delta)/n
	width := l.width()
	for i, v := range l.start {
		row := w[i*width:][:width]
		if l.method == LinearHead {
			for k, x := range v {
				row[k] = float32(byVector * float64(row[k]-x))
			}
		} else {
			row[0] *= float32(byScale)
		}
		row[width-1] *= float32(byDelta)
	}
	l.e.Add(l.g, l.g, l.put("pull", w))
	for _, s := range []scalar{l.t, l.b} {
		now, err := l.read(s.w)
		if err != nil {
			return err
		}
		l.e.Add(s.g, s.g, l.put("pull scalar", []float32{float32(s.prior / n * (float64(now[0]) - s.before))}))
	}
	return nil
}

// gradients are those of the parts that learn, in the order of Each.
func (l *Linear) gradients() []backend.Buf { return []backend.Buf{l.g, l.t.g, l.b.g} }

// SumSquares implements Learner.
func (l *Linear) SumSquares() (sum float64, at string, err error) {
	for i, g := range l.gradients() {
		part := l.zero("squares", 1)
		l.e.SumSquares(part, g)
		value, err := l.read(part)
		if err != nil {
			return 0, "", fmt.Errorf("learn on embeddings: %w", err)
		}
		if v := float64(value[0]); !finite(v) {
			at = []string{"labels", "logit_scale", "logit_bias"}[i]
		}
		sum += float64(value[0])
	}
	return sum, at, nil
}

// Update implements Learner. The prior stands in the place of weight decay.
func (l *Linear) Update(a backend.Adam) error {
	a.Decay = 0
	step := func(w, g, m, v backend.Buf, lr float64) {
		a := a
		a.LR = float32(float64(a.LR) * lr)
		l.e.AdamW(w, g, m, v, a)
		l.e.Zero(g)
	}
	step(l.w, l.g, l.m, l.v, 1/(l.scale*l.ones))
	for _, s := range []scalar{l.t, l.b} {
		step(s.w, s.g, s.m, s.v, s.lr)
	}
	_, err := l.read(l.b.w)
	return err
}

// Each implements Learner.
func (l *Linear) Each(visit func(name string, shape []int, values []float32) (bool, error)) error {
	type part struct {
		name string
		buf  backend.Buf
	}
	shape := []int{len(l.columns), l.width()}
	for _, p := range []part{
		{"labels", l.w}, {"labels.m", l.m}, {"labels.v", l.v},
		{"logit_scale", l.t.w}, {"logit_scale.m", l.t.m}, {"logit_scale.v", l.t.v},
		{"logit_bias", l.b.w}, {"logit_bias.m", l.b.m}, {"logit_bias.v", l.b.v},
	} {
		values, err := l.read(p.buf)
		if err != nil {
			return fmt.Errorf("read %s: %w", p.name, err)
		}
		if p.buf.Len == 1 {
			shape = []int{1}
		}
		changed, err := visit(p.name, shape, values)
		if err != nil {
			return err
		}
		if changed {
			l.e.Write(p.buf, values)
			for _, g := range l.gradients() {
				l.e.Zero(g)
			}
		}
	}
	return nil
}

// Heads returns what was learned. Labels that were not learned score exactly as
// before.
func (l *Linear) Heads() (Heads, error) {
	w, err := l.read(l.w)
	if err != nil {
		return Heads{}, err
	}
	t, b := l.Scalars()
	h := Heads{Score: model.Score{LogScale: t, Bias: b}, Labels: make([]Head, len(l.d.Texts))}
	learned := make([]bool, len(h.Labels))
	width := l.width()
	for i, label := range l.columns {
		row := w[i*width:][:width]
		v, s := l.start[i], 1.0
		if l.method == LinearHead {
			v = row[:width-1]
		} else {
			s = math.Exp(float64(row[0]))
		}
		long := math.Sqrt(dot(v, v))
		if long == 0 {
			continue // its photos cancel its text: nothing is left to ask for
		}
		unit := make([]float32, len(v))
		for k, x := range v {
			unit[k] = float32(float64(x) / long)
		}
		h.Labels[label] = Head{unit, model.Adjust{Scale: s * long, Delta: math.Exp(float64(t)) * l.ones * float64(row[width-1])}}
		learned[label] = true
	}
	return h.Keep(l.d.ZeroShot(), func(label int) bool { return learned[label] }), nil
}

// Validate implements Learner.
func (l *Linear) Validate(ctx context.Context) (Validation, error) {
	h, err := l.Heads()
	if err != nil {
		return Validation{}, err
	}
	scores, err := h.scores(l.work, l.images(l.held))
	if err != nil {
		return Validation{}, err
	}
	return l.d.validate(scores, l.held), ctx.Err()
}

// validate looks at the scores of photos, their rows.
func (s Set) validate(scores Scores, photos []int) Validation {
	v := Validation{Photos: len(photos)}
	for label := range s.Labels {
		c := s.column(scores, label, photos)
		for i, y := range c.truth {
			v.Loss += softplus(-float64(y)*c.score[i]) / float64(len(photos))
		}
		if ap := c.averagePrecision(nil); !math.IsNaN(ap) {
			v.AveragePrecision += ap
			v.Labels++
		}
	}
	if v.Labels > 0 {
		v.AveragePrecision /= float64(v.Labels)
	}
	return v
}
