//go:build gpu && cgo && (linux || windows)

package gpu

import "unsafe"

// A context is current on the thread that opened it.
type context interface {
	String() string                  // where it came from
	Proc(name string) unsafe.Pointer // address of a function
	Close() error
}

// A way is one place where a context may come from.
type way struct {
	name     string
	software bool // it says that it computes on the processor
	open     func() (context, error)
}

// windows lists ways that need a display; nil in builds without them.
var windows func() []way

// ways lists where to try, in order: devices that may be hardware, displays
// among them, before those that are software. Where software is wanted it is the
// other way round, so that no driver of hardware is opened for nothing.
func ways(software bool) []way {
	hard, soft := systemWays()
	if windows != nil {
		hard = append(hard, windows()...)
	}
	if software {
		return append(soft, hard...)
	}
	return append(hard, soft...)
}
