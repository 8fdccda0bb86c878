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

// ways lists where to try, in order. Displays come after devices that are
// hardware and before those that are software.
func ways() ([]way, error) {
	hard, soft, err := systemWays()
	if windows != nil {
		hard, err = append(hard, windows()...), nil
	}
	return append(hard, soft...), err
}
