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
	for row, photo := range photos {
		if y := s.Value(photo, label); y != 0 {
			c.rows, c.score, c.truth = append(c.rows, row), append(c.score, scores.At(row, label)), append(c.truth, y)
		}
	}
	return c.sorted()
}

// sorted puts the photos of a column, of which rows, scores and truth are there,
// in the order of their scores, and fills in what follows from these.
func (c column) sorted() column {
	order := make([]int, len(c.score))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(c.score[b], c.score[a]) })
	var s column
	for _, i := range order {
		score, y := c.score[i], c.truth[i]
		s.rows, s.score, s.truth = append(s.rows, c.rows[i]), append(s.score, score), append(s.truth, y)
		p := sigmoid(score)
		s.p, s.bin = append(s.p, p), append(s.bin, uint8(min(p*calibrationBins, calibrationBins-1)))
		s.loss = append(s.loss, softplus(-float64(y)*score))
	}
	for i, score := range s.score {
		s.last = append(s.last, i+1 == len(s.score) || s.score[i+1] != score)
	}
	return s
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
