package finetune

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"testing"
)

// tell makes a set of one label of truths, and scores; rows that are 0 are not
// known.
func tell(truth []int8, score []float64) (Set, Scores, []int) {
	s := Set{Labels: []Label{{Name: "dog", Texts: []string{"dog"}}}, Photos: make([]Photo, len(truth))}
	scores := Scores{Labels: 1}
	for i, y := range truth {
		if y != 0 {
			s.Photos[i].Known = []Known{{Label: 0, Value: y}}
		}
		scores.Values = append(scores.Values, float32(score[i]))
	}
	return s, scores, upTo(len(truth))
}

// Figures agree with those of scikit-learn, see testdata/metrics.py.
func TestFiguresOfScikitLearn(t *testing.T) {
	data, err := os.ReadFile("testdata/metrics.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Truth             []int8
		Score, Weight     []float64
		Cut               float64
		AveragePrecision  float64 `json:"average_precision"`
		Precision, Recall float64
		F1                float64
		LogLoss           float64 `json:"log_loss"`
	}
	if err := json.Unmarshal(data, &cases); err != nil || len(cases) == 0 {
		t.Fatal(err)
	}
	for i, c := range cases {
		for k := range c.Truth {
			c.Truth[k] = 2*c.Truth[k] - 1
		}
		s, scores, photos := tell(c.Truth, c.Score)
		got := s.column(scores, 0, photos).measure(c.Weight, c.Cut)
		for f, want := range map[figure]float64{averagePrecision: c.AveragePrecision, precision: c.Precision, recall: c.Recall, f1: c.F1, logLoss: c.LogLoss} {
			if math.Abs(got[f]-want) > 1e-6 {
				t.Errorf("case %d: figure %d is %v, scikit-learn has %v", i, f, got[f], want)
			}
		}
	}
}

// The calibration error is what its definition says, one bin after the other; the
// average precision is the mean over photos that show the label of the precision
// at their score; a weight is a photo that is there so often.
func TestFiguresOfDefinition(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 50 {
		n := 2 + rng.IntN(60)
		truth, score, weight := make([]int8, n), make([]float64, n), make([]float64, n)
		var truths []int8
		var all []float64
		for i := range truth {
			truth[i], score[i], weight[i] = int8(2*rng.IntN(2)-1), float64(rng.IntN(20)-10)/2, float64(rng.IntN(3))
			for range int(weight[i]) {
				truths, all = append(truths, truth[i]), append(all, score[i])
			}
		}
		s, scores, photos := tell(truth, score)
		got := s.column(scores, 0, photos).measure(weight, 0)
		ece := 0.0
		for bin := range 15 {
			lo, hi := float64(bin)/15, float64(bin+1)/15
			said, shown := 0.0, 0.0
			for i, x := range all {
				if p := 1 / (1 + math.Exp(-x)); p >= lo && p < hi {
					said += p
					shown += float64(truths[i]+1) / 2
				}
			}
			ece += math.Abs(said-shown) / float64(len(all))
		}
		ap, yes := 0.0, 0.0
		for i := range all {
			if truths[i] < 0 {
				continue
			}
			yes++
			right, found := 0.0, 0.0
			for k := range all {
				if all[k] >= all[i] {
					found++
					right += float64(truths[k]+1) / 2
				}
			}
			ap += right / found
		}
		if len(all) > 0 && math.Abs(got[calibrationError]-ece) > 1e-9 {
			t.Fatalf("calibration error %v, by definition %v", got[calibrationError], ece)
		}
		if yes > 0 && yes < float64(len(all)) && math.Abs(got[averagePrecision]-ap/yes) > 1e-9 {
			t.Fatalf("average precision %v, by definition %v", got[averagePrecision], ap/yes)
		}
	}
}

// Where there is nothing to say nothing is said, and JSON has null.
func TestNothingToMeasure(t *testing.T) {
	for name, truth := range map[string][]int8{"one side": {1, 1, 1}, "unknown": {0, 0, 0}, "other side": {-1, -1}} {
		s, scores, photos := tell(truth, make([]float64, len(truth)))
		r := s.Evaluate(photos, []float64{0.5}, scores, scores)
		if ap := r.Labels[0].Before.AveragePrecision; !math.IsNaN(ap.Value) || !math.IsNaN(r.Before.AveragePrecision.Value) || !math.IsNaN(r.Gain.Value) {
			t.Errorf("%s: %+v", name, r)
		}
		if _, err := json.Marshal(r); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	s, scores, photos := tell([]int8{1, -1, 1, -1}, []float64{-2, -3, -4, -5})
	r := s.Evaluate(photos, []float64{0.5}, scores)
	if b := r.Labels[0].Before; !math.IsNaN(b.Precision.Value) || b.Recall.Value != 0 || b.F1.Value != 0 {
		t.Errorf("nothing is above the threshold: %+v", b)
	}
}

// Unknown pairs are left out: whatever they score changes nothing.
func TestUnknownIsLeftOut(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	truth, score := make([]int8, 80), make([]float64, 80)
	for i := range truth {
		truth[i], score[i] = int8(rng.IntN(3)-1), rng.NormFloat64()
	}
	s, scores, photos := tell(truth, score)
	first := s.Evaluate(photos, []float64{0.5}, scores)
	for i, y := range truth {
		if y == 0 {
			scores.Values[i] = float32(rng.NormFloat64() * 10)
		}
	}
	if second := s.Evaluate(photos, []float64{0.5}, scores); !reflect.DeepEqual(first, second) {
		t.Errorf("%+v, then %+v", first.Labels, second.Labels)
	}
}

// Of a hundred samples of a population about 95 have its average precision in
// their interval, and photos that are there three times do not make it narrower.
func TestIntervalsCover(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	sample := func(n int) (truth []int8, score []float64) {
		for range n {
			y := int8(1)
			if rng.IntN(3) > 0 {
				y = -1
			}
			truth, score = append(truth, y), append(score, rng.NormFloat64()+float64(y)*0.7)
		}
		return truth, score
	}
	s, scores, photos := tell(sample(200_000))
	want := s.column(scores, 0, photos).measure(nil, 0)[averagePrecision]
	inside, width, tripleWidth := 0, 0.0, 0.0
	for range 100 {
		truth, score := sample(120)
		s, scores, photos := tell(truth, score)
		i := s.Evaluate(photos, []float64{0.5}, scores).Labels[0].Before.AveragePrecision
		if i.Low <= want && want <= i.High {
			inside++
		}
		width += i.High - i.Low
		triple, scores, photos := tell(slices.Concat(truth, truth, truth), slices.Concat(score, score, score))
		for k := range triple.Photos {
			triple.Photos[k].Alike = 1 + k%120
		}
		i = triple.Evaluate(photos, []float64{0.5}, scores).Labels[0].Before.AveragePrecision
		tripleWidth += i.High - i.Low
	}
	if inside < 86 {
		t.Errorf("%d of 100 intervals have it", inside)
	}
	if math.Abs(tripleWidth/width-1) > 0.02 {
		t.Errorf("photos that are there three times make intervals %v times as wide", tripleWidth/width)
	}
}

func TestConfused(t *testing.T) {
	s := Set{Complete: true, Photos: make([]Photo, 6)}
	for _, name := range []string{"dog", "wolf", "cat"} {
		s.Labels = append(s.Labels, Label{Name: name, Texts: []string{name}})
	}
	scores := Scores{Labels: 3}
	for i := range s.Photos { // four dogs, of which three are taken for wolves; a wolf; a cat
		label := max(0, i-3)
		s.Photos[i].Known = []Known{{Label: label, Value: 1}}
		row := []float32{-1, -1, -1}
		row[label] = 1
		if i < 3 {
			row[1] = 0.5
		}
		scores.Values = append(scores.Values, row...)
	}
	got := s.Evaluate(upTo(6), []float64{0.5, 0.5, 0.5}, scores).Confused
	if len(got) != 1 || got[0].Shown != "dog" || got[0].Taken != "wolf" || got[0].Photos != 3 || got[0].Of != 4 || got[0].Share.Value != 0.75 || !(got[0].Share.Low < 0.75) {
		t.Errorf("%+v", got)
	}
}

// A tag that other photos contradict is doubted before those that they support.
func TestDoubts(t *testing.T) {
	truth, score := []int8{1, 1, 1, 1, -1, -1, -1, -1, 0}, []float64{2, 3, 2.5, -4, -3, -2, -4, 3, 5}
	s, scores, _ := tell(truth, score)
	s.Photos[3].Known[0].By = ByFolder
	got := s.Doubts(scores)
	if len(got) != 2 || got[0].Photo != 3 || got[0].Value != 1 || got[0].By != ByFolder || got[1].Photo != 7 || got[1].Value != -1 {
		t.Errorf("%+v", got)
	}
}

func BenchmarkEvaluate(b *testing.B) {
	for _, labels := range []int{50, 1000} {
		b.Run(fmt.Sprint(labels), func(b *testing.B) {
			rng := rand.New(rand.NewPCG(1, 1))
			s := Set{Complete: true, Photos: make([]Photo, 2000), Labels: make([]Label, labels)}
			scores := Scores{Labels: labels, Values: make([]float32, 2000*labels)}
			for i := range s.Photos {
				s.Photos[i].Known = []Known{{Label: rng.IntN(labels), Value: 1}}
			}
			for i := range scores.Values {
				scores.Values[i] = rng.Float32() - 2
			}
			thresholds := slices.Repeat([]float64{0.5}, labels)
			for b.Loop() {
				s.Evaluate(upTo(2000), thresholds, scores, scores)
			}
		})
	}
}
