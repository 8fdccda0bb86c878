package finetune

import (
	"math"
	"math/rand/v2"
	"slices"
)

// A sampler deals rows out in batches: in each epoch every row once, or as often
// as it repeats, in an order that the seed and the number of the epoch decide alone.
type sampler struct {
	batch   int
	seed    uint64
	repeats repeats

	at    place
	order []int // of the epoch at.Epoch; nil until it is asked for
}

// A place is where a sampler is: how many epochs and batches are behind it.
type place struct {
	Epoch int `json:"epoch"`
	Batch int `json:"batch"`
}

// batches is the number of batches of an epoch.
func batches(photos, batch int) int { return (photos + batch - 1) / batch }

// newSampler deals out what a learner learns from.
func newSampler(l Learner, o Options) sampler {
	return sampler{batch: o.Batch, seed: o.Seed, repeats: newRepeats(l.Rows(), l.Repeats(o.Balance))}
}

// next returns a batch, which is the caller's until the next one.
func (s *sampler) next() []int {
	photos := s.repeats.photos()
	n := batches(photos, s.batch)
	if s.order == nil {
		s.order = s.repeats.order(rand.New(rand.NewPCG(s.seed, uint64(s.at.Epoch))))
	}
	b := s.order[photos*s.at.Batch/n : photos*(s.at.Batch+1)/n]
	if s.at.Batch++; s.at.Batch == n {
		s.at, s.order = place{Epoch: s.at.Epoch + 1}, nil
	}
	return b
}

// seek goes to a place.
func (s *sampler) seek(p place) { s.at, s.order = p, nil }

// repeats is how often an epoch has each row. Sums of fixed point are exact, so
// that every epoch has the same number of photos, on every machine.
type repeats struct {
	rows  int
	times []uint64 // by row, at least once; nil: once
}

// once is a time in repeats.times.
const once = 1 << 32

func newRepeats(rows int, factors []float64) repeats {
	r := repeats{rows: rows}
	for _, f := range factors {
		r.times = append(r.times, uint64(math.Round(f*once)))
	}
	return r
}

// photos is how many an epoch has: all times together, rounded up.
func (r repeats) photos() int {
	if r.times == nil {
		return r.rows
	}
	return int((r.sum() + once - 1) / once)
}

func (r repeats) sum() (sum uint64) {
	for _, t := range r.times {
		sum += t
	}
	return sum
}

// order has each row as often as its time says, rounded up or down so that the
// mean over epochs is that time (systematic sampling from a random start). What
// all times lack of a whole number goes to a row that is another in each epoch.
func (r repeats) order(rng *rand.Rand) []int {
	order := rng.Perm(r.rows)
	if r.times == nil {
		return order
	}
	drawn := make([]int, 0, r.photos())
	sum := rng.Uint64N(once) + uint64(cap(drawn))*once - r.sum()
	for _, row := range order {
		sum += r.times[row]
		for uint64(len(drawn)) < sum/once {
			drawn = append(drawn, row)
		}
	}
	rng.Shuffle(len(drawn), func(i, j int) { drawn[i], drawn[j] = drawn[j], drawn[i] })
	return drawn
}

// Repeats is how often an epoch has each of some photos so that rare labels are
// seen more often (repeat-factor sampling: Gupta, Dollár & Girshick 2019, section
// 4.1): the most, over the labels that a photo shows, of max(1, √(t/f)), where f is
// the part of these photos that show the label. The paper's t is a constant of its
// data; here it is balance times the mean f of the labels that any photo shows, and
// all is divided by the least: labels as frequent as each other repeat nothing,
// however many they are. A balance of 0 repeats nothing: nil.
func (s Set) Repeats(photos []int, balance float64) []float64 {
	if balance == 0 || len(photos) == 0 {
		return nil
	}
	shown := make([]int, len(s.Labels))
	for _, i := range photos {
		for _, k := range s.Photos[i].Known {
			if k.Value > 0 {
				shown[k.Label]++
			}
		}
	}
	sum, labels := 0, 0
	for _, n := range shown {
		if sum += n; n > 0 {
			labels++
		}
	}
	rare := balance * float64(sum) / float64(max(labels, 1)) // photos that show a label: t of them all
	factors := make([]float64, len(photos))
	for row, i := range photos {
		factors[row] = 1
		for _, k := range s.Photos[i].Known {
			if k.Value > 0 {
				factors[row] = max(factors[row], math.Sqrt(rare/float64(shown[k.Label])))
			}
		}
	}
	least := slices.Min(factors)
	for row := range factors {
		factors[row] /= least
	}
	return factors
}
