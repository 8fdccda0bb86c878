package journal

import (
	"io/fs"
	"os"

	"golang.org/x/sys/windows"
)

// links returns how many names a file has.
func links(f *os.File, _ fs.FileInfo) uint64 {
	var info windows.ByHandleFileInformation
	if windows.GetFileInformationByHandle(windows.Handle(f.Fd()), &info) != nil {
		return 1
	}
	return uint64(info.NumberOfLinks)
}

func replaceable(fs.FileInfo) error { return nil }

// keepOwner: a new file has the rights of its folder.
func keepOwner(*os.File, fs.FileInfo, fs.FileInfo) error { return nil }

const nonblock = 0

// closeBeforeRename: Windows renames no file that is open.
func closeBeforeRename(f *os.File) error { return f.Close() }
