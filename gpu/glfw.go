//go:build gpu && glfw && cgo && (linux || windows)

package gpu

import (
	"errors"
	"fmt"
	"unsafe"

	"github.com/go-gl/glfw/v3.3/glfw"
)

func init() {
	windows = func() []way {
		return []way{
			{name: "window", open: func() (context, error) { return openWindow(glfw.NativeContextAPI) }},
			{name: "window of EGL", open: func() (context, error) { return openWindow(glfw.EGLContextAPI) }},
		}
	}
}

// window is a context of a window that is never shown.
type window struct{ w *glfw.Window }

// openWindow makes a window through GLFW. Without a display its Init succeeds and
// what comes next panics.
func openWindow(api int) (c context, err error) {
	defer func() {
		if r := recover(); r != nil {
			c, err = nil, fmt.Errorf("open a window: %v", r)
		}
	}()
	if err := glfw.Init(); err != nil {
		return nil, fmt.Errorf("open a window: %w", err)
	}
	for hint, value := range map[glfw.Hint]int{
		glfw.Visible: glfw.False, glfw.ContextVersionMajor: 4, glfw.ContextVersionMinor: 3, glfw.OpenGLProfile: glfw.OpenGLCoreProfile,
		glfw.ContextRobustness: glfw.LoseContextOnReset, glfw.ContextCreationAPI: api,
	} {
		glfw.WindowHint(hint, value)
	}
	w, err := glfw.CreateWindow(16, 16, "sigla", nil, nil)
	if err != nil {
		glfw.Terminate()
		return nil, fmt.Errorf("open a window: %w", err)
	}
	w.MakeContextCurrent()
	return window{w}, nil
}

func (c window) String() string { return "GLFW " + glfw.GetVersionString() }

func (c window) Proc(name string) unsafe.Pointer { return glfw.GetProcAddress(name) }

func (c window) Close() (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = errors.Join(err, fmt.Errorf("close a window: %v", r))
		}
	}()
	glfw.DetachCurrentContext()
	c.w.Destroy()
	glfw.Terminate()
	return nil
}
