package finetune

import (
	"cmp"
	"math"
	"slices"
)

// A column is what is known of one label, with the scores of those photos, best
// first.
type column struct {
	photos []int     // their rows in the scores
	score  []float64 // logits of the probabilities
	truth  []int8    // +1 or −1
}

// column takes the photos of which a label is known; row i of the scores is of
// photos[i].
func (s Set) column(scores Scores, label int, photos []int) column {
	var c column
	for row, photo := range photos {
		if y := s.Value(photo, label); y != 0 && !math.IsNaN(scores.At(row, label)) {
			c.photos = append(c.photos, row)
		}
	}
	slices.SortStableFunc(c.photos, func(a, b int) int { return cmp.Compare(scores.At(b, label), scores.At(a, label)) })
	for _, row := range c.photos {
		c.score = append(c.score, scores.At(row, label))
		c.truth = append(c.truth, s.Value(photos[row], label))
	}
	return c
}

// weight returns how often photo i of the column counts; nil weights are 1.
func (c column) weight(weights []float64, i int) float64 {
	if weights == nil {
		return 1
	}
	return weights[c.photos[i]]
}

// sides counts the photos that show the label and those that do not.
func (c column) sides(weights []float64) (yes, no float64) {
	for i, y := range c.truth {
		if y > 0 {
			yes += c.weight(weights, i)
		} else {
			no += c.weight(weights, i)
		}
	}
	return yes, no
}

// averagePrecision is Σ (R_n − R_{n−1})·P_n over the thresholds n at which
// precision and recall change, equal scores together: as scikit-learn defines
// it, without interpolation. It is NaN where a side has no photo.
func (c column) averagePrecision(weights []float64) float64 {
	yes, no := c.sides(weights)
	if yes == 0 || no == 0 {
		return math.NaN()
	}
	sum, right, found, before := 0.0, 0.0, 0.0, 0.0
	for i, y := range c.truth {
		w := c.weight(weights, i)
		found += w
		if y > 0 {
			right += w
		}
		if i+1 == len(c.truth) || c.score[i+1] != c.score[i] {
			if found > 0 {
				sum += (right - before) / yes * right / found
			}
			before = right
		}
	}
	return sum
}

// decide returns precision and recall of saying yes at a score and above; NaN
// where nothing is said, or nothing is to be found.
func (c column) decide(weights []float64, cut float64) (precision, recall float64) {
	yes, _ := c.sides(weights)
	right, found := 0.0, 0.0
	for i, y := range c.truth {
		if c.score[i] < cut {
			break
		}
		w := c.weight(weights, i)
		found += w
		if y > 0 {
			right += w
		}
	}
	return right / found, right / yes
}

// calibrationBins is how many bins of probability calibration is looked at in.
const calibrationBins = 15

// calibrationError is the expected calibration error of Guo et al. 2017 in bins
// of equal width: the difference of mean probability and share of photos that
// show the label, averaged over all photos.
func (c column) calibrationError(weights []float64) float64 {
	var count, said, shown [calibrationBins]float64
	total := 0.0
	for i, y := range c.truth {
		w, p := c.weight(weights, i), sigmoid(c.score[i])
		bin := min(int(p*calibrationBins), calibrationBins-1)
		total += w
		count[bin] += w
		said[bin] += w * p
		if y > 0 {
			shown[bin] += w
		}
	}
	sum := 0.0
	for bin := range count {
		sum += math.Abs(said[bin]-shown[bin]) / total
	}
	return sum
}

// logLoss is the mean of −log p of what is true.
func (c column) logLoss(weights []float64) float64 {
	sum, total := 0.0, 0.0
	for i, y := range c.truth {
		w := c.weight(weights, i)
		sum += w * softplus(-float64(y)*c.score[i])
		total += w
	}
	return sum / total
}
