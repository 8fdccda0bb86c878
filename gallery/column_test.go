package gallery

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// Few numbers and many, in the order of slices.Sort.
func TestAscend(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 6))
	for _, n := range []int{0, 1, 2, 100, 2047, 2048, 2049, 30_000} {
		values := make([]float32, n)
		for i := range values {
			switch r.IntN(4) {
			case 0:
				values[i] = math.Float32frombits(r.Uint32()) // infinities, NaN, subnormals
			case 1:
				values[i] = float32(r.IntN(9) - 4)
			default:
				values[i] = float32(r.NormFloat64() - 5)
			}
		}
		want := slices.Clone(values)
		slices.Sort(want)
		ascend(values)
		for i, x := range values {
			if x != want[i] && (x == x || want[i] == want[i]) {
				t.Fatalf("number %d of %d is %v, want %v", i, n, x, want[i])
			}
		}
	}
}

func BenchmarkAscend(b *testing.B) {
	r := rand.New(rand.NewPCG(7, 7))
	from, values := make([]float32, 100_000), make([]float32, 100_000)
	for i := range from {
		from[i] = float32(r.NormFloat64()*3 - 10)
	}
	for name, sort := range map[string]func([]float32){"digits": ascend, "compare": slices.Sort[[]float32]} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				copy(values, from)
				sort(values)
			}
		})
	}
}
