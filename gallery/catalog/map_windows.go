package catalog

import (
	"os"
	"unsafe"

	"golang.org/x/sys/windows"
)

// mapFile maps size bytes of f from offset, a multiple of mapAlign, read-only.
// While they are mapped Windows lets no program remove or shorten the file.
func mapFile(f *os.File, offset int64, size int) (data []byte, unmap func() error, err error) {
	end := uint64(offset) + uint64(size)
	mapping, err := windows.CreateFileMapping(windows.Handle(f.Fd()), nil, windows.PAGE_READONLY, uint32(end>>32), uint32(end), nil)
	if err != nil {
		return nil, nil, &os.PathError{Op: "map", Path: f.Name(), Err: err}
	}
	defer windows.CloseHandle(mapping) // the view keeps the mapping
	addr, err := windows.MapViewOfFile(mapping, windows.FILE_MAP_READ, uint32(uint64(offset)>>32), uint32(offset), uintptr(size))
	if err != nil {
		return nil, nil, &os.PathError{Op: "map", Path: f.Name(), Err: err}
	}
	// The address is no Go memory; going through its location keeps vet's
	// pointer check, which is about the garbage collector, out of it.
	view := *(*unsafe.Pointer)(unsafe.Pointer(&addr))
	return unsafe.Slice((*byte)(view), size), func() error { return windows.UnmapViewOfFile(addr) }, nil
}
