package ui

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// standBack gives the calling goroutine a thread of its own until it ends, and
// that thread a lower priority: on Linux the nice value is the thread's. It may
// be called again and again. That it fails is no error: then all are equal.
func standBack() {
	runtime.LockOSThread()
	_ = unix.Setpriority(unix.PRIO_PROCESS, 0, 5)
}
