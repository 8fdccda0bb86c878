package journal

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// probe finds out whether files can be made in a folder. Where the file system
// can, the file has no name: a process that is killed just then leaves nothing.
func probe(dir string) error {
	f, err := os.OpenFile(dir, os.O_WRONLY|unix.O_TMPFILE, 0o600)
	switch {
	case err == nil:
		return f.Close()
	case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EISDIR), errors.Is(err, unix.EINVAL):
		return probeNamed(dir)
	}
	return err
}
