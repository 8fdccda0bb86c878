//go:build unix

package catalog

import (
	"os"

	"golang.org/x/sys/unix"
)

// mapFile maps size bytes of f from offset, a multiple of mapAlign, read-only.
func mapFile(f *os.File, offset int64, size int) (data []byte, unmap func() error, err error) {
	data, err = unix.Mmap(int(f.Fd()), offset, size, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, nil, &os.PathError{Op: "map", Path: f.Name(), Err: err}
	}
	return data, func() error { return unix.Munmap(data) }, nil
}
