package cpu

import (
	"syscall"
	"unsafe"
)

const hugePage = 2 << 20

// tableSize is how many values only a table of tokens has: its rows are used one
// by one, most of them never.
const tableSize = 16 << 20

// settle asks for huge pages for large memory: a product touches a row of each
// matrix at a time, and there are fewer entries for small pages than rows.
func settle(x []float32) {
	if len(x) > tableSize {
		return
	}
	if in := wholePages(x); len(in) > 0 {
		_ = syscall.Madvise(in, syscall.MADV_HUGEPAGE) // else small ones do
	}
}

// vacate clears large memory by giving its pages back to the system, which
// gives others, cleared, when it is used again. It returns what it has not
// cleared, the ends.
func vacate(x []float32) (left [2][]float32) {
	in := wholePages(x)
	if len(in) == 0 || syscall.Madvise(in, syscall.MADV_DONTNEED) != nil {
		return [2][]float32{x}
	}
	first := int(uintptr(unsafe.Pointer(&in[0]))-uintptr(unsafe.Pointer(&x[0]))) / 4
	return [2][]float32{x[:first], x[first+len(in)/4:]}
}

// wholePages is the part of x that huge pages make up, none if x is small.
func wholePages(x []float32) []byte {
	if len(x)*4 < 2*hugePage {
		return nil
	}
	skip := -uintptr(unsafe.Pointer(&x[0])) % hugePage
	n := (uintptr(len(x))*4 - skip) / hugePage * hugePage
	return unsafe.Slice((*byte)(unsafe.Pointer(&x[0])), len(x)*4)[skip : skip+n]
}
