package ui

import (
	"context"
	"path"
	"path/filepath"
	"slices"
	"time"

	tea "charm.land/bubbletea/v2"

	"sigla/gallery"
	"sigla/gallery/sidecar"
	"sigla/gallery/sidecar/journal"
)

// tagScreen is the page of tags to be written.
type tagScreen struct {
	byModel bool // what the model says counts beside what a person answered
	pace    pace
	wanted  bool // to be written, as soon as the plan is there
	draft   tagDraft
	at, top int // chosen row, first row on screen
	explain bool

	shown  tagDetail
	asking bool // a command finds out about the chosen row

	question string // that y answers; "": none
	yes      func(*root) tea.Cmd

	writing writing
	last    journal.Run // that can be taken back; without an ID there is none
	failed  []journal.Failure
	note    string // what a program that was cut off had left
}

// A tagDraft is what would be written, as far as lists and counts need it.
type tagDraft struct {
	planner *gallery.TagPlanner // nil: nothing was drafted yet
	rows    []tagRow
	photos  int  // that were looked at
	marked  bool // they are those that are marked
	fresh   int  // sidecars that are new
	changed int
	added   int // tags
	removed int
	refused int // photos
	missing int // tags that somebody took out elsewhere
	touched int // photos of which sidecars are written
	showing map[sidecar.Reader]int
	err     error
}

// A tagRow is a sidecar, or a photo that has something else to say.
type tagRow struct {
	id      int
	file    string // of the sidecar, or of the photo
	what    string // is to become of it; "": nothing
	added   []tagWord
	removed []tagWord
	said    string // why nothing is written
}

// A tagWord is a tag and the sign of who wants it so.
type tagWord struct{ sign, label string }

// draftSize is how many photos are drafted at once: what they need in memory is
// a few megabytes, however many there are in all.
const draftSize = 2000

// openTags shows what would be written, or goes back.
func (m *root) openTags() tea.Cmd {
	m.endRange()
	cmd := m.toggleOverlay(overlayTags)
	m.tags.pace.want(true)
	m.tags.question, m.tags.explain = "", false
	if m.overlay != overlayTags {
		return cmd
	}
	return tea.Batch(cmd, m.recoverRuns())
}

// toggleModel lets what the model says count, or not.
func (m *root) toggleModel() tea.Cmd {
	m.tags.byModel = !m.tags.byModel
	m.tags.pace.want(true)
	if m.tags.byModel && m.scores == nil {
		m.say("the model has scored nothing yet")
	}
	return nil
}

// tagSource is what a draft is made from. It belongs to a command.
type tagSource struct {
	g      *gallery.Gallery
	by     gallery.Tagger
	list   listing
	n      int // photos, where the list is of all
	marked marks
}

// drafting makes a draft while the page is open.
func (m *root) drafting() tea.Cmd {
	if m.tags.wanted && m.overlay == overlayTags && m.tags.ready() {
		m.tags.wanted = false
		return m.askApply()
	}
	if m.overlay != overlayTags || m.tags.writing.running() || !m.tags.pace.due {
		return nil
	}
	s := tagSource{g: m.o.Gallery, by: m.tagger(), list: m.list, n: m.photos.len(), marked: m.marks}
	s.marked.bits = slices.Clone(m.marks.bits)
	return m.spread(&m.tags.pace, func(ctx context.Context) func(*root) {
		d := s.draft(ctx)
		if ctx.Err() != nil {
			return nil
		}
		return func(m *root) {
			id := -1
			if t := &m.tags; t.at < len(t.draft.rows) {
				id = t.draft.rows[t.at].id
			}
			m.tags.draft, m.tags.shown = d, tagDetail{id: -1}
			if at := slices.IndexFunc(d.rows, func(r tagRow) bool { return r.id == id }); at >= 0 {
				m.tags.at = at
			}
		}
	})
}

// ready reports whether the plan is there, of what is asked for now.
func (t *tagScreen) ready() bool { return t.draft.planner != nil && !t.pace.running() && !t.pace.due }

// tagger says whose word counts.
func (m *root) tagger() gallery.Tagger {
	labels := m.labels.set
	labels.Labels = m.labels.read // their thresholds are part of what is written
	by := gallery.Tagger{Labels: labels, Model: m.info.Digest, Bias: m.score.Delta}
	if scores := m.scores; m.tags.byModel && scores != nil {
		w := witness{m.score, m.labels.set, m.labels.sides}
		by.Judge = func(id int) []gallery.Judgement { return w.judge(scores, id) }
	}
	return by
}

// judge says of all labels of a photo whether they hold, and how surely.
func (w witness) judge(scores *gallery.Scores, id int) []gallery.Judgement {
	row, ok := scores.Row(id)
	if !ok {
		return nil
	}
	list := make([]gallery.Judgement, 0, len(w.columns))
	for i, c := range w.columns {
		if c < 0 || c >= len(row) {
			continue
		}
		p := w.score.Probability(row[c], adjust(w.read[i]))
		list = append(list, gallery.Judgement{Label: i, Logit: float64(row[c]), P: p, Holds: row[c] >= w.cuts[i]})
	}
	return list
}

// draft drafts the photos that are marked or, if none are, those on the sheet.
func (s tagSource) draft(ctx context.Context) tagDraft {
	d := tagDraft{showing: make(map[sidecar.Reader]int)}
	ids := s.marked.ids()
	if d.marked = len(ids) > 0; !d.marked {
		if ids = s.list.ids; ids == nil {
			ids = make([]int, s.n)
			for id := range ids {
				ids[id] = id
			}
		}
	}
	ids = present(s.g, ids)
	d.photos = len(ids)
	s.by.Now = time.Now()
	if d.planner, d.err = s.g.NewTagPlanner(ctx, s.by); d.err != nil {
		return d
	}
	for some := range slices.Chunk(ids, draftSize) {
		plan, err := d.planner.Draft(ctx, some)
		if err != nil {
			d.err = err
			return d
		}
		for i, p := range plan.Photos {
			d.add(s.g.Photo(plan.IDs[i]), p)
		}
	}
	return d
}

// add counts the plan of a photo and adds its rows.
func (d *tagDraft) add(it gallery.Photo, p sidecar.PhotoPlan) {
	folder := path.Dir(it.Name)
	d.missing += len(p.Missing)
	if len(p.Files) == 0 {
		r := tagRow{id: it.ID, file: clean(it.Name), said: p.Refused}
		if p.Refused != "" {
			d.refused++
		}
		for _, m := range p.Missing {
			r.removed = append(r.removed, tagWord{"✗", clean(m.Label)})
		}
		d.rows = append(d.rows, r)
		return
	}
	d.touched++
	d.added += len(p.Added)
	d.removed += len(p.Removed)
	for _, r := range sidecar.Readers {
		if p.ShownBy(r) {
			d.showing[r]++
		}
	}
	added, removed := tagWordsOf(p)
	for _, f := range p.Files {
		r := tagRow{id: it.ID, file: clean(path.Join(folder, filepath.Base(f.Path))), what: "changed", added: added, removed: removed}
		if f.New {
			r.what = "new"
			d.fresh++
		} else {
			d.changed++
		}
		d.rows = append(d.rows, r)
	}
}

// tagWordsOf are the tags that a plan adds and removes: ✓ and ✗ are a person's word,
// ● and ○ the model's.
func tagWordsOf(p sidecar.PhotoPlan) (added, removed []tagWord) {
	for _, label := range p.Added {
		sign := "✓"
		if m, ok := markFor(p, label); ok && m.Source == sidecar.Auto {
			sign = "●"
		}
		added = append(added, tagWord{sign, clean(label)})
	}
	for _, label := range p.Removed {
		sign := "○"
		if isRejected(p, label) {
			sign = "✗"
		}
		removed = append(removed, tagWord{sign, clean(label)})
	}
	return added, removed
}

// markFor is the mark by which a plan sets a tag.
func markFor(p sidecar.PhotoPlan, label string) (sidecar.Mark, bool) {
	for _, f := range p.Files {
		for _, m := range f.Change.Accept {
			if sidecar.Fold(m.Label) == sidecar.Fold(label) {
				return m, true
			}
		}
	}
	return sidecar.Mark{}, false
}

// isRejected reports whether a plan removes a tag because a person says so, and
// not because the model says so no longer.
func isRejected(p sidecar.PhotoPlan, label string) bool {
	gone := slices.ContainsFunc(p.Missing, func(m sidecar.Mark) bool { return sidecar.Fold(m.Label) == sidecar.Fold(label) })
	return gone || !slices.ContainsFunc(p.Files, func(f sidecar.FilePlan) bool {
		return slices.ContainsFunc(f.Change.Withdraw, func(l string) bool { return sidecar.Fold(l) == sidecar.Fold(label) })
	})
}

// ids are the photos of the rows, each once.
func (d *tagDraft) ids() []int {
	var ids []int
	for _, r := range d.rows {
		if len(ids) == 0 || ids[len(ids)-1] != r.id {
			ids = append(ids, r.id)
		}
	}
	return ids
}

// tagsKey takes the keys that move on the page, and y where a question waits for
// it.
func (m *root) tagsKey(key string) bool {
	t, page := &m.tags, max(1, m.tagRows()-1)
	switch key {
	case "up", "k":
		t.at--
	case "down", "j":
		t.at++
	case "pgup", "ctrl+b":
		t.at -= page
	case "pgdown", "ctrl+f", "space":
		t.at += page
	case "home", "g":
		t.at = 0
	case "end", "G":
		t.at = len(t.draft.rows)
	case "esc", keyOf("tags"):
		m.overlay = overlayNone
	case "q", "ctrl+c", "ctrl+z", keyOf("keys"), keyOf("problems"), keyOf("jobs"):
		return false
	}
	return true
}

// confirm asks a question that only y says yes to.
func (m *root) confirm(question string, yes func(*root) tea.Cmd) tea.Cmd {
	m.tags.question, m.tags.yes = question, yes
	m.say(question + " y: yes, any other key: no")
	return nil
}

// answerQuestion takes the key that comes after a question.
func (m *root) answerQuestion(key string) tea.Cmd {
	yes := m.tags.yes
	m.tags.question, m.tags.yes = "", nil
	if key == "y" {
		return yes(m)
	}
	m.say("nothing was done")
	return nil
}

// settleTags keeps the chosen row on screen.
func (m *root) settleTags() {
	t, rows := &m.tags, max(1, m.tagRows())
	t.at = max(0, min(t.at, len(t.draft.rows)-1))
	t.top = max(0, max(min(t.top, t.at, len(t.draft.rows)-rows), t.at-rows+1))
}

// toPhoto leaves the page for the photo of the chosen row.
func (m *root) toPhoto() tea.Cmd {
	t := &m.tags
	if t.at >= len(t.draft.rows) {
		return nil
	}
	at := m.list.place(t.draft.rows[t.at].id)
	if at < 0 || at >= m.shown() {
		m.say("the sheet does not show that photo now")
		return nil
	}
	m.overlay, m.focus, m.cursor = overlayNone, onPhotos, at
	return nil
}

// toggleStory tells why the tags of the chosen row are as they are planned, or
// what becomes of the fields.
func (m *root) toggleStory() tea.Cmd {
	m.tags.explain = !m.tags.explain
	return nil
}
