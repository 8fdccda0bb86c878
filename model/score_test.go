package model

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestScore(t *testing.T) {
	s := Score{LogScale: float32(math.Log(100)), Bias: -10}
	if got := s.Logit(0.1); math.Abs(float64(got)) > 1e-5 {
		t.Errorf("logit of cosine 0.1 is %g, want 0", got)
	}
	for _, c := range []struct {
		name  string
		score Score
		adj   Adjust
		logit float32
		want  float64
	}{
		{"plain", s, Adjust{}, 0, 0.5},
		{"delta", Score{s.LogScale, s.Bias, 0, 2}, Adjust{}, -2, 0.5},
		{"label's delta", s, Adjust{Delta: 1}, -1, 0.5},
		// Half the temperature halves the distance to the bias: 0 → −5.
		{"temperature", Score{s.LogScale, s.Bias, 50, 0}, Adjust{}, 0, 1 / (1 + math.Exp(5))},
		{"label's scale", s, Adjust{Scale: 0.5}, 0, 1 / (1 + math.Exp(5))},
		{"label's scale wins", Score{s.LogScale, s.Bias, 50, 0}, Adjust{Scale: 1}, 0, 0.5},
		{"far below", s, Adjust{}, -1e4, 0},
		{"far above", s, Adjust{}, 1e4, 1},
	} {
		if got := c.score.Probability(c.logit, c.adj); math.Abs(got-c.want) > 1e-6 {
			t.Errorf("%s: probability %g, want %g", c.name, got, c.want)
		}
	}
}

// A count by cut and a count by probability must never differ.
func TestCutIsExact(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 300 {
		s := Score{LogScale: rng.Float32() * 5, Bias: -rng.Float32() * 17, Delta: rng.NormFloat64()}
		if rng.IntN(2) == 0 {
			s.Temperature = rng.Float64() * 150
		}
		a := Adjust{Delta: rng.NormFloat64(), Scale: float64(rng.IntN(2)) * rng.Float64()}
		threshold := rng.Float64()
		cut := s.Cut(threshold, a)
		logits := []float32{cut, math.Nextafter32(cut, -1e9), math.Nextafter32(cut, 1e9), float32(rng.NormFloat64() * 10)}
		for _, l := range logits {
			if above := s.Probability(l, a) >= threshold; above != (l >= cut) {
				t.Fatalf("%+v %+v: logit %g has probability %g, threshold %g, cut %g", s, a, l, s.Probability(l, a), threshold, cut)
			}
		}
	}
	if cut := (Score{}).Cut(1.5, Adjust{}); !math.IsInf(float64(cut), 1) {
		t.Errorf("cut of an unreachable threshold is %g, want +Inf", cut)
	}
}

func TestOdds(t *testing.T) {
	for _, row := range [][]float32{{1, 2, 3}, {0, 0}, {-30, 40, 39.5, 0}, {100, -100}, {5}} {
		want, sum := make([]float64, len(row)), 0.0
		for _, l := range row {
			sum += math.Exp(float64(l))
		}
		for i, l := range row {
			want[i] = math.Exp(float64(l)) / sum
		}
		if len(row) == 1 {
			want[0] = 1 / (1 + math.Exp(-5))
		}
		odds := slices.Clone(row)
		logOdds(odds)
		for i, z := range odds {
			if p := (Score{}).Probability(z, Adjust{}); math.Abs(p-want[i]) > 1e-6 {
				t.Errorf("%v: softmax %g, want %g", row, p, want[i])
			}
		}
	}
}

// The temperature acts on the logits that are chosen among, so that the
// probabilities sum to one at any.
func TestChoosingTemperature(t *testing.T) {
	for _, temperature := range []float64{0, 1, 5, 100} {
		odds, score := Score{LogScale: 4.6, Temperature: temperature}.Choosing()
		logits := []float32{20, 22, 25}
		odds(logits)
		sum := 0.0
		for _, l := range logits {
			sum += score.Probability(l, Adjust{})
		}
		if math.Abs(sum-1) > 1e-6 {
			t.Errorf("temperature %g: probabilities sum to %g", temperature, sum)
		}
	}
}
