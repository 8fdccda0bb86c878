//go:build unix && !linux && !darwin

package hub

import (
	"errors"

	"golang.org/x/sys/unix"
)

// diskFree does not know.
func diskFree(string) (bytes int64, ok bool) { return 0, false }

func isDiskFull(err error) bool { return errors.Is(err, unix.ENOSPC) }
