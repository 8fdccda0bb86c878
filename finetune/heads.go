package finetune

import (
	"fmt"
	"math"

	"sigla/backend"
	"sigla/model"
)

// Embedded is a set as a model sees it: what is learned from where the towers
// stay as they are.
type Embedded struct {
	Set
	LogScale, Bias float32     // t' and b of the checkpoint
	Images         [][]float32 // by photo, unit vectors
	Texts          [][]float32 // by label, unit vectors
}

// Validate says what is wrong with the set, or that vectors do not fit it.
func (d Embedded) Validate() error {
	if err := d.Set.Validate(); err != nil {
		return err
	}
	if len(d.Images) != len(d.Photos) || len(d.Texts) != len(d.Labels) {
		return fmt.Errorf("%d vectors for %d photos, %d for %d labels", len(d.Images), len(d.Photos), len(d.Texts), len(d.Labels))
	}
	for i, v := range d.Texts {
		if len(v) != len(d.Texts[0]) {
			return fmt.Errorf("label %s: a vector of %d values among those of %d", d.Labels[i].Name, len(v), len(d.Texts[0]))
		}
	}
	for i, v := range d.Images {
		if len(d.Texts) > 0 && len(v) != len(d.Texts[0]) {
			return fmt.Errorf("%s: a vector of %d values for labels of %d", d.Photos[i].Path, len(v), len(d.Texts[0]))
		}
	}
	return nil
}

// Heads say how photos are scored by labels: the logit of a photo and a label
// is exp(t')·cosine + b as ever, but with the label's own vector, and its
// probability is σ(s·(logit − b) + b + δ), as model.Score has it.
type Heads struct {
	Score  model.Score // t' and b
	Labels []Head
}

// A Head is a label's place in the space of the embeddings, and its calibration.
type Head struct {
	Vector       []float32 // of length 1
	model.Adjust           // s and δ
}

// ZeroShot are the heads of a model that has learned nothing: the labels' texts.
func (d Embedded) ZeroShot() Heads {
	h := Heads{Score: model.Score{LogScale: d.LogScale, Bias: d.Bias}, Labels: make([]Head, len(d.Texts))}
	for i, v := range d.Texts {
		h.Labels[i] = Head{v, model.Adjust{Scale: 1}}
	}
	return h
}

// Keep returns heads with those of the labels that keep says, and elsewhere what
// scores exactly as before does.
func (h Heads) Keep(before Heads, keep func(label int) bool) Heads {
	kept := Heads{Score: h.Score, Labels: append([]Head(nil), h.Labels...)}
	for i, b := range before.Labels {
		if !keep(i) {
			kept.Labels[i] = Head{b.Vector, model.Adjust{
				Scale: b.Scale * math.Exp(float64(before.Score.LogScale)-float64(h.Score.LogScale)),
				Delta: b.Delta + float64(before.Score.Bias) - float64(h.Score.Bias),
			}}
		}
	}
	return kept
}

// Scores are the logits of the probabilities of photos and labels, [photos,
// labels] by rows: p = σ(score).
type Scores struct {
	Labels int
	Values []float32
	// Thresholds are probabilities, by label; nil: those that Evaluate is given.
	Thresholds []float64
}

// At returns the score of a photo and a label.
func (s Scores) At(photo, label int) float64 { return float64(s.Values[photo*s.Labels+label]) }

// Scores scores photos on an engine, whose memory it takes until Close.
func (h Heads) Scores(e backend.Backend, images [][]float32) (Scores, error) {
	return h.scores(newWork(e), images)
}

func (h Heads) scores(w *work, images [][]float32) (Scores, error) {
	vectors := make([][]float32, len(h.Labels))
	for i, l := range h.Labels {
		vectors[i] = l.Vector
	}
	values, err := w.cosines(images, vectors)
	if err != nil {
		return Scores{}, err
	}
	scale, bias := math.Exp(float64(h.Score.LogScale)), float64(h.Score.Bias)
	for i, cosine := range values {
		l := h.Labels[i%len(h.Labels)]
		values[i] = float32(l.Scale*scale*float64(cosine) + bias + l.Delta)
	}
	return Scores{Labels: len(h.Labels), Values: values}, nil
}
