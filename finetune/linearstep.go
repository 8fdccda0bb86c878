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
	if l.texts.Cols > 0 { // something is known of these photos
		if err = l.gradTexts(); err == nil && l.method == LinearHead {
			loss, err = l.gradVectors()
		} else if err == nil {
			loss, err = l.gradReading()
		}
	}
	if err == nil {
		err = l.pull()
	}
	if err != nil {
		return 0, 0, fmt.Errorf("learn on embeddings: %w", err)
	}
	return loss, l.texts.Cols, nil
}

// gradTexts adds the gradient of t' and b by the labels' texts. Each known pair is
// a column of one value, its cosine, in a single row.
func (l *Linear) gradTexts() error {
	n := l.texts.Cols
	one, out := l.put("one", []float32{1}), l.take("loss", 1)
	dx, dy, grad := l.take("done", 1), l.take("dcosines", n), l.zero("dtexts", 2)
	l.e.SigmoidLoss(out, dx, dy, grad.Slice(0, 1), grad.Slice(1, 1), one, l.take("cosines", n), l.t.w, l.b.w, l.texts)
	sum, err := l.read(grad)
	if err != nil {
		return err
	}
	for i, g := range []backend.Buf{l.t.g, l.b.g} {
		l.e.Add(g, g, l.put("add", []float32{sum[i] / float32(len(l.batch))}))
	}
	return nil
}

// gradVectors adds the gradient of the vectors, and returns the loss.
func (l *Linear) gradVectors() (float64, error) {
	x := l.take("x", l.pairs.Rows*l.pairs.Dim)
	dx, dy, out, none := l.take("dx", x.Len), l.take("dy", l.w.Len), l.take("loss", 1), l.zero("none", 2)
	l.e.SigmoidLoss(out, dx, dy, none.Slice(0, 1), none.Slice(1, 1), x, l.w, l.t.w, l.b.w, l.pairs)
	l.e.Add(l.g, l.g, dy)
	loss, err := l.read(out)
	return float64(loss[0]), err
}

// gradReading adds the gradient of log s and δ, and returns the loss. Each label
// is a row of its own; its known pairs are columns of two values, the cosine and
// what makes δ.
func (l *Linear) gradReading() (float64, error) {
	w, err := l.read(l.w)
	if err != nil {
		return 0, err
	}
	for i := 0; i < len(w); i += 2 {
		w[i] = float32(math.Exp(float64(w[i])))
	}
	x := l.put("s and δ", w)
	out, dx, none := l.zero("losses", len(l.columns)), l.zero("dx", x.Len), l.zero("none", 2)
	from, y, dy := 0, l.take("readings", 2*l.texts.Cols), l.take("dy", 2*l.texts.Cols)
	for i, p := range l.readings {
		if p.Cols > 0 {
			l.e.SigmoidLoss(out.Slice(i, 1), dx.Slice(2*i, 2), dy.Slice(2*from, 2*p.Cols), none.Slice(0, 1), none.Slice(1, 1),
				x.Slice(2*i, 2), y.Slice(2*from, 2*p.Cols), l.t.w, l.b.w, p)
		}
		from += p.Cols
	}
	losses, err := l.read(out)
	if err != nil {
		return 0, err
	}
	grad, err := l.read(dx)
	if err != nil {
		return 0, err
	}
	n, sum := float32(len(l.batch)), 0.0
	for i, loss := range losses {
		sum += float64(loss / n)
		grad[2*i] *= w[2*i] / n // by log s
		grad[2*i+1] /= n
	}
	l.e.Add(l.g, l.g, l.put("add readings", grad))
	return sum, nil
}

// load puts the photos of a batch into the engine. Their order does not matter to
// the loss: the same batch again costs nothing.
func (l *Linear) load(batch []int) {
	rows := slices.Clone(batch)
	slices.Sort(rows)
	if slices.Equal(rows, l.batch) {
		return
	}
	l.batch = rows
	l.pairs = l.d.Pairs(at(l.rows, rows), l.columns)
	l.pairs.Dim = len(l.d.Texts[0]) + 1
	z := make([]int8, len(rows)*len(l.columns))
	for i := range rows {
		l.pairs.Labels(z[i*len(l.columns):][:len(l.columns)], i, 0)
	}
	known := func(column int, pair func(row int, shown bool)) {
		for i, row := range rows {
			if v := z[i*len(l.columns)+column]; v != 0 {
				pair(row, v > 0)
			}
		}
	}
	l.texts, l.readings = backend.Pairs{Rows: 1, Dim: 1, Default: -1}, nil
	var cosines, readings []float32
	for column := range l.columns {
		reading := backend.Pairs{Rows: 1, Dim: 2, Default: -1}
		middle := l.middle(l.start[column]) * float32(l.ones)
		known(column, func(row int, shown bool) {
			cosines = append(cosines, l.ofTexts[row*len(l.columns)+column])
			readings = append(readings, l.ofStart[row*len(l.columns)+column]-middle, float32(l.ones))
			for _, p := range []*backend.Pairs{&l.texts, &reading} {
				if shown {
					p.Except = append(p.Except, backend.Pair{Col: int32(p.Cols), Label: 1})
				}
				p.Cols++
			}
		})
		l.readings = append(l.readings, reading)
	}
	if l.texts.Cols == 0 {
		return
	}
	l.put("cosines", cosines)
	if l.method != LinearHead {
		l.put("readings", readings)
		return
	}
	x := make([]float32, 0, len(rows)*l.pairs.Dim)
	for _, row := range rows {
		for k, v := range l.d.Images[l.rows[row]] {
			x = append(x, v-l.mean[k])
		}
		x = append(x, float32(l.ones))
	}
	l.put("x", x)
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
