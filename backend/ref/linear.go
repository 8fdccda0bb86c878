package ref

import "sigla/backend"

func (engine) Add(dst, a, b backend.Buf) {
	backend.CheckAdd(dst, a, b)
	d, x, y := floats(dst), floats(a), floats(b)
	for start := 0; start < len(d); start += len(y) {
		for i, v := range y {
			d[start+i] = x[start+i] + v
		}
	}
}

func (engine) SumRows(dst, x backend.Buf, rows, cols int) {
	backend.CheckSumRows(dst, x, rows, cols)
	s := floats(x)
	sum := make([]float64, cols)
	for r := range rows {
		for c, v := range s[r*cols:][:cols] {
			sum[c] += float64(v)
		}
	}
	accumulate(floats(dst), sum)
}

// MatMul multiplies row by row: row i of the result is Σ_k a[i, k]·b[k, :].
func (engine) MatMul(dst, a, b backend.Buf, s backend.Mat) {
	s.Check(dst, a, b)
	d, x, y, bias := floats(dst), floats(a), floats(b), floats(s.Bias)
	if s.TransA {
		x = transpose(x, s.K, s.M)
	}
	if s.TransB {
		y = transpose(y, s.N, s.K)
	}
	sum := make([]float64, s.N)
	for i := range s.M {
		clear(sum)
		for k, v := range x[i*s.K:][:s.K] {
			addScaled(sum, float64(v), y[k*s.N:][:s.N])
		}
		if bias != nil {
			addScaled(sum, 1, bias)
		}
		row := d[i*s.N:][:s.N]
		if !s.Add {
			clear(row)
		}
		accumulate(row, sum)
	}
}

// transpose returns x [rows, cols] as [cols, rows].
func transpose(x []float32, rows, cols int) []float32 {
	t := make([]float32, len(x))
	for r := range rows {
		for c, v := range x[r*cols:][:cols] {
			t[c*rows+r] = v
		}
	}
	return t
}

// addScaled is sum += a·x.
func addScaled(sum []float64, a float64, x []float32) {
	sum = sum[:len(x)]
	for i, v := range x {
		sum[i] += a * float64(v)
	}
}

// accumulate is dst += sum.
func accumulate(dst []float32, sum []float64) {
	for i, v := range sum {
		dst[i] = float32(float64(dst[i]) + v)
	}
}

// store is dst = x.
func store(dst []float32, x []float64) {
	for i, v := range x {
		dst[i] = float32(v)
	}
}

// dot is Σ x·y.
func dot(x, y []float32) float64 {
	y = y[:len(x)]
	sum := 0.0
	for i, v := range x {
		sum += float64(v) * float64(y[i])
	}
	return sum
}
