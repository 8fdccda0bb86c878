package finetune

import (
	"fmt"
	"math"
	"strconv"
)

// An Aim is what a threshold is fitted for: AimF1, or a wanted precision in (0, 1]
// as a number, "0.9".
type Aim string

// AimNone leaves thresholds as they are; AimF1 wants the best F1, the harmonic
// mean of precision and recall.
const (
	AimNone Aim = ""
	AimF1   Aim = "f1"
)

// Wanted is the precision that is aimed at, 0 for the best F1.
func (a Aim) Wanted() (float64, error) {
	if a == AimF1 {
		return 0, nil
	}
	wanted, err := strconv.ParseFloat(string(a), 64)
	if err != nil || !(wanted > 0 && wanted <= 1) {
		return 0, fmt.Errorf("threshold for %q: want f1, or a precision above 0 and not above 1", string(a))
	}
	return wanted, nil
}

// A Threshold is a probability from which on a label holds, and what comes of it
// on the photos that it was fitted to.
type Threshold struct {
	Label     string   `json:"label"`
	Value     Interval `json:"threshold"`
	Precision Interval `json:"precision"` // of what is at or above it
	Recall    Interval `json:"recall"`
	F1        Interval `json:"f1"`
	Reason    string   `json:"reason,omitempty"` // why there is none
}

// String is the threshold for people.
func (t Threshold) String() string {
	if t.Reason != "" {
		return fmt.Sprintf("%s: as it was: %s", t.Label, t.Reason)
	}
	return fmt.Sprintf("%s: %.2f (%.2f to %.2f), precision %.2f, recall %.2f", t.Label, t.Value.Value, t.Value.Low, t.Value.High, t.Precision.Value, t.Recall.Value)
}

// FitThresholds finds the thresholds of all labels on scored photos, row i of the
// scores of photos[i]. For a wanted precision it is the one that finds most photos
// at that precision or above. It lies halfway, in logits, between the scores of
// the photos on its two sides. Intervals are of bootstrap resamples of groups, in
// each of which the threshold is fitted anew; precision and the others are those
// of the threshold that was found. Scores should be of photos that were not
// learned from: see CrossValidate. Labels of too few photos have none, see few.
func (s Set) FitThresholds(scores Scores, photos []int, aim Aim) ([]Threshold, error) {
	wanted, err := aim.Wanted()
	if err != nil {
		return nil, err
	}
	groups := s.Groups()
	f := fitting{wanted: wanted, fitted: make([]Threshold, len(s.Labels))}
	pairs := 0
	for i, l := range s.Labels {
		f.fitted[i].Label = l.Name
		c := s.column(scores, i, photos)
		if f.fitted[i].Reason = s.few(c, at(groups, photos)); f.fitted[i].Reason != "" {
			continue
		}
		cut := c.cut(nil, wanted)
		if math.IsNaN(cut) {
			f.fitted[i].Reason = fmt.Sprintf("no threshold has a precision of %v", wanted)
			continue
		}
		cut = max(-furthest, min(cut, furthest))
		f.labels, f.columns, f.cuts = append(f.labels, i), append(f.columns, c), append(f.cuts, cut)
		pairs += len(c.rows)
	}
	f.resample(newBootstrap(groups, photos, resamples(pairs)))
	return f.fitted, nil
}

// furthest is the logit of the highest threshold: of higher ones the probability is
// 1, which no label reads.
const furthest = 36

// A fitting is of the labels that have a threshold.
type fitting struct {
	wanted  float64
	fitted  []Threshold // by label of the set
	labels  []int
	columns []column
	cuts    []float64 // in logits
}

// resample finds the intervals.
func (f *fitting) resample(boot bootstrap) {
	values := make([][]float64, len(f.labels))
	drawn := make([][figures][]float64, len(f.labels))
	for i := range f.labels {
		values[i] = make([]float64, boot.times)
		for k := range drawn[i] {
			drawn[i][k] = make([]float64, boot.times)
		}
	}
	boot.each(func(r int, weights []float64) {
		for i, c := range f.columns {
			values[i][r] = sigmoid(c.cut(weights, f.wanted))
			for k, x := range c.measure(weights, f.cuts[i]) {
				drawn[i][k][r] = x
			}
		}
	})
	for i, label := range f.labels {
		m, t := f.columns[i].measure(nil, f.cuts[i]), &f.fitted[label]
		of := func(k figure) Interval { return interval(m[k], drawn[i][k]) }
		t.Value, t.Precision, t.Recall, t.F1 = interval(sigmoid(f.cuts[i]), values[i]), of(precision), of(recall), of(f1)
	}
}

// cut returns the score of a threshold, NaN if there is none.
func (c column) cut(weights []float64, wanted float64) float64 {
	yes := 0.0
	for i, y := range c.truth {
		if y > 0 {
			yes += c.weight(weights, i)
		}
	}
	best, at := 0.0, -1
	found, right := 0.0, 0.0
	for i, y := range c.truth {
		w := c.weight(weights, i)
		found += w
		if y > 0 {
			right += w
		}
		if !c.last[i] || right == 0 {
			continue
		}
		value := 2 * right / (found + yes)
		if wanted > 0 {
			if value = right; right < wanted*found {
				continue
			}
		}
		if value > best {
			best, at = value, i
		}
	}
	if at < 0 {
		return math.NaN()
	}
	if at+1 == len(c.score) {
		return c.score[at]
	}
	return between(c.score[at+1], c.score[at])
}

// between is a number above low and not above high, halfway if it can be.
func between(low, high float64) float64 {
	if mid := low + (high-low)/2; mid > low {
		return mid
	}
	return high
}

// weight returns how often photo i of the column counts; once if weights are nil.
func (c column) weight(weights []float64, i int) float64 {
	if weights == nil {
		return 1
	}
	return weights[c.rows[i]]
}
