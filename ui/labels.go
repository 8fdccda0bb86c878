package ui

import (
	"fmt"
	"math"
	"slices"
	"sort"

	tea "charm.land/bubbletea/v2"

	"sigla/gallery"
	"sigla/gallery/catalog"
	"sigla/gallery/label"
	"sigla/gallery/sidecar"
	"sigla/model"
)

// labels is the label set as the user has it now, and how to take changes
// back. The classifier follows it, later; see columns.
type labels struct {
	set     label.Set
	history []step // before each change, oldest first
	last    string // what the newest entry of history was taken before
	saving  bool
	unsaved bool  // set has changed since the save that runs, or was made last
	saveErr error // why the last save failed; nil if it did not

	sides

	chosen string // name of the chosen label; "" before one was chosen
	top    int    // first row of the list on screen
	of     int    // position of the photo that the list was last scrolled for

	// The list keeps the chosen label on screen while the labels have the
	// focus, and from a change of the set until another photo is chosen.
	changed bool
	seen    place // where it was when the list was last scrolled to it

	listed   []labelRow // what rows returned last; nil if that no longer holds
	listedOf int        // ID of the photo that listed is of, or -1
}

// step is what one undo takes back: a change of the labels, before which they
// were the set, or answers.
type step struct {
	set     label.Set
	answers *answers // nil: a change of the labels
}

// sides say, for each label of the set, on which side a logit is: its column in
// the scores or -1 while its texts are not embedded, how it is read, and the
// smallest logit at which it holds, with the bias as it is and with δ = 0. The
// slices are replaced and never changed.
type sides struct {
	columns    []int
	read       []label.Label // with what the model knows of them
	cuts, base []float32
	words      *gallery.Vocabulary // says which answers are about which label
	named      []string            // each label's path, folded, as it is in verdicts
}

// place is where the chosen label stands in the list, and how many rows the
// list shows: what decides whether it is on screen.
type place struct{ at, rows int }

// adjust is a label's own calibration for the score.
func adjust(l label.Label) model.Adjust {
	return model.Adjust{Scale: l.Scale, Delta: l.Bias}
}

// align finds the column of every label in the scores, and its cuts. It must
// follow every change of the set, of the scores, and of the model.
func (m *root) align() {
	l := &m.labels
	at := map[string]int{}
	var scored label.Set
	if m.scores != nil {
		scored = m.scores.Classifier().Set()
		for i, s := range scored.Labels {
			at[s.Name] = i
		}
	}
	l.words, l.named = gallery.NewVocabulary(l.set), make([]string, len(l.set.Labels))
	for i := range l.named {
		l.named[i] = sidecar.Fold(l.words.Path(i))
	}
	columns := make([]int, len(l.set.Labels))
	for i, own := range l.set.Labels {
		c, ok := at[own.Name]
		if !ok || !sameTexts(own, l.set.Templates, scored.Labels[c], scored.Templates) {
			c = -1
		}
		columns[i] = c
	}
	l.columns = columns
	l.read = slices.Clone(l.set.Labels)
	if m.enc != nil {
		for i, own := range l.read {
			l.read[i] = m.enc.Tune(own)
		}
	}
	zero := m.score
	zero.Delta = 0
	l.base = cuts(zero, l.read)
	m.recut()
}

// at is the place of the chosen label in the set, or -1.
func (l *labels) at() int {
	if l.chosen == "" {
		return -1
	}
	return l.set.Index(l.chosen)
}

// said are answers about a photo as they are to be shown: of those to one label,
// under whichever of its names, the last.
func (s *sides) said(list []catalog.Decision) []catalog.Decision {
	if len(list) == 0 {
		return list
	}
	return s.words.Answers(list)
}

// verdicts are answers about a photo by the path of the label, folded; nil: none.
func (s *sides) verdicts(list []catalog.Decision) map[string]catalog.Verdict {
	if len(list) == 0 {
		return nil
	}
	by := make(map[string]catalog.Verdict, len(list))
	for _, d := range s.said(list) {
		by[sidecar.Fold(d.Label)] = d.Verdict
	}
	return by
}

// answer finds the answer about a label of the set.
func (s *sides) answer(answers map[string]catalog.Verdict, i int) catalog.Verdict {
	if len(answers) == 0 || i < 0 {
		return catalog.Withdraw
	}
	return answers[s.named[i]]
}

// recut finds the cuts at the present bias, and counts.
func (m *root) recut() {
	m.labels.cuts = cuts(m.score, m.labels.read)
	m.labels.listed = nil
	m.recount()
}

// cuts is the smallest logit at which each label holds.
func cuts(s model.Score, labels []label.Label) []float32 {
	out := make([]float32, len(labels))
	for i, l := range labels {
		out[i] = s.Cut(l.Cutoff(), adjust(l))
	}
	return out
}

// sameTexts reports whether two labels are embedded alike.
func sameTexts(a label.Label, at []string, b label.Label, bt []string) bool {
	return slices.Equal(a.Texts(at), b.Texts(bt)) && slices.Equal(a.NegativeTexts(), b.NegativeTexts())
}

// change replaces the label set and does everything that follows from it.
// Changes in a row that say the same kind are one step of undo; an empty kind
// always is a step of its own.
func (m *root) change(kind string, labels []label.Label) tea.Cmd {
	l := &m.labels
	if kind == "" || kind != l.last {
		l.history = append(l.history, step{set: l.set})
	}
	l.last = kind
	l.set.Labels = labels
	return m.changed()
}

func (m *root) changed() tea.Cmd {
	m.align()
	m.tallyPace.want(true)
	m.refilter(true)
	m.labels.changed, m.labels.seen = true, place{}
	if q := m.want.query.filters; len(q.Labels()) > 0 {
		if err := gallery.NewVocabulary(m.labels.set).Unknown(q); err != nil {
			m.warn(fmt.Errorf("%w; the search finds nothing by it", err))
		}
	}
	var classify tea.Cmd
	if slices.Contains(m.labels.columns, -1) {
		classify = m.classify()
	}
	return tea.Batch(classify, m.save())
}

// undo takes the last change of the labels, or the last answer, back.
func (m *root) undo() tea.Cmd {
	l := &m.labels
	n := len(l.history)
	if n == 0 {
		m.say("nothing to undo")
		return nil
	}
	last := l.history[n-1]
	l.history, l.last = l.history[:n-1], ""
	if last.answers != nil {
		return m.undoAnswers(last.answers)
	}
	at := m.labelAt()
	before := l.set
	l.set = last.set
	m.say("undone; " + plural(len(l.set.Labels), "label"))
	cmd := m.changed()
	// What has come back is chosen; for what is gone, what stands there now.
	back := slices.IndexFunc(l.set.Labels, func(own label.Label) bool { return before.Index(own.Name) < 0 })
	switch {
	case back >= 0:
		l.chosen = l.set.Labels[back].Name
	case l.chosen != "" && l.set.Index(l.chosen) < 0:
		l.chosen = ""
		m.chooseLabel(at)
	}
	return cmd
}

// addLabels adds the names of a comma list, except those that are there, and
// chooses the first of them. It reports whether the list could be read.
func (m *root) addLabels(list string) (cmd tea.Cmd, ok bool) {
	added, err := label.FromList(list)
	if err != nil {
		m.warn(err)
		return nil, false
	}
	labels := slices.Clone(m.labels.set.Labels)
	first := ""
	for _, l := range added.Labels {
		if m.labels.set.Index(l.Name) < 0 {
			labels = append(labels, l)
			if first == "" {
				first = l.Name
			}
		}
	}
	fresh := len(labels) - len(m.labels.set.Labels)
	if fresh == 0 {
		there := labels[m.labels.set.Index(added.Labels[0].Name)].Name
		m.labels.chosen, m.labels.changed = there, true
		m.say(clean(there) + " is there already")
		return nil, true
	}
	m.labels.chosen = first
	m.say("added " + plural(fresh, "label"))
	return m.change("", labels), true
}

// chosenLabel is the chosen label's place in the set, or -1, which it explains.
func (m *root) chosenLabel() int {
	if len(m.labels.set.Labels) == 0 {
		m.say("no labels yet: press a to add one")
		return -1
	}
	i := m.labels.set.Index(m.labels.chosen)
	if m.labels.chosen == "" || i < 0 {
		m.say("no label is chosen: press tab, then up or down")
		return -1
	}
	return i
}

// removeLabel removes the chosen label and chooses its neighbour in the list.
func (m *root) removeLabel() tea.Cmd {
	i := m.chosenLabel()
	if i < 0 {
		return nil
	}
	name := m.labels.set.Labels[i].Name
	next := ""
	if rows := m.rows(); len(rows) > 1 {
		at := slices.IndexFunc(rows, func(r labelRow) bool { return r.index == i })
		if at+1 < len(rows) {
			at++
		} else {
			at--
		}
		next = rows[at].Name
	}
	m.labels.chosen = next
	m.say("removed " + clean(name) + "; u brings it back")
	return m.change("", slices.Delete(slices.Clone(m.labels.set.Labels), i, i+1))
}

// thresholdBy moves the threshold of the chosen label to the next multiple of
// 0.05 in a direction, within 0.01 to 0.99.
func (m *root) thresholdBy(direction int) tea.Cmd {
	i := m.chosenLabel()
	if i < 0 {
		return nil
	}
	labels := slices.Clone(m.labels.set.Labels)
	l := &labels[i]
	const step = 0.05
	// Away from the present value even if it is a multiple itself.
	now := m.labels.read[i].Cutoff()
	k := math.Floor(now/step+1e-9) + 1
	if direction < 0 {
		k = math.Ceil(now/step-1e-9) - 1
	}
	l.Threshold = max(0.01, min(math.Round(k*step*100)/100, 0.99))
	m.say(fmt.Sprintf("threshold of %s: %.2f", clean(l.Name), l.Threshold))
	return m.change("threshold of "+l.Name, labels)
}

// labelRow is one label as the detail pane lists it.
type labelRow struct {
	label.Label
	index  int  // in the set
	tagged bool // the photo has it as a tag already
	answer catalog.Verdict
	known  bool
	logit  float32
	p      float64
	holds  bool
}

// rows lists all labels for the chosen photo, the most probable first; those
// that nothing is known of stand at the end, in the order of the set. The list
// is shared until the photo, the scores, the labels or the bias are others: to
// sort 10,000 labels takes longer than a frame.
func (m *root) rows() []labelRow {
	id := -1
	if it, ok := m.chosen(); ok {
		id = it.ID
	}
	if l := &m.labels; l.listed == nil || l.listedOf != id {
		l.listed, l.listedOf = m.sorted(id), id
	}
	return m.labels.listed
}

// sorted makes the rows of the photo of an ID; of none they are all unknown.
func (m *root) sorted(id int) []labelRow {
	l := &m.labels
	var logits []float32
	var answers map[string]catalog.Verdict
	if id >= 0 {
		answers = l.verdicts(m.answers.Of(m.photos.at(id).Content))
	}
	if m.scores != nil && id >= 0 {
		logits, _ = m.scores.Row(id)
	}
	rows := make([]labelRow, len(l.set.Labels))
	for i, own := range l.read {
		rows[i] = labelRow{Label: own, index: i, tagged: m.tagged(id, own)}
		rows[i].answer = l.answer(answers, i)
		if c := l.columns[i]; c >= 0 && c < len(logits) {
			r := &rows[i]
			r.known, r.logit = true, logits[c]
			r.p = m.score.Probability(r.logit, adjust(own))
			r.holds = r.logit >= l.cuts[i]
		}
	}
	sort.SliceStable(rows, func(a, b int) bool {
		x, y := rows[a], rows[b]
		if x.known != y.known {
			return x.known
		}
		if x.p != y.p {
			return x.p > y.p
		}
		return x.logit > y.logit // where probabilities round to 0 or 1
	})
	return rows
}

// say and warn put a message into the status line.
func (m *root) say(text string) { m.toast = toast{text: text} }

func (m *root) warn(err error) { m.toast = toast{text: clean(err.Error()), warn: true} }
