package ui

import (
	"fmt"
	"math"
	"path"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"
)

// view draws the whole screen: exactly h lines of exactly w cells.
func (m *root) view() tea.View {
	v := tea.View{AltScreen: true, MouseMode: tea.MouseModeCellMotion, WindowTitle: "sigla " + m.places()}
	lines, cursor := m.screen()
	v.Content = strings.Join(lines, "\n")
	if cursor >= 0 {
		v.Cursor = tea.NewCursor(cursor, m.h-1)
		v.Cursor.Shape = tea.CursorBar
	}
	return v
}

// screen returns the lines, and the column of the text cursor in the last one
// or -1.
func (m *root) screen() (lines []string, cursor int) {
	if m.w <= 0 || m.h <= 0 {
		return nil, -1
	}
	if !m.lay.usable() {
		return m.tooSmall(), -1
	}
	l := m.lay
	lines = append(make([]string, 0, l.h), m.header(), m.rule("┬"))
	if m.overlay == overlayTags {
		lines[1] = m.theme.rule.on(strings.Repeat("─", l.w))
		lines = append(lines, m.tagLines()...)
	} else if m.overlay.isPage() {
		lines[1] = m.theme.rule.on(strings.Repeat("─", l.w))
		lines = append(lines, m.overlayLines()...)
	} else {
		lines = append(lines, m.body()...)
		lines = append(lines, m.ruler())
		switch m.overlay {
		case overlaySort:
			m.putPanel(m.sortPanel(), lines)
		case overlayJobs:
			m.putPanel(m.jobsPanel(), lines)
		case overlayTrain:
			m.putPanel(m.trainPanel(), lines)
		}
	}
	if m.prompt != nil && m.prompt.completions != nil {
		m.putPanel(m.prompt.panel(m.theme, l.w), lines)
	}
	if m.prompt != nil {
		line, x := m.promptLine(l.w)
		return append(lines, line), x
	}
	return append(lines, m.status()), -1
}

// tooSmall fills any terminal below the least size, down to one cell, with as
// much of the reason, and of the way out, as has room.
func (m *root) tooSmall() []string {
	var text []string
	for _, s := range []string{
		fmt.Sprintf("sigla needs %d×%d cells; q quits", leastWidth, leastHeight),
		fmt.Sprintf("%d×%d; q quits", leastWidth, leastHeight), "q quits", "q",
	} {
		text = wrap(s, m.w)
		if len(text) <= m.h && len(strings.Join(text, " ")) == len(s) { // no word is cut
			break
		}
	}
	lines := make([]string, m.h)
	top := max(0, (m.h-len(text))/2)
	for i := range lines {
		s := ""
		if j := i - top; j >= 0 && j < len(text) {
			s = text[j]
		}
		lines[i] = left(s, m.w)
	}
	return lines
}

// rule is a thin line across, with a joint where the panes meet.
func (m *root) rule(joint string) string {
	l := m.lay
	s := strings.Repeat("─", l.left.w)
	if l.right.w > 0 {
		s += joint + strings.Repeat("─", l.right.w)
	}
	return m.theme.rule.on(s)
}

// ruler is the rule below the panes; on it stands where we are in the left one.
func (m *root) ruler() string {
	l := m.lay
	place := ""
	if m.overlay == overlayFolders {
		place = m.foldersPlace()
	} else if n := m.shown(); n > 0 {
		place = right(count(m.cursor+1), width(count(n))) + " of " + count(n)
		if m.marked(m.cursor) {
			place = "■ " + place
		}
		if words := m.markWords(); words != "" {
			place = words + " · " + place
		}
	}
	s := m.caption("", place, l.left.w)
	if l.right.w > 0 {
		s += m.theme.rule.on("┴" + strings.Repeat("─", l.right.w))
	}
	return s
}

// body joins the panes.
func (m *root) body() []string {
	l := m.lay
	var lines []string
	if m.overlay == overlayFolders {
		lines = m.folderList(l.left.w, l.left.h)
	} else if m.large {
		if it, ok := m.chosen(); ok {
			for _, s := range m.picture(it, l.picture.w, l.picture.h) {
				lines = append(lines, " "+s+" ")
			}
		} else {
			lines = m.noPhotos(l.left.w, l.left.h)
		}
	} else {
		lines = m.sheet()
	}
	if l.right.w > 0 {
		bar := m.theme.rule.on("│")
		for i, s := range m.detail() {
			lines[i] += bar + s
		}
	} else {
		for _, s := range m.biasLines(l.bias.w, l.bias.h) {
			lines = append(lines, " "+s+" ")
		}
	}
	return lines
}

// header is the first line: where we are, how many, and what to press.
func (m *root) header() string {
	t, w := m.theme, m.lay.w
	var l line
	l.add("", " ").add(t.strong, "sigla").add("", "  ")
	var facts []string
	warning := ""
	facts = []string{m.sheetWords()}
	if m.o.Replay != nil {
		facts = []string{"a run of the past"}
	}
	if m.list.query.text == "" {
		if m.list.folder.any() && m.tally.scored > 0 && len(m.labels.set.Labels) > 0 {
			facts = append(facts, count(m.tally.untagged)+" untagged")
		}
		if n := m.progress.Failed + len(m.skipped); n > 0 {
			warning = " · ✗ " + count(n) + " unreadable"
		}
	}
	if m.labels.saveErr != nil {
		warning += " · ✗ labels not saved"
	}
	where := m.trail(m.list.folder)
	if text := m.list.query.text; text != "" {
		in := ""
		if !m.list.folder.any() {
			in = " in " + clean(path.Base(where))
		}
		where = "“" + clean(text) + "”" + in
	}
	said := strings.Join(facts, " · ")
	// The hints give way to the place, the least important first; ? has all.
	hints := m.hints()
	room := func() int {
		return w - l.cells - width(said+warning) - 3 - width(strings.Join(hints, "   ")) - 4
	}
	for len(hints) > 1 && room() < min(width(where), 24) {
		hints = hints[1:]
	}
	cut := clipPath
	if m.list.query.text != "" {
		cut = clip
	}
	if room() < min(width(where), 8) {
		said = facts[0]
	}
	l.add(t.accent, cut(where, max(8, room()))).add("", "   ").add(t.quiet, said).add(t.warn, warning)
	shown := strings.Join(hints, "   ") + " "
	l.to(w-width(shown)).add(t.quiet, shown)
	return l.fit(w)
}

// sheetWords says how many photos the sheet has, and in which order.
func (m *root) sheetWords() string {
	said := plural(m.shown(), "photo")
	if !m.list.folder.any() || m.list.query.filters.Filtered() {
		said = count(m.shown()) + " of " + plural(m.photos.len(), "photo")
	}
	if order := m.list.ordered().words(); order != "" {
		said += ", " + order
	}
	if confident := m.confidence(); confident != "" {
		said += " · " + confident
	}
	return said
}

// hints are the keys that help most right now, the most important last.
func (m *root) hints() []string {
	const bias = "[ ] bias"
	switch {
	case m.overlay == overlayFolders:
		return []string{"← → open", "Enter look into", "Esc back"}
	case m.overlay == overlayTraining && m.train.plan.Recorded:
		return []string{"esc leave"}
	case m.overlay == overlayTraining:
		return []string{"esc photos", hint("keys")}
	case m.overlay == overlayTags:
		return []string{"Enter photo", hint("back"), hint("keys")}
	case m.overlay.isPage():
		return []string{hint("back")}
	case m.marks.n > 0:
		return []string{hint("undo"), hint("tags"), "esc none", keyOf("accept") + " " + keyOf("reject") + " accept, reject", hint("keys")}
	case m.focus == onLabels:
		return []string{"tab photos", keyOf("accept") + " " + keyOf("reject") + " accept, reject", hint("tags"), hint("undo"), hint("remove"), hint("add"), "{ } threshold", hint("keys")}
	case m.large:
		return []string{bias, "tab labels", "esc sheet", hint("keys")}
	case m.list.query.text != "":
		return []string{hint("large"), hint("sort"), hint("search"), "esc folder", hint("keys")}
	case !m.list.folder.any():
		return []string{hint("sort"), hint("folders"), hint("search"), "esc up", hint("keys")}
	}
	return []string{hint("folders"), hint("sort"), hint("large"), "tab labels", bias, hint("search"), hint("keys")}
}

// part is a piece of the status line, with shorter texts for it; the last may
// be empty, and then the piece is left out.
type part struct {
	k     ink
	texts []string // at most maxTexts
}

const maxTexts = 5

// status is the last line: model, device, t and b, δ, how much is embedded,
// what is running; at its end the latest message, or else the hint. Where that
// has no room, parts give way as a whole, so that no number is cut.
func (m *root) status() string {
	t, w := m.theme, m.lay.w
	parts := m.statusParts()
	need := func() int {
		n := 1
		for _, p := range parts {
			if p.texts[0] != "" {
				n += width(p.texts[0]) + 3
			}
		}
		return n - 2
	}
	if m.toast.text == "" && w-need()-3 >= min(width(m.o.Hint), 24) {
		parts = append(parts, part{t.quiet, []string{clip(m.o.Hint, w-need()-3)}})
	}
	if m.toast.text != "" {
		// A message is read now: it may push out what is always there.
		message := part{"", []string{m.toast.line()}}
		if m.toast.warn {
			message.k = t.warn
		}
		parts = append(parts, message)
	}
	// By turns, and what never changes before what is running.
	for turn := 0; turn < len(parts)*maxTexts && need() > w; turn++ {
		if p := &parts[turn%len(parts)]; len(p.texts) > 1 {
			p.texts = p.texts[1:]
		}
	}
	if name := &parts[0].texts[0]; m.enc != nil && *name == clean(m.info.Name) {
		if kind := *name + " · " + deviceKind(clean(m.device)); need()-width(*name)+width(kind) <= w {
			*name = kind
		}
	}
	var l line
	l.add("", " ")
	first := true
	for _, p := range parts {
		if p.texts[0] == "" {
			continue
		}
		if !first {
			l.add(t.rule, " │ ")
		}
		first = false
		l.add(p.k, clipSaid(p.texts[0], w-l.cells-1))
	}
	return l.fit(w)
}

// statusParts are those that are always there: model, scale, what is running.
func (m *root) statusParts() []part {
	t := m.theme
	model, scale := part{t.quiet, []string{"loading the model", ""}}, part{"", []string{""}}
	switch {
	case m.loadErr != nil:
		model = part{t.warn, []string{"✗ " + clean(m.loadErr.Error())}}
		if m.toast.text != "" {
			model.texts = append(model.texts, "")
		}
	case m.enc != nil:
		name := clean(m.info.Name)
		model.texts = []string{name + " · " + clean(m.device), name, ""}
		scale.texts = []string{m.scale(), fmt.Sprintf("δ %+.1f", m.score.Delta), ""}
	}
	return []part{model, scale, {t.quiet, m.running()}}
}

// deviceKind is a device without its name, "gpu · f32" of "gpu A CARD · f32": what
// there is room for.
func deviceKind(device string) string {
	kind, _, _ := strings.Cut(device, " ")
	if i := strings.Index(device, " · "); i >= 0 {
		return kind + device[i:]
	}
	return kind
}

// scale shows the checkpoint's t = exp(t') and b, and what the user adds.
func (m *root) scale() string {
	t := math.Exp(float64(m.score.LogScale))
	s := fmt.Sprintf("t %.1f", t)
	if m.o.Temperature > 0 {
		s += fmt.Sprintf("→%.1f", m.o.Temperature)
	}
	if m.odds != nil {
		return s + fmt.Sprintf("  softmax  δ %+.1f", m.score.Delta) // it has no b
	}
	return s + fmt.Sprintf("  b %.2f  δ %+.1f", m.score.Bias, m.score.Delta)
}

// running says how far scan and embedding are, in fields of fixed width, and
// the same in shorter words.
func (m *root) running() []string {
	p := m.progress
	found := count(p.Found)
	switch {
	case m.tags.writing.running():
		return []string{m.tags.writing.words(), m.tags.writing.doing, ""}
	case m.scanning && !m.embedding:
		return []string{found + " found", ""}
	case m.embedding && !m.paused && !m.stopped:
		s := right(count(p.Done+p.Failed), width(found)) + "/" + found
		texts := []string{s + " embedded", s, ""}
		if p.Rate > 0 {
			rate := " · " + right(fmt.Sprintf("%.0f", p.Rate), 3) + "/s"
			texts = slices.Insert(texts, 0, s+" embedded"+rate+" · "+clock(p.Left)+" left", s+" · "+clock(p.Left)+" left")
		}
		return texts
	case p.Found == 0:
		return []string{""}
	case p.Done+p.Failed < p.Found:
		s := right(count(p.Done+p.Failed), width(found)) + "/" + found
		switch {
		case m.stopped:
			return []string{s + " embedded · stopped", s + " · stopped", "stopped"}
		case m.paused:
			return []string{s + " embedded · paused", s + " · paused", "paused"}
		}
		return []string{s + " embedded", ""}
	case p.Failed > 0:
		return []string{count(p.Done) + " embedded · ✗ " + count(p.Failed), ""}
	}
	return []string{count(p.Done) + " embedded", ""}
}
