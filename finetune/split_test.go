package finetune

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"
)

// album makes photos in bursts and near-duplicates, of labels of which the last
// are rare.
func album(seed uint64, photos, labels int) Set {
	rng := rand.New(rand.NewPCG(seed, 7))
	s := Set{Complete: seed%2 == 0}
	for i := range labels {
		s.Labels = append(s.Labels, Label{Name: fmt.Sprint(i), Texts: []string{"text"}})
	}
	now := time.Date(2024, 5, 1, 9, 0, 0, 0, time.UTC)
	label, alike := 0, 0
	for i := range photos {
		if i == 0 || rng.IntN(3) == 0 {
			now = now.Add(time.Hour)
			label = min(labels-1, int(rng.ExpFloat64()*float64(labels)/4))
		}
		now = now.Add(time.Duration(rng.IntN(40)) * time.Second)
		p := Photo{Path: fmt.Sprint(i, ".jpg"), Known: []Known{{Label: label, Value: 1}}}
		if rng.IntN(5) > 0 {
			p.Taken = now
		}
		switch rng.IntN(10) {
		case 0:
			alike++
			fallthrough
		case 1:
			p.Alike = alike
		}
		s.Photos = append(s.Photos, p)
	}
	rng.Shuffle(photos, func(i, j int) { s.Photos[i], s.Photos[j] = s.Photos[j], s.Photos[i] })
	return s
}

// No two photos that are alike or of one burst end on different sides, every
// photo is in one part, and labels with enough groups are in all.
func TestSplitDoesNotLeak(t *testing.T) {
	for seed := range uint64(20) {
		s := album(seed, 400, 12)
		shares := []float64{0.8, 0.2}
		parts := s.Split(shares, seed)
		side := make([]int, len(s.Photos))
		for i := range side {
			side[i] = -1
		}
		for part, list := range parts {
			if !slices.IsSorted(list) {
				t.Errorf("seed %d: part %d is not in order", seed, part)
			}
			for _, i := range list {
				if side[i] >= 0 {
					t.Fatalf("seed %d: photo %d is in two parts", seed, i)
				}
				side[i] = part
			}
		}
		for i, p := range s.Photos {
			if side[i] < 0 {
				t.Fatalf("seed %d: photo %d is in no part", seed, i)
			}
			for j, q := range s.Photos[:i] {
				near := !p.Taken.IsZero() && !q.Taken.IsZero() && p.Taken.Sub(q.Taken).Abs() <= burst
				if (near || p.Alike != 0 && p.Alike == q.Alike) && side[i] != side[j] {
					t.Fatalf("seed %d: photos %d and %d are alike and parted", seed, i, j)
				}
			}
		}
		if n := len(parts[1]); n < 50 || n > 120 {
			t.Errorf("seed %d: %d of 400 photos for validation, want about 80", seed, n)
		}
		groups := s.Groups()
		for label := range s.Labels {
			has, in := map[int]bool{}, map[int]bool{}
			for i, p := range s.Photos {
				if p.Known[0].Label == label {
					has[groups[i]], in[side[i]] = true, true
				}
			}
			if len(has) >= 8 && len(in) < 2 {
				t.Errorf("seed %d: label %d with %d groups is in one part only", seed, label, len(has))
			}
		}
		if again := s.Split(shares, seed); !reflect.DeepEqual(parts, again) {
			t.Errorf("seed %d: another split the second time", seed)
		}
	}
	s := album(1, 400, 12)
	if reflect.DeepEqual(s.Split([]float64{0.5, 0.5}, 1), s.Split([]float64{0.5, 0.5}, 2)) {
		t.Error("two seeds gave one split")
	}
}

func TestFolds(t *testing.T) {
	s := Set{Labels: []Label{{Name: "rare", Texts: []string{"rare"}}}, Photos: make([]Photo, 50)}
	for i := range 10 {
		s.Photos[i*5].Known = []Known{{Label: 0, Value: int8(1 - 2*(i%2))}}
	}
	folds := s.Folds(5, 3)
	for k, fold := range folds {
		yes, no := 0, 0
		for _, i := range fold {
			yes += max(0, int(s.Value(i, 0)))
			no += max(0, -int(s.Value(i, 0)))
		}
		if len(fold) != 10 || yes != 1 || no != 1 {
			t.Errorf("fold %d has %d photos, %d that show the label and %d that do not", k, len(fold), yes, no)
		}
		if rest := s.Rest(fold); len(rest) != 40 || slices.ContainsFunc(rest, func(i int) bool { return slices.Contains(fold, i) }) {
			t.Errorf("fold %d: the rest is %v", k, rest)
		}
	}
	if parts := (Set{}).Folds(3, 1); len(parts) != 3 {
		t.Errorf("of no photos: %v", parts)
	}
}
