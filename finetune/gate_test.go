package finetune

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"sigla/backend"
	"sigla/backend/ref"
	"sigla/cpu"
	"sigla/internal/require"
)

// noisy is a set with labels that have nothing to do with the photos.
func noisy(seed uint64, photos, labels int, share float64) Embedded {
	d := gaussians(seed, photos, labels, 16, 0)
	rng := rand.New(rand.NewPCG(seed, 77))
	for i := range d.Photos {
		for j := range d.Photos[i].Known {
			d.Photos[i].Known[j].Value = -1
			if rng.Float64() < share {
				d.Photos[i].Known[j].Value = 1
			}
		}
	}
	return d
}

// part is some of the photos of a set.
func (d Embedded) part(photos []int) Embedded {
	p := d
	p.Photos, p.Images = nil, nil
	for _, i := range photos {
		p.Photos, p.Images = append(p.Photos, d.Photos[i]), append(p.Images, d.Images[i])
	}
	return p
}

// gated learns heads, asks the gate, and returns the scores of other photos
// before and with what is kept.
func gated(t *testing.T, e backend.Backend, d, other Embedded, m Method) (verdicts []Verdict, before, after Scores) {
	t.Helper()
	ctx := context.Background()
	zero := d.ZeroShot()
	c, err := Choose(ctx, e, d, m, DefaultPrior, 1)
	if err != nil {
		t.Fatal(err)
	}
	l, err := NewLinear(e, d, m, DefaultPrior, upTo(len(d.Photos)), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.fit(ctx); err != nil {
		t.Fatal(err)
	}
	h, err := l.Heads()
	if err != nil {
		t.Fatal(err)
	}
	if h, err = c.Apply(ctx, e, d, h, DefaultPrior, upTo(len(d.Photos))); err != nil {
		t.Fatal(err)
	}
	if before, err = zero.Scores(e, other.Images); err != nil {
		t.Fatal(err)
	}
	if after, err = h.Scores(e, other.Images); err != nil {
		t.Fatal(err)
	}
	return c.Verdicts, before, after
}

// Heads of labels that are noise are not kept, but for the few that chance
// allows, and labels score as before where they are not; real ones are kept, and
// no label ranks photos that nobody has seen worse by more than its interval.
func TestGateDoesNoHarm(t *testing.T) {
	noise, noiseKept, real, realKept, harmed := 0, 0, 0, 0, 0
	engine, err := cpu.New(cpu.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	for seed := range uint64(require.Rounds(1, 3, 20)) {
		for _, c := range []struct {
			d     Embedded
			noise bool
		}{
			{noisy(seed, 400, 10, 0.3), true},
			{gaussians(seed, 400, 10, 16, 0.3), false},
		} {
			half := upTo(400)
			d, other := c.d.part(half[:200]), c.d.part(half[200:])
			verdicts, before, after := gated(t, engine, d, other, LinearHead)
			r := other.Evaluate(upTo(200), slices.Repeat([]float64{0.5}, 10), before, after)
			for i, v := range verdicts {
				if !v.Kept {
					for row := range other.Photos {
						if math.Abs(before.At(row, i)-after.At(row, i)) > 1e-3 {
							t.Fatalf("seed %d, label %d is not kept and scores %v, before %v", seed, i, after.At(row, i), before.At(row, i))
						}
					}
				}
				if r.Labels[i].Gain.High < 0 {
					harmed++
				}
				kept := 0
				if v.Kept && v.As == LinearHead {
					kept = 1
				}
				if v.Kept && v.As == Calibrate && math.Abs(r.Labels[i].Gain.Value) > 1e-3 {
					t.Errorf("seed %d: calibration changes the average precision of label %d by %v", seed, i, r.Labels[i].Gain.Value)
				}
				if c.noise {
					noise, noiseKept = noise+1, noiseKept+kept
				} else {
					real, realKept = real+1, realKept+kept
				}
			}
		}
	}
	t.Logf("kept heads of %d of %d labels of noise, %d of %d real ones; %d surely worse on new photos", noiseKept, noise, realKept, real, harmed)
	if noiseKept > 1+noise/10 {
		t.Errorf("kept heads of %d of %d labels that are noise", noiseKept, noise)
	}
	if realKept < real*3/4 {
		t.Errorf("kept %d of %d real labels", realKept, real)
	}
	if harmed > (noise+real)/20 {
		t.Errorf("%d of %d labels are worse by more than their interval", harmed, noise+real)
	}
}

// Where there are too few photos the gate says so and keeps nothing.
func TestGateOfFew(t *testing.T) {
	d := gaussians(2, 60, 4, 8, 0)
	for i := range d.Photos { // label 0: none shows it; 1: none does not; 2: a burst of one thing
		for j := range d.Photos[i].Known {
			k := &d.Photos[i].Known[j]
			switch {
			case k.Label == 0:
				k.Value = -1
			case k.Label == 1:
				k.Value = 1
			case k.Label == 2 && k.Value > 0:
				d.Photos[i].Alike = 9
			}
		}
	}
	verdicts, _, _ := gated(t, ref.New(), d, d, LinearHead)
	for i, want := range []string{"no photo is known to show it", "no photo is known not to show it", "too few photos show it: 1 that differ"} {
		if v := verdicts[i]; v.Kept || !strings.HasPrefix(v.Reason, want) {
			t.Errorf("label %d: %+v, want %q", i, v, want)
		}
	}
	for _, v := range verdicts {
		if s := v.String(); s == "" || strings.Contains(s, "NaN") {
			t.Errorf("%q", s)
		}
	}
}

// Every photo is scored by what others teach: tags of noise teach nothing.
func TestCrossValidationDoesNotPeek(t *testing.T) {
	d := noisy(8, 150, 6, 0.5)
	e := ref.New()
	l, err := NewLinear(e, d, LinearHead, Prior{Vector: 100, Scale: 1, Delta: 10, Global: 3}, upTo(150), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.fit(context.Background()); err != nil {
		t.Fatal(err)
	}
	h, _ := l.Heads()
	seen, _ := h.Scores(e, d.Images)
	crossed, err := CrossValidate(context.Background(), e, d, LinearHead, Prior{Vector: 100, Scale: 1, Delta: 10, Global: 3}, 1)
	if err != nil {
		t.Fatal(err)
	}
	ap := func(s Scores) float64 { return d.validate(s, upTo(150)).AveragePrecision }
	if a, b := ap(seen), ap(crossed); a < 0.6 || b > 0.56 {
		t.Errorf("average precision of noise: %v on photos that were learned, %v by cross-validation", a, b)
	}
}

// fitFirst fits the threshold of the first label for a precision, 0: for F1.
func fitFirst(s Set, scores Scores, photos []int, wanted float64) (Threshold, error) {
	aim := AimF1
	if wanted != 0 {
		aim = Aim(fmt.Sprint(wanted))
	}
	fitted, err := s.FitThresholds(scores, photos, aim)
	if err != nil {
		return Threshold{}, err
	}
	if fitted[0].Reason != "" {
		return fitted[0], errors.New(fitted[0].Reason)
	}
	return fitted[0], nil
}

func TestFitThreshold(t *testing.T) {
	truth := []int8{1, 1, -1, 1, 1, -1, -1, 1, -1, -1, 0}
	score := []float64{9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 100}
	s, scores, photos := tell(truth, score)
	for _, c := range []struct{ wanted, logit, precision, recall float64 }{
		{0, 4.5, 0.8, 0.8},    // the best F1
		{1, 7.5, 1, 0.4},      // nothing wrong
		{0.6, 1.5, 5. / 8, 1}, // all, as long as it is above
		{0.5, 0, 0.5, 1},      // the last of all
		{0.79, 4.5, 0.8, 0.8}, // the next that can be had
	} {
		if c.wanted == 0.5 {
			c.logit, c.precision = 1.5, 5./8 // more wrong photos find no more right ones
		}
		got, err := fitFirst(s, scores, photos, c.wanted)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(got.Value.Value-1/(1+math.Exp(-c.logit))) > 1e-9 || math.Abs(got.Precision.Value-c.precision) > 1e-9 || math.Abs(got.Recall.Value-c.recall) > 1e-9 {
			t.Errorf("wanted %v: %+v, want %+v", c.wanted, got, c)
		}
		if i := got.Value; !(i.Low <= i.Value && i.Value <= i.High && i.Low < i.High) {
			t.Errorf("wanted %v: interval %+v", c.wanted, i)
		}
	}
	for _, c := range []struct {
		truth  []int8
		wanted float64
		err    string
	}{
		{[]int8{1, 1}, 0, "no photo is known not to show it"},
		{[]int8{-1, 0}, 0, "no photo is known to show it"},
		{[]int8{-1, 1}, 0.9, "too few photos show it: 1 that differ"},
		{[]int8{-1, -1, -1, 1, 1, 1}, 0.9, "no threshold has a precision of 0.9"},
		{[]int8{-1, 1}, 1.5, `threshold for "1.5": want f1, or a precision above 0 and not above 1`},
		{[]int8{-1, 1}, -0.5, "want f1, or a precision"},
		{[]int8{-1, 1}, math.NaN(), "want f1, or a precision"},
	} {
		s, scores, photos := tell(c.truth, []float64{6, 5, 4, 3, 2, 1}[:len(c.truth)])
		if _, err := fitFirst(s, scores, photos, c.wanted); err == nil || !strings.Contains(err.Error(), c.err) {
			t.Errorf("%v: %v, want %q", c.truth, err, c.err)
		}
	}
}

// A threshold can be kept however far away the scores are.
func TestFitThresholdFarAway(t *testing.T) {
	for _, at := range []float64{90, -900} {
		s, scores, photos := tell([]int8{1, 1, 1, -1, -1, -1}, []float64{at + 5, at + 4, at + 3, at + 2, at + 1, at})
		got, err := fitFirst(s, scores, photos, 0)
		if err != nil || !(got.Value.Value > 0 && got.Value.Value < 1) {
			t.Errorf("scores about %v: %+v, %v", at, got, err)
		}
	}
}

// No other threshold does better: all are tried.
func TestFitThresholdIsBest(t *testing.T) {
	rng := rand.New(rand.NewPCG(21, 1))
	for range 100 {
		n := 8 + rng.IntN(40)
		truth, score := make([]int8, n), make([]float64, n)
		for i := range truth {
			truth[i], score[i] = int8(2*rng.IntN(2)-1), float64(rng.IntN(12))
		}
		copy(truth, []int8{1, -1, 1, -1, 1, -1})
		s, scores, photos := tell(truth, score)
		c := s.column(scores, 0, photos)
		for _, wanted := range []float64{0, 0.5, 0.7, 0.9} {
			best, any := 0.0, false
			for _, cut := range score {
				m := c.measure(nil, cut)
				value, ok := m[f1], true
				if wanted > 0 {
					value, ok = m[recall], m[precision] >= wanted
				}
				if ok && m[recall] > 0 {
					best, any = max(best, value), true
				}
			}
			got, err := fitFirst(s, scores, photos, wanted)
			if !any {
				if err == nil {
					t.Fatalf("wanted %v: %+v where there is none", wanted, got)
				}
				continue
			}
			value := got.F1.Value
			if wanted > 0 {
				value = got.Recall.Value
			}
			if err != nil || math.Abs(value-best) > 1e-9 {
				t.Fatalf("wanted %v: %v, %v; the best is %v", wanted, value, err, best)
			}
		}
	}
}
