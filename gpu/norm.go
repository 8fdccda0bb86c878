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
	e.run(kernel{file: "rows", defines: defines, bufs: []backend.Buf{dst, x, w, b, mean, rstd}, writes: [12]bool{4: true, 5: true},
		sizes: ints(rows, cols), numbers: []float32{eps}}.spread(rows))
}

// LayerNormGrad implements backend.Backend.
func (e *engine) LayerNormGrad(dx, dw, db, dy, x, w, mean, rstd backend.Buf, rows, cols int) {
	backend.CheckLayerNormGrad(dx, dw, db, dy, x, w, mean, rstd, rows, cols)
	e.run(kernel{file: "rows", defines: []string{"LAYERNORMGRAD"}, bufs: []backend.Buf{dx, x, w, dy, mean, rstd},
		sizes: ints(rows, cols)}.spread(rows))
	e.columns(kernel{file: "columns", defines: []string{"NORM"}, bufs: []backend.Buf{dw, x, db, dy, mean, rstd}, writes: [12]bool{2: true}}, rows, cols, 0, 2)
}

// Normalize implements backend.Backend.
func (e *engine) Normalize(dst, norm, x backend.Buf, rows, cols int) {
	backend.CheckNormalize(dst, norm, x, rows, cols)
	defines := []string{"NORMALIZE"}
	if norm.Mem != nil {
		defines = append(defines, "KEEP_MEAN")
	}
	e.run(kernel{file: "rows", defines: defines, bufs: []backend.Buf{dst, x, {}, {}, norm}, writes: [12]bool{4: true}, sizes: ints(rows, cols)}.spread(rows))
}

// NormalizeGrad implements backend.Backend.
func (e *engine) NormalizeGrad(dx, dy, y, norm backend.Buf, rows, cols int) {
	backend.CheckNormalizeGrad(dx, dy, y, norm, rows, cols)
	e.run(kernel{file: "rows", defines: []string{"NORMALIZEGRAD"}, bufs: []backend.Buf{dx, dy, y, {}, norm},
		sizes: ints(rows, cols)}.spread(rows))
}
