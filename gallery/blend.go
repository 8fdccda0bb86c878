package gallery

import (
	"errors"
	"math"

	"sigla/gallery/query"
)

// Blend returns the unit vector that a query's terms make together: the sum of
// their unit vectors, each by its weight. That the terms cancel each other out
// is an error: there is nothing left to rank by.
func Blend(terms []query.Term, vectors [][]float32) ([]float32, error) {
	sum := make([]float32, len(vectors[0]))
	total := 0.0
	for i, t := range terms {
		total += math.Abs(t.Weight)
		for k, x := range vectors[i] {
			sum[k] += float32(t.Weight) * x
		}
	}
	// Of unit vectors that cancel out, rounding leaves a millionth at most.
	if n := norm(sum); n <= 1e-5*total || math.IsNaN(n) {
		return nil, errors.New("search: what is added and what is taken off are the same, so nothing is left to look for")
	}
	return addUnit(make([]float32, len(sum)), sum), nil
}
