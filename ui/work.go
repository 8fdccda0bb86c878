package ui

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"

	tea "charm.land/bubbletea/v2"
)

// Crash is a panic that was caught so that the terminal could be restored.
type Crash struct {
	Value any    // what was given to panic
	Stack string // of the goroutine that panicked
}

// Error gives the panic and its stack: without them the report is worthless.
func (c *Crash) Error() string {
	return fmt.Sprintf("panic: %v\n\n%s", c.Value, c.Stack)
}

// Unwrap returns the error that was given to panic, if it was one.
func (c *Crash) Unwrap() error {
	err, _ := c.Value.(error)
	return err
}

// work runs what must not run in Update. It catches panics and lets Run wait
// for the end of everything.
type work struct {
	ctx  context.Context
	stop context.CancelCauseFunc

	mu      sync.Mutex
	closed  bool
	running int
	idle    sync.Cond // signalled when running is 0
}

func newWork(ctx context.Context, stop context.CancelCauseFunc) *work {
	w := &work{ctx: ctx, stop: stop}
	w.idle.L = &w.mu
	return w
}

// command turns f into a Bubble Tea command. Its context ends with the
// program. A nil message is dropped by Bubble Tea.
func (w *work) command(f func(ctx context.Context) tea.Msg) tea.Cmd {
	return func() (msg tea.Msg) {
		if !w.enter() {
			return nil
		}
		defer w.leave()
		defer w.catch()
		return f(w.ctx)
	}
}

// catch, deferred, ends the program with the panic that it finds.
func (w *work) catch() {
	if r := recover(); r != nil {
		w.stop(&Crash{r, string(debug.Stack())})
	}
}

// enter counts one more running; false after close.
func (w *work) enter() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return false
	}
	w.running++
	return true
}

func (w *work) leave() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.running--; w.running == 0 {
		w.idle.Broadcast()
	}
}

// close cancels what runs, starts nothing more, and waits.
func (w *work) close() {
	w.stop(nil)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	for w.running > 0 {
		w.idle.Wait()
	}
}

// guarded is the root model with its panics caught: Bubble Tea would restore
// the terminal as well, but lose the stack among the output.
type guarded struct{ *root }

func (g guarded) Init() tea.Cmd { return g.start() }

func (g guarded) Update(msg tea.Msg) (next tea.Model, cmd tea.Cmd) {
	next = g // also after a panic
	defer g.work.catch()
	return next, g.update(msg)
}

func (g guarded) View() (v tea.View) {
	v.AltScreen = true
	defer g.work.catch()
	return g.view()
}
