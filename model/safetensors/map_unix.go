//go:build unix

package safetensors

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mapFile maps size bytes of f read-only. The pages are shared with every
// other program that maps the file and can be dropped without being written.
func mapFile(f *os.File, size int) (data []byte, unmap func() error, err error) {
	data, err = unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, nil, err
	}
	return data, func() error { return unix.Munmap(data) }, nil
}

// release drops the pages that lie wholly inside data. They are clean, so they
// cost nothing to drop; advice that is refused changes nothing.
func release(data []byte) {
	if len(data) == 0 {
		return
	}
	page := os.Getpagesize()
	skip := -int(uintptr(unsafe.Pointer(&data[0]))) & (page - 1)
	if whole := (len(data) - skip) &^ (page - 1); whole > 0 {
		unix.Madvise(data[skip:skip+whole], unix.MADV_DONTNEED)
	}
}
