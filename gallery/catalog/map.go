package catalog

import (
	"errors"
	"runtime/debug"
	"unsafe"
)

// mapAlign is what the beginning of a mapping must be a multiple of: Windows
// wants 64 KiB, others a page, which is no larger.
const mapAlign = 64 << 10

var errGone = errors.New("read vectors: they are gone: another program has shortened the file, or the disk failed")

// Guard runs read, which reads mapped rows, and returns an error if a page of
// them is no longer there, which would otherwise end the program. It holds for
// the goroutine that calls it only.
func Guard(read func()) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		switch fault := recover().(type) {
		case nil:
		case interface{ Addr() uintptr }:
			err = errGone
		default:
			panic(fault)
		}
	}()
	read()
	return nil
}

// words views bytes that begin at an even address as little-endian numbers,
// which all processors that this program is built for take as they are.
func words(b []byte) []uint16 {
	return unsafe.Slice((*uint16)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/2)
}
