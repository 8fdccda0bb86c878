package ui

import (
	"cmp"
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
	failed   []error         // why photos failed; nil if that was not asked
}

// wanted is what a look is to see besides photos that are not known yet.
type wanted struct {
	ids      []int
	problems bool
}

func (m *root) wanted() wanted { return wanted{m.near, m.overlay == overlayProblems} }

// lookAt looks at the gallery. It is for commands.
func (m *root) lookAt(w wanted) look {
	g, turns := m.o.Gallery, int(m.turns.Load())
	turned := g.Turned(turns)
	l := look{
		progress: g.Progress(), skipped: append(g.Skipped(), g.TagProblems()...), leftOut: g.LeftOut(), notices: g.Notices(), unkept: g.CatalogErr(),
		turns: turns + len(turned),
	}
	n := g.Len()
	for id := int(m.known.Load()); id < n; id++ {
		l.photos = append(l.photos, g.Photo(id))
	}
	for _, id := range slices.Concat(turned, w.ids) {
		l.photos = append(l.photos, g.Photo(id))
	}
	for id := 0; w.problems && id < n && len(l.failed) < mostReasons; id++ {
		if p := g.Photo(id); p.State == gallery.Failed {
			l.failed = append(l.failed, p.Err)
		}
	}
	return l
}

// see takes over a look. Looks may arrive late and out of order; what has
// moved on since stays.
func (m *root) see(l look) {
	turned := false // photos have gone, or come back
	for _, p := range l.photos {
		if p.ID > m.photos.len() {
			continue
		}
		if p.ID == m.photos.len() {
			m.unordered = m.unordered || p.ID > 0 && m.before(p, m.photos.at(p.ID-1))
		} else {
			before := m.photos.at(p.ID)
			if p.Changed < before.Changed {
				continue
			}
			if p.Size != before.Size || !p.Modified.Equal(before.Modified) {
				m.pics.forget(p.ID)
			}
			if before.State == gallery.Gone {
				m.gone--
			}
			turned = turned || (p.State == gallery.Gone) != (before.State == gallery.Gone)
		}
		if p.State == gallery.Gone {
			m.gone++
		}
		m.photos.put(p)
	}
	if l.failed != nil {
		m.failed = l.failed
	}
	m.known.Store(int64(m.photos.len()))
	m.turns.Store(max(m.turns.Load(), int64(l.turns)))
	if turned {
		m.listPace.want(true)
		m.tallyPace.want(false)
		m.folders.pace.want(false)
	}
	if now := m.progress; l.progress.Version >= now.Version {
		if l.progress.Tagged != now.Tagged {
			m.refilter(false)
		}
		if l.progress.Found != now.Found || l.progress.Done+l.progress.Failed != now.Done+now.Failed {
			m.listPace.want(false)
			m.folders.pace.want(false)
		}
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

// before reports whether a photo stands before another in the order of folders.
func (m *root) before(a, b gallery.Photo) bool {
	return cmp.Or(cmp.Compare(m.rank(a), m.rank(b)), gallery.CompareNames(a.Name, b.Name)) < 0
}

type lookMsg struct{ look }

// lookAgain tells the gallery what is on screen and whether it is to work, and
// looks at it. One command
// at a time does it, so that the last wish is the one that stays.
func (m *root) lookAgain() tea.Cmd {
	if m.looking {
		m.lookDue = true
		return nil
	}
	m.looking, m.lookDue = true, false
	g, want, paused, wanted := m.o.Gallery, m.window, m.paused, m.wanted()
	return m.work.command(func(context.Context) tea.Msg {
		g.Want(want)
		g.Pause(paused)
		return lookMsg{m.lookAt(wanted)}
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
	g, seen, watch, wanted := m.o.Gallery, m.seen, m.watches, m.wanted()
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
		return movedMsg{watch, version, m.lookAt(wanted)}
	})
}

func (m *root) moved(msg movedMsg) tea.Cmd {
	m.see(msg.look)
	if m.unwatch == nil || msg.watch != m.watches {
		return nil // of a watch that was ended
	}
	m.seen = msg.version
	m.own.stale = m.own.stale || m.tagging
	var embed, tags tea.Cmd
	if m.o.Watch && !m.broken {
		embed = m.embed() // of what has come since
	}
	if m.progress.TagsDue {
		tags = m.readTags()
	}
	return tea.Batch(m.rescore(), embed, tags, m.watch())
}

// settled ends the watch when there is nothing left to watch.
func (m *root) settled() {
	if !m.o.Watch && !m.scanning && !m.embedding && !m.tagging && m.unwatch != nil {
		m.unwatch()
		m.unwatch = nil
	}
}
