package ref

import (
	"math"

	"sigla/backend"
)

func (engine) LayerNorm(dst, mean, rstd, x, w, b backend.Buf, rows, cols int, eps float32) {
	backend.CheckLayerNorm(dst, mean, rstd, x, w, b, rows, cols)
	d, s, weight, bias := floats(dst), floats(x), floats(w), floats(b)
	means, rstds := floats(mean), floats(rstd)
	for r := range rows {
		row := s[r*cols:][:cols]
		mu, variance := 0.0, 0.0
		for _, v := range row {
			mu += float64(v)
		}
		mu /= float64(cols)
		for _, v := range row {
			variance += (float64(v) - mu) * (float64(v) - mu)
		}
		rs := 1 / math.Sqrt(variance/float64(cols)+float64(eps))
		for c, v := range row {
			d[r*cols+c] = float32((float64(v)-mu)*rs*float64(weight[c]) + float64(bias[c]))
		}
		if means != nil {
			means[r] = float32(mu)
		}
		if rstds != nil {
			rstds[r] = float32(rs)
		}
	}
}

// LayerNormGrad: with x̂ = (x − mean)·rstd and h = dy·w,
// dx = rstd·(h − ⟨h⟩ − x̂·⟨h·x̂⟩), where ⟨⟩ is the mean over a row.
func (engine) LayerNormGrad(dx, dw, db, dy, x, w, mean, rstd backend.Buf, rows, cols int) {
	backend.CheckLayerNormGrad(dx, dw, db, dy, x, w, mean, rstd, rows, cols)
	d, g, s, weight := floats(dx), floats(dy), floats(x), floats(w)
	means, rstds := floats(mean), floats(rstd)
	sumW, sumB := make([]float64, cols), make([]float64, cols)
	xhat, h := make([]float64, cols), make([]float64, cols)
	for r := range rows {
		mu, rs := float64(means[r]), float64(rstds[r])
		meanH, meanHX := 0.0, 0.0
		for c := range cols {
			xhat[c] = (float64(s[r*cols+c]) - mu) * rs
			grad := float64(g[r*cols+c])
			h[c] = grad * float64(weight[c])
			sumW[c] += grad * xhat[c]
			sumB[c] += grad
			meanH += h[c]
			meanHX += h[c] * xhat[c]
		}
		meanH, meanHX = meanH/float64(cols), meanHX/float64(cols)
		for c := range cols {
			d[r*cols+c] = float32(rs * (h[c] - meanH - xhat[c]*meanHX))
		}
	}
	accumulate(floats(dw), sumW)
	accumulate(floats(db), sumB)
}

func (engine) Normalize(dst, norm, x backend.Buf, rows, cols int) {
	backend.CheckNormalize(dst, norm, x, rows, cols)
	d, s, norms := floats(dst), floats(x), floats(norm)
	for r := range rows {
		row := s[r*cols:][:cols]
		length := max(math.Sqrt(dot(row, row)), 1e-12)
		for c, v := range row {
			d[r*cols+c] = float32(float64(v) / length)
		}
		if norms != nil {
			norms[r] = float32(length)
		}
	}
}

// NormalizeGrad: dx = (dy − y·⟨y, dy⟩) / norm, what is left of dy at right
// angles to the row. A row whose norm was raised to 1e-12 is as good as zero,
// and so is its y: then dx = dy / norm.
func (engine) NormalizeGrad(dx, dy, y, norm backend.Buf, rows, cols int) {
	backend.CheckNormalizeGrad(dx, dy, y, norm, rows, cols)
	d, norms := floats(dx), floats(norm)
	for r := range rows {
		g, row := floats(dy)[r*cols:][:cols], floats(y)[r*cols:][:cols]
		along := dot(g, row)
		for c, v := range row {
			d[r*cols+c] = float32((float64(g[c]) - along*float64(v)) / float64(norms[r]))
		}
	}
}
