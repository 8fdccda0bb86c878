package finetune

import (
	"context"
	"fmt"

	"sigla/backend"
)

// folds is how many parts cross-validation divides photos into.
const folds = 5

// CrossValidate scores every photo by what was learned from the others: the
// photos are divided into folds, see Set.Folds, and each fold is scored by what
// the rest of them teaches. A label that the rest cannot teach scores as before.
func CrossValidate(ctx context.Context, e backend.Backend, d Embedded, m Method, p Prior, seed uint64) (Scores, error) {
	if err := d.Validate(); err != nil {
		return Scores{}, err
	}
	l := &Linear{work: newWork(e), d: d, method: m, prior: p}
	scores := Scores{len(d.Labels), make([]float32, len(d.Photos)*len(d.Labels))}
	learned := false
	for _, fold := range d.Folds(folds, seed) {
		if len(fold) == 0 {
			continue
		}
		h := d.ZeroShot()
		if err := l.restart(d.Rest(fold), nil); err == nil {
			learned = true
			if err := l.fit(ctx); err != nil {
				return Scores{}, err
			}
			if h, err = l.Heads(); err != nil {
				return Scores{}, err
			}
		} else if err != ErrNothingToLearn {
			return Scores{}, err
		}
		part, err := h.scores(l.work, l.images(fold))
		if err != nil {
			return Scores{}, err
		}
		for row, photo := range fold {
			copy(scores.Values[photo*scores.Labels:], part.Values[row*part.Labels:][:part.Labels])
		}
	}
	if !learned {
		return scores, ErrNothingToLearn
	}
	return scores, nil
}

// fewestGroups is how many groups of photos of either side cross-validation must
// have seen to say anything: with two, each is learned from a single example.
const fewestGroups = 3

// A Verdict says of a label whether what was learned of it is kept.
type Verdict struct {
	Label string `json:"label"`
	Kept  bool   `json:"kept"`
	Why   string `json:"why"`
	// By how much what was learned is better on photos that it was not learned
	// from: average precision, and the logarithmic loss less.
	Precision Interval `json:"average_precision_gain"`
	Loss      Interval `json:"log_loss_gain"`
}

// Gate says of which labels what was learned is to be kept: where the scores of
// cross-validation are better than those before. The logarithmic loss must have
// fallen, by the whole of its interval (paired bootstrap of groups), and average
// precision must not have fallen. Everything else stays as it was: what cannot
// be shown to help may harm.
func (s Set) Gate(before, after Scores) []Verdict {
	photos := make([]int, len(s.Photos))
	for i := range photos {
		photos[i] = i
	}
	e := evaluation{set: s, photos: photos, scores: []Scores{before, after}, cuts: make([]float64, len(s.Labels))}
	e.resample()
	verdicts := make([]Verdict, len(s.Labels))
	groups := s.Groups()
	for i, l := range s.Labels {
		loss := e.gain(i, logLoss)
		v := Verdict{Label: l.Name, Precision: e.gain(i, averagePrecision), Loss: Interval{-loss.Value, -loss.High, -loss.Low}}
		yes, no := make(map[int]bool), make(map[int]bool)
		for k, y := range e.columns[0][i].truth {
			if g := groups[e.columns[0][i].rows[k]]; y > 0 {
				yes[g] = true
			} else {
				no[g] = true
			}
		}
		switch {
		case len(yes) == 0:
			v.Why = "no photo is known to show it"
		case len(no) == 0:
			v.Why = "no photo is known not to show it"
		case len(yes) < fewestGroups:
			v.Why = fmt.Sprintf("too few photos show it: %d that differ, of %d needed", len(yes), fewestGroups)
		case len(no) < fewestGroups:
			v.Why = fmt.Sprintf("too few photos are known not to show it: %d that differ, of %d needed", len(no), fewestGroups)
		case !(v.Precision.Value >= 0):
			v.Why = "it ranks photos worse than before"
		case !(v.Loss.Low > 0):
			v.Why = "it is not surely better than before"
		default:
			v.Kept, v.Why = true, "it is better than before"
		}
		verdicts[i] = v
	}
	return verdicts
}
