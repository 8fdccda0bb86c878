package backendtest

import (
	"fmt"

	"sigla/backend"
)

// sums is for a plain float32 sum of n ≤ 1029 terms of size 1 in any order: n
// roundings of at most 2⁻²⁴ of a partial sum give n·2⁻⁴⁸/3 = 1e-12 at most.
var sums = tol{1e-12, 1}

func addCases() []testCase {
	cases := sized("same size", odd, func(t *trial, rows, cols int) {
		n := rows * cols
		t.Add(t.out("dst", n, exact), t.in("a", n), t.in("b", n))
	})
	cases = append(cases, sized("b repeats", odd, func(t *trial, rows, cols int) {
		t.Add(t.out("dst", rows*cols, exact), t.in("a", rows*cols), t.in("b", cols))
	})...)
	cases = append(cases, sized("dst is a", odd, func(t *trial, rows, cols int) {
		dst := t.update("dst", t.normal(rows*cols), exact)
		t.Add(dst, dst, t.in("b", cols))
	})...)
	cases = append(cases, sized("dst is b", odd, func(t *trial, rows, cols int) {
		dst := t.update("dst", t.normal(rows*cols), exact)
		t.Add(dst, t.in("a", rows*cols), dst)
	})...)
	return append(cases, sized("dst is both", odd, func(t *trial, rows, cols int) {
		dst := t.update("dst", t.normal(rows*cols), exact)
		t.Add(dst, dst, dst)
	})...)
}

func sumRowsCases() []testCase {
	return sized("adds", append(odd, [2]int{1029, 3}), func(t *trial, rows, cols int) {
		t.SumRows(t.update("dst", t.normal(cols), sums), t.in("x", rows*cols), rows, cols)
	})
}

// products are M, N, K: each of them 1, below a vector, off a vector, off a tile.
var products = [][3]int{
	{1, 1, 1}, {1, 1, 17}, {1, 33, 7}, {31, 1, 13}, {13, 7, 1}, {3, 7, 5}, {2, 130, 64}, {17, 33, 65},
	{65, 31, 33}, {7, 129, 16}, {16, 16, 16}, {130, 13, 31}, {7, 13, 1029}, {65, 129, 257},
}

func matMulCases() []testCase {
	var cases []testCase
	for bits := range 16 {
		s := backend.Mat{TransA: bits&1 != 0, TransB: bits&2 != 0, Add: bits&4 != 0}
		bias := bits&8 != 0
		name := flags("plain", "ta", s.TransA, "tb", s.TransB, "add", s.Add, "bias", bias)
		for _, d := range products {
			s := s
			s.M, s.N, s.K = d[0], d[1], d[2]
			cases = append(cases, testCase{
				fmt.Sprintf("%s/%dx%dx%d", name, s.M, s.N, s.K),
				compare(func(t *trial) { product(t, s, bias) }),
			})
		}
	}
	cases = append(cases, testCase{"slices of one weight", compare(slicedWeight)})
	cases = append(cases, rewrittenWeight()...)
	return append(cases, matMulGradients()...)
}

// matMulGradients holds MatMul to its promise of being its own gradient, for a
// layer y = x·wᵀ + bias and for a product without transposition.
func matMulGradients() []testCase {
	const m, n, k = 4, 5, 3
	inputs := func(r numbers) []input {
		return []input{{"x", r.normal(m * k), false}, {"w", r.normal(k * n), true}, {"bias", r.normal(n), true}}
	}
	layer := derivative{inputs: inputs, out: m * n,
		forward: func(e backend.Backend, in []backend.Buf, y backend.Buf) {
			e.MatMul(y, in[0], in[1], backend.Mat{M: m, N: n, K: k, TransB: true, Bias: in[2]})
		},
		grad: func(e backend.Backend, in, din []backend.Buf, dy backend.Buf) {
			e.MatMul(din[0], dy, in[1], backend.Mat{M: m, N: k, K: n})
			e.MatMul(din[1], dy, in[0], backend.Mat{M: n, N: k, K: m, TransA: true, Add: true})
			e.SumRows(din[2], dy, m, n)
		}}
	plain := derivative{inputs: inputs, out: m * n,
		forward: func(e backend.Backend, in []backend.Buf, y backend.Buf) {
			e.MatMul(y, in[0], in[1], backend.Mat{M: m, N: n, K: k, Bias: in[2]})
		},
		grad: func(e backend.Backend, in, din []backend.Buf, dy backend.Buf) {
			e.MatMul(din[0], dy, in[1], backend.Mat{M: m, N: k, K: n, TransB: true})
			e.MatMul(din[1], in[0], dy, backend.Mat{M: k, N: n, K: m, TransA: true, Add: true})
			e.SumRows(din[2], dy, m, n)
		}}
	return []testCase{{"gradient/layer", layer.check}, {"gradient/plain", plain.check}}
}

// product plays one MatMul. b is a weight unless a is transposed: only the
// gradient of a weight transposes a, and then both are activations.
func product(t *trial, s backend.Mat, bias bool) {
	var dst, b backend.Buf
	if s.Add {
		dst = t.update("dst", t.normal(s.M*s.N), sums)
	} else {
		dst = t.out("dst", s.M*s.N, sums)
	}
	if s.TransA {
		b = t.in("b", s.K*s.N)
	} else {
		b = t.weight("b", s.K*s.N)
	}
	if bias {
		s.Bias = t.weight("bias", s.N)
	}
	t.MatMul(dst, t.in("a", s.M*s.K), b, s)
}

// slicedWeight uses one weight as a whole and in thirds, as SigLIP's pooling
// head does with what it stores for q, k and v.
func slicedWeight(t *trial) {
	const m, n, k = 7, 13, 17
	w, x := t.weight("w", 3*n*k), t.in("x", m*k)
	for i := range 3 {
		t.MatMul(t.out("third", m*n, sums), x, w.Slice(i*n*k, n*k), backend.Mat{M: m, N: n, K: k, TransB: true})
	}
	t.MatMul(t.out("whole", m*3*n, sums), x, w, backend.Mat{M: m, N: 3 * n, K: k, TransB: true})
}

// rewrittenWeight changes a weight in every way there is between two products:
// an engine that packs weights has to notice.
func rewrittenWeight() []testCase {
	const m, n, k = 5, 33, 17
	changes := []struct {
		name   string
		change func(t *trial, w backend.Buf)
	}{
		{"Write", func(t *trial, w backend.Buf) { t.Write(w, t.normal(w.Len)) }},
		{"Write of one element", func(t *trial, w backend.Buf) { t.Write(w.Slice(w.Len-1, 1), []float32{9}) }},
		{"Zero", func(t *trial, w backend.Buf) { t.Zero(w.Slice(7, 40)) }},
		{"CopyRows", func(t *trial, w backend.Buf) { t.CopyRows(w, t.in("x", 2*n), 2, n, 5*n, n) }},
		{"Add", func(t *trial, w backend.Buf) { t.Add(w, w, t.in("x", n)) }},
		{"MatMul", func(t *trial, w backend.Buf) {
			t.MatMul(w, t.in("x", k*2), t.in("y", 2*n), backend.Mat{M: k, N: n, K: 2, Add: true})
		}},
		{"SumRows", func(t *trial, w backend.Buf) { t.SumRows(w, t.in("x", 3*w.Len), 3, w.Len) }},
		{"AdamW", func(t *trial, w backend.Buf) {
			m, v := t.update("m", t.normal(w.Len), sums), t.update("v", make([]float32, w.Len), sums)
			t.AdamW(w, t.in("g", w.Len), m, v, backend.Adam{LR: 0.1, Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, Scale: 1, Step: 1})
		}},
	}
	var cases []testCase
	for _, c := range changes {
		cases = append(cases, testCase{"weight changed by " + c.name, compare(func(t *trial) {
			w := t.updateWeight("w", k*n, sums)
			x := t.in("a", m*k)
			t.MatMul(t.out("before", m*n, sums), x, w, backend.Mat{M: m, N: n, K: k})
			t.MatMul(t.out("transposed", m*n, sums), x, w, backend.Mat{M: m, N: n, K: k, TransB: true})
			c.change(t, w)
			t.MatMul(t.out("after", m*n, sums), x, w, backend.Mat{M: m, N: n, K: k})
			t.MatMul(t.out("transposed after", m*n, sums), x, w, backend.Mat{M: m, N: n, K: k, TransB: true})
		})})
	}
	return cases
}
