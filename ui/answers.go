package ui

import (
	"context"
	"time"

	tea "charm.land/bubbletea/v2"

	"sigla/gallery"
	"sigla/gallery/catalog"
)

// answering is a person's answers on their way to the catalog: one after the
// other, so that the last one stays.
type answering struct {
	queue []*answers
	busy  bool // one is on its way
}

// answers are some about one label: first they are found out and shown, then
// stored.
type answers struct {
	label   string
	words   *gallery.Vocabulary // says which answers are about it
	private bool
	verdict catalog.Verdict
	ids     []int    // of photos
	back    *answers // whose replacing is put back; nil: these are new

	// What was found out, for the next command only.
	given, before []catalog.Decision
	failed        []error
}

type answersMsg struct {
	byPhoto map[catalog.Hash][]catalog.Decision
	err     error
}

// loadAnswers asks the catalog for all answers.
func (m *root) loadAnswers() tea.Cmd {
	g := m.o.Gallery
	return m.work.command(func(ctx context.Context) tea.Msg {
		byPhoto, err := g.Decisions(ctx)
		return answersMsg{byPhoto, err}
	})
}

func (m *root) answersLoaded(msg answersMsg) {
	switch {
	case msg.err != nil:
		m.warn(msg.err)
	case !m.answering.busy: // else it would lack what is on its way
		m.answers.Load(msg.byPhoto)
		m.answered()
	}
}

// answered lets the screen follow the answers.
func (m *root) answered() {
	m.labels.listed = nil
	m.refilter(true)
	m.tallyPace.want(true)
	m.folders.pace.want(true)
	m.tags.pace.want(true)
}

// answer accepts or rejects the chosen label for the marked photos, or else for
// the chosen one. If that is the answer of all of them already, it is taken back.
func (m *root) answer(v catalog.Verdict) tea.Cmd {
	i := m.chosenLabel()
	if i < 0 {
		return nil
	}
	l, ids := m.labels.set.Labels[i], m.targets()
	if len(ids) == 0 {
		m.say("no photo is chosen")
		return nil
	}
	a := &answers{label: l.Name, words: m.labels.words, private: l.Private, verdict: v, ids: ids}
	m.labels.history, m.labels.last = append(m.labels.history, step{answers: a}), ""
	return m.pass(a)
}

// undoAnswers puts back what answers have replaced.
func (m *root) undoAnswers(a *answers) tea.Cmd {
	return m.pass(&answers{label: a.label, ids: a.ids, back: a})
}

// pass puts answers into the queue; with none, the next one's turn has come.
func (m *root) pass(more ...*answers) tea.Cmd {
	q := &m.answering
	q.queue = append(q.queue, more...)
	if q.busy || len(q.queue) == 0 {
		return nil
	}
	a := q.queue[0]
	q.queue, q.busy = q.queue[1:], true
	g, known := m.o.Gallery, &m.answers
	return m.work.command(func(context.Context) tea.Msg {
		if a.back != nil {
			a.given = a.back.before
		} else {
			a.find(g, known)
		}
		known.Put(a.given)
		return foundMsg{a}
	})
}

// find finds out what is in the photos, and what the answers replace.
func (a *answers) find(g *gallery.Gallery, known *gallery.Answers) {
	seen, now, same := make(map[catalog.Hash]bool), time.Now(), true
	var earlier []bool // of before: under another name of the label
	for _, id := range present(g, a.ids) {
		content, err := g.ReadContent(id)
		if err != nil {
			a.failed = append(a.failed, err)
		} else if !seen[content] {
			seen[content] = true
			before := known.About(content, a.words, a.label)
			a.before = append(a.before, before...)
			earlier = append(earlier, make([]bool, len(before))...)
			for i := len(a.before) - len(before) + 1; i < len(a.before); i++ {
				earlier[i] = true
			}
			same = same && before[0].Verdict == a.verdict
		}
	}
	if same {
		a.verdict = catalog.Withdraw
	}
	for i, d := range a.before {
		switch {
		case earlier[i]:
			d.Verdict = catalog.Withdraw
		case d.Verdict != a.verdict:
			d.Verdict, d.When, d.Who = a.verdict, now, ""
		}
		a.given = append(a.given, d) // an answer that stands keeps its time
	}
}

type foundMsg struct{ *answers }

// answersFound shows answers and has them stored.
func (m *root) answersFound(a foundMsg) tea.Cmd {
	of := plural(len(a.ids), "photo")
	if len(a.ids) == 1 {
		of = clean(title(m.photos.at(a.ids[0])))
	}
	sign := map[catalog.Verdict]string{catalog.Accept: "✓ ", catalog.Reject: "✗ ", catalog.Withdraw: "no answer any more: "}[a.verdict]
	end := keyOf("undo") + " undoes it"
	if a.private {
		end = "private: it is not written to files"
	}
	m.toast = toast{text: sign + clean(a.label) + " · " + of + " · " + end}
	if a.back != nil {
		m.toast.text = "undone: " + clean(a.label) + " · " + of
	}
	m.answered()
	g, known := m.o.Gallery, &m.answers
	given := a.given
	return tea.Batch(m.lookAgain(), m.work.command(func(ctx context.Context) tea.Msg {
		err := g.Decide(context.WithoutCancel(ctx), given...) // also if that is the end
		if err != nil && a.back == nil {
			known.Put(a.before)
		}
		return storedMsg{a.answers, err}
	}))
}

type storedMsg struct {
	*answers
	err error
}

func (m *root) answersStored(msg storedMsg) tea.Cmd {
	m.answering.busy = false
	switch {
	case msg.err != nil:
		m.warn(msg.err)
		m.answered()
	case len(msg.failed) > 0:
		m.warn(msg.failed[0])
	}
	return m.pass()
}
