package backendtest

import (
	"fmt"

	"sigla/backend"
)

// smooth is for a few roundings and an approximation of exp, tanh or erf that
// is good to about 16 units in the last place, (16·6e-8)² = 1e-12, and for 1 − p
// in a gradient.
var smooth = tol{1e-11, 1}

var kinds = []struct {
	name string
	kind backend.Activation
}{{"tanh", backend.GELUTanh}, {"erf", backend.GELUErf}, {"quick", backend.GELUQuick}}

// extremes are where exp overflows, where 1 + tanh cancels, and zero.
var extremes = []float32{0, 1e-30, -1e-30, 5, -5, 9, -9, 20, -20, 88.8, -88.8, 200, -200, 1e4, -1e4}

func geluCases() []testCase {
	var cases []testCase
	for _, k := range kinds {
		cases = append(cases, sized(k.name, odd, func(t *trial, rows, cols int) {
			t.GELU(t.out("dst", rows*cols, smooth), t.in("x", rows*cols), k.kind)
		})...)
		cases = append(cases, sized(k.name+"+in place", odd, func(t *trial, rows, cols int) {
			dst := t.update("dst", t.normal(rows*cols), smooth)
			t.GELU(dst, dst, k.kind)
		})...)
		cases = append(cases, testCase{k.name + "/extremes", compare(func(t *trial) {
			for _, x := range extremes {
				t.GELU(t.out(fmt.Sprintf("gelu(%g)", x), 1, smooth), t.data("x", []float32{x}), k.kind)
			}
		})})
	}
	return cases
}

func geluGradCases() []testCase {
	var cases []testCase
	for _, k := range kinds {
		cases = append(cases, sized(k.name, odd, func(t *trial, rows, cols int) {
			n := rows * cols
			t.GELUGrad(t.out("dx", n, smooth), t.in("dy", n), t.in("x", n), k.kind)
		})...)
		cases = append(cases, sized(k.name+"+in place", odd, func(t *trial, rows, cols int) {
			dx := t.update("dx", t.normal(rows*cols), smooth)
			t.GELUGrad(dx, dx, t.in("x", rows*cols), k.kind)
		})...)
		cases = append(cases, testCase{k.name + "/extremes", compare(func(t *trial) {
			for _, x := range extremes {
				dx := t.out(fmt.Sprintf("gelu'(%g)", x), 1, smooth)
				t.GELUGrad(dx, t.data("dy", []float32{1}), t.data("x", []float32{x}), k.kind)
			}
		})})
		cases = append(cases, testCase{"gradient/" + k.name, derivative{
			inputs: func(r numbers) []input { return []input{{"x", r.normal(40), false}} }, out: 40,
			forward: func(e backend.Backend, in []backend.Buf, y backend.Buf) { e.GELU(y, in[0], k.kind) },
			grad: func(e backend.Backend, in, din []backend.Buf, dy backend.Buf) {
				e.GELUGrad(din[0], dy, in[0], k.kind)
			}}.check})
	}
	return cases
}

func relu6Cases() []testCase {
	wide := func(t *trial, n int) []float32 {
		x := t.normal(n)
		for i := range x {
			x[i] *= 6
		}
		return x
	}
	cases := sized("clips", odd, func(t *trial, rows, cols int) {
		t.ReLU6(t.out("dst", rows*cols, exact), t.data("x", wide(t, rows*cols)))
	})
	cases = append(cases, sized("in place", odd, func(t *trial, rows, cols int) {
		dst := t.update("dst", wide(t, rows*cols), exact)
		t.ReLU6(dst, dst)
	})...)
	return append(cases, testCase{"edges", compare(func(t *trial) {
		t.ReLU6(t.out("dst", 5, exact), t.data("x", []float32{0, 6, -1e30, 1e30, 3}))
	})})
}
