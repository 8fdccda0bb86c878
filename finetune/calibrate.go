package finetune

import (
	"fmt"
	"math"
)

// A Threshold is a probability from which on a label holds, and what comes of it
// on the photos that it was fitted to.
type Threshold struct {
	Value     Interval
	Precision Interval // of what is at or above it
	Recall    Interval
	F1        Interval
}

// FitThreshold finds the threshold of a label on scored photos, row i of the
// scores of photos[i]. With a wanted precision, in (0, 1], it is the one that
// finds most photos at that precision or above; with 0 the one of the best F1.
// It lies halfway, in logits, between the scores of the photos on its two sides.
// Intervals are of bootstrap resamples of groups, in each of which the threshold
// is fitted anew; precision and the others are those of the threshold that was
// found. Scores should be of photos that were not learned from: see
// CrossValidate.
func (s Set) FitThreshold(scores Scores, photos []int, label int, wanted float64) (Threshold, error) {
	name := s.Labels[label].Name
	if !(wanted >= 0 && wanted <= 1) {
		return Threshold{}, fmt.Errorf("fit threshold of %s: a precision of %v is not between 0 and 1", name, wanted)
	}
	c := s.column(scores, label, photos)
	yes, no := 0, 0
	for _, y := range c.truth {
		if y > 0 {
			yes++
		} else {
			no++
		}
	}
	switch {
	case yes == 0:
		return Threshold{}, fmt.Errorf("fit threshold of %s: no photo is known to show it", name)
	case no == 0:
		return Threshold{}, fmt.Errorf("fit threshold of %s: no photo is known not to show it", name)
	}
	cut := c.cut(nil, wanted)
	if math.IsNaN(cut) {
		return Threshold{}, fmt.Errorf("fit threshold of %s: no threshold has a precision of %v", name, wanted)
	}
	boot := newBootstrap(s.Groups(), photos, resamples(len(c.rows)))
	cuts := make([]float64, boot.times)
	var drawn [figures][]float64
	for f := range figures {
		drawn[f] = make([]float64, boot.times)
	}
	boot.each(func(r int, weights []float64) {
		cuts[r] = sigmoid(c.cut(weights, wanted))
		for f, x := range c.measure(weights, cut) {
			drawn[f][r] = x
		}
	})
	m := c.measure(nil, cut)
	of := func(f figure) Interval { return interval(m[f], drawn[f]) }
	return Threshold{interval(sigmoid(cut), cuts), of(precision), of(recall), of(f1)}, nil
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
