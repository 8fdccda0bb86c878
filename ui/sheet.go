package ui

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"sigla/gallery"
	"sigla/gallery/catalog"
	"sigla/gallery/label"
	"sigla/model"
)

// sheet draws the contact sheet: the lines of the left pane.
func (m *root) sheet() []string {
	r, g := m.lay.left, m.lay.grid
	if m.shown() == 0 {
		return m.noPhotos(r.w, r.h)
	}
	lines := make([]string, 0, r.h)
	cells := make([][]string, g.cols)
	for row := m.top; row < m.top+g.rows; row++ {
		for col := range cells {
			cells[col] = m.cell(row*g.cols + col)
		}
		for i := range g.cellH {
			var l line
			for col, cell := range cells {
				l.to(g.column(col))
				if cell != nil {
					l.raw(cell[i], g.cellW)
				}
			}
			lines = append(lines, l.fit(r.w))
		}
	}
	for len(lines) < r.h {
		lines = append(lines, spaces(r.w))
	}
	return lines
}

// cell draws the photo at a position in the grid's cell size: the upper edge
// of the frame, the picture, the name, the labels. The frame is there only
// around the chosen one; the name, as a filled field, is its lower edge.
func (m *root) cell(position int) []string {
	if position >= m.shown() {
		return nil
	}
	g, t := m.lay.grid, m.theme
	w := g.cellW
	it := m.photos.at(m.photo(position))
	frame, field := ink(""), ink("")
	edge, side, other := spaces(w), " ", " "
	if position == m.cursor {
		frame, field = t.accent, t.chosen
		if m.focus != onPhotos {
			frame, field = t.rule, t.faded
		}
		edge = frame.on("▗" + strings.Repeat("▄", w-2) + "▖")
		side, other = frame.on("▐"), frame.on("▌")
	}
	head, marked := " ", m.marked(position)
	if marked {
		head = "■"
		if position != m.cursor {
			side = t.accent.on("▎")
		}
	}
	lines := make([]string, 0, g.cellH)
	lines = append(lines, edge)
	for _, row := range m.thumbnail(it) {
		lines = append(lines, side+row+other)
	}
	mark, markInk := m.mark(it)
	name := left(clipName(clean(title(it)), w-4), w-4)
	var caption line
	if field != "" {
		caption.add(field, head+name+" "+mark+" ")
	} else {
		caption.add(t.accent, head).add("", name+" ").add(markInk, mark).add("", " ")
	}
	lines = append(lines, caption.fit(w))
	var below line
	below.add("", " ")
	m.belowName(&below, it, w-2)
	return append(lines, below.fit(w))
}

// title is the name of a photo without folder and extension, which the detail
// pane has.
func title(it gallery.Photo) string {
	base := path.Base(it.Name)
	if name := strings.TrimSuffix(base, path.Ext(base)); name != "" {
		return name
	}
	return base
}

// mark says in one sign what is known of a photo.
func (m *root) mark(it gallery.Photo) (string, ink) {
	if it.Unreachable {
		return "⊘", m.theme.quiet
	}
	if m.failure(it) != nil {
		return "✗", m.theme.warn
	}
	answers := m.labels.verdicts(m.answers.Of(it.Content))
	if len(answers) > 0 && m.labels.answer(answers, m.labels.at()) == catalog.Reject { // it was asked about last
		return "✗", m.theme.warn
	}
	if it.Tagged || accepts(answers) {
		return "✓", m.theme.accent
	}
	if m.scores != nil {
		if row, ok := m.scores.Row(it.ID); ok {
			if tagged, _ := m.labels.holds(row); tagged && (len(answers) == 0 || len(m.held(it)) > 0) {
				return "●", m.theme.accent
			}
			return "○", m.theme.quiet
		}
	}
	return " ", ""
}

// failure is why a photo cannot be shown or scored, or nil.
func (m *root) failure(it gallery.Photo) error {
	if it.Err != nil {
		return it.Err
	}
	return m.pics.broken[it.ID]
}

// thumbnail draws a photo in the grid's picture size.
func (m *root) thumbnail(it gallery.Photo) []string {
	cols, rows := m.lay.grid.picture()
	if lines, ok := m.pics.draw(it.ID, cols, rows, m.pictureStyle()); ok {
		return lines
	}
	if m.failure(it) != nil {
		return m.field(cols, rows, "✗ unreadable", m.theme.warn)
	}
	return m.field(cols, rows, "", m.theme.rule)
}

// field stands where a picture is not there: an even, quiet area with a word.
func (m *root) field(w, h int, word string, k ink) []string {
	lines := make([]string, h)
	for i := range lines {
		lines[i] = m.theme.rule.on(strings.Repeat("░", w))
	}
	if word != "" && h > 0 {
		word = " " + clip(word, w-2) + " "
		start := max(0, (w-width(word))/2)
		var l line
		l.add(m.theme.rule, strings.Repeat("░", start)).add(k, word)
		l.add(m.theme.rule, strings.Repeat("░", max(0, w-l.cells)))
		lines[h/2] = l.fit(w)
	}
	return lines
}

// belowName writes what stands below a name: the labels that hold, or how well
// the photo fits the search.
func (m *root) belowName(l *line, it gallery.Photo, w int) {
	t := m.theme
	err := m.failure(it)
	switch {
	case it.Unreachable:
		l.add(t.quiet, clip("out of reach", w))
	case err != nil:
		// The reason without the photo's name, which stands above.
		if _, reason, ok := strings.Cut(err.Error(), it.Path+": "); ok {
			l.add(t.warn, clip(clean(reason), w))
		}
	case m.list.cosines != nil:
		cosine := m.list.cosines[it.ID]
		text := fmt.Sprintf("cos %.3f", cosine)
		// A probability is that of a text; between photos there is none.
		if p := m.score.Probability(m.score.Logit(cosine), model.Adjust{}); !m.list.query.photo {
			if both := fmt.Sprintf("p %.2f  %s", p, text); width(both) <= w {
				text = both
			}
		}
		l.add(t.quiet, clip(text, w))
	case it.State == gallery.Waiting && !m.scored(it.ID):
		word := "embedding"
		if m.enc == nil || m.labels.set.Labels == nil {
			word = "waiting"
		}
		l.add(t.rule, clip(word, w))
	default:
		m.labelWords(l, it, w)
	}
}

// scored reports whether the labels are known of a photo, which may have been
// learnt since it was seen last.
func (m *root) scored(id int) bool {
	if m.scores == nil {
		return false
	}
	_, ok := m.scores.Row(id)
	return ok
}

// labelWords writes the labels that a photo has: those that a person accepted,
// the chosen one if a person rejected it, and those that hold by the model.
func (m *root) labelWords(l *line, it gallery.Photo, w int) {
	end := l.cells + w
	add := func(k ink, word string) {
		if l.cells > end-w {
			word = " " + word
		}
		l.add(k, clip(word, end-l.cells))
	}
	answers := m.answers.Of(it.Content)
	for _, d := range m.labels.said(answers) {
		if d.Verdict == catalog.Accept {
			add(m.theme.accent, "✓"+clean(label.Label{Name: d.Label}.Leaf()))
		}
	}
	if i := m.labels.at(); len(answers) > 0 && m.labels.answer(m.labels.verdicts(answers), i) == catalog.Reject {
		add(m.theme.warn, "✗"+clean(m.labels.set.Labels[i].Leaf()))
	}
	for _, name := range m.held(it) {
		add(m.theme.quiet, name)
	}
}

// held are the names of the labels that hold for a photo by the model, the most
// probable first, without those that a person has answered.
func (m *root) held(it gallery.Photo) []string {
	if m.scores == nil {
		return nil
	}
	row, _ := m.scores.Row(it.ID)
	answers := m.labels.verdicts(m.answers.Of(it.Content))
	type tag struct {
		name string
		p    float64
	}
	var tags []tag
	for i, c := range m.labels.columns {
		if c >= 0 && c < len(row) && row[c] >= m.labels.cuts[i] {
			own := m.labels.read[i]
			if m.labels.answer(answers, i) != catalog.Withdraw {
				continue
			}
			tags = append(tags, tag{clean(own.Leaf()), m.score.Probability(row[c], adjust(own))})
		}
	}
	slices.SortStableFunc(tags, func(a, b tag) int { return cmp.Compare(b.p, a.p) })
	names := make([]string, len(tags))
	for i := range tags {
		names[i] = tags[i].name
	}
	return names
}

// accepts reports whether a person accepted any label.
func accepts(answers map[string]catalog.Verdict) bool {
	for _, v := range answers {
		if v == catalog.Accept {
			return true
		}
	}
	return false
}

// noPhotos teaches what to do when there is nothing to show.
func (m *root) noPhotos(w, h int) []string {
	t := m.theme
	var text []string
	switch {
	case m.scanning:
		text = []string{t.quiet.on("looking for photos in " + clipPath(m.places(), max(8, w-28)))}
	case m.list.query.text != "":
		text = []string{t.strong.on("No photo matches"), "", t.quiet.on("Esc goes back, / asks for something else")}
	default:
		text = []string{
			t.strong.on("No photos here"),
			"",
			t.quiet.on("looked in " + clipPath(m.places(), max(8, w-16))),
			t.quiet.on("and its folders for JPEG, PNG, GIF, WebP, TIFF, BMP and camera raw"),
			"",
			"sigla FOLDER" + t.quiet.on(" looks elsewhere"),
			"sigla demo" + t.quiet.on("   shows the built-in photos"),
		}
		if s := m.leftOut.String(); s != "" {
			text = append(text, "", t.quiet.on(clip("left out: "+s, max(8, w-4))))
		}
		if len(m.skipped) > 0 || m.scanErr != nil {
			text = append(text, "", t.warn.on("✗ some could not be read: ! says which and why"))
		}
	}
	return centred(text, w, h)
}

// places names where photos were looked for.
func (m *root) places() string { return clean(m.o.Title) }

// centred puts painted lines into the middle of w × h, aligned on the left.
func centred(text []string, w, h int) []string {
	widest := 0
	for _, s := range text {
		widest = max(widest, width(s))
	}
	lines := make([]string, h)
	top := max(0, (h-len(text))/2)
	for i := range lines {
		var l line
		if j := i - top; j >= 0 && j < len(text) {
			l.to(max(0, (w-widest)/2)).raw(text[j], width(text[j]))
		}
		lines[i] = l.fit(w)
	}
	return lines
}
