//go:build turbo && !windows

package photo

import (
	"github.com/ebitengine/purego"
	"golang.org/x/sys/unix"
)

func loadLibrary(name string) (uintptr, error) {
	return purego.Dlopen(name, purego.RTLD_NOW|purego.RTLD_LOCAL)
}

func symbol(lib uintptr, name string) (uintptr, error) { return purego.Dlsym(lib, name) }

// libraryPath returns the file of a library, which has the given function, ""
// if the system does not tell.
func libraryPath(_, function uintptr) string {
	at, err := purego.Dlsym(purego.RTLD_DEFAULT, "dladdr")
	if err != nil {
		return ""
	}
	type dlInfo struct { // of dlfcn.h
		file *byte
		_    [3]uintptr // its place; a symbol's name and place
	}
	var info dlInfo
	var dladdr func(function uintptr, info *dlInfo) int32
	purego.RegisterFunc(&dladdr, at)
	if dladdr(function, &info) == 0 || info.file == nil {
		return ""
	}
	return unix.BytePtrToString(info.file)
}
