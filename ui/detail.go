package ui

import (
	"fmt"
	"math"
	"path"
	"slices"
	"strings"
	"time"

	"sigla/gallery"
	"sigla/gallery/catalog"
	"sigla/ui/chart"
)

const (
	labelHead = 1  // rows above the list of labels
	leastName = 12 // cells that a photo's name keeps beside facts about it
)

// labelRows is how many labels the list shows at once; a line below it says
// what else there is.
func (l *layout) labelRows() int { return max(0, l.labels.h-labelHead-1) }

// detail draws the right pane.
func (m *root) detail() []string {
	l := m.lay
	it, ok := m.chosen()
	lines := make([]string, 0, l.right.h)
	add := func(more []string) {
		for _, s := range more {
			lines = append(lines, " "+s+" ")
		}
	}
	if !m.large {
		if ok {
			add(m.picture(it, l.picture.w, l.picture.h))
		} else {
			add(centred(nil, l.picture.w, l.picture.h))
		}
		add([]string{spaces(l.picture.w)})
	}
	if ok {
		add(m.facts(it, l.facts.w, l.facts.h))
	} else {
		add(centred(nil, l.facts.w, l.facts.h))
	}
	add(m.labelList(l.labels.w, l.labels.h))
	add(m.biasLines(l.bias.w, l.bias.h))
	return lines
}

// picture draws a photo as large as it fits, or says why it cannot.
func (m *root) picture(it gallery.Photo, w, h int) []string {
	if lines, ok := m.pics.draw(it.ID, w, h, m.pictureStyle()); ok {
		return lines
	}
	err := m.failure(it)
	if err == nil {
		return m.field(w, h, "", m.theme.rule)
	}
	text := []string{m.theme.warn.on("✗ cannot be read")}
	for _, s := range wrap(clean(err.Error()), max(1, w-4)) {
		text = append(text, m.theme.quiet.on(s))
	}
	return centred(text, w, h)
}

// facts are two lines. The first has name, size in pixels and bytes, when it was
// taken, or else when the file was written. The name comes first: for it the
// time of day is left out, then the date, then the size. The second has the tags
// in the photo's files.
func (m *root) facts(it gallery.Photo, w, h int) []string {
	size, name := fileSize(it.Size), clean(it.Name)
	for _, twin := range it.Twins {
		size += " + " + clean(strings.ToUpper(strings.TrimPrefix(path.Ext(twin), ".")))
	}
	if it.Info.Width > 0 {
		size = fmt.Sprintf("%d×%d  %s", it.Info.Width, it.Info.Height, size)
	}
	type choice struct {
		facts string
		least int // cells that the name must have beside it
	}
	whole := width(name)
	choices := []choice{{size, min(whole, leastName)}, {"", 0}}
	if taken := it.Info.Taken; !taken.IsZero() {
		choices = slices.Insert(choices, 0,
			choice{size + "  " + taken.Format("2006-01-02 15:04"), min(whole, 2*leastName)},
			choice{size + "  " + taken.Format(time.DateOnly), min(whole, leastName)})
	} else if !it.Modified.IsZero() {
		choices = slices.Insert(choices, 0, choice{size + "  modified " + it.Modified.Format(time.DateOnly), whole})
	}
	fits := slices.IndexFunc(choices, func(c choice) bool { return w-width(c.facts)-2 >= c.least })
	facts := choices[fits].facts // the last one fits into any pane
	room := w - width(facts) - 2
	var l line
	l.add(m.theme.strong, left(clipPath(name, room), room)).add("", "  ").add(m.theme.quiet, facts)
	lines := make([]string, h)
	for i := range lines {
		lines[i] = spaces(w)
	}
	if h > 1 {
		lines[0], lines[1] = l.fit(w), m.tagLine(it, w)
	}
	return lines
}

// date is when a photo was taken or, if it does not say, its file was written.
func date(it gallery.Photo) time.Time {
	if taken := it.Info.Taken; !taken.IsZero() {
		return taken
	}
	return it.Modified
}

// columns of the list of labels, in cells: the sign of the chosen one, the
// name, the probability, the bar, the logit, the mark, and for how many photos
// the label holds, if there is room.
type columns struct{ name, bar, count int }

const (
	signCells  = 2
	pCells     = 6 // " 0.93 "
	logitCells = 7 // "  -2.0 "
	markCells  = 1
)

func newColumns(w int) columns {
	c := columns{}
	if w >= 44 {
		c.count = 7
	}
	rest := w - signCells - pCells - logitCells - markCells - c.count
	// A name is worth more than a longer bar.
	c.name = max(min(10, rest/2), min(22, rest-12))
	c.bar = max(1, rest-c.name)
	return c
}

// labelList draws one bar per label for the chosen photo.
func (m *root) labelList(w, h int) []string {
	t, c := m.theme, newColumns(w)
	if h < labelHead+2 {
		return centred(nil, w, h)
	}
	if len(m.labels.set.Labels) == 0 {
		return centred([]string{
			t.strong.on("No labels yet"), "",
			"a" + t.quiet.on(" adds some: cat, dog, beach at sunset"),
		}, w, h)
	}
	var head line
	head.add(t.quiet, spaces(signCells)+left("label", c.name)+right("p ", pCells)+spaces(c.bar)+right("logit ", logitCells))
	if c.count > 0 {
		head.add(t.quiet, right("photos", markCells+c.count))
	}
	lines := []string{head.fit(w)}

	rows, n := m.rows(), h-labelHead-1
	top := min(m.labels.top, len(rows))
	shown := rows[top:min(len(rows), top+n)]
	it, ok := m.chosen()
	failed := ok && m.failure(it) != nil
	for _, r := range shown {
		lines = append(lines, m.labelLine(r, failed, c, w))
	}
	for len(lines) < h-1 {
		lines = append(lines, spaces(w))
	}
	return append(lines, m.restLine(rows[:top], rows[top+len(shown):], w))
}

func (m *root) labelLine(r labelRow, failed bool, c columns, w int) string {
	t := m.theme
	sign, field := " ", ink("")
	if r.Name == m.labels.chosen {
		sign = "▸"
		if m.focus == onLabels {
			field = t.chosen
		}
	}
	var l line
	l.add(t.accent, sign).add("", " ").add(field, left(clean(r.Leaf()), c.name))
	if !r.known {
		sign := "… "
		if failed {
			sign = "– "
		}
		l.add(t.quiet, right(sign, pCells))
		if mark, k := m.labelMark(r); mark != "○" {
			l.to(l.cells+c.bar+logitCells).add(k, mark)
		}
		return l.fit(w)
	}
	bar, notch := t.quiet, t.quiet
	if r.holds && r.answer != catalog.Reject {
		bar, notch = t.accent, t.chosen
	}
	mark, markInk := m.labelMark(r)
	before, at, after := chart.Meter(r.p, r.Cutoff(), c.bar)
	l.add("", fmt.Sprintf("%*.2f ", pCells-1, r.p))
	l.add(bar, before).add(notch, at).add(bar, after)
	l.add("", fmt.Sprintf("%*.1f ", logitCells-1, r.logit)).add(markInk, mark)
	if n := m.tally.perLabel[r.index]; n >= 0 && c.count > 0 {
		l.add(t.quiet, right(count(n), c.count))
	}
	return l.fit(w)
}

// labelMark says what is known of a label of the photo: ✓ a person set it, ✗ a
// person rejected it, ● it holds by the model, ○ it does not.
func (m *root) labelMark(r labelRow) (string, ink) {
	switch {
	case r.answer == catalog.Reject:
		return "✗", m.theme.warn
	case r.answer == catalog.Accept, r.tagged:
		return "✓", m.theme.accent
	case r.holds:
		return "●", m.theme.accent
	}
	return "○", m.theme.quiet
}

// restLine says what of the list is not on screen.
func (m *root) restLine(above, below []labelRow, w int) string {
	var parts []string
	if len(above) > 0 {
		parts = append(parts, fmt.Sprintf("%d above", len(above)))
	}
	if len(below) > 0 {
		s := fmt.Sprintf("%d more", len(below))
		if below[0].known {
			s += fmt.Sprintf(" below %.2f", (math.Floor(below[0].p*100)+1)/100)
		}
		parts = append(parts, s)
	}
	if len(parts) == 0 {
		return spaces(w)
	}
	return m.theme.quiet.on(left("  … "+strings.Join(parts, ", "), w))
}
