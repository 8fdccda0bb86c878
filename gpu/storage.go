//go:build gpu && cgo && (linux || windows)

package gpu

import "sigla/backend"

// packed reports whether a buffer has two values a word.
func packed(b backend.Buf) bool {
	m, ok := b.Mem.(*memory)
	return ok && m.packed
}

// format is what shaders call the engine's storage.
func (e *engine) format() string {
	if e.storage == F16 {
		return "F16"
	}
	return "BF16"
}

// pack rounds x into a buffer of weights.
func (e *engine) pack(dst, x backend.Buf) {
	e.rows(x.Len, 1, func(i, n int) {
		e.run(kernel{file: "storage", defines: []string{"PACK", e.format()}, packed: [12]bool{0: true}, bufs: []backend.Buf{dst.Slice(i, n), x.Slice(i, n)},
			sizes: ints(n)}.each(n/2 + 1))
	})
}

// plain is b, or a copy of it as float32 in a temporary of that name: few weights
// are read by anything but products.
func (e *engine) plain(name string, b backend.Buf) backend.Buf {
	if !packed(b) {
		return b
	}
	dst := e.temporary(name, b.Len)
	e.elements(b.Len, kernel{file: "storage", defines: []string{e.format()}, packed: [12]bool{1: true}, bufs: []backend.Buf{dst, b}})
	return dst
}
