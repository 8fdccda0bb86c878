package ui

import (
	"context"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"

	"sigla/finetune"
)

// feed brings events from the goroutine that trains to the screen: it never
// waits for the screen, and the screen takes all that have come at once.
type feed struct {
	mu      sync.Mutex
	events  []finetune.Event
	trouble error
	over    bool          // nothing comes any more: the training has ended
	err     error         // with this
	ready   chan struct{} // holds one if something has come
}

func newFeed() *feed { return &feed{ready: make(chan struct{}, 1)} }

func (f *feed) put(e *finetune.Event, trouble error) {
	f.mu.Lock()
	if e != nil {
		f.events = append(f.events, *e)
	}
	if trouble != nil {
		f.trouble = trouble
	}
	f.mu.Unlock()
	f.wake()
}

func (f *feed) end(err error) {
	f.mu.Lock()
	f.over, f.err = true, err
	f.mu.Unlock()
	f.wake()
}

func (f *feed) wake() {
	select {
	case f.ready <- struct{}{}:
	default:
	}
}

func (f *feed) take() feedMsg {
	f.mu.Lock()
	defer f.mu.Unlock()
	msg := feedMsg{feed: f, events: f.events, trouble: f.trouble, over: f.over, err: f.err}
	f.events, f.trouble = nil, nil
	return msg
}

// feedMsg has what came since the last.
type feedMsg struct {
	feed    *feed
	events  []finetune.Event
	trouble error
	over    bool
	err     error
}

// feedPause is the least time between two looks at a feed: a screen has no use
// for more.
const feedPause = 30 * time.Millisecond

// listen waits for something to come.
func (m *root) listen() tea.Cmd {
	f := m.train.feed
	return m.work.command(func(ctx context.Context) tea.Msg {
		select {
		case <-f.ready:
		case <-ctx.Done():
			return nil
		}
		msg := f.take()
		if !msg.over {
			waitUntil(ctx, time.Now().Add(feedPause))
		}
		return msg
	})
}
