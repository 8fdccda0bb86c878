//go:build gpu && cgo

package wgl

import (
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/windows"
)

// windowClass is WNDCLASSEXW.
type windowClass struct {
	size, style                        uint32
	procedure                          uintptr
	classExtra, windowExtra            int32
	instance, icon, cursor, background windows.Handle
	menu, name                         *uint16
	smallIcon                          windows.Handle
}

const (
	ownDC = 0x20       // a device context that stays with its window
	popup = 0x80000000 // no frame
	quit  = 0x12       // the message after which a thread asks for no more
)

// A window is never shown. A thread of its own takes its messages: programs that
// send one to every window wait until each has.
type window struct {
	handle uintptr
	thread uint32
	closed chan error
}

var made atomic.Uint32 // windows, for each has a class of its own name

// newWindow starts the thread and waits for its window.
func newWindow() (*window, error) {
	w := &window{closed: make(chan error, 1)}
	opened := make(chan error)
	go func() {
		// Never unlocked: the thread ends with the goroutine.
		runtime.LockOSThread()
		w.thread = windows.GetCurrentThreadId()
		give, err := w.open(fmt.Sprintf("sigla-%d", made.Add(1)))
		opened <- err
		if err != nil {
			return
		}
		// Messages that were sent are answered inside of getMessage. Those that were
		// posted are dropped: what asks a window to close must not end the context.
		var message [64]byte // MSG has 48
		for {
			if r, _, _ := getMessage.Call(uintptr(unsafe.Pointer(&message[0])), 0, 0, 0); int32(r) <= 0 {
				break
			}
		}
		w.closed <- give()
	}()
	return w, <-opened
}

// open makes a class and a window; give gives both back.
func (w *window) open(name string) (give func() error, err error) {
	var instance windows.Handle
	const unchanged = windows.GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT
	if err := windows.GetModuleHandleEx(unchanged, nil, &instance); err != nil {
		return nil, fmt.Errorf("find the program's own handle: %w", err)
	}
	text, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return nil, err
	}
	class := windowClass{style: ownDC, procedure: defWindowProc.Addr(), instance: instance, name: text}
	class.size = uint32(unsafe.Sizeof(class))
	if _, err := call("register a window class", registerClass, uintptr(unsafe.Pointer(&class))); err != nil {
		return nil, err
	}
	unregister := func() error {
		_, err := call("give the window class back", unregisterClass, uintptr(unsafe.Pointer(text)), uintptr(instance))
		return err
	}
	w.handle, err = call("open a hidden window", createWindow, 0, uintptr(unsafe.Pointer(text)), uintptr(unsafe.Pointer(text)), popup,
		0, 0, 16, 16, 0, 0, uintptr(instance), 0)
	if err != nil {
		return nil, errors.Join(err, unregister())
	}
	return func() error {
		_, err := call("close the hidden window", destroyWindow, w.handle)
		return errors.Join(err, unregister())
	}, nil
}

// close ends the thread, and with it the window.
func (w *window) close() error {
	if _, err := call("end the window's thread", postThreadMessage, uintptr(w.thread), quit, 0, 0); err != nil {
		return err
	}
	return <-w.closed
}

// pixelFormat is PIXELFORMATDESCRIPTOR.
type pixelFormat struct {
	size, version uint16
	flags         uint32
	kind, color   uint8     // kind 0: red, green, blue; color: bits of all
	_             [30]uint8 // bits of each, depth, layers
}

const (
	drawToWindow  = 4
	supportOpenGL = 0x20
	generic       = 0x40 // of Windows itself, not of a driver
)

// choose sets the window's pixel format: the first of a driver that OpenGL can
// draw to, else one of Windows, which computes on the processor. ChoosePixelFormat
// would prefer what looks most alike, whoever computes it. A window's format is
// set once and for all.
func (c *Context) choose() error {
	var f pixelFormat
	size := unsafe.Sizeof(f)
	count, err := call("count pixel formats", describePixelFormat, c.dc, 1, size, uintptr(unsafe.Pointer(&f)))
	if err != nil {
		return err
	}
	for _, unwanted := range []uint32{generic, 0} {
		for i := uintptr(1); i <= count; i++ {
			if _, err := call("describe a pixel format", describePixelFormat, c.dc, i, size, uintptr(unsafe.Pointer(&f))); err != nil {
				return err
			}
			const wanted = drawToWindow | supportOpenGL
			if f.flags&wanted == wanted && f.flags&unwanted == 0 && f.kind == 0 && f.color >= 24 {
				_, err := call("set the window's pixel format", setPixelFormat, c.dc, i, uintptr(unsafe.Pointer(&f)))
				return err
			}
		}
	}
	return fmt.Errorf("choose a pixel format: none of %d is for OpenGL; is there a GPU driver?", count)
}
