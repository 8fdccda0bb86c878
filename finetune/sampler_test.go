package finetune

import (
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// In each epoch every row comes as often as it repeats, in batches of nearly one
// size, and a sampler that is put to a place goes on as one that came there.
func TestSampler(t *testing.T) {
	for _, c := range []struct {
		rows, batch, smallest int
		factors               []float64
	}{
		{1, 1, 1, nil}, {1, 9, 1, nil}, {10, 4, 3, nil}, {9, 8, 4, nil}, {12, 4, 4, nil}, {100, 33, 25, nil},
		{1, 1, 1, []float64{2.5}}, {3, 1, 1, []float64{1, 1.01, 1}}, {4, 5, 5, []float64{1, 5.25, 1, 2.75}}, {2, 8, 8, []float64{1, 30.5}},
	} {
		of := sampler{batch: c.batch, seed: 7, repeats: newRepeats(c.rows, c.factors)}
		s, photos := of, of.repeats.photos()
		var orders [][]int
		for epoch := range 3 {
			var order []int
			for range batches(photos, c.batch) {
				other := of
				other.seek(s.at)
				b := slices.Clone(s.next())
				if !slices.Equal(other.next(), b) {
					t.Fatalf("%+v: another batch from %+v on", c, s.at)
				}
				if len(b) < c.smallest || len(b) > c.batch {
					t.Errorf("%+v: a batch of %d", c, len(b))
				}
				order = append(order, b...)
			}
			if s.at != (place{Epoch: epoch + 1}) {
				t.Errorf("%+v: after epoch %d it is at %+v", c, epoch, s.at)
			}
			orders = append(orders, order)
			rows := slices.Compact(slices.Sorted(slices.Values(order)))
			if len(order) != photos || len(rows) != c.rows || rows[0] != 0 || rows[c.rows-1] != c.rows-1 {
				t.Errorf("%+v: an epoch is %v", c, order)
			}
		}
		if photos > 9 && slices.Equal(orders[0], orders[1]) {
			t.Errorf("%+v: two epochs are alike", c)
		}
	}
}

// Whatever the factors, each epoch has as many photos, each row as often as its
// factor rounded down or up, and over epochs as often as its factor. What the sum
// lacks of a whole number is shared among them: one row may come once more.
func TestRepeatsOfAnEpoch(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 20 {
		factors := make([]float64, 1+rng.IntN(30))
		sum := 0.0
		for i := range factors {
			if factors[i] = 1; rng.IntN(3) > 0 {
				factors[i] += 4 * rng.Float64() * rng.Float64()
			}
			sum += factors[i]
		}
		r := newRepeats(len(factors), factors)
		if want := int(math.Ceil(sum - 1e-6)); r.photos() != want {
			t.Fatalf("%v: an epoch has %d photos, want %d", factors, r.photos(), want)
		}
		const epochs = 4000
		total := make([]float64, len(factors))
		for epoch := range uint64(epochs) {
			order := r.order(rand.New(rand.NewPCG(1, epoch)))
			if len(order) != r.photos() {
				t.Fatalf("%v: epoch %d has %d photos, others %d", factors, epoch, len(order), r.photos())
			}
			count, more := make([]int, len(factors)), 0
			for _, row := range order {
				count[row]++
				total[row]++
			}
			for row, n := range count {
				most := int(math.Ceil(factors[row]))
				more += max(0, n-most)
				if n < int(factors[row]) {
					t.Fatalf("%v: epoch %d has row %d %d times", factors, epoch, row, n)
				}
			}
			if more > 1 {
				t.Fatalf("%v: epoch %d is %v", factors, epoch, count)
			}
		}
		for row, n := range total {
			want := (factors[row] + (float64(r.photos())-sum)/float64(len(factors))) * epochs
			if most := 5 * math.Sqrt(epochs); math.Abs(n-want) > most { // ten deviations, at least
				t.Errorf("%v: row %d came %g times in %d epochs", factors, row, n, epochs)
			}
		}
	}
}

// Factors are those of the paper's definition.
func TestRepeats(t *testing.T) {
	yes := func(labels ...int) (p Photo) {
		for _, l := range labels {
			p.Known = append(p.Known, Known{Label: l, Value: 1})
		}
		return p
	}
	s := Set{Labels: make([]Label, 3), Photos: []Photo{yes(0), yes(0), yes(0), yes(0, 1), {}, {Known: []Known{{Label: 1, Value: -1}}}, yes(2), yes(2), yes(0)}}
	photos := []int{0, 1, 2, 3, 4, 5, 6, 7} // the last is held back
	for _, c := range []struct {
		t    float64 // of the paper
		want []float64
	}{
		{0, nil},
		{0.125, []float64{1, 1, 1, 1, 1, 1, 1, 1}},
		{0.5, []float64{1, 1, 1, 2, 1, 1, math.Sqrt2, math.Sqrt2}},
		{1, []float64{math.Sqrt2, math.Sqrt2, math.Sqrt2, math.Sqrt(8), 1, 1, 2, 2}},
	} {
		got := s.Repeats(photos, c.t/((4./8+1./8+2./8)/3))
		if !slices.EqualFunc(got, c.want, func(a, b float64) bool { return math.Abs(a-b) < 1e-12 }) {
			t.Errorf("t = %g: %v, want %v", c.t, got, c.want)
		}
	}
}

// Labels that are as frequent as each other are no reason to repeat anything.
func TestRepeatsNothingWhereBalanced(t *testing.T) {
	s := Set{Labels: make([]Label, 4)} // nobody shows the last
	var photos []int
	for i := range 30 {
		photos, s.Photos = append(photos, i), append(s.Photos, Photo{Known: []Known{{Label: i % 3, Value: 1}}})
	}
	if got := s.Repeats(photos, 2); slices.Max(got) != 1 || slices.Min(got) != 1 {
		t.Error(got)
	}
}

// A run without balance writes down none, as runs of before did.
func TestBalanceOfARun(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	train(t, dir, lineOptions)
	if text, err := os.ReadFile(filepath.Join(dir, recordFile)); err != nil || strings.Contains(string(text), "balance") {
		t.Errorf("%s, %v", text, err)
	}
	o := lineOptions
	o.Balance = 0.3 // 10 rows, 23.5 photos
	r, err := New("", newLine(), record(o))
	if err != nil || r.Steps() != 40*6 {
		t.Errorf("%d steps, %v", r.Steps(), err)
	}
}
