package finetune

import (
	"context"
	"errors"
	"fmt"
	"slices"

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
	if len(d.decided(d.Rest(nil))) == 0 {
		return Scores{}, ErrNothingToLearn
	}
	for _, fold := range d.Folds(folds, seed) {
		if len(fold) == 0 {
			continue
		}
		h := d.ZeroShot()
		if err := l.restart(d.Rest(fold), nil); err == nil {
			if err := l.fit(ctx); err != nil {
				return Scores{}, err
			}
			if h, err = l.Heads(); err != nil {
				return Scores{}, err
			}
		} else if !errors.Is(err, ErrNothingToLearn) {
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
	return scores, nil
}

// fewestGroups is how many groups of photos of either side cross-validation must
// have seen to say anything: with two, each is learned from a single example.
const fewestGroups = 3

// gate says of which labels the scores of cross-validation are better than those
// before (paired bootstrap of groups): of the logarithmic loss and the average
// precision one must be better by the whole of its interval, and the other not
// worse. order says that the order of photos is the same, and with it the latter.
func (s Set) gate(before, after Scores, order bool) []Verdict {
	e := evaluation{set: s, photos: s.Rest(nil), scores: []Scores{before, after}, cuts: make([]float64, len(s.Labels))}
	e.resample()
	verdicts := make([]Verdict, len(s.Labels))
	groups := s.Groups()
	for i, l := range s.Labels {
		v := Verdict{Label: l.Name, Reason: s.few(e.columns[0][i], groups)}
		if v.Reason == "" {
			loss, gain := e.gain(i, logLoss), e.gain(i, averagePrecision)
			v.Before, v.After = e.values[0][i][averagePrecision], e.values[1][i][averagePrecision]
			v.Low, v.High = gain.Low, gain.High
			v.Kept = loss.High < 0 && (order || gain.Value >= 0) || loss.Value <= 0 && !order && gain.Low > 0
			if !v.Kept {
				v.Reason = "it is not surely better"
			}
		}
		verdicts[i] = v
	}
	return verdicts
}

// few says of which photos of a label there are too few; nothing if there are
// enough.
func (s Set) few(c column, groups []int) string {
	yes, no := make(map[int]bool), make(map[int]bool)
	for k, y := range c.truth {
		if g := groups[c.rows[k]]; y > 0 {
			yes[g] = true
		} else {
			no[g] = true
		}
	}
	switch {
	case len(yes) == 0:
		return "no photo is known to show it"
	case len(no) == 0:
		return "no photo is known not to show it"
	case len(yes) < fewestGroups:
		return fmt.Sprintf("too few photos show it: %d that differ, %d are needed", len(yes), fewestGroups)
	case len(no) < fewestGroups:
		return fmt.Sprintf("too few photos are known not to show it: %d that differ, %d are needed", len(no), fewestGroups)
	}
	return ""
}

// A Choice is what cross-validation says of what a method has learned.
type Choice struct {
	Verdicts []Verdict
	Before   Scores // of all photos, by the model alone
	After    Scores // of each photo, by what the others teach: as it was chosen
}

// Choose decides for every label what is to score it (do no harm): the model as
// it is; calibration, if by cross-validation that is better than the model; and
// what the method has learned besides, if that is better again. What cannot be
// shown to help may harm.
func Choose(ctx context.Context, e backend.Backend, d Embedded, m Method, p Prior, seed uint64) (Choice, error) {
	before, err := d.ZeroShot().Scores(e, d.Images)
	if err != nil {
		return Choice{}, err
	}
	c := Choice{Before: before, After: Scores{before.Labels, slices.Clone(before.Values)}}
	as, last := make([]Method, len(d.Labels)), []Verdict(nil)
	for _, method := range slices.Compact([]Method{Calibrate, m}) {
		crossed, err := CrossValidate(ctx, e, d, method, p, seed)
		if err != nil {
			return Choice{}, err
		}
		last = d.gate(c.After, crossed, method == Calibrate)
		for i, v := range last {
			if v.Kept {
				as[i] = method
				for at := i; at < len(c.After.Values); at += c.After.Labels {
					c.After.Values[at] = crossed.Values[at]
				}
			}
		}
	}
	c.Verdicts = d.gate(before, c.After, true)
	for i := range c.Verdicts {
		v := &c.Verdicts[i]
		v.As, v.Kept = as[i], as[i] != ""
		switch {
		case v.As == m:
			v.Reason = ""
		case v.Kept: // the figures of what was not kept say more than none
			v.Reason = last[i].Reason
		default:
			*v = last[i]
		}
	}
	return c, nil
}

// Apply gives heads that were learned to the labels that were chosen to have
// them. Those that are to be calibrated only are, from the photos rows.
func (c Choice) Apply(ctx context.Context, e backend.Backend, d Embedded, learned Heads, p Prior, rows []int) (Heads, error) {
	as := func(m Method) func(int) bool { return func(i int) bool { return c.Verdicts[i].As == m } }
	others := d.ZeroShot()
	if slices.ContainsFunc(c.Verdicts, func(v Verdict) bool { return v.As == Calibrate }) {
		l, err := NewLinear(e, d, Calibrate, p, rows, nil)
		if err != nil {
			return Heads{}, err
		}
		if err := l.fit(ctx); err != nil {
			return Heads{}, err
		}
		calibrated, err := l.Heads()
		if err != nil {
			return Heads{}, err
		}
		others = calibrated.Keep(others, as(Calibrate))
	}
	return learned.Keep(others, func(i int) bool { return c.Verdicts[i].Kept && c.Verdicts[i].As != Calibrate }), nil
}
