//go:build gpu && cgo

// Package wgl makes OpenGL contexts on Windows, on a window that is never shown.
// The libraries are loaded when a context is asked for: not every Windows has
// OpenGL (servers without a desktop do not).
package wgl

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// Numbers of WGL_ARB_create_context, WGL_ARB_create_context_profile and
// WGL_ARB_create_context_robustness.
const (
	contextMajor   = 0x2091
	contextMinor   = 0x2092
	contextFlags   = 0x2094
	contextProfile = 0x9126
	contextOnReset = 0x8256
	coreProfile    = 1
	robustAccess   = 4
	loseContext    = 0x8252
	invalidVersion = 0x2095 // in the lower half of an error
	invalidProfile = 0x2096
)

var (
	opengl32 = windows.NewLazySystemDLL("opengl32.dll")
	gdi32    = windows.NewLazySystemDLL("gdi32.dll")
	user32   = windows.NewLazySystemDLL("user32.dll")

	wglCreateContext  = opengl32.NewProc("wglCreateContext")
	wglDeleteContext  = opengl32.NewProc("wglDeleteContext")
	wglGetProcAddress = opengl32.NewProc("wglGetProcAddress")
	wglMakeCurrent    = opengl32.NewProc("wglMakeCurrent")
	glGetString       = opengl32.NewProc("glGetString")

	describePixelFormat = gdi32.NewProc("DescribePixelFormat")
	setPixelFormat      = gdi32.NewProc("SetPixelFormat")

	createWindow      = user32.NewProc("CreateWindowExW")
	defWindowProc     = user32.NewProc("DefWindowProcW")
	destroyWindow     = user32.NewProc("DestroyWindow")
	getDC             = user32.NewProc("GetDC")
	getMessage        = user32.NewProc("GetMessageW")
	postThreadMessage = user32.NewProc("PostThreadMessageW")
	registerClass     = user32.NewProc("RegisterClassExW")
	releaseDC         = user32.NewProc("ReleaseDC")
	unregisterClass   = user32.NewProc("UnregisterClassW")
)

// load finds every function, so that none is missed in the middle.
func load() error {
	for _, p := range []*windows.LazyProc{
		wglCreateContext, wglDeleteContext, wglGetProcAddress, wglMakeCurrent, glGetString, describePixelFormat, setPixelFormat,
		createWindow, defWindowProc, destroyWindow, getDC, getMessage, postThreadMessage, registerClass, releaseDC, unregisterClass,
	} {
		if err := p.Find(); err != nil {
			return fmt.Errorf("load OpenGL: %w", err)
		}
	}
	return nil
}

// call calls a function that returns 0 when it cannot do what.
//
//go:uintptrescapes
func call(what string, p *windows.LazyProc, args ...uintptr) (uintptr, error) {
	r, _, err := p.Call(args...)
	switch {
	case r != 0:
		return r, nil
	case err == windows.ERROR_SUCCESS: // some drivers give no reason
		err = errors.New("refused")
	}
	return 0, fmt.Errorf("%s: %w", what, err)
}

// A Context is an OpenGL context, current on the thread that opened it.
type Context struct {
	name   string // the way, and who made the driver
	window *window
	dc     uintptr
	gl     uintptr // the context; 0: none yet
}

// Open makes a core context of OpenGL 4.3 or more, which loses itself when the
// device is reset instead of going on with undefined contents, and makes it
// current. The calling goroutine must be locked to its thread, for good.
func Open() (*Context, error) {
	if err := load(); err != nil {
		return nil, err
	}
	w, err := newWindow()
	if err != nil {
		return nil, err
	}
	c := &Context{window: w}
	if err := c.create(); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// create makes the context and makes it current. The function that makes one of
// a version is had from the driver only while another context, of any version,
// is current.
func (c *Context) create() error {
	var err error
	if c.dc, err = call("get the window's device context", getDC, c.window.handle); err != nil {
		return err
	}
	if err := c.choose(); err != nil {
		return err
	}
	first, err := call("make a first context", wglCreateContext, c.dc)
	if err != nil {
		return err
	}
	defer wglDeleteContext.Call(first)
	if _, err := call("make the first context current", wglMakeCurrent, c.dc, first); err != nil {
		return err
	}
	create := c.proc("wglCreateContextAttribsARB")
	if create == 0 {
		return fmt.Errorf("make a context: OpenGL %s of %s: 4.3 is needed; install the driver of the GPU's maker", query(version), query(renderer))
	}
	if c.gl, err = newContext(create, c.dc); err != nil {
		return err
	}
	_, err = call("make the context current", wglMakeCurrent, c.dc, c.gl)
	c.name = "WGL, " + query(vendor)
	return err
}

// newContext makes a context that is robust, or one that is not where the driver
// has no such.
func newContext(create, dc uintptr) (uintptr, error) {
	want := []int32{contextMajor, 4, contextMinor, 3, contextProfile, coreProfile}
	robust := []int32{contextFlags, robustAccess, contextOnReset, loseContext}
	var why syscall.Errno
	for _, extra := range [][]int32{robust, nil} {
		list := append(append(want[:len(want):len(want)], extra...), 0)
		gl, _, err := syscall.SyscallN(create, dc, 0, uintptr(unsafe.Pointer(&list[0])))
		if gl != 0 {
			return gl, nil
		}
		why = err
	}
	if code := why & 0xffff; code == 0 || code == invalidVersion || code == invalidProfile {
		return 0, fmt.Errorf("make a context: OpenGL %s of %s: a core context of 4.3 is needed", query(version), query(renderer))
	}
	return 0, fmt.Errorf("make a context: %w", why)
}

func (c *Context) String() string { return c.name }

// Proc is the address of an OpenGL function, nil if there is none. The driver
// knows those after OpenGL 1.1, opengl32 the others.
func (c *Context) Proc(name string) unsafe.Pointer {
	p := c.proc(name)
	return *(*unsafe.Pointer)(unsafe.Pointer(&p))
}

func (c *Context) proc(name string) uintptr {
	text := append([]byte(name), 0)
	p, _, _ := wglGetProcAddress.Call(uintptr(unsafe.Pointer(&text[0])))
	if p+1 > 4 { // drivers say no with -1, 0, 1, 2 and 3
		return p
	}
	if f := opengl32.NewProc(name); f.Find() == nil {
		return f.Addr()
	}
	return 0
}

// Close gives the context, the window and all else back, on the thread that
// opened it.
func (c *Context) Close() error {
	var errs []error
	give := func(what string, p *windows.LazyProc, args ...uintptr) {
		_, err := call(what, p, args...)
		errs = append(errs, err)
	}
	wglMakeCurrent.Call(0, 0) // an error where there is none
	if c.gl != 0 {
		give("close the context", wglDeleteContext, c.gl)
	}
	if c.dc != 0 {
		give("release the window's device context", releaseDC, c.window.handle, c.dc)
	}
	return errors.Join(append(errs, c.window.close())...)
}

// What glGetString is asked for.
const (
	vendor   = 0x1F00
	renderer = 0x1F01
	version  = 0x1F02
)

// query asks the current context.
func query(name uintptr) string {
	p, _, _ := glGetString.Call(name)
	if p == 0 {
		return "unknown"
	}
	return strings.TrimSpace(windows.BytePtrToString(*(**byte)(unsafe.Pointer(&p))))
}
