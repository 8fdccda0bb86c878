//go:build gpu && cgo && (linux || windows)

package gpu

import (
	"fmt"
	"math"

	"sigla/backend"
)

// selfTest computes what drivers get wrong, and compares: a product of odd
// sizes, loops with barriers, exp and log of the loss. A driver that fails it is
// not used.
func (e *engine) selfTest() error {
	const m, n, k = 19, 37, 101
	a, b, bias := wave(m*k, 1), wave(n*k, 2), wave(n, 3)
	dst, x, y, z := e.temporary("test", m*n), e.temporary("test a", m*k), e.temporary("test b", n*k), e.temporary("test bias", n)
	e.Write(x, a)
	e.Write(y, b)
	e.Write(z, bias)
	e.MatMul(dst, x, y, backend.Mat{M: m, N: n, K: k, TransB: true, Bias: z})
	got := make([]float32, m*n)
	if err := e.Read(got, dst); err != nil {
		return fmt.Errorf("self-test: %w", err)
	}
	for i, v := range got {
		want := float64(bias[i%n])
		for j := range k {
			want += float64(a[i/n*k+j]) * float64(b[i%n*k+j])
		}
		if !(math.Abs(float64(v)-want) <= 1e-4) {
			return fmt.Errorf("self-test: %s multiplies wrongly: element %d is %g, want %g", e.info.Renderer, i, v, want)
		}
	}
	return e.testSums(x, a)
}

// testSums holds sums and the loss of one pair to what they are.
func (e *engine) testSums(x backend.Buf, a []float32) error {
	sums := e.temporary("test sums", 8)
	e.Zero(sums)
	e.SumSquares(sums.Slice(0, 1), x)
	one := sums.Slice(6, 1)
	e.Write(one, []float32{1})
	e.SigmoidLoss(sums.Slice(1, 1), sums.Slice(2, 1), sums.Slice(3, 1), sums.Slice(4, 1), sums.Slice(5, 1), one, one, sums.Slice(7, 1), one,
		backend.Pairs{Rows: 1, Cols: 1, Dim: 1, Diagonal: true})
	got := make([]float32, 8)
	if err := e.Read(got, sums); err != nil {
		return fmt.Errorf("self-test: %w", err)
	}
	squares := 0.0
	for _, v := range a {
		squares += float64(v) * float64(v)
	}
	// The logit is exp(0)·1 + 1 = 2.
	loss, grad := math.Log1p(math.Exp(-2)), -1/(1+math.Exp(2))
	for i, want := range []float64{squares, loss, grad, grad, grad, grad} {
		if !(math.Abs(float64(got[i])-want) <= 1e-5*math.Max(1, math.Abs(want))) {
			return fmt.Errorf("self-test: %s sums wrongly: result %d is %g, want %g", e.info.Renderer, i, got[i], want)
		}
	}
	return nil
}

// wave is n numbers in [−1, 1] that do not repeat.
func wave(n int, step float64) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(math.Sin(step * float64(i*i+1)))
	}
	return x
}
