package finetune

import (
	"context"
	"math"
	"slices"

	"sigla/backend"
	"sigla/model"
)

// Validate implements Learner: the loss of the photos held back as one batch,
// and the average precision of the labels of which both sides are known. In a
// set of captions each caption held back is a label, which its own photo has.
func (l *Towers) Validate(ctx context.Context) (Validation, error) {
	var v Validation
	images, photos, err := l.EmbedHeld(ctx)
	if err != nil || len(photos) == 0 {
		return v, err
	}
	b, columns := l.batch(photos)
	texts, err := l.embedColumns(ctx, columns)
	if err != nil {
		return v, err
	}
	b.Pairs.Rows, b.Pairs.Cols = len(photos), len(columns)
	scale, bias := l.Scalars()
	score := model.Score{LogScale: scale, Bias: bias}
	logits := make([]float32, 0, len(photos)*len(columns))
	for _, x := range images {
		for _, y := range texts {
			logits = append(logits, score.Logit(float32(dot(x, y))))
		}
	}
	rows, cols := logitColumns(b.Pairs, logits)
	v = look(cols)
	v.Photos = len(photos)
	if len(l.set.Labels) > 0 {
		l.looked(Look{photos, columns, logits})
	}
	v.Loss = sigmoidLoss(rows)
	if l.o.Loss == model.Softmax {
		v.Loss = (crossEntropy(rows) + crossEntropy(cols)) / 2
	}
	return v, nil
}

// A Look is how photos held back scored labels at a validation: p = σ(logit).
type Look struct {
	Photos, Labels []int
	Logits         []float32 // [photos, labels]
}

func (l *Towers) looked(now Look) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.looks[0].Photos == nil {
		l.looks[0] = now
	}
	l.looks[1] = now
}

// Looks are the first look at the photos held back, before anything was learned
// if Validate was called then, and the latest. They may be asked for from any
// goroutine.
func (l *Towers) Looks() (first, last Look) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.looks[0], l.looks[1]
}

// Follow takes over the looks of towers in whose place these learn on.
func (l *Towers) Follow(was *Towers) {
	first, last := was.Looks()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.looks = [2]Look{first, last}
}

// logitColumns are the pairs that are known, with their logits, by photos and by
// texts.
func logitColumns(p backend.Pairs, logits []float32) (rows, cols []column) {
	rows, cols = make([]column, p.Rows), make([]column, p.Cols)
	truth := make([]int8, p.Cols)
	for i := range rows {
		p.Labels(truth, i, 0)
		for j, z := range truth {
			if z != 0 {
				l := float64(logits[i*p.Cols+j])
				for _, c := range []*column{&rows[i], &cols[j]} {
					c.rows, c.score, c.truth = append(c.rows, i), append(c.score, l), append(c.truth, z)
				}
			}
		}
	}
	return rows, cols
}

// look averages the precision of the columns that have both sides.
func look(cols []column) (v Validation) {
	for _, c := range cols {
		if p := c.sorted().measure(nil, 0)[averagePrecision]; !math.IsNaN(p) {
			v.Labels++
			v.AveragePrecision += p
		}
	}
	v.AveragePrecision /= max(float64(v.Labels), 1)
	return v
}

// sigmoidLoss is the loss of backend.SigmoidLoss.
func sigmoidLoss(rows []column) float64 {
	sum := 0.0
	for _, c := range rows {
		for i, z := range c.truth {
			sum += softplus(-float64(z) * c.score[i])
		}
	}
	return sum / float64(len(rows))
}

// crossEntropy is a half of backend.SoftmaxLoss.
func crossEntropy(lines []column) float64 {
	sum, n := 0.0, 0.0
	for _, c := range lines {
		highest, right, count := math.Inf(-1), 0.0, 0.0
		for i, z := range c.truth {
			highest = max(highest, c.score[i])
			if z > 0 {
				right += c.score[i]
				count++
			}
		}
		if count == 0 {
			continue
		}
		all := 0.0
		for _, l := range c.score {
			all += math.Exp(l - highest)
		}
		sum += highest + math.Log(all) - right/count
		n++
	}
	return sum / max(n, 1)
}

// lookBatch is how many photos held back are in memory at once.
const lookBatch = 64

// EmbedHeld embeds the photos held back that can be read, as the image tower is
// now.
func (l *Towers) EmbedHeld(ctx context.Context) (images [][]float32, photos []int, err error) {
	for part := range slices.Chunk(l.o.Held, lookBatch) {
		prepared, read, err := l.load(ctx, part)
		if err != nil {
			return nil, nil, err
		}
		rows, err := l.t.Embed(ctx, prepared)
		if err != nil {
			return nil, nil, err
		}
		images, photos = append(images, rows...), append(photos, read...)
	}
	return images, photos, nil
}

// embedColumns embeds labels or captions as the text tower is now.
func (l *Towers) embedColumns(ctx context.Context, columns []int) ([]model.Embedding, error) {
	var texts [][]string
	var fixed []model.Embedding
	for _, c := range columns {
		switch {
		case l.fixed != nil:
			fixed = append(fixed, l.fixed[c])
		case len(l.set.Labels) > 0:
			texts = append(texts, l.set.Labels[c].Texts)
		default:
			texts = append(texts, []string{l.set.Photos[c].Caption})
		}
	}
	if l.fixed != nil {
		return fixed, nil
	}
	return embedPrompts(ctx, l.m, texts)
}
