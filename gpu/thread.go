//go:build gpu && cgo && (linux || windows)

package gpu

import "runtime"

// A command is something for the device to do.
type command func(d *device)

// batch is how many commands are gathered before they go to the device: enough
// that the hand-over costs nothing beside them, few enough that it has work while
// the next are made.
const batch = 64

// queue feeds the goroutine that owns the device.
type queue struct {
	ready   chan []command
	pending []command
	ended   chan struct{}
}

// newQueue starts the goroutine and waits for open to make its device.
func newQueue(open func() (*device, error)) (*queue, *device, error) {
	q := &queue{ready: make(chan []command, 8), ended: make(chan struct{})}
	type result struct {
		d   *device
		err error
	}
	opened := make(chan result)
	go func() {
		// Never unlocked: the thread, and what the driver keeps for it, end with
		// the goroutine.
		runtime.LockOSThread()
		defer close(q.ended)
		d, err := open()
		opened <- result{d, err}
		if err != nil {
			return
		}
		for commands := range q.ready {
			for _, c := range commands {
				c(d)
			}
			d.flush()
		}
		d.close()
	}()
	r := <-opened
	return q, r.d, r.err
}

// add queues a command.
func (q *queue) add(c command) {
	q.pending = append(q.pending, c)
	if len(q.pending) >= batch {
		q.send()
	}
}

func (q *queue) send() {
	q.ready <- q.pending
	q.pending = make([]command, 0, batch)
}

// wait queues a command and returns when it has been done.
func (q *queue) wait(c command) {
	done := make(chan struct{})
	q.add(func(d *device) {
		c(d)
		close(done)
	})
	q.send()
	<-done
}

// close does what is left and ends the goroutine.
func (q *queue) close() {
	q.send()
	close(q.ready)
	<-q.ended
}
