package ui

import (
	"fmt"
	"strings"

	"sigla/gallery/sidecar"
	"sigla/ui/chart"
)

// The page of tags has a summary, a list of sidecars, a rule, and what is to be
// said of the chosen one.

const tagHead = 4 // lines of the summary, with an empty one

// tagDetailRows is how many lines the chosen row is described in.
func (m *root) tagDetailRows() int { return max(5, min((m.lay.h-4)*2/5, 14)) }

// tagRows is how many rows the list shows at once.
func (m *root) tagRows() int { return max(1, m.lay.h-4-tagHead-1-m.tagDetailRows()) }

// tagLines draws the page and the rule below it.
func (m *root) tagLines() []string {
	w, h := m.lay.w, m.lay.h-4
	lines := m.tagSummary(w)
	lines = append(lines, m.tagList(w, m.tagRows())...)
	place := ""
	t := &m.tags
	if n := len(t.draft.rows); n > 0 {
		place = right(count(t.at+1), width(count(n))) + " of " + count(n)
	}
	word := ""
	if t.at < len(t.draft.rows) {
		word = clipPath(t.draft.rows[t.at].file, w/2)
		if t.explain {
			word = "why: " + word
		}
	}
	lines = append(lines, m.caption(word, place, w))
	detail := m.detailLines(w, h-len(lines))
	for i := range h - len(lines) {
		if i < len(detail) {
			lines = append(lines, detail[i])
		} else {
			lines = append(lines, spaces(w))
		}
	}
	return append(lines[:h], m.caption(m.tagFoot(w), "", w))
}

// tagFoot is what the keys do, as much as has room.
func (m *root) tagFoot(w int) string {
	names := []string{"apply", "undo last", "explain", "export", "model too"}
	if m.tags.writing.running() {
		names = []string{"stop writing"}
	}
	var foot string
	for _, name := range names {
		next := keyOf(name) + " " + name
		if foot != "" {
			next = foot + " · " + next
		}
		if width(next) > w-4 {
			break
		}
		foot = next
	}
	return foot
}

// tagSummary says in four lines how much would be written, who shows it, whose
// word counts, and what is going on.
func (m *root) tagSummary(w int) []string {
	t, d := m.theme, &m.tags.draft
	var first, second, third, fourth line
	first.add("", " ")
	switch {
	case d.err != nil:
		first.add(t.warn, "✗ "+clipReason(clean(d.err.Error()), w-4))
	case d.planner == nil:
		first.add(t.quiet, "looking at what is to be written")
	case d.fresh+d.changed == 0:
		first.add(t.strong, "Nothing to write").add(t.quiet, clip("  "+m.nothingWords(), w-first.cells-1))
	default:
		first.add(t.strong, plural(d.fresh+d.changed, "sidecar")).add(t.quiet, fmt.Sprintf(": %s new, %s changed", count(d.fresh), count(d.changed)))
		first.add("", "   ").add(t.accent, "+"+count(d.added)).add("", " -"+count(d.removed)).add(t.quiet, " tags")
		if rest := fmt.Sprintf("   %s of %s", count(d.touched), m.scopeWords()); first.cells+width(rest) < w {
			first.add(t.quiet, rest)
		}
	}
	second.add("", " ").add(t.quiet, m.showingWords(w-2))
	third.add("", " ").add(t.quiet, "from  ").add(t.accent, "✓").add("", " your answers   ")
	end := "   " + keyOf("model too") + " counts them, too"
	if m.tags.byModel {
		end = "   " + keyOf("model too") + " leaves these out"
		third.add(t.accent, "●").add("", " the model's labels")
	} else {
		third.add(t.quiet, "○ not the model's labels")
	}
	if third.cells+width(end) > w {
		end = "   " + keyOf("model too")
	}
	third.add(t.quiet, end)
	m.tagNews(&fourth, w)
	return []string{first.fit(w), second.fit(w), third.fit(w), fourth.fit(w)}
}

// scopeWords says which photos were looked at.
func (m *root) scopeWords() string {
	d := &m.tags.draft
	if d.marked {
		return count(d.photos) + " marked photos"
	}
	return plural(d.photos, "photo") + " listed"
}

// nothingWords teaches what would give something to write.
func (m *root) nothingWords() string {
	return fmt.Sprintf("for %s: %s accepts a label, %s rejects it", m.scopeWords(), keyOf("accept"), keyOf("reject"))
}

// showingWords says which programs will show what is added, in at most w cells.
func (m *root) showingWords(w int) string {
	d := &m.tags.draft
	if d.added == 0 {
		return ""
	}
	var all, some []string
	for _, r := range sidecar.Readers {
		switch n := d.showing[r]; {
		case n == d.touched:
			all = append(all, string(r))
		case n > 0:
			some = append(some, fmt.Sprintf("%s %s of %s", r, count(n), count(d.touched)))
		default:
			some = append(some, string(r)+" none")
		}
	}
	except := strings.Join(some, ", ")
	if len(all) == 0 {
		return clip("shown by "+except, w)
	}
	text := strings.Join(all, ", ") + " show all of it"
	if except != "" {
		text += "; " + except
	}
	if width(text) > w && except != "" {
		text = "all programs show it, but " + except
	}
	return clip(text, w)
}

// tagNews is the line of what is asked, under way, or has failed.
func (m *root) tagNews(l *line, w int) {
	t, s := m.theme, &m.tags
	l.add("", " ")
	var parts []string
	switch {
	case s.question != "":
		l.add(t.strong, clip(s.question, w-12)).add(t.accent, "  y").add("", " yes")
		return
	case s.writing.running():
		l.add(t.accent, "● ").add("", s.writing.words()+"  ")
		if of := s.writing.of; of > 0 && w-l.cells > 12 {
			bar, end, _ := chart.Meter(float64(s.writing.done)/float64(of), 1, min(24, w-l.cells-2))
			l.add(t.accent, bar).add(t.rule, end)
		}
		return
	}
	if n := len(s.failed); n > 0 {
		first := s.failed[0]
		parts = append(parts, fmt.Sprintf("✗ %s not written (%s lists them): %s: %s", count(n), keyOf("problems"), lastOf(clean(first.Path)), clean(first.Err.Error())))
	}
	if s.note != "" {
		parts = append(parts, s.note)
	}
	if n := s.draft.refused; n > 0 {
		parts = append(parts, "✗ "+plural(n, "photo")+" refused")
	}
	if n := s.draft.missing; n > 0 {
		parts = append(parts, "✗ "+plural(n, "tag")+" taken out elsewhere: "+keyOf("apply")+" has that remembered")
	}
	l.add(t.warn, clip(strings.Join(parts, " · "), w-2))
}

// tagList draws the rows that are on screen.
func (m *root) tagList(w, n int) []string {
	t := &m.tags
	lines := make([]string, 0, n)
	for row := t.top; row < t.top+n; row++ {
		if row >= len(t.draft.rows) {
			lines = append(lines, spaces(w))
			continue
		}
		lines = append(lines, m.tagLineOf(t.draft.rows[row], row == t.at, w))
	}
	return lines
}

func (m *root) tagLineOf(r tagRow, chosen bool, w int) string {
	t := m.theme
	cells := min(40, w*2/5)
	field, edge := ink(""), " "
	if chosen {
		field, edge = t.chosen, "▌"
	}
	var l line
	l.add(t.accent, edge).add(field, left(clipPath(r.file, cells), cells)).add("", " ")
	if w >= 90 {
		l.add(t.quiet, left(r.what, 9))
	}
	if r.said != "" {
		l.add(t.warn, clip("✗ "+clean(r.said), w-l.cells-1))
		return l.fit(w)
	}
	m.tagWords(&l, "+", r.added, w)
	m.tagWords(&l, "-", r.removed, w)
	if len(r.added)+len(r.removed) == 0 {
		l.add(t.quiet, clip("fields are made to agree", w-l.cells-1))
	}
	return l.fit(w)
}

// tagWords writes tags with the signs of who wants them so.
func (m *root) tagWords(l *line, sign string, words []tagWord, w int) {
	for i, word := range words {
		if i == 0 {
			l.add(m.theme.strong, clip(sign+" ", w-l.cells-1))
		}
		k := m.theme.accent
		if word.sign == "✗" {
			k = m.theme.warn
		} else if word.sign == "○" {
			k = m.theme.quiet
		}
		rest := w - l.cells - 1
		l.add(k, clip(word.sign, rest)).add("", clip(word.label+"  ", max(0, rest-1)))
	}
}
