//go:build linux || darwin

package journal

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// keepAttributes copies the extended attributes of a file to a new one. Those
// that only the system may set (security.selinux) it sets itself.
func keepAttributes(f *os.File, path string) error {
	list := make([]byte, 1024)
	n, err := unix.Listxattr(path, list)
	for errors.Is(err, unix.ERANGE) {
		list = make([]byte, 4*len(list))
		n, err = unix.Listxattr(path, list)
	}
	if errors.Is(err, unix.ENOTSUP) || err == nil && n == 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read its extended attributes: %w", err)
	}
	for attr := range strings.SplitSeq(strings.TrimSuffix(string(list[:n]), "\x00"), "\x00") {
		value := make([]byte, 1<<16) // as long as Linux allows
		n, err := unix.Getxattr(path, attr, value)
		if err == nil {
			err = unix.Fsetxattr(int(f.Fd()), attr, value[:n], 0)
		}
		ofSystem := strings.HasPrefix(attr, "security.") || strings.HasPrefix(attr, "trusted.") || strings.HasPrefix(attr, "com.apple.")
		if err != nil && !ofSystem {
			return fmt.Errorf("keep its extended attribute %s: %w", attr, err)
		}
	}
	return nil
}

// freeSpace returns the bytes that are free for files of a folder.
func freeSpace(dir string) (free uint64, ok bool) {
	var s unix.Statfs_t
	if unix.Statfs(dir, &s) != nil || s.Blocks == 0 {
		return 0, false
	}
	return s.Bavail * uint64(s.Bsize), true
}
