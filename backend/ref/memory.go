package ref

import "sigla/backend"

// memory is what Buf.Mem points to.
type memory struct{ values []float32 }

// floats returns the elements of b, nil for the zero Buf. It panics if b
// belongs to another engine.
func floats(b backend.Buf) []float32 {
	if b.Mem == nil {
		return nil
	}
	return b.Mem.(*memory).values[b.Off:][:b.Len:b.Len]
}

func (engine) Alloc(n int, _ backend.Use) backend.Buf {
	return backend.Buf{Mem: &memory{make([]float32, n)}, Len: n}
}

func (engine) Write(dst backend.Buf, src []float32) {
	backend.CheckWrite(dst, src)
	copy(floats(dst), src)
}

func (engine) Read(dst []float32, src backend.Buf) error {
	backend.CheckRead(dst, src)
	copy(dst, floats(src))
	return nil
}

func (engine) Zero(dst backend.Buf) { clear(floats(dst)) }

// Capacity is that of a processor.
func (engine) Capacity() backend.Capacity { return backend.Capacity{} }

// Discard leaves what is no longer wanted.
func (engine) Discard(backend.Buf) {}

// Close leaves the memory to the garbage collector.
func (engine) Close() error { return nil }

func (engine) CopyRows(dst, x backend.Buf, rows, cols, dstStride, xStride int) {
	backend.CheckCopyRows(dst, x, rows, cols, dstStride, xStride)
	d, s := floats(dst), floats(x)
	for r := range rows {
		copy(d[r*dstStride:][:cols], s[r*xStride:])
	}
}
