//go:build unix

package hub

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

func tryLock(f *os.File) (held bool, err error) {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return true, nil
		case err == unix.EINTR:
		case err == unix.EWOULDBLOCK:
			return false, nil
		case err == unix.ENOSYS, err == unix.ENOLCK, errors.Is(err, errors.ErrUnsupported):
			return false, errNoLocks
		default:
			return false, &os.PathError{Op: "lock", Path: f.Name(), Err: err}
		}
	}
}
