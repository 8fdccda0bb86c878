//go:build gpu && cgo && (linux || windows)

package gpu

import "sigla/backend"

// LayerNorm implements backend.Backend.
func (e *engine) LayerNorm(dst, mean, rstd, x, w, b backend.Buf, rows, cols int, eps float32) {
	backend.CheckLayerNorm(dst, mean, rstd, x, w, b, rows, cols)
	defines := []string{"LAYERNORM"}
	if mean.Mem != nil {
		defines = append(defines, "KEEP_MEAN")
	}
	if rstd.Mem != nil {
		defines = append(defines, "KEEP_RSTD")
	}
	e.rows(rows, cols, func(r, m int) {
		at, n := r*cols, m*cols
		e.run(kernel{file: "rows", defines: defines, bufs: []backend.Buf{dst.Slice(at, n), x.Slice(at, n), w, b, part(mean, r, m), part(rstd, r, m)},
			writes: [12]bool{4: true, 5: true}, sizes: ints(m, cols), numbers: []float32{eps}}.spread(m))
	})
}

// LayerNormGrad implements backend.Backend.
func (e *engine) LayerNormGrad(dx, dw, db, dy, x, w, mean, rstd backend.Buf, rows, cols int) {
	backend.CheckLayerNormGrad(dx, dw, db, dy, x, w, mean, rstd, rows, cols)
	e.rows(rows, cols, func(r, m int) {
		at, n := r*cols, m*cols
		e.run(kernel{file: "rows", defines: []string{"LAYERNORMGRAD"},
			bufs:  []backend.Buf{dx.Slice(at, n), x.Slice(at, n), w, dy.Slice(at, n), mean.Slice(r, m), rstd.Slice(r, m)},
			sizes: ints(m, cols)}.spread(m))
	})
	e.columns(rows, cols, func(r, m int) kernel {
		return kernel{file: "columns", defines: []string{"NORM"}, writes: [12]bool{2: true},
			bufs: []backend.Buf{dw, x.Slice(r*cols, m*cols), db, dy.Slice(r*cols, m*cols), mean.Slice(r, m), rstd.Slice(r, m)}}
	}, 0, 2)
}

// Normalize implements backend.Backend.
func (e *engine) Normalize(dst, norm, x backend.Buf, rows, cols int) {
	backend.CheckNormalize(dst, norm, x, rows, cols)
	defines := []string{"NORMALIZE"}
	if norm.Mem != nil {
		defines = append(defines, "KEEP_MEAN")
	}
	e.rows(rows, cols, func(r, m int) {
		e.run(kernel{file: "rows", defines: defines, bufs: []backend.Buf{dst.Slice(r*cols, m*cols), x.Slice(r*cols, m*cols), {}, {}, part(norm, r, m)},
			writes: [12]bool{4: true}, sizes: ints(m, cols)}.spread(m))
	})
}

// NormalizeGrad implements backend.Backend.
func (e *engine) NormalizeGrad(dx, dy, y, norm backend.Buf, rows, cols int) {
	backend.CheckNormalizeGrad(dx, dy, y, norm, rows, cols)
	e.rows(rows, cols, func(r, m int) {
		at, n := r*cols, m*cols
		e.run(kernel{file: "rows", defines: []string{"NORMALIZEGRAD"}, bufs: []backend.Buf{dx.Slice(at, n), dy.Slice(at, n), y.Slice(at, n), {}, norm.Slice(r, m)},
			sizes: ints(m, cols)}.spread(m))
	})
}

// part is b.Slice, or nothing of nothing.
func part(b backend.Buf, i, n int) backend.Buf {
	if b.Mem == nil {
		return b
	}
	return b.Slice(i, n)
}
