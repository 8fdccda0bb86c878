package ui

import (
	"fmt"
	"math"
	"strings"

	"sigla/finetune"
	"sigla/ui/chart"
)

// Lines of the screen of a training besides its curves and pictures: title,
// headings, a line between, two of figures, and that of the sides.
const trainFixed = 6

// trainPage is all that there is to say of a training, at least h lines.
func (m *root) trainPage(w, h int) []string {
	t := &m.train
	lines := []string{m.trainTitle(w)}
	if t.stage == trainBegins {
		return append(lines, "", m.theme.quiet.on("   embedding the labels and dividing the photos …"))
	}
	room := h - trainFixed
	if t.stage == trainDone && !t.plan.Recorded {
		lines = append(lines, m.trainCurves(w, max(3, room/4))...)
		return append(append(lines, ""), m.trainResult(w)...)
	}
	thumbs := 0
	if len(t.sides.Photos) > 0 {
		thumbs = min(room*2/5, 10)
	}
	lines = append(lines, m.trainCurves(w, room-thumbs)...)
	lines = append(lines, m.trainNote(w))
	lines = append(lines, m.trainFigures(w)...)
	return append(lines, m.trainSides(w, thumbs)...)
}

// trainLines draws the page, and below it what the keys do, or which checkpoint
// is picked.
func (m *root) trainLines(page []string) []string {
	w, h := m.lay.w, m.lay.h-4
	lines := make([]string, h, h+1)
	for i := range lines {
		var l line
		if j := m.overlayTop + i; j < len(page) {
			l.raw(page[j], width(page[j]))
		}
		lines[i] = l.fit(w)
	}
	end := ""
	if hidden := len(page) - m.overlayTop - h; hidden > 0 {
		end = "↓ " + plural(hidden, "line") + " more"
	}
	return append(lines, m.caption(m.trainFoot(), end, w))
}

// trainFoot says what the keys do now.
func (m *root) trainFoot() string {
	t := &m.train
	key := func(name, does string) string { return signOf(name) + " " + does }
	var parts []string
	switch {
	case t.pick.on:
		verb := "rewind to step "
		if t.pick.branch {
			verb = "branch off step "
		}
		return verb + m.pickWords() + "   ← → choose · Enter · Esc not"
	case t.plan.Recorded, t.stage == trainBegins, t.stage == trainKeeps:
		return ""
	case t.stage == trainMeasure:
		parts = []string{key("discard", "discard")}
	case t.stage == trainEnds:
		return "stopping after the step in hand"
	case t.stage == trainDone:
		parts = []string{key("keep", "keep and use"), key("discard", "discard"), key("rewind", "rewind"), key("branch", "branch")}
	default:
		hold := "pause"
		if t.paused {
			hold = "go on"
		}
		parts = []string{key("hold", hold), key("finish", "stop"), key("rewind", "rewind"), key("branch", "branch"), key("discard", "discard")}
	}
	return strings.Join(parts, " · ")
}

// pickWords lists the checkpoints around the one that is picked.
func (m *root) pickWords() string {
	p := m.train.pick
	var words []string
	for i := max(0, min(p.at-2, len(p.steps)-5)); i < min(len(p.steps), max(p.at+3, 5)); i++ {
		s := count(p.steps[i])
		if i == p.at {
			s = "[" + s + "]"
		}
		words = append(words, s)
	}
	return strings.Join(words, " ")
}

// trainTitle says what is trained on what, and how far it is.
func (m *root) trainTitle(w int) string {
	t := &m.train
	p := t.plan
	what := string(p.Depth)
	switch {
	case p.Data.Labels > 0:
		what += " on " + plural(p.Data.Labels, "label")
	case p.Data.Captions > 0:
		what += " on " + plural(p.Data.Captions, "caption")
	}
	if p.Data.Photos > 0 {
		what += " · " + plural(p.Data.Photos, "photo")
	}
	if w >= 100 {
		what += fmt.Sprintf(" · seed %d", p.Seed)
	}
	far := ""
	if t.last.Steps > 0 {
		far = stepWords(t.last)
	}
	state, k := "", m.theme.accent
	switch {
	case t.err != nil:
		state, k = "failed", m.theme.warn
	case t.stage == trainBegins:
		state = "preparing"
	case t.stage == trainEnds:
		state = "stopping"
	case t.stage == trainMeasure:
		state = "measuring"
	case t.stage == trainKeeps:
		state = "keeping"
	case t.stage == trainDone:
		state = "done"
	case t.paused:
		state, k = "‖ paused", m.theme.warn
	case t.last.Step > 0:
		state = clock(timeLeft(t.last)) + " left"
	default:
		state = "first step"
	}
	tail := far + right(state, 13) + " "
	var l line
	l.add("", " ").add(m.theme.strong, clip(what, w-width(tail)-2))
	l.to(w-width(tail)).add("", far).add(k, right(state, 13)).add("", " ")
	return l.fit(w)
}

// trainCurves draws the three curves side by side, each below what it is and how
// it went from the start to now; where there is room with the values at its ends.
func (m *root) trainCurves(w, rows int) []string {
	t := &m.train
	each := (w - 2) / len(trainCurves)
	gap, axis := 2, 0
	if each >= 34 {
		gap, axis = 3, chart.ValueCells+1
	}
	a, e := t.first, t.last
	heads := [len(trainCurves)][2]string{
		{"loss ", fmt.Sprintf("%.4f → %.4f", a.Loss, e.Loss)},
		{"temperature exp(t') ", fromTo(a.Temperature, e.Temperature)},
		{"bias b ", fromTo(a.Bias, e.Bias)},
	}
	if each < 38 {
		heads[1][0], heads[2][0] = "t ", "b "
	}
	if each < 24 {
		heads[0][1] = fmt.Sprintf("%.3f→%.3f", a.Loss, e.Loss)
	}
	lines := make([]line, rows+1)
	for i := range t.curves {
		at := 1 + i*each
		head := heads[i]
		if e.Step == 0 {
			head[1] = "–"
		}
		lines[0].to(at).add(m.theme.quiet, head[0]).add(m.theme.strong, clip(head[1], max(0, each-gap-width(head[0]))))
		p := chart.Curve(t.curves[i], max(1, each-gap-axis), rows, chart.Linear)
		for r, row := range p.Rows {
			l := lines[r+1].to(at)
			if axis > 0 {
				value := spaces(chart.ValueCells)
				switch {
				case math.IsNaN(p.Lo):
				case r == 0:
					value = chart.Value(p.Hi)
				case r == rows-1:
					value = chart.Value(p.Lo)
				}
				l.add(m.theme.quiet, value).add(m.theme.rule, "│")
			}
			l.add(m.theme.accent, row)
		}
	}
	out := make([]string, len(lines))
	for i := range lines {
		out[i] = lines[i].fit(w)
	}
	return out
}

// trainNote is the line below the curves: what happened to the run.
func (m *root) trainNote(w int) string {
	if m.train.note == "" {
		return ""
	}
	var l line
	l.add("", " ").add(m.theme.warn, clip(clean(m.train.note), w-2))
	return l.fit(w)
}

// fromTo writes two numbers with as many decimals as tell them apart, at least
// two and at most five.
func fromTo(a, b float64) string {
	for decimals := 2; ; decimals++ {
		from, to := fmt.Sprintf("%.*f", decimals, a), fmt.Sprintf("%.*f", decimals, b)
		if from != to || a == b || decimals == 5 {
			return from + " → " + to
		}
	}
}

// trainFigures are two lines: how good it is, and how it goes.
func (m *root) trainFigures(w int) []string {
	t := &m.train
	e := t.last
	var good, pace line
	good.add("", " ")
	switch v := t.after; {
	case t.err != nil:
		good.add(m.theme.warn, clipSaid("✗ "+clean(t.err.Error()), w-2))
	case t.trouble != nil:
		good.add(m.theme.warn, clipSaid("✗ "+clean(t.trouble.Error()), w-2))
	case v == nil && t.before.Photos == 0:
		good.add(m.theme.quiet, "average precision    –")
	default:
		now := "    –"
		if v != nil {
			now = fmt.Sprintf("%5.3f", v.AveragePrecision)
		}
		good.add(m.theme.quiet, "average precision ").add(m.theme.strong, now)
		if t.before.Photos > 0 {
			good.add(m.theme.quiet, fmt.Sprintf(" (zero-shot %5.3f)", t.before.AveragePrecision))
		}
		if v != nil && w >= 80 {
			good.add(m.theme.quiet, fmt.Sprintf("   loss %s", strings.TrimSpace(chart.Value(v.Loss))))
		}
		if w >= 100 {
			good.add(m.theme.quiet, "   on "+plural(max(t.before.Photos, photosOf(v)), "photo")+" held back")
		}
	}
	number := func(v float64) string { return right(strings.TrimSpace(chart.Value(v)), chart.ValueCells+1) }
	pace.add(m.theme.quiet, " learning rate").add("", number(e.LR)).add(m.theme.quiet, "   grad norm").add("", number(e.GradNorm))
	if w >= 80 {
		pace.add("", right(count(int(e.PairsPerSecond)), 14)).add(m.theme.quiet, " pairs/s")
	}
	if on := t.plan.Device; w >= 100 && on != "" && t.note == "" { // a note says that it is another now
		on, room := clean(on), w-pace.cells-1
		if width("   on "+on) > room {
			on = deviceKind(on)
		}
		pace.add(m.theme.quiet, clip("   on "+on, room))
	}
	return []string{good.fit(w), pace.fit(w)}
}

func photosOf(v *finetune.Validation) int {
	if v == nil {
		return 0
	}
	return v.Photos
}

// trainSides says what changed sides, with pictures in rows lines.
func (m *root) trainSides(w, rows int) []string {
	s := m.train.sides
	var head line
	head.add(m.theme.quiet, " changed sides since the start").add(m.theme.accent, fmt.Sprintf("   +%s tags", count(s.Up))).add("", "  ").add(m.theme.warn, fmt.Sprintf("-%s tags", count(s.Down)))
	if s.Held {
		head.add(m.theme.quiet, "   of the photos held back")
	}
	if m.train.plan.Recorded {
		head = line{}
	}
	lines := []string{head.fit(w)}
	cells := (rows - 1) * 8 / 3
	if rows < 3 || cells < 6 {
		return lines
	}
	body := make([]line, rows)
	for i, change := range s.Photos {
		at := 1 + i*(cells+2)
		if at+cells > w {
			break
		}
		sign, k := "+", m.theme.accent
		if !change.Up {
			sign, k = "-", m.theme.warn
		}
		picture, ok := m.pics.draw(change.ID, cells, rows-1, m.pictureStyle())
		if !ok {
			picture = m.field(cells, rows-1, "", m.theme.rule)
		}
		for r, row := range picture {
			body[r].to(at).raw(row, cells)
		}
		body[rows-1].to(at).add(k, sign+left(clean(change.Label), cells-1))
	}
	for i := range body {
		lines = append(lines, body[i].fit(w))
	}
	return lines
}

// trainShown are the photos whose pictures the screen of a training needs.
func (m *root) trainShown() []int {
	if m.overlay != overlayTraining {
		return nil
	}
	var ids []int
	for _, change := range m.train.sides.Photos {
		if change.ID < m.photos.len() {
			ids = append(ids, change.ID)
		}
	}
	return ids
}

// precision is the average precision of a validation, a dash if it can be told of
// no label.
func precision(v finetune.Validation) string {
	if v.Labels == 0 {
		return "–"
	}
	return fmt.Sprintf("%.3f", v.AveragePrecision)
}

// trainResult says what a training brought, label by label.
func (m *root) trainResult(w int) []string {
	t, r := m.theme, m.train.result
	var lines []string
	if err := m.train.err; err != nil {
		for _, s := range wrap("✗ "+clean(err.Error()), w-2) {
			lines = append(lines, " "+t.warn.on(s))
		}
	}
	var mean line
	mean.add("", " average precision ").add(t.quiet, "before ").add(t.strong, precision(r.Before))
	mean.add(t.quiet, "  after ").add(t.strong, precision(r.After))
	gate, what := fmt.Sprintf(" the gate keeps %s of %s", count(r.Kept), plural(len(r.Labels), "label")), ", with what the gate keeps"
	if r.Whole {
		what = ""
		gate = fmt.Sprintf(" %s of %s became better; what was learned is of all of them", count(r.Kept), plural(len(r.Labels), "label"))
	}
	on := "   on " + plural(r.After.Photos, "photo") + " held back"
	if width(on+what) < w-mean.cells {
		on += what
	}
	mean.add(t.quiet, clip(on, w-mean.cells-1))
	lines = append(lines, mean.fit(w), clip(gate, w))
	if len(r.Thresholds) > 0 {
		lines = append(lines, clip(fmt.Sprintf(" %s of %s moved: ≥ is where they are now, with 95 %% intervals", count(r.Moved()), plural(len(r.Thresholds), "threshold")), w))
	}
	for _, note := range r.Notes {
		for _, s := range wrap(clean(note), w-2) {
			lines = append(lines, " "+t.quiet.on(s))
		}
	}
	lines = append(lines, "")
	name := 8
	for _, v := range r.Labels {
		name = max(name, min(width(clean(v.Label)), w/4))
	}
	moved := make(map[string]finetune.Threshold)
	for _, t := range r.Thresholds {
		moved[t.Label] = t
	}
	for _, v := range r.Labels {
		lines = append(lines, m.verdictLine(v, moved[v.Label], name, w))
	}
	return lines
}

// verdictLine is what the gate says of a label, and where its threshold is now if
// it has moved.
func (m *root) verdictLine(v finetune.Verdict, moved finetune.Threshold, name, w int) string {
	t := m.theme
	var l line
	mark, k := "○", t.quiet
	if v.Kept {
		mark, k = "●", t.accent
	}
	l.add("", " ").add(k, mark).add("", " "+left(clean(v.Label), name))
	if v.Before == 0 && v.After == 0 {
		l.add(t.quiet, "      –")
	} else {
		l.add(t.quiet, fmt.Sprintf("  %.3f → ", v.Before)).add("", fmt.Sprintf("%.3f", v.After))
		l.add(t.quiet, fmt.Sprintf("  %+.3f", v.After-v.Before))
		if w >= 80 && len(m.train.result.Thresholds) == 0 || w >= 110 {
			l.add(t.quiet, fmt.Sprintf(" (%+.3f to %+.3f)", v.Low, v.High))
		}
	}
	if moved.Label != "" && moved.Reason == "" {
		l.add("", fmt.Sprintf("  ≥ %.2f", moved.Value.Value)).add(t.quiet, fmt.Sprintf(" (%.2f to %.2f)", moved.Value.Low, moved.Value.High))
	}
	said := "as it was"
	switch {
	case m.train.result.Whole && v.Kept:
		said = "better"
	case m.train.result.Whole:
		said = clean(v.Reason)
	case v.Kept && v.As == finetune.Calibrate && m.train.plan.Depth != finetune.DepthCalibrate:
		said = "calibrated: " + clean(v.Reason)
	case v.Kept:
		said = "kept"
	case v.Reason != "":
		said += ": " + clean(v.Reason)
	}
	room := max(0, w-l.cells-3)
	if short, _, ok := strings.Cut(said, ": "); ok && width(said) > room && moved.Label != "" && v.After > 0 {
		said = short // the reason has no room beside the threshold
	}
	return l.add("", "  ").add(k, clip(said, room)).fit(w)
}
