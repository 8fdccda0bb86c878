//go:build linux || darwin

package hub

import (
	"errors"

	"golang.org/x/sys/unix"
)

// diskFree returns how many bytes the user can still write in a folder.
func diskFree(dir string) (bytes int64, ok bool) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, false
	}
	return int64(st.Bavail) * int64(st.Bsize), true
}

func isDiskFull(err error) bool {
	return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT)
}
