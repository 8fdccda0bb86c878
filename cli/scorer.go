package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"sigla/gallery"
	"sigla/gallery/label"
	"sigla/model"
)

// score returns how a model's cosines become probabilities under the settings.
func (s *settings) score(info model.Info) model.Score {
	return model.Score{LogScale: info.LogScale, Bias: info.Bias, Temperature: s.temperature, Delta: s.bias}
}

// scorer scores photos against a label set.
type scorer struct {
	score      model.Score
	classifier *gallery.Classifier
	adjust     []model.Adjust // of each label
	cuts       []float32      // logit from which on each label holds

	odds func(logits []float32) // CLIP's reading of a label set; nil for SigLIP
	read model.Score            // of what odds makes, or of the logits themselves
}

func newScorer(ctx context.Context, set label.Set, enc *encoder, by *settings) (*scorer, error) {
	if len(set.Labels) == 0 {
		return nil, fmt.Errorf("label set %s is empty: name labels with --labels cat,dog or a file of them", set.Name)
	}
	c, err := gallery.NewClassifier(ctx, set, enc)
	if err != nil {
		return nil, err
	}
	s := &scorer{score: by.score(enc.Info()), classifier: c}
	s.read = s.score
	if enc.Info().Kind == model.CLIP.String() {
		s.odds, s.read = s.score.Choosing()
	}
	for _, l := range set.Labels {
		l = enc.Tune(l)
		adjust := model.Adjust{Scale: l.Scale, Delta: l.Bias}
		s.adjust = append(s.adjust, adjust)
		s.cuts = append(s.cuts, s.read.Cut(l.Cutoff(), adjust))
	}
	return s, nil
}

// labelScore is what a photo scores for one label.
type labelScore struct {
	Label       string  `json:"label"`
	Logit       float32 `json:"logit"`
	Probability float64 `json:"probability"`
	read        float32 // logit that the probability is read off: CLIP's odds
	above       bool    // the threshold is reached
}

// scores returns the scores of all labels, the most probable first; labels of
// one probability stay in the order of the set. The logit is always the
// model's own; CLIP's probability is read off its odds against the other
// labels.
func (s *scorer) scores(vector []float32) []labelScore {
	logits, read := s.logits(vector)
	scores := make([]labelScore, len(logits))
	for i, l := range s.classifier.Set().Labels {
		scores[i] = labelScore{l.Name, logits[i], s.read.Probability(read[i], s.adjust[i]), read[i], read[i] >= s.cuts[i]}
	}
	slices.SortStableFunc(scores, func(x, y labelScore) int { return cmp.Compare(y.Probability, x.Probability) })
	return scores
}

// logits returns the model's own, and those that probabilities are read off.
func (s *scorer) logits(vector []float32) (logits, read []float32) {
	logits = s.classifier.Logits(vector, s.score.Logit)
	read = logits
	if s.odds != nil {
		read = slices.Clone(logits)
		s.odds(read)
	}
	return logits, read
}

// probabilities returns those of all labels, in the order of the set.
func (s *scorer) probabilities(vector []float32) []float64 {
	_, read := s.logits(vector)
	probabilities := make([]float64, len(read))
	for i, logit := range read {
		probabilities[i] = s.read.Probability(logit, s.adjust[i])
	}
	return probabilities
}
