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
		loss, gain := e.gain(i, logLoss), e.gain(i, averagePrecision)
		v := Verdict{Label: l.Name}
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
			v.Reason = "no photo is known to show it"
		case len(no) == 0:
			v.Reason = "no photo is known not to show it"
		case len(yes) < fewestGroups:
			v.Reason = fmt.Sprintf("too few photos show it: %d that differ, %d are needed", len(yes), fewestGroups)
		case len(no) < fewestGroups:
			v.Reason = fmt.Sprintf("too few photos are known not to show it: %d that differ, %d are needed", len(no), fewestGroups)
		default:
			v.Before, v.After = e.values[0][i][averagePrecision], e.values[1][i][averagePrecision]
			v.Low, v.High = gain.Low, gain.High
			v.Kept = loss.High < 0 && gain.Value >= 0
			if !v.Kept && gain.Value >= 0 {
				v.Reason = "its probabilities are not surely better"
			}
		}
		verdicts[i] = v
	}
	return verdicts
}
