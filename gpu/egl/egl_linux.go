//go:build gpu && cgo && linux

// Package egl makes OpenGL contexts without a display. libEGL is loaded when it
// is asked for, so that a program starts on machines that have none.
package egl

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"unsafe"

	"github.com/ebitengine/purego"
)

// Numbers of the EGL registry.
const (
	none              = 0x3038
	vendor            = 0x3053
	version           = 0x3054
	extensions        = 0x3055
	badMatch          = 0x3009
	openGL            = 0x30A2 // API
	openGLBit         = 8
	pbufferBit        = 1
	surfaceType       = 0x3033
	renderableType    = 0x3040
	width             = 0x3057
	height            = 0x3056
	contextMajor      = 0x3098
	contextMinor      = 0x30FB
	contextProfile    = 0x30FD
	coreProfile       = 1
	contextRobust     = 0x31B2
	contextOnReset    = 0x31BD
	loseContext       = 0x31BF
	platformDevice    = 0x313F
	platformNoSurface = 0x31DD // EGL_PLATFORM_SURFACELESS_MESA
)

// library is libEGL.
type library struct {
	getProcAddress, getDisplay, initialize, bindAPI, chooseConfig, createContext,
	makeCurrent, queryString, getError, createPbufferSurface, destroyContext, terminate uintptr
	getPlatformDisplay, queryDevices, queryDeviceString uintptr // extensions; 0: not there
}

func load() (*library, error) {
	lib, err := purego.Dlopen("libEGL.so.1", purego.RTLD_NOW|purego.RTLD_GLOBAL)
	if err != nil {
		return nil, fmt.Errorf("load libEGL: %w", err)
	}
	l := &library{}
	for name, f := range map[string]*uintptr{
		"eglGetProcAddress": &l.getProcAddress, "eglGetDisplay": &l.getDisplay, "eglInitialize": &l.initialize,
		"eglBindAPI": &l.bindAPI, "eglChooseConfig": &l.chooseConfig, "eglCreateContext": &l.createContext,
		"eglMakeCurrent": &l.makeCurrent, "eglQueryString": &l.queryString, "eglGetError": &l.getError,
		"eglCreatePbufferSurface": &l.createPbufferSurface, "eglDestroyContext": &l.destroyContext, "eglTerminate": &l.terminate,
	} {
		if *f, err = purego.Dlsym(lib, name); err != nil {
			return nil, fmt.Errorf("load libEGL: %w", err)
		}
	}
	clients := l.query(0, extensions)
	if strings.Contains(clients, "EGL_EXT_platform_base") {
		l.getPlatformDisplay = l.proc("eglGetPlatformDisplayEXT")
	}
	if strings.Contains(clients, "EGL_EXT_device_enumeration") || strings.Contains(clients, "EGL_EXT_device_base") {
		l.queryDevices = l.proc("eglQueryDevicesEXT")
		l.queryDeviceString = l.proc("eglQueryDeviceStringEXT")
	}
	return l, nil
}

func (l *library) proc(name string) uintptr {
	c := append([]byte(name), 0)
	p, _, _ := purego.SyscallN(l.getProcAddress, uintptr(unsafe.Pointer(&c[0])))
	runtime.KeepAlive(c)
	return p
}

// query is eglQueryString of a display, 0 for the library's own.
func (l *library) query(display, name uintptr) string {
	p, _, _ := purego.SyscallN(l.queryString, display, name)
	return text(p)
}

func (l *library) failure(what string) error {
	code, _, _ := purego.SyscallN(l.getError)
	switch code &= 0xffff; code {
	case 0x3001:
		return fmt.Errorf("%s: no driver answers (EGL 0x3001)", what)
	case 0x300C:
		return fmt.Errorf("%s: no driver is installed (EGL 0x300C)", what)
	case badMatch:
		return fmt.Errorf("%s: the driver has no OpenGL 4.3 (EGL 0x3009)", what)
	default:
		return fmt.Errorf("%s: EGL 0x%x", what, code)
	}
}

// text copies a C string.
func text(p uintptr) string {
	if p == 0 {
		return ""
	}
	start := *(*unsafe.Pointer)(unsafe.Pointer(&p))
	n := 0
	for *(*byte)(unsafe.Add(start, n)) != 0 {
		n++
	}
	return string(unsafe.Slice((*byte)(start), n))
}

// ok reports what an EGLBoolean says.
func ok(r uintptr) bool { return uint32(r) != 0 }

// A Way is one place where a context may come from.
type Way struct {
	Name     string // "device 0", "surfaceless", "default"
	Software bool   // the device says that it computes on the processor
	l        *library
	display  func() uintptr
}

// Ways lists where to try, in order: devices that are hardware, a display
// without surfaces, the default display, and last devices that are software.
// Surfaceless does not come first: it is Mesa that answers there, also where a
// driver of another vendor is installed.
func Ways() ([]Way, error) {
	l, err := load()
	if err != nil {
		return nil, err
	}
	var hard, soft []Way
	for i, d := range l.devices() {
		kinds, _, _ := purego.SyscallN(l.queryDeviceString, d, extensions)
		w := Way{Name: fmt.Sprintf("device %d", i), Software: strings.Contains(text(kinds), "EGL_MESA_device_software"), l: l,
			display: func() uintptr { return l.platform(platformDevice, d) }}
		if w.Software {
			soft = append(soft, w)
		} else {
			hard = append(hard, w)
		}
	}
	if strings.Contains(l.query(0, extensions), "EGL_MESA_platform_surfaceless") {
		hard = append(hard, Way{Name: "surfaceless", l: l, display: func() uintptr { return l.platform(platformNoSurface, 0) }})
	}
	hard = append(hard, Way{Name: "default", l: l, display: func() uintptr {
		d, _, _ := purego.SyscallN(l.getDisplay, 0)
		return d
	}})
	return append(hard, soft...), nil
}

func (l *library) platform(kind, native uintptr) uintptr {
	if l.getPlatformDisplay == 0 {
		return 0
	}
	d, _, _ := purego.SyscallN(l.getPlatformDisplay, kind, native, 0)
	return d
}

func (l *library) devices() []uintptr {
	if l.queryDevices == 0 || l.queryDeviceString == 0 {
		return nil
	}
	var all [16]uintptr
	var n int32
	r, _, _ := purego.SyscallN(l.queryDevices, uintptr(len(all)), uintptr(unsafe.Pointer(&all[0])), uintptr(unsafe.Pointer(&n)))
	if !ok(r) {
		return nil
	}
	return all[:n]
}

// A Context is an OpenGL context, current on the thread that opened it.
type Context struct {
	name                      string // of the way, with EGL's vendor and version
	l                         *library
	display, context, surface uintptr
}

// Open makes a core context of OpenGL 4.3 or more, which loses itself when the
// device is reset instead of going on with undefined contents, and makes it
// current. The calling goroutine must be locked to its thread, for good.
func (w Way) Open() (*Context, error) {
	l := w.l
	c := &Context{l: l, display: w.display()}
	if c.display == 0 {
		return nil, l.failure("open the display")
	}
	if r, _, _ := purego.SyscallN(l.initialize, c.display, 0, 0); !ok(r) {
		return nil, l.failure("start the display")
	}
	if r, _, _ := purego.SyscallN(l.bindAPI, openGL); !ok(r) {
		return nil, l.failure("ask for OpenGL")
	}
	c.name = fmt.Sprintf("EGL %s, %s, %s", w.Name, l.query(c.display, vendor), l.query(c.display, version))
	if err := c.create(l.query(c.display, extensions)); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// create makes the context and makes it current, without a surface where the
// display can do that (it has the extensions ext), else with a tiny one.
func (c *Context) create(ext string) error {
	l := c.l
	bare := strings.Contains(ext, "EGL_KHR_surfaceless_context") &&
		(strings.Contains(ext, "EGL_KHR_no_config_context") || strings.Contains(ext, "EGL_MESA_configless_context"))
	var config uintptr
	if !bare {
		want := []int32{surfaceType, pbufferBit, renderableType, openGLBit, none}
		var n int32
		r, _, _ := purego.SyscallN(l.chooseConfig, c.display, uintptr(unsafe.Pointer(&want[0])),
			uintptr(unsafe.Pointer(&config)), 1, uintptr(unsafe.Pointer(&n)))
		if !ok(r) || n == 0 {
			return l.failure("choose a configuration")
		}
		size := []int32{width, 1, height, 1, none}
		c.surface, _, _ = purego.SyscallN(l.createPbufferSurface, c.display, config, uintptr(unsafe.Pointer(&size[0])))
	}
	want := []int32{contextMajor, 4, contextMinor, 3, contextProfile, coreProfile}
	robust := []int32{contextRobust, 1, contextOnReset, loseContext}
	for _, extra := range [][]int32{robust, nil} {
		list := append(append(want[:len(want):len(want)], extra...), none)
		c.context, _, _ = purego.SyscallN(l.createContext, c.display, config, 0, uintptr(unsafe.Pointer(&list[0])))
		if c.context != 0 {
			break
		}
	}
	if c.context == 0 {
		return l.failure("make a context")
	}
	if r, _, _ := purego.SyscallN(l.makeCurrent, c.display, c.surface, c.surface, c.context); !ok(r) {
		return l.failure("make the context current")
	}
	return nil
}

func (c *Context) String() string { return c.name }

// Proc is the address of an OpenGL function. It is not 0 for functions that are
// not there, too: only the version and the extensions tell.
func (c *Context) Proc(name string) unsafe.Pointer {
	p := c.l.proc(name)
	return *(*unsafe.Pointer)(unsafe.Pointer(&p))
}

// Close gives the context back. The display stays: it may be shared by others.
func (c *Context) Close() error {
	purego.SyscallN(c.l.makeCurrent, c.display, 0, 0, 0)
	if c.context != 0 {
		if r, _, _ := purego.SyscallN(c.l.destroyContext, c.display, c.context); !ok(r) {
			return c.l.failure("close the context")
		}
	}
	return nil
}
