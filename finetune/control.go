package finetune

import (
	"context"
	"sync"
)

// A want is what someone outside wants of a run.
type want uint8

const (
	running want = iota
	paused
	stopped
)

// A control carries what is wanted to the goroutine that trains.
type control struct {
	mu     sync.Mutex
	want   want
	change chan struct{} // holds one if want has changed
}

func (c *control) get() want {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.want
}

func (c *control) set(w want) {
	c.mu.Lock()
	c.want = w
	c.mu.Unlock()
	select {
	case c.change <- struct{}{}:
	default: // the change before is not seen yet
	}
}

// end takes a Stop as obeyed. A Pause stays.
func (c *control) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.want == stopped {
		c.want = running
	}
}

// wait returns when the next step may begin, or that none may. If it has to
// wait it calls idle first.
func (c *control) wait(ctx context.Context, idle func()) (goOn bool, err error) {
	for first := true; ; first = false {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		switch c.get() {
		case running:
			return true, nil
		case stopped:
			return false, nil
		}
		if first {
			idle()
		}
		select {
		case <-ctx.Done():
		case <-c.change:
		}
	}
}
