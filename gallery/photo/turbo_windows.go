//go:build turbo

package photo

import "golang.org/x/sys/windows"

// loadLibrary does not look in the working folder, which may be anybody's.
func loadLibrary(name string) (uintptr, error) {
	lib, err := windows.LoadLibraryEx(name, 0, windows.LOAD_LIBRARY_SEARCH_DEFAULT_DIRS)
	return uintptr(lib), err
}

func symbol(lib uintptr, name string) (uintptr, error) {
	return windows.GetProcAddress(windows.Handle(lib), name)
}

// libraryPath returns the file of a library, "" if the system does not tell.
func libraryPath(lib, _ uintptr) string {
	var name [windows.MAX_PATH]uint16
	n, err := windows.GetModuleFileName(windows.Handle(lib), &name[0], uint32(len(name)))
	if err != nil {
		return ""
	}
	return windows.UTF16ToString(name[:n])
}
