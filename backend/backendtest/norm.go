package backendtest

import (
	"math"

	"sigla/backend"
)

const epsilon = 1e-6 // of LayerNorm, SigLIP's

// Far from zero, mean and rstd lose what the offset takes: at 1000 ± 1 a float32
// mean is good to 1e-4…1e-3, squared 1e-8…1e-6. A variance from Σx² and (Σx)²
// would be off by a tenth.
var (
	offsetNorm = tol{1e-5, 1}
	offsetMean = tol{1e-11, 1000}
)

func layerNormCases() []testCase {
	cases := sized("kept", odd, func(t *trial, rows, cols int) {
		t.LayerNorm(t.out("dst", rows*cols, smooth), t.out("mean", rows, smooth), t.out("rstd", rows, smooth),
			t.in("x", rows*cols), t.in("w", cols), t.in("b", cols), rows, cols, epsilon)
	})
	cases = append(cases, sized("nothing kept", odd, func(t *trial, rows, cols int) {
		t.LayerNorm(t.out("dst", rows*cols, smooth), backend.Buf{}, backend.Buf{},
			t.in("x", rows*cols), t.in("w", cols), t.in("b", cols), rows, cols, epsilon)
	})...)
	cases = append(cases, sized("in place", odd, func(t *trial, rows, cols int) {
		dst := t.update("dst", t.normal(rows*cols), smooth)
		t.LayerNorm(dst, t.out("mean", rows, smooth), t.out("rstd", rows, smooth),
			dst, t.in("w", cols), t.in("b", cols), rows, cols, epsilon)
	})...)
	cases = append(cases, sized("far from zero", [][2]int{{3, 17}, {5, 130}, {2, 1029}}, func(t *trial, rows, cols int) {
		x := t.normal(rows * cols)
		for i := range x {
			x[i] += 1000
		}
		t.LayerNorm(t.out("dst", rows*cols, offsetNorm), t.out("mean", rows, offsetMean), t.out("rstd", rows, offsetNorm),
			t.data("x", x), t.in("w", cols), t.in("b", cols), rows, cols, epsilon)
	})...)
	// Without variance rstd is 1000, and so much larger becomes an error of x − mean.
	return append(cases, sized("constant rows", [][2]int{{2, 1}, {3, 7}, {2, 130}}, func(t *trial, rows, cols int) {
		x := make([]float32, rows*cols)
		for i := range x {
			x[i] = 4
		}
		t.LayerNorm(t.out("dst", rows*cols, tol{1e-6, 1}), t.out("mean", rows, smooth), backend.Buf{},
			t.data("x", x), t.in("w", cols), t.in("b", cols), rows, cols, epsilon)
	})...)
}

func layerNormGradCases() []testCase {
	cases := sized("random", append(odd, [2]int{130, 5}, [2]int{521, 35}), func(t *trial, rows, cols int) {
		x := t.normal(rows * cols)
		mean, rstd := moments(x, rows, cols)
		t.LayerNormGrad(t.out("dx", rows*cols, smooth), t.update("dw", t.normal(cols), sums), t.update("db", t.normal(cols), sums),
			t.in("dy", rows*cols), t.data("x", x), t.in("w", cols), t.data("mean", mean), t.data("rstd", rstd), rows, cols)
	})
	const rows, cols = 3, 11
	return append(cases, testCase{"gradient", derivative{
		inputs: func(r numbers) []input {
			return []input{{"x", r.normal(rows * cols), false}, {"w", r.normal(cols), true}, {"b", r.normal(cols), true}}
		},
		out: rows * cols,
		forward: func(e backend.Backend, in []backend.Buf, y backend.Buf) {
			e.LayerNorm(y, backend.Buf{}, backend.Buf{}, in[0], in[1], in[2], rows, cols, epsilon)
		},
		grad: func(e backend.Backend, in, din []backend.Buf, dy backend.Buf) {
			y := e.Alloc(rows*cols, backend.Scratch)
			mean, rstd := e.Alloc(rows, backend.Scratch), e.Alloc(rows, backend.Scratch)
			e.LayerNorm(y, mean, rstd, in[0], in[1], in[2], rows, cols, epsilon)
			e.LayerNormGrad(din[0], din[1], din[2], dy, in[0], in[1], mean, rstd, rows, cols)
		}}.check})
}

// moments returns what LayerNorm keeps of the rows of x. A row that hardly
// varies, of one element above all, would make the gradient all rounding: its
// rstd is taken as 1.
func moments(x []float32, rows, cols int) (mean, rstd []float32) {
	for r := range rows {
		m, v := 0.0, 0.0
		for _, x := range x[r*cols:][:cols] {
			m += float64(x) / float64(cols)
		}
		for _, x := range x[r*cols:][:cols] {
			v += (float64(x) - m) * (float64(x) - m) / float64(cols)
		}
		if v < 0.01 {
			v = 1
		}
		mean, rstd = append(mean, float32(m)), append(rstd, float32(1/math.Sqrt(v+epsilon)))
	}
	return mean, rstd
}

func normalizeCases() []testCase {
	cases := sized("kept", odd, func(t *trial, rows, cols int) {
		t.Normalize(t.out("dst", rows*cols, smooth), t.out("norm", rows, smooth), t.in("x", rows*cols), rows, cols)
	})
	cases = append(cases, sized("nothing kept", odd, func(t *trial, rows, cols int) {
		t.Normalize(t.out("dst", rows*cols, smooth), backend.Buf{}, t.in("x", rows*cols), rows, cols)
	})...)
	cases = append(cases, sized("in place", odd, func(t *trial, rows, cols int) {
		dst := t.update("dst", t.normal(rows*cols), smooth)
		t.Normalize(dst, t.out("norm", rows, smooth), dst, rows, cols)
	})...)
	// The rows are 0, and 1e-14 in one place: both shorter than the limit.
	return append(cases, testCase{"short rows", compare(func(t *trial) {
		x := make([]float32, 2*17)
		x[20] = 1e-14
		t.Normalize(t.out("dst", len(x), tol{1e-12, 0.01}), t.out("norm", 2, tol{1e-12, 0}), t.data("x", x), 2, 17)
	})})
}

func normalizeGradCases() []testCase {
	script := func(t *trial, dx, dy backend.Buf, rows, cols int) {
		y, norm := t.normal(rows*cols), make([]float32, rows)
		for r := range rows {
			norm[r] = unit(y[r*cols:][:cols])
		}
		t.NormalizeGrad(dx, dy, t.data("y", y), t.data("norm", norm), rows, cols)
	}
	cases := sized("random", odd, func(t *trial, rows, cols int) {
		script(t, t.out("dx", rows*cols, smooth), t.in("dy", rows*cols), rows, cols)
	})
	cases = append(cases, sized("in place", odd, func(t *trial, rows, cols int) {
		dx := t.update("dx", t.normal(rows*cols), smooth)
		script(t, dx, dx, rows, cols)
	})...)
	const rows, cols = 3, 9
	return append(cases, testCase{"gradient", derivative{
		inputs: func(r numbers) []input { return []input{{"x", r.normal(rows * cols), false}} }, out: rows * cols,
		forward: func(e backend.Backend, in []backend.Buf, y backend.Buf) {
			e.Normalize(y, backend.Buf{}, in[0], rows, cols)
		},
		grad: func(e backend.Backend, in, din []backend.Buf, dy backend.Buf) {
			y, norm := e.Alloc(rows*cols, backend.Scratch), e.Alloc(rows, backend.Scratch)
			e.Normalize(y, norm, in[0], rows, cols)
			e.NormalizeGrad(din[0], dy, y, norm, rows, cols)
		}}.check})
}

// unit divides x by its length, which it returns.
func unit(x []float32) float32 {
	sum := 0.0
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	length := math.Sqrt(sum)
	for i, v := range x {
		x[i] = float32(float64(v) / length)
	}
	return float32(length)
}
