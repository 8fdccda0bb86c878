package model

import (
	"math"
	"slices"
)

// Score is what stands between a cosine and a probability. LogScale (t') and
// Bias (b) belong to the checkpoint; Temperature and Delta are the user's.
type Score struct {
	LogScale, Bias float32
	Temperature    float64 // exp(t') wanted; 0 leaves the checkpoint's
	Delta          float64 // δ, added to every logit
}

// Adjust is a label's own calibration; the zero value changes nothing.
type Adjust struct {
	Scale float64 // s in place of Temperature's; 0 means none
	Delta float64 // δ_label
}

// Logit is exp(t')·cosine + b: the model's own, untouched by the user.
func (s Score) Logit(cosine float32) float32 {
	return float32(math.Exp(float64(s.LogScale))*float64(cosine) + float64(s.Bias))
}

// Probability is sigmoid(s·(logit − b) + b + δ + δ_label), where s is the wanted
// temperature over the checkpoint's.
func (s Score) Probability(logit float32, a Adjust) float64 {
	scale, b := 1.0, float64(s.Bias)
	if s.Temperature > 0 {
		scale = s.Temperature / math.Exp(float64(s.LogScale))
	}
	if a.Scale > 0 {
		scale = a.Scale
	}
	return 1 / (1 + math.Exp(-(scale*(float64(logit)-b) + b + s.Delta + a.Delta)))
}

// Cut is the smallest logit whose Probability reaches threshold, so that
// probability ≥ threshold is logit ≥ cut, exactly; +Inf if none does.
func (s Score) Cut(threshold float64, a Adjust) float32 {
	// Bisection over the ordered float32 values: an inverse of the formula
	// would be off by a rounding now and then, and a count with it.
	lo, hi := int64(order(float32(math.Inf(-1)))), int64(order(float32(math.Inf(1))))
	for lo < hi {
		mid := lo + (hi-lo)/2
		if s.Probability(unorder(int32(mid)), a) >= threshold {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return unorder(int32(lo))
}

// Choosing splits the reading of a model that chooses among texts, as CLIP was
// trained to. odds turns the logits of a label set, in place, into the log-odds
// of their softmax at the wanted temperature; each is then a logit like any
// other: the second Score's sigmoid of it is the softmax, and δ can be given to
// it as the bias that such a model lacks.
func (s Score) Choosing() (odds func(logits []float32), rest Score) {
	scale := float32(1)
	if s.Temperature > 0 {
		scale = float32(s.Temperature / math.Exp(float64(s.LogScale)))
	}
	odds = func(logits []float32) {
		for i := range logits {
			logits[i] *= scale
		}
		logOdds(logits)
	}
	s.Temperature, s.Bias = 0, 0
	return odds, s
}

// logOdds has sigmoid(logOdds) equal the softmax. A set of one label has
// nothing to choose from: its logit stays.
func logOdds(logits []float32) {
	if len(logits) < 2 {
		return
	}
	highest := float64(slices.Max(logits))
	weights, sum := make([]float64, len(logits)), 0.0
	for i, l := range logits {
		weights[i] = math.Exp(float64(l) - highest)
		sum += weights[i]
	}
	for i, l := range logits {
		rest := sum - weights[i]
		if rest < sum/2 { // it may have lost all digits: add the others up
			rest = 0
			for j, w := range weights {
				if j != i {
					rest += w
				}
			}
		}
		logits[i] = float32(float64(l) - highest - math.Log(rest))
	}
}

// order maps float32 values to integers in the same order.
func order(f float32) int32 {
	i := int32(math.Float32bits(f))
	return i ^ (i>>31)&math.MaxInt32
}

func unorder(i int32) float32 {
	return math.Float32frombits(uint32(i ^ (i>>31)&math.MaxInt32))
}
