package ui

import (
	"context"
	"slices"
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
	skipped  []gallery.Skip // and files whose tags could not be read
	leftOut  gallery.LeftOut
	notices  []error         // of Watch
	unkept   error           // what is wrong with the catalog
	turns    int             // how many turns of photos have been looked at
	photos   []gallery.Photo // those not known before, those that have turned, and those asked for
}

// lookAt reads the photos from known on, those of all turns but the first, and
// those of ids.
func lookAt(g *gallery.Gallery, known, turns int, ids []int) look {
	turned := g.Turned(turns)
	l := look{
		progress: g.Progress(), skipped: append(g.Skipped(), g.TagProblems()...), leftOut: g.LeftOut(), notices: g.Notices(), unkept: g.CatalogErr(),
		turns: turns + len(turned),
	}
	for id, n := known, g.Len(); id < n; id++ {
		l.photos = append(l.photos, g.Photo(id))
	}
	for _, id := range slices.Concat(turned, ids) {
		l.photos = append(l.photos, g.Photo(id))
	}
	return l
}

// see takes over a look. Looks may arrive late and out of order; what has
// moved on since stays.
func (m *root) see(l look) {
	turned := false // photos have gone, or come back
	for _, p := range l.photos {
		switch {
		case p.ID == len(m.photos):
			m.photos = append(m.photos, p)
			if p.State != gallery.Gone {
				m.listed = append(m.listed, p.ID)
			}
		case p.ID < len(m.photos) && p.Changed >= m.photos[p.ID].Changed:
			before := m.photos[p.ID]
			if p.Size != before.Size || !p.Modified.Equal(before.Modified) {
				m.pics.forget(p.ID)
			}
			turned = turned || (p.State == gallery.Gone) != (before.State == gallery.Gone)
			m.photos[p.ID] = p
		}
	}
	m.turns = max(m.turns, l.turns)
	if turned {
		m.relist()
	}
	if l.progress.Version >= m.progress.Version {
		m.progress, m.skipped, m.leftOut = l.progress, l.skipped, l.leftOut
	}
	for n := len(m.notices); n < len(l.notices); n++ {
		m.notices = append(m.notices, l.notices[n])
		m.warn(l.notices[n])
	}
	if l.unkept != nil && m.unkept == nil {
		m.unkept = l.unkept
		m.warn(l.unkept)
	}
}

// relist lists the photos that are not gone. The chosen one stays chosen; if it is
// gone, the next one is.
func (m *root) relist() {
	id, position := -1, m.cursor
	if m.cursor < m.shown() {
		id = m.photo(m.cursor)
	}
	gone := func(id int) bool { return m.photos[id].State == gallery.Gone }
	if m.search.active {
		for _, h := range m.search.hits[:min(m.cursor, len(m.search.hits))] {
			if gone(h.ID) {
				position--
			}
		}
		m.search.hits = slices.DeleteFunc(slices.Clone(m.search.hits), func(h gallery.Hit) bool { return gone(h.ID) })
	}
	m.listed = slices.DeleteFunc(ids(0, len(m.photos)), gone)
	if !m.search.active {
		position, _ = slices.BinarySearch(m.listed, id)
	}
	m.cursor = position
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
	g, known, turns, want, interest := m.o.Gallery, len(m.photos), m.turns, m.window, m.interest()
	return m.work.command(func(context.Context) tea.Msg {
		g.Want(want)
		return lookMsg{lookAt(g, known, turns, interest)}
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
	g, seen, watch, known, turns, interest := m.o.Gallery, m.seen, m.watches, len(m.photos), m.turns, m.interest()
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
		return movedMsg{watch, version, lookAt(g, known, turns, interest)}
	})
}

func (m *root) moved(msg movedMsg) tea.Cmd {
	m.see(msg.look)
	if m.unwatch == nil || msg.watch != m.watches {
		return nil // of a watch that was ended
	}
	m.seen = msg.version
	m.own.stale = m.own.stale || m.tagging
	var embed, rank, tags tea.Cmd
	if m.o.Watch && !m.broken {
		embed = m.embed() // of what has come since
	}
	if m.search.turns != m.turns {
		rank = m.rank()
	}
	if m.progress.TagsDue {
		tags = m.readTags()
	}
	return tea.Batch(m.rescore(), embed, rank, tags, m.watch())
}

// settled ends the watch when there is nothing left to watch.
func (m *root) settled() {
	if !m.o.Watch && !m.scanning && !m.embedding && !m.tagging && m.unwatch != nil {
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
