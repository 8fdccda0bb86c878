package hub

import (
	"os"

	"golang.org/x/sys/windows"
)

// tryLock locks the first byte, as Python's msvcrt.locking does.
func tryLock(f *os.File) (held bool, err error) {
	const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	switch err := windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, new(windows.Overlapped)); err {
	case nil:
		return true, nil
	case windows.ERROR_LOCK_VIOLATION:
		return false, nil
	case windows.ERROR_NOT_SUPPORTED, windows.ERROR_CALL_NOT_IMPLEMENTED, windows.ERROR_INVALID_FUNCTION:
		return false, errNoLocks
	default:
		return false, &os.PathError{Op: "lock", Path: f.Name(), Err: err}
	}
}
