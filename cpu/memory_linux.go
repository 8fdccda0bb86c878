package cpu

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

const hugePage = 2 << 20

// pageSize is how many elements a page has that can be lent: a huge one, whose
// place in the tables of the system one entry says.
const pageSize = hugePage / 4

// tableSize is how many values only a table of tokens has: its rows are used one
// by one, most of them never.
const tableSize = 16 << 20

// newMemory returns n zeros. Large memory begins on a page and asks for huge
// ones: a product touches a row of each matrix at a time, and there are fewer
// entries for small pages than rows.
func newMemory(n int) *memory {
	m := &memory{}
	if n < 2*pageSize || n > tableSize {
		m.data = make([]float32, n)
	} else {
		x := make([]float32, n+pageSize-1)
		skip := int(-uintptr(unsafe.Pointer(&x[0]))%hugePage) / 4
		m.data, m.pages = x[skip:skip+n:skip+n], make([]page, n/pageSize)
		_ = syscall.Madvise(raw(m.data[:len(m.pages)*pageSize]), syscall.MADV_HUGEPAGE) // else small ones do
	}
	if m.large() {
		m.blank.add(span{0, n})
	}
	return m
}

// move puts what is behind the addresses of one page behind those of another,
// which has nothing; the first has nothing then. If the system does not do it,
// the page goes back to it; it may have taken the second's addresses away by then.
func move(to, from []float32) bool {
	_, _, errno := syscall.Syscall6(syscall.SYS_MREMAP, uintptr(unsafe.Pointer(&from[0])), hugePage, hugePage,
		unix.MREMAP_MAYMOVE|unix.MREMAP_FIXED|unix.MREMAP_DONTUNMAP, uintptr(unsafe.Pointer(&to[0])), 0)
	if errno != 0 {
		_ = syscall.Madvise(raw(from), syscall.MADV_DONTNEED)
		_, _, _ = syscall.Syscall6(syscall.SYS_MMAP, uintptr(unsafe.Pointer(&to[0])), hugePage, syscall.PROT_READ|syscall.PROT_WRITE,
			syscall.MAP_PRIVATE|syscall.MAP_ANON|syscall.MAP_FIXED, ^uintptr(0), 0)
	}
	return errno == 0
}

func raw(x []float32) []byte { return unsafe.Slice((*byte)(unsafe.Pointer(&x[0])), 4*len(x)) }
