//go:build gpu && cgo && (linux || windows)

package gpu

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/ebitengine/purego"

	"sigla/backend"
	"sigla/gpu/gl"
	"sigla/internal/require"
)

// A trap is a function of OpenGL that does not come back until it is let go.
type trap struct {
	entered, gate chan struct{}
	armed         atomic.Bool
	closed        atomic.Int32 // contexts
}

// trapIn puts a trap in the place of a function. All that is called while it is
// not armed, and what was caught once it is let go, goes on to the driver.
func trapIn(t *testing.T, e *engine, name string) *trap {
	t.Helper()
	c := &trap{entered: make(chan struct{}), gate: make(chan struct{})}
	var once sync.Once
	e.wait(func(d *device) {
		driver := d.context.Proc(name)
		_, err := gl.Init(func(wanted string) unsafe.Pointer {
			if wanted != name {
				return d.context.Proc(wanted)
			}
			ours := purego.NewCallback(func(a, b, c1, c2, c3 uintptr) uintptr {
				if c.armed.Load() {
					once.Do(func() { close(c.entered) })
					<-c.gate
				}
				r, _, _ := purego.SyscallN(uintptr(driver), a, b, c1, c2, c3)
				return r
			})
			return *(*unsafe.Pointer)(unsafe.Pointer(&ours))
		})
		if err != nil {
			t.Error(err)
		}
		d.context = counted{d.context, &c.closed}
	})
	return c
}

// counted is a context that counts when it is closed.
type counted struct {
	context
	closed *atomic.Int32
}

func (c counted) Close() error {
	c.closed.Add(1)
	return c.context.Close()
}

// arm has the trap snap, and the device lose its patience soon after that but not
// before.
func (c *trap) arm(e *engine) {
	e.patience = glances * time.Millisecond
	c.armed.Store(true)
	go func() {
		for {
			select {
			case <-c.entered:
				return
			case <-time.After(time.Millisecond / 4):
				e.beats.Add(1)
			}
		}
	}()
}

// given fails the test unless err is that of a device that was given up.
func given(t *testing.T, what string, err error) {
	t.Helper()
	var failed *DeviceError
	if !errors.As(err, &failed) || failed.Err.Error() != "it has not answered for 60ms" {
		t.Errorf("%s: %v", what, err)
	}
}

// A driver that never comes back, from whatever function, is given up: nothing
// waits for it any more. Should it come back it does no harm, and gives back what
// it has.
func TestHangs(t *testing.T) {
	for _, c := range []struct {
		function string
		unmapped bool
	}{
		{"glDispatchCompute", false}, {"glLinkProgram", false}, {"glGetBufferSubData", false}, {"glBufferData", false},
		{"glCopyBufferSubData", false}, {"glBufferSubData", true}, {"glFenceSync", false}, {"glClientWaitSync", false}, {"glGetError", false},
		{"glDeleteBuffers", false},
	} {
		t.Run(c.function, func(t *testing.T) {
			e := open(t).(*engine)
			if c.unmapped {
				unmapped(e)
			}
			trap := trapIn(t, e, c.function)
			trap.arm(e)
			const n = ring / 2
			x, values := e.Alloc(n, backend.Scratch), slices.Repeat([]float32{5}, n)
			e.Write(x, values)
			e.ReLU6(x, x)
			got := slices.Repeat([]float32{-1}, n)
			want := got
			if err := e.Read(got, x); c.function != "glDeleteBuffers" {
				given(t, "read", err)
			} else if want = values; err != nil {
				t.Error(err)
			} else {
				given(t, "close", e.Close())
			}
			if !slices.Equal(got, want) {
				t.Error("some values have come")
			}
			for range 3 * ring / n {
				e.Write(x, values)
			}
			for range 20 * batch {
				e.ReLU6(x, x)
			}
			if c.function != "glDeleteBuffers" {
				given(t, "read again", e.Read(got, x))
				given(t, "close", e.Close())
			}
			if e.Close() != nil {
				t.Error("closed twice")
			}
			clear(got) // the caller's, whatever the driver writes now
			close(trap.gate)
			<-e.ended
			if slices.ContainsFunc(got, func(v float32) bool { return v != 0 }) {
				t.Error("the driver has written where Read had returned")
			}
			if n := trap.closed.Load(); n != 1 {
				t.Errorf("the context was closed %d times", n)
			}
		})
	}
}

// A device that hangs while nobody waits is found by the write that has no room
// for what it brings, or by the command too many.
func TestHangUnwatched(t *testing.T) {
	values := make([]float32, ring/4)
	for name, work := range map[string]func(e *engine, x backend.Buf){
		"writes":   func(e *engine, x backend.Buf) { e.Write(x, values) },
		"commands": func(e *engine, x backend.Buf) { e.ReLU6(x.Slice(0, 1), x.Slice(0, 1)) },
	} {
		t.Run(name, func(t *testing.T) {
			e := open(t).(*engine)
			x := e.Alloc(len(values), backend.Scratch)
			gate, entered := make(chan struct{}), make(chan struct{})
			e.add(func(*device) {
				close(entered)
				<-gate
			})
			e.send()
			<-entered
			e.patience = glances * time.Millisecond
			for range 20 * batch {
				work(e, x)
			}
			if !e.lost.Load() {
				t.Error("the device has not been given up")
			}
			given(t, "close", e.Close())
			close(gate)
			<-e.ended
		})
	}
}

// A driver that does not come back when it is opened is given up, too; what it
// opens after that is closed.
func TestHangAtOpen(t *testing.T) {
	was := patience
	defer func() { patience = was }()
	patience = "60ms"
	gate := make(chan struct{})
	closed, ended := new(atomic.Int32), make(chan *device, 1)
	_, _, err := newQueue(func(p *pulse) (*device, error) {
		<-gate
		d, err := openDevice(Options{Software: true}, p)
		if err == nil {
			d.context = counted{d.context, closed}
		}
		ended <- d
		return d, err
	})
	if err == nil || err.Error() != "the driver has not answered for 60ms" {
		t.Errorf("%v", err)
	}
	close(gate)
	if <-ended == nil {
		require.Missing(t, "gl", "the software device does not open")
	}
	for closed.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
}

// What counts is what the device gets done and the time in which this process
// ran, whatever the clock says.
func TestPatience(t *testing.T) {
	for name, c := range map[string]struct {
		progress int           // a beat after so many glances; 0: none
		stop     time.Duration // of the process at the first glance
		ends     int           // at this glance there is an answer
		want     bool
	}{
		"quick":           {0, 0, 1, true},
		"just in time":    {0, 0, glances, true},
		"late":            {0, 0, glances + 1, false},
		"slow, but works": {glances - 1, 0, 5 * glances, true},
		"stopped":         {0, 3 * glances * time.Millisecond, glances - 1, true},
	} {
		q, n := &queue{patience: glances * time.Millisecond}, 0
		answered := q.patient(func(tick <-chan time.Time) bool {
			if n++; n == 1 {
				time.Sleep(c.stop)
			}
			if c.progress > 0 && n%c.progress == 0 {
				q.beats.Add(1)
			}
			if n == c.ends {
				return true
			}
			<-tick
			return false
		})
		if answered != c.want || q.lost.Load() == c.want {
			t.Errorf("%s: %v, given up %v at glance %d", name, answered, q.lost.Load(), n)
		}
	}
}
