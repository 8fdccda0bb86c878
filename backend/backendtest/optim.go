package backendtest

import (
	"fmt"

	"sigla/backend"
)

func sumSquaresCases() []testCase {
	// Terms of one sign: one float32 sum of 65,537 squares is off by 1e-5, which
	// is 1e-10 here, so an engine needs partial sums.
	return sized("adds", append(odd, [2]int{1, 65537}), func(t *trial, rows, cols int) {
		t.SumSquares(t.update("dst", t.normal(1), tol{1e-11, 1}), t.in("x", rows*cols))
	})
}

func adamWCases() []testCase {
	var cases []testCase
	for _, step := range []int{1, 2, 1000} {
		for _, plain := range []bool{false, true} {
			a := backend.Adam{LR: 0.3, Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, Decay: 0.2, Scale: 0.25, Step: step}
			if plain {
				a = backend.Adam{LR: 0.3, Beta1: 0.9, Beta2: 0.999, Eps: 1e-6, Scale: 1, Step: step}
			}
			name := fmt.Sprintf("%s step %d", flags("decay+scale", "plain", plain), step)
			cases = append(cases, sized(name, odd, func(t *trial, rows, cols int) { optimize(t, a, rows*cols) })...)
		}
	}
	return append(cases, testCase{"no gradient yet", compare(func(t *trial) {
		zero := make([]float32, 17)
		t.AdamW(t.updateWeight("w", 17, sums), t.data("g", zero), t.update("m", zero, exact), t.update("v", zero, exact),
			backend.Adam{LR: 0.3, Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, Decay: 0.2, Scale: 1, Step: 1})
	})})
}

// optimize plays one step. v is positive everywhere: where it is 0 beside a
// momentum, the step would be m/eps.
func optimize(t *trial, a backend.Adam, n int) {
	v := t.normal(n)
	for i := range v {
		v[i] = v[i]*v[i] + 0.01
	}
	t.AdamW(t.updateWeight("w", n, sums), t.in("g", n), t.update("m", t.normal(n), sums), t.update("v", v, tol{1e-12, 0.01}), a)
}
