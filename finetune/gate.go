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
	scores := Scores{Labels: len(d.Labels), Values: make([]float32, len(d.Photos)*len(d.Labels))}
	if len(d.Decided(d.Rest(nil))) == 0 {
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
// worse. Of every label there must be enough photos, see few. order says that
// the order of photos is the same, and with it the average precision.
func (s Set) gate(before, after Scores, order bool) []Verdict {
	none := make([]float64, len(s.Labels))
	e := evaluation{set: s, photos: s.Rest(nil), scores: []Scores{before, after}, cuts: [][]float64{none, none}}
	e.resample()
	verdicts := make([]Verdict, len(s.Labels))
	for i, l := range s.Labels {
		loss, gain := e.gain(i, logLoss), e.gain(i, averagePrecision)
		v := Verdict{Label: l.Name, Before: e.values[0][i][averagePrecision], After: e.values[1][i][averagePrecision], Low: gain.Low, High: gain.High}
		v.Kept = loss.High < 0 && (order || gain.Value >= 0) || loss.Value <= 0 && !order && gain.Low > 0
		if !v.Kept {
			v.Reason = "it is not surely better"
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
	if err := d.Validate(); err != nil {
		return Choice{}, err
	}
	before, err := d.ZeroShot().Scores(e, d.Images)
	if err != nil {
		return Choice{}, err
	}
	c := Choice{Before: before, After: Scores{Labels: before.Labels, Values: slices.Clone(before.Values)}, Verdicts: make([]Verdict, len(d.Labels))}
	enough := c.refuseFew(d.Set)
	if len(enough) == 0 {
		if len(d.Decided(d.Rest(nil))) == 0 {
			return Choice{}, ErrNothingToLearn
		}
		return c, nil
	}
	some := d.only(enough)
	chosen := before.only(enough)
	for _, method := range slices.Compact([]Method{Calibrate, m}) {
		crossed, err := CrossValidate(ctx, e, some, method, p, seed)
		if err != nil {
			return Choice{}, err
		}
		for i, v := range some.gate(chosen, crossed, method == Calibrate) {
			at := &c.Verdicts[enough[i]]
			if v.Kept {
				v.As = method
				chosen.set(i, crossed, i)
			} else if at.Kept { // calibration stays, with the figures of what does not
				v.As, v.Kept, v.Reason = at.As, true, "more than that is not surely better"
			}
			*at = v
		}
	}
	for i, v := range some.gate(before.only(enough), chosen, true) {
		if at := &c.Verdicts[enough[i]]; at.As == m { // against the model, not against calibration
			at.Before, at.After, at.Low, at.High = v.Before, v.After, v.Low, v.High
		}
		c.After.set(enough[i], chosen, i)
	}
	return c, nil
}

// refuseFew says of which labels there are too few photos, and returns the
// others.
func (c *Choice) refuseFew(s Set) (enough []int) {
	groups := s.Groups()
	for i, l := range s.Labels {
		c.Verdicts[i] = Verdict{Label: l.Name, Reason: s.few(s.column(c.Before, i, s.Rest(nil)), groups)}
		if c.Verdicts[i].Reason == "" {
			enough = append(enough, i)
		}
	}
	return enough
}

// only is the set with some of its labels, in ascending order.
func (d Embedded) only(labels []int) Embedded {
	some, at := d, make(map[int]int)
	some.Labels, some.Texts, some.Photos = nil, nil, slices.Clone(d.Photos)
	for i, label := range labels {
		at[label] = i
		some.Labels, some.Texts = append(some.Labels, d.Labels[label]), append(some.Texts, d.Texts[label])
	}
	for i, p := range d.Photos {
		some.Photos[i].Known = nil
		for _, k := range p.Known {
			if to, ok := at[k.Label]; ok {
				k.Label = to
				some.Photos[i].Known = append(some.Photos[i].Known, k)
			}
		}
	}
	return some
}

// only are the scores of some labels.
func (s Scores) only(labels []int) Scores {
	some := Scores{Labels: len(labels), Values: make([]float32, len(s.Values)/s.Labels*len(labels))}
	for i, label := range labels {
		some.set(i, s, label)
	}
	return some
}

// set copies the scores of a label.
func (s Scores) set(label int, from Scores, its int) {
	for row := range len(s.Values) / s.Labels {
		s.Values[row*s.Labels+label] = from.Values[row*from.Labels+its]
	}
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
