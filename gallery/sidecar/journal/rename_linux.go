package journal

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// renameNew gives a file its name, unless there is one of that name.
func renameNew(from, to string) error {
	err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.ENOTSUP) {
		return os.Rename(from, to) // this file system cannot; it was not there a moment ago
	}
	return err
}
