package ui

import (
	"context"
	"errors"
	"runtime/debug"
	"slices"

	tea "charm.land/bubbletea/v2"

	"sigla/gallery"
	"sigla/gallery/label"
	"sigla/model"
)

// The commands behind the screen, each with the message that it ends with and
// what that does. Their order of events:
//
//	scan, follow ─▶ tags ─────┐
//	load ─┬─▶ embed ──▶ moved ─┼─▶ rescore ──▶ recount
//	      └─▶ classify ────────┘
//
// watch runs beside them and says that the gallery has moved.

type scanMsg struct {
	look
	err error
}

func (m *root) scan() tea.Cmd {
	g, paths := m.o.Gallery, m.o.Paths
	return m.work.command(func(ctx context.Context) tea.Msg {
		err := g.Scan(ctx, paths...)
		return scanMsg{m.lookAt(wanted{}), err}
	})
}

// follow keeps the photos as they are on disk while the explorer is open.
func (m *root) follow() tea.Cmd {
	if !m.o.Watch {
		return nil
	}
	g, paths := m.o.Gallery, m.o.Paths
	return m.work.command(func(ctx context.Context) tea.Msg {
		_ = g.Watch(ctx, paths...) // it ends with the explorer
		return nil
	})
}

// rescan looks for changes that nobody has told of.
func (m *root) rescan() tea.Cmd {
	if m.scanning {
		m.say("the folders are being scanned")
		return nil
	}
	m.scanning, m.broken = true, false
	m.say("scanning again")
	var watch tea.Cmd
	if m.unwatch == nil {
		watch = m.watch()
	}
	return tea.Batch(m.scan(), watch)
}

func (m *root) scanDone(msg scanMsg) tea.Cmd {
	m.see(msg.look)
	m.scanning, m.scanErr = false, msg.err
	if msg.err != nil {
		m.warn(msg.err)
	}
	cmd := tea.Batch(m.embed(), m.readTags())
	m.settled()
	return tea.Batch(cmd, m.lookAgain())
}

type loadMsg struct {
	enc    Encoder
	info   model.Info
	device string
	err    error
}

func (m *root) load() tea.Cmd {
	if m.o.Replay != nil {
		return nil // nothing is computed
	}
	load, opened := m.o.Load, m.opened
	return m.work.command(func(ctx context.Context) tea.Msg {
		enc, err := load(ctx)
		if err != nil {
			return loadMsg{err: err}
		}
		opened <- enc
		// Asked here, once: a model that is embedding may let the asker wait.
		return loadMsg{enc: enc, info: enc.Info(), device: enc.Device()}
	})
}

func (m *root) loadDone(msg loadMsg) tea.Cmd {
	if msg.err != nil {
		m.loadErr = msg.err
		return nil
	}
	m.enc, m.info, m.device = msg.enc, msg.info, msg.device
	m.score.LogScale, m.score.Bias = m.info.LogScale, m.info.Bias
	if m.info.Kind == model.CLIP.String() {
		m.odds, m.score = m.score.Choosing()
	}
	m.align()
	return tea.Batch(m.embed(), m.classify())
}

type embedMsg struct {
	look
	err error
}

// embed starts the embedding of what waits, once there are a model and photos.
func (m *root) embed() tea.Cmd {
	waiting := m.progress.Found - m.progress.Done - m.progress.Failed
	if m.enc == nil || m.embedding || m.stopped || waiting == 0 && !m.scanning {
		return nil
	}
	m.embedding = true
	var watch tea.Cmd
	if m.unwatch == nil {
		watch = m.watch()
	}
	g, enc := m.o.Gallery, m.enc
	ctx, stop := context.WithCancel(m.work.ctx)
	m.stopEmbed = stop
	return tea.Batch(watch, m.work.command(func(context.Context) tea.Msg {
		defer stop()
		standBack() // the engine computes here, too
		room := &roomy{Embedder: enc}
		defer room.close()
		err := g.Embed(ctx, room, nil)
		return embedMsg{m.lookAt(wanted{}), err}
	}))
}

func (m *root) embedDone(msg embedMsg) tea.Cmd {
	m.see(msg.look)
	m.embedding = false
	m.broken = msg.err != nil
	if msg.err != nil && !errors.Is(msg.err, context.Canceled) {
		m.warn(msg.err)
	}
	var again tea.Cmd
	if p := m.progress; msg.err == nil && p.Done+p.Failed < p.Found {
		again = m.embed() // it ended before the scan had found them
	}
	m.settled()
	if !m.embedding {
		again = m.freeMemory()
	}
	return tea.Batch(again, m.lookAgain(), m.rescore())
}

// freeMemory gives back what decoding full-size photos has left behind, which
// the runtime would keep for minutes although nothing of it comes again.
func (m *root) freeMemory() tea.Cmd {
	return m.work.command(func(context.Context) tea.Msg {
		debug.FreeOSMemory()
		return nil
	})
}

type classMsg struct {
	request int
	classes *gallery.Classifier
	err     error
}

// classify embeds the texts of the labels that the classifier does not know.
func (m *root) classify() tea.Cmd {
	if m.enc == nil {
		return nil
	}
	m.request++
	request, enc, odds, base, want := m.request, m.enc, m.odds, m.classes, m.labels.set
	return m.work.command(func(ctx context.Context) tea.Msg {
		classes, err := reclassify(ctx, base, want, enc, odds)
		return classMsg{request, classes, err}
	})
}

// reclassify makes a classifier of the wanted labels out of one that has some
// of them, or out of nothing.
func reclassify(ctx context.Context, base *gallery.Classifier, want label.Set, enc Encoder, odds func([]float32)) (*gallery.Classifier, error) {
	if base == nil {
		classes, err := gallery.NewClassifier(ctx, want, enc)
		if err == nil && odds != nil {
			classes = classes.Rewrite(odds)
		}
		return classes, err
	}
	have := base.Set()
	for _, l := range have.Labels {
		i := want.Index(l.Name)
		if i < 0 || !sameTexts(l, have.Templates, want.Labels[i], want.Templates) {
			base = base.Without(l.Name)
		}
	}
	have = base.Set()
	for _, l := range want.Labels {
		if have.Index(l.Name) >= 0 {
			continue
		}
		next, err := base.With(ctx, l, enc)
		if err != nil {
			return nil, err
		}
		base = next
	}
	return base, nil
}

func (m *root) classDone(msg classMsg) tea.Cmd {
	switch {
	case msg.request != m.request:
		return nil // the labels have changed again
	case msg.err != nil:
		m.warn(msg.err)
		return nil
	}
	m.classes = msg.classes
	return m.rescore()
}

type scoreMsg struct{ scores *gallery.Scores }

// rescore brings the scores up to the classifier and the photos of now. One
// command at a time does it; what comes meanwhile is done by the next.
func (m *root) rescore() tea.Cmd {
	if m.classes == nil {
		return nil
	}
	if m.scoring {
		m.stale = true
		return nil
	}
	m.scoring, m.stale = true, false
	g, scores, classes, logit := m.o.Gallery, m.scores, m.classes, m.score.Logit
	return m.work.command(func(context.Context) tea.Msg {
		if scores != nil && scores.Classifier() == classes {
			scores.Update()
			return scoreMsg{scores}
		}
		return scoreMsg{g.Scores(classes, logit)}
	})
}

func (m *root) scoreDone(msg scoreMsg) tea.Cmd {
	m.scores, m.scoring = msg.scores, false
	m.align()
	if m.want.ordered().by == byLabel {
		m.listPace.want(false)
	}
	m.refilter(false)
	if m.stale {
		return m.rescore()
	}
	return nil
}

type saveMsg struct{ err error }

// save keeps the label set. While a save runs the next one waits, so that the
// last set is the one that stays.
func (m *root) save() tea.Cmd {
	if m.o.Save == nil {
		return nil
	}
	l := &m.labels
	if l.saving {
		l.unsaved = true
		return nil
	}
	l.saving, l.unsaved = true, false
	set, save := l.set, m.o.Save
	set.Labels = slices.Clone(set.Labels)
	return m.work.command(func(context.Context) tea.Msg {
		return saveMsg{save(set)}
	})
}

func (m *root) saveDone(msg saveMsg) tea.Cmd {
	m.labels.saving, m.labels.saveErr = false, msg.err
	if msg.err != nil {
		m.warn(msg.err)
	}
	if m.labels.unsaved {
		return m.save()
	}
	return nil
}
