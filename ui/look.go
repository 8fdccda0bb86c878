package ui

import (
	"context"
	"time"

	tea "charm.land/bubbletea/v2"

	"sigla/gallery"
)

// look is what was seen of the gallery at one moment. The explorer draws from
// its own copy of what it has seen and never asks the gallery from the event
// loop: there are workers on every processor that take turns with the
// gallery's lock, and a screen that needs forty photos would wait forty turns.
type look struct {
	progress gallery.Progress
	skipped  []gallery.Skip  // and files whose tags could not be read
	unkept   error           // what is wrong with the catalog
	photos   []gallery.Photo // those not known before, and those asked for
}

// lookAt reads the photos from known on, and those of ids.
func lookAt(g *gallery.Gallery, known int, ids []int) look {
	l := look{progress: g.Progress(), skipped: append(g.Skipped(), g.TagProblems()...), unkept: g.CatalogErr()}
	for id := known; id < l.progress.Found; id++ {
		l.photos = append(l.photos, g.Photo(id))
	}
	for _, id := range ids {
		l.photos = append(l.photos, g.Photo(id))
	}
	return l
}

// see takes over a look. Looks may arrive late and out of order; what has
// moved on since stays.
func (m *root) see(l look) {
	for _, p := range l.photos {
		switch {
		case p.ID == len(m.photos):
			m.photos = append(m.photos, p)
		case p.ID < len(m.photos) && p.State != gallery.Waiting:
			m.photos[p.ID] = p
		case p.ID < len(m.photos):
			m.photos[p.ID].Tagged = p.Tagged
		}
	}
	if now := m.progress; l.progress.Found >= now.Found && l.progress.Done+l.progress.Failed >= now.Done+now.Failed {
		m.progress, m.skipped = l.progress, l.skipped
	}
	if l.unkept != nil && m.unkept == nil {
		m.unkept = l.unkept
		m.warn(l.unkept)
	}
}

// interest is whose state matters at present: what is on screen, or all if
// what could not be read is listed.
func (m *root) interest() []int {
	if m.overlay == overlayProblems {
		return ids(0, len(m.photos))
	}
	return m.window
}

type lookMsg struct{ look }

// lookAgain tells the gallery what is on screen and looks at it. One command
// at a time does it, so that the last wish is the one that stays.
func (m *root) lookAgain() tea.Cmd {
	if m.looking {
		m.lookDue = true
		return nil
	}
	m.looking, m.lookDue = true, false
	g, known, want, interest := m.o.Gallery, len(m.photos), m.window, m.interest()
	return m.work.command(func(context.Context) tea.Msg {
		g.Want(want)
		return lookMsg{lookAt(g, known, interest)}
	})
}

func (m *root) looked(msg lookMsg) tea.Cmd {
	m.looking = false
	m.see(msg.look)
	if m.lookDue {
		return m.lookAgain()
	}
	return nil
}

// minGap is the least time between two messages of a watch: a gallery that
// moves faster than anybody can see is looked at when it has been moved.
const minGap = time.Second / 30

type movedMsg struct {
	watch   int // which watch says so
	version uint64
	look
}

// watch waits for the next change of the gallery, whatever number of changes
// that has become meanwhile. It runs only while something can change.
func (m *root) watch() tea.Cmd {
	ctx, stop := context.WithCancel(m.work.ctx)
	m.watches++
	m.unwatch = stop
	g, seen, watch, known, interest := m.o.Gallery, m.seen, m.watches, len(m.photos), m.interest()
	return m.work.command(func(context.Context) tea.Msg {
		defer stop()
		pause := time.NewTimer(minGap)
		defer pause.Stop()
		version, err := g.WaitChange(ctx, seen)
		if err != nil {
			return nil
		}
		select {
		case <-pause.C:
		case <-ctx.Done():
		}
		return movedMsg{watch, version, lookAt(g, known, interest)}
	})
}

func (m *root) moved(msg movedMsg) tea.Cmd {
	m.see(msg.look)
	if m.unwatch == nil || msg.watch != m.watches {
		return nil // of a watch that was ended
	}
	m.seen = msg.version
	m.own.stale = m.own.stale || m.tagging
	var tags tea.Cmd
	if m.scanning {
		tags = m.readTags()
	}
	return tea.Batch(m.rescore(), m.watch(), tags)
}

// settled ends the watch when there is nothing left to watch.
func (m *root) settled() {
	if !m.scanning && !m.embedding && !m.tagging && m.unwatch != nil {
		m.unwatch()
		m.unwatch = nil
	}
}

// ids are the numbers from ≤ i < to.
func ids(from, to int) []int {
	var out []int
	for i := from; i < to; i++ {
		out = append(out, i)
	}
	return out
}
