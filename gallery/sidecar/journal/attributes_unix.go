//go:build unix

package journal

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// links returns how many names a file has.
func links(_ *os.File, info fs.FileInfo) uint64 {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(s.Nlink)
	}
	return 1
}

// replaceable refuses files whose owner a new file could not have.
func replaceable(info fs.FileInfo) error {
	s, ok := info.Sys().(*syscall.Stat_t)
	if me := os.Geteuid(); ok && me != 0 && int(s.Uid) != me {
		return errors.New("it belongs to another user")
	}
	return nil
}

// keepOwner gives a new file the owner and the group of the old one.
func keepOwner(f *os.File, now, old fs.FileInfo) error {
	mine, ok := now.Sys().(*syscall.Stat_t)
	wanted, also := old.Sys().(*syscall.Stat_t)
	if !ok || !also || mine.Uid == wanted.Uid && mine.Gid == wanted.Gid {
		return nil
	}
	if f.Chown(int(wanted.Uid), int(wanted.Gid)) != nil {
		return errors.New("it belongs to a group that its new version could not belong to")
	}
	return nil
}

// nonblock keeps the opening of a pipe from waiting for somebody to write to it.
const nonblock = syscall.O_NONBLOCK

func closeBeforeRename(*os.File) error { return nil }
