package finetune

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
)

// An Interval is a figure with its 95 % interval. All are NaN, null in JSON,
// where there is nothing to say.
type Interval struct{ Value, Low, High float64 }

// MarshalJSON writes {"value","low","high"}.
func (i Interval) MarshalJSON() ([]byte, error) {
	number := func(x float64) *float64 {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return nil
		}
		return &x
	}
	return json.Marshal(struct {
		Value *float64 `json:"value"`
		Low   *float64 `json:"low"`
		High  *float64 `json:"high"`
	}{number(i.Value), number(i.Low), number(i.High)})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (i *Interval) UnmarshalJSON(data []byte) error {
	var read struct{ Value, Low, High *float64 }
	if err := json.Unmarshal(data, &read); err != nil {
		return err
	}
	number := func(x *float64) float64 {
		if x == nil {
			return math.NaN()
		}
		return *x
	}
	*i = Interval{number(read.Value), number(read.Low), number(read.High)}
	return nil
}

// interval takes the 2.5th and the 97.5th percentile of what resamples gave;
// those that gave nothing do not count.
func interval(value float64, resampled []float64) Interval {
	all := slices.DeleteFunc(slices.Clone(resampled), math.IsNaN)
	if len(all) == 0 || math.IsNaN(value) {
		return Interval{value, math.NaN(), math.NaN()}
	}
	slices.Sort(all)
	at := func(q float64) float64 {
		x := q * float64(len(all)-1)
		i := int(x)
		return all[i] + (x-float64(i))*(all[min(i+1, len(all)-1)]-all[i])
	}
	return Interval{value, at(0.025), at(0.975)}
}

// centred is the interval of a mean over labels, moved by what resampling does to
// the mean: labels of few photos drop out of some resamples, and photos that are
// there twice rank more easily.
func centred(value float64, resampled []float64) Interval {
	i := interval(value, resampled)
	all := slices.DeleteFunc(slices.Clone(resampled), math.IsNaN)
	if len(all) == 0 {
		return i
	}
	slices.Sort(all)
	moved := value - all[len(all)/2]
	return Interval{value, i.Low + moved, i.High + moved}
}

// A bootstrap resamples groups of photos with replacement (Efron 1979; by groups,
// for photos of one burst say the same): photos that show the same are not told
// twice as often how sure a figure is.
type bootstrap struct {
	groups []int // by row
	n      int   // groups
	times  int
}

// resamples says how often: enough for the percentiles, less often where labels
// are so many that nobody would wait.
func resamples(pairs int) int {
	return max(100, min(1000, 100_000_000/max(pairs, 1)))
}

// newBootstrap resamples the groups of these photos.
func newBootstrap(groups, photos []int, times int) bootstrap {
	b := bootstrap{times: times}
	number := make(map[int]int)
	for _, i := range photos {
		g := groups[i]
		if _, ok := number[g]; !ok {
			number[g] = len(number)
		}
		b.groups = append(b.groups, number[g])
	}
	b.n = len(number)
	return b
}

// each calls f once for each resample, on all processors, with how often each
// row is in it. The resamples are always the same.
func (b bootstrap) each(f func(resample int, weights []float64)) {
	var workers sync.WaitGroup
	next := make(chan int)
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			counts, weights := make([]float64, b.n), make([]float64, len(b.groups))
			for r := range next {
				rng := rand.New(rand.NewPCG(uint64(r), 0x5151))
				clear(counts)
				for range b.n {
					counts[rng.IntN(b.n)]++
				}
				for row, g := range b.groups {
					weights[row] = counts[g]
				}
				f(r, weights)
			}
		})
	}
	for r := range b.times {
		next <- r
	}
	close(next)
	workers.Wait()
}
