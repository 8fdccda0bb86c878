package ui

import (
	"context"
	"time"

	tea "charm.land/bubbletea/v2"
)

// pace is a piece of work that looks at every photo, so that it must be done
// beside the event loop, and not at every change of a gallery that changes
// thirty times a second. One run at a time does it. What somebody waits for
// begins at once, in place of a run that is under way; what merely follows the
// gallery leaves nine tenths of a processor to others.
type pace struct {
	due   bool // it must be done again
	hurry bool // and somebody waits for it
	run   int  // number of the run begun last
	stop  context.CancelFunc
	free  time.Time // from when on the next may begin that nobody waits for
}

// want makes the work due.
func (p *pace) want(hurry bool) {
	p.due = true
	p.hurry = p.hurry || hurry
}

// running reports whether a run is under way, or waits for its time.
func (p *pace) running() bool { return p.stop != nil }

// spreadMsg says that a run has ended.
type spreadMsg struct {
	pace *pace
	run  int
	free time.Time
	done func(*root) // takes over the result; nil: there is none
}

// spread begins a run if one is due. do does the work, on values of its own,
// and returns what takes over its result.
func (m *root) spread(p *pace, do func(ctx context.Context) func(*root)) tea.Cmd {
	if !p.due || p.running() && !p.hurry {
		return nil
	}
	if p.running() {
		p.stop()
	}
	ctx, stop := context.WithCancel(m.work.ctx)
	p.run++
	run, free, hurry := p.run, p.free, p.hurry
	p.due, p.hurry, p.stop = false, false, stop
	return m.work.command(func(context.Context) tea.Msg {
		defer stop()
		if !hurry && !waitUntil(ctx, free) {
			return nil // one in a hurry has taken its place
		}
		began := time.Now()
		done := do(ctx)
		now := time.Now()
		return spreadMsg{p, run, now.Add(9 * now.Sub(began)), done}
	})
}

// waitUntil returns false if ctx ends first.
func waitUntil(ctx context.Context, at time.Time) bool {
	pause := time.NewTimer(time.Until(at))
	defer pause.Stop()
	select {
	case <-pause.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (m *root) spreadDone(msg spreadMsg) {
	p := msg.pace
	if msg.run != p.run {
		return // another has taken its place
	}
	p.stop, p.free = nil, msg.free
	if msg.done != nil {
		msg.done(m)
	}
}
