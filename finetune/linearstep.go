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
	x, texts := l.take("x", l.pairs.Rows*l.pairs.Dim), l.take("texts", y.Len)
	dx, dy, out, none := l.take("dx", x.Len), l.take("dy", y.Len), l.take("loss", 1), l.zero("none", 2)
	l.e.SigmoidLoss(out, dx, dy, l.t.g, l.b.g, x, texts, l.t.w, l.b.w, l.pairs)
	l.e.SigmoidLoss(out, dx, dy, none.Slice(0, 1), none.Slice(1, 1), x, y, l.t.w, l.b.w, l.pairs)
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
		pairs = l.pairs.Rows * l.pairs.Cols
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
		for k, v := range l.d.Images[p] {
			x = append(x, v-l.mean[k])
		}
		x = append(x, float32(l.ones))
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
	t, b := l.Scalars()
	scale := math.Exp(float64(t))
	n, square := float64(len(l.rows)), func(x float64) float64 { return x * x }
	byScale := 1 / square(l.prior.Scale) / n
	byVector, byDelta := square(scale/l.prior.Vector)/n, square(scale*l.ones/l.prior.Delta)/n
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
		row[width-1] = float32(byDelta * float64(row[width-1]-l.middle(v)))
	}
	l.e.Add(l.g, l.g, l.put("pull", w))
	byGlobal := 1 / square(l.prior.Global) / n
	l.e.Add(l.t.g, l.t.g, l.put("pull t", []float32{float32(byGlobal * square(l.reach) * float64(t-l.d.LogScale))}))
	l.e.Add(l.b.g, l.b.g, l.put("pull b", []float32{float32(byGlobal * float64(b-l.d.Bias))}))
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
	step(l.t.w, l.t.g, l.t.m, l.t.v, 1/l.reach)
	step(l.b.w, l.b.g, l.b.m, l.b.v, 1)
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
		middle := l.ones*float64(row[width-1]) - s*dot(v, l.mean)
		unit := make([]float32, len(v))
		for k, x := range v {
			unit[k] = float32(float64(x) / long)
		}
		h.Labels[label] = Head{unit, model.Adjust{Scale: s * long, Delta: math.Exp(float64(t)) * middle}}
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
		for _, loss := range c.loss {
			v.Loss += loss / float64(len(photos))
		}
		if ap := c.measure(nil, 0)[averagePrecision]; !math.IsNaN(ap) {
			v.AveragePrecision += ap
			v.Labels++
		}
	}
	if v.Labels > 0 {
		v.AveragePrecision /= float64(v.Labels)
	}
	return v
}
