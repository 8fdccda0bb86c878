//go:build gpu && cgo && (linux || windows)

package gpu

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"time"
)

// A command is something for the device to do.
type command func(d *device)

// batch is how many commands are gathered before they go to the device: enough
// that the hand-over costs nothing beside them, few enough that it has work while
// the next are made.
const batch = 64

// patience is how long a device may get nothing done while somebody waits for it:
// a dispatch takes 50 ms, a shader that is compiled for the first time seconds.
// Tests link a shorter one.
var patience = "1m"

// glances are how many parts the patience has. Of the time between two only one part
// counts: a process that was stopped, or whose machine slept, is no device's fault.
const glances = 60

// A pulse is what a device and those who wait for it know of each other.
type pulse struct {
	beats atomic.Int64 // count what it has got done
	lost  atomic.Bool  // it was given up: nobody waits any more
}

// queue feeds the goroutine that owns the device. A driver that never comes back
// holds that goroutine and its thread, which nothing can end; they are left to
// themselves then. What is theirs, the commands, the answer and the ring of uploads,
// is touched by nobody else from there on.
type queue struct {
	pulse
	patience time.Duration
	ready    chan []command
	pending  []command
	ended    chan struct{}
}

// newQueue starts the goroutine and waits for open to make its device.
func newQueue(open func(*pulse) (*device, error)) (*queue, *device, error) {
	limit, err := time.ParseDuration(patience)
	if err != nil {
		return nil, nil, err
	}
	q := &queue{patience: limit, ready: make(chan []command, 8), ended: make(chan struct{})}
	type result struct {
		d   *device
		err error
	}
	opened := make(chan result, 1)
	go func() {
		// Never unlocked: the thread, and what the driver keeps for it, end with
		// the goroutine.
		runtime.LockOSThread()
		defer close(q.ended)
		d, err := open(&q.pulse)
		opened <- result{d, err}
		if err != nil {
			return
		}
		for commands := range q.ready {
			q.do(d, commands)
		}
		d.close()
	}()
	r, answered := await(q, opened)
	if !answered {
		close(q.ready)
		return nil, nil, fmt.Errorf("the driver has not answered for %v", q.patience)
	}
	return q, r.d, r.err
}

// do does commands, unless the device was given up while it did one.
func (q *queue) do(d *device, commands []command) {
	for _, c := range commands {
		if q.lost.Load() {
			return
		}
		c(d)
		q.beats.Add(1)
	}
	d.flush()
}

// mute is the failure of a device that was given up.
func (q *queue) mute() error { return fmt.Errorf("it has not answered for %v", q.patience) }

// patient tries until it succeeds, or the device has got nothing done for the
// patience and is given up. try ends with a tick at the latest.
func (q *queue) patient(try func(tick <-chan time.Time) bool) bool {
	if q.lost.Load() {
		return false
	}
	tick := time.NewTicker(q.patience / glances)
	defer tick.Stop()
	idle, seen := 0, q.beats.Load()
	for !try(tick.C) {
		if now := q.beats.Load(); now != seen {
			idle, seen = 0, now
		} else if idle++; idle == glances {
			q.lost.Store(true)
			return false
		}
	}
	return true
}

// await receives, unless the device is given up.
func await[T any](q *queue, c <-chan T) (v T, answered bool) {
	answered = q.patient(func(tick <-chan time.Time) bool {
		select {
		case v = <-c:
			return true
		case <-tick:
			return false
		}
	})
	return v, answered
}

// add queues a command.
func (q *queue) add(c command) {
	q.pending = append(q.pending, c)
	if len(q.pending) >= batch {
		q.send()
	}
}

func (q *queue) send() {
	commands := q.pending
	q.pending = make([]command, 0, batch)
	q.patient(func(tick <-chan time.Time) bool {
		select {
		case q.ready <- commands:
			return true
		case <-tick:
			return false
		}
	})
}

// wait queues a command and returns when it has been done, or false: the device
// was given up, and what the command uses is the device's for ever.
func (q *queue) wait(c command) bool {
	done := make(chan struct{})
	q.add(func(d *device) {
		c(d)
		close(done)
	})
	q.send()
	_, answered := await(q, done)
	return answered
}

// close does what is left and ends the goroutine. It reports whether that has ended.
func (q *queue) close() bool {
	q.send()
	close(q.ready)
	_, ended := await(q, q.ended)
	return ended
}
