//go:build gpu && cgo

package wgl

import (
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/windows"

	"sigla/internal/require"
)

// objects counts the handles of GDI (kind 0) or of windows (1) that the process holds.
func objects(t *testing.T, kind uintptr) uintptr {
	t.Helper()
	count := user32.NewProc("GetGuiResources")
	if err := count.Find(); err != nil {
		t.Fatal(err)
	}
	n, _, _ := count.Call(uintptr(windows.CurrentProcess()), kind)
	return n
}

func open(t *testing.T) *Context {
	t.Helper()
	c, err := Open()
	if err != nil {
		require.Missing(t, "gl", err.Error())
	}
	return c
}

// What a context takes is given back: each call that gives back has gone well,
// the window is gone, and handles do not pile up where the system counts them
// (Wine 8 says 0).
func TestClose(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	exists := user32.NewProc("IsWindow")
	var drawing, windows uintptr
	for i := range 21 {
		c := open(t)
		if r, _, _ := exists.Call(c.window.handle); r == 0 {
			t.Fatal("there is no window")
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		if r, _, _ := exists.Call(c.window.handle); r != 0 {
			t.Error("the window is still there")
		}
		if i == 0 { // the driver keeps something of its own
			drawing, windows = objects(t, 0), objects(t, 1)
		}
	}
	if d, w := objects(t, 0), objects(t, 1); d > drawing+4 || w > windows+4 {
		t.Errorf("%d and %d handles before, %d and %d after 20 contexts", drawing, windows, d, w)
	}
}

// Two contexts live side by side, and closing one leaves the other's window.
func TestTwo(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	first := open(t)
	second := open(t)
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	if first.String() == "" || second.window.handle == first.window.handle {
		t.Errorf("%q, %q", first, second)
	}
	if err := second.Close(); err != nil {
		t.Error(err)
	}
}

// Functions of OpenGL 1.1 come from opengl32, others from the driver; what there
// is not is nil.
func TestProc(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	c := open(t)
	defer c.Close()
	for _, name := range []string{"glGetString", "glDispatchCompute", "glFenceSync"} {
		if c.Proc(name) == nil {
			t.Errorf("there is no %s", name)
		}
	}
	if c.Proc("glNoSuchThing") != nil {
		t.Error("there is a glNoSuchThing")
	}
}

// A window answers what is sent to all windows, and a message that asks it to
// close closes nothing.
func TestMessages(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	c := open(t)
	const null, closing = 0, 0x10
	send, post := user32.NewProc("SendMessageTimeoutW"), user32.NewProc("PostMessageW")
	if r, err := call("post", post, c.window.handle, closing, 0, 0); err != nil {
		t.Fatal(r, err)
	}
	const patience = 60_000 // ms
	if _, err := call("send", send, c.window.handle, null, 0, 0, 0, patience, 0); err != nil {
		t.Error(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// Errors say what was being done.
func TestCall(t *testing.T) {
	if err := load(); err != nil {
		t.Fatal(err)
	}
	_, err := call("close the hidden window", destroyWindow, 0)
	if err == nil || !strings.HasPrefix(err.Error(), "close the hidden window: ") {
		t.Error(err)
	}
}
