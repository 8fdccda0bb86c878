package finetune

import (
	"cmp"
	"math"
	"slices"
)

// A figure is one of what is measured of a label.
type figure int

const (
	averagePrecision figure = iota
	precision
	recall
	f1
	calibrationError
	logLoss
	figures // how many
)

// calibrationBins is how many bins of probability calibration is looked at in,
// as in Guo et al. 2017.
const calibrationBins = 15

// A column is what is known of one label, with the scores of those photos, best
// first.
type column struct {
	rows  []int     // of the scores
	score []float64 // logits of the probabilities
	truth []int8    // +1 or −1
	last  []bool    // the next one has another score
	p     []float64 // σ(score)
	bin   []uint8   // of p
	loss  []float64 // −log p of what is true
}

// column takes the photos of which a label is known; row i of the scores is of
// photos[i].
func (s Set) column(scores Scores, label int, photos []int) column {
	var c column
	truth := make(map[int]int8)
	for row, photo := range photos {
		if y := s.Value(photo, label); y != 0 {
			c.rows = append(c.rows, row)
			truth[row] = y
		}
	}
	slices.SortStableFunc(c.rows, func(a, b int) int { return cmp.Compare(scores.At(b, label), scores.At(a, label)) })
	for _, row := range c.rows {
		score, y := scores.At(row, label), truth[row]
		c.score, c.truth = append(c.score, score), append(c.truth, y)
		p := sigmoid(score)
		c.p, c.bin = append(c.p, p), append(c.bin, uint8(min(p*calibrationBins, calibrationBins-1)))
		c.loss = append(c.loss, softplus(-float64(y)*score))
	}
	for i, score := range c.score {
		c.last = append(c.last, i+1 == len(c.score) || c.score[i+1] != score)
	}
	return c
}

// measure takes all figures of a label, where yes is said at the score cut and
// above, and each row counts as often as weights say, once if they are nil:
//
//   - average precision is Σ (R_n − R_{n−1})·P_n over the thresholds n at which
//     precision and recall change, equal scores together, without interpolation;
//   - precision, recall and their harmonic mean F1 are those at cut;
//   - the expected calibration error (Guo et al. 2017, section 2) is the
//     difference of mean probability and share of photos that show the label, in
//     bins of equal width, averaged over photos;
//   - the logarithmic loss is the mean of −log p of what is true.
//
// A figure that is not defined is NaN: without photos of both sides there is no
// average precision, and where nothing is said no precision.
func (c column) measure(weights []float64, cut float64) (m [figures]float64) {
	var count, said, shown [calibrationBins]float64
	var yes, all, found, right, before, area, loss, foundAtCut, rightAtCut float64
	for i, y := range c.truth {
		if w := c.weight(weights, i); w > 0 {
			bin := c.bin[i]
			found += w
			count[bin] += w
			said[bin] += w * c.p[i]
			loss += w * c.loss[i]
			if y > 0 {
				right += w
				shown[bin] += w
			}
			if c.score[i] >= cut {
				foundAtCut, rightAtCut = found, right
			}
		}
		if c.last[i] && right > before {
			area += (right - before) * right / found
			before = right
		}
	}
	yes, all = right, found
	m[averagePrecision] = math.NaN()
	if yes > 0 && yes < all {
		m[averagePrecision] = area / yes
	}
	m[precision], m[recall] = rightAtCut/foundAtCut, rightAtCut/yes
	m[f1] = 2 * rightAtCut / (foundAtCut + yes)
	for bin := range count {
		m[calibrationError] += math.Abs(said[bin]-shown[bin]) / all
	}
	m[logLoss] = loss / all
	return m
}
