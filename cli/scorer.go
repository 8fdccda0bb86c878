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
	chooses    bool           // the model chooses among labels: CLIP
}

func newScorer(ctx context.Context, set label.Set, enc *encoder, by *settings) (*scorer, error) {
	if len(set.Labels) == 0 {
		return nil, fmt.Errorf("label set %s is empty: name labels with --labels cat,dog or a file of them", set.Name)
	}
	c, err := gallery.NewClassifier(ctx, set, enc)
	if err != nil {
		return nil, err
	}
	s := &scorer{score: by.score(enc.Info()), classifier: c, chooses: enc.Info().Kind == model.CLIP.String()}
	for _, l := range set.Labels {
		adjust := model.Adjust{Scale: l.Scale, Delta: l.Bias}
		s.adjust = append(s.adjust, adjust)
		s.cuts = append(s.cuts, s.score.Cut(l.Cutoff(), adjust))
	}
	return s, nil
}

// labelScore is what a photo scores for one label.
type labelScore struct {
	Label       string  `json:"label"`
	Logit       float32 `json:"logit"`
	Probability float64 `json:"probability"`
	above       bool    // the threshold is reached
}

// scores returns the scores of all labels, the most probable first; labels of
// one probability stay in the order of the set. The logit is always the
// model's own; CLIP's probability is read off its odds against the other
// labels.
func (s *scorer) scores(vector []float32) []labelScore {
	logits := s.classifier.Logits(vector, s.score.Logit)
	read := logits
	if s.chooses {
		read = slices.Clone(logits)
		model.Odds(read)
	}
	scores := make([]labelScore, len(logits))
	for i, l := range s.classifier.Set().Labels {
		scores[i] = labelScore{l.Name, logits[i], s.score.Probability(read[i], s.adjust[i]), read[i] >= s.cuts[i]}
	}
	slices.SortStableFunc(scores, func(x, y labelScore) int { return cmp.Compare(y.Probability, x.Probability) })
	return scores
}
