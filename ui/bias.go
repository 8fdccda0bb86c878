package ui

import (
	"context"
	"fmt"
	"math"
	"slices"

	tea "charm.land/bubbletea/v2"

	"sigla/gallery"
	"sigla/gallery/catalog"
	"sigla/ui/chart"
)

// biasStep is what one key adds to δ, and biasEnd how far it goes: beyond,
// every label holds everywhere or nowhere with any checkpoint known.
const (
	biasStep = 0.1
	biasEnd  = 20
)

// biasBy moves δ by steps.
func (m *root) biasBy(steps int) tea.Cmd {
	m.setBias(m.score.Delta + float64(steps)*biasStep)
	return nil
}

func (m *root) resetBias() tea.Cmd {
	m.setBias(0)
	return nil
}

// setBias sets δ, rounded to whole steps so that many small moves end where
// they should, and lets every count follow.
func (m *root) setBias(delta float64) {
	delta = math.Round(delta/biasStep) * biasStep
	delta = math.Round(delta*1000) / 1000 // 0.3, not 0.30000000000000004
	m.score.Delta = max(-biasEnd, min(delta, biasEnd))
	m.recut()
	m.tallyPace.want(true)
	m.refilter(true)
}

// tally counts over the whole gallery what the labels say at the present bias.
type tally struct {
	perLabel []int // photos for which each label of the set holds; -1: unknown
	tags     int   // sum of those that are known
	moved    int   // tags more (or less) than with δ = 0
	overall
}

// overall is what takes a look at every logit to be counted.
type overall struct {
	changed  int // photos that have another set of tags than with δ = 0
	untagged int // photos that are scored and bare
	scored   int // photos that are scored
}

// recount brings the counts per label up to date, which are binary searches.
// The others follow; while they are counted the last ones stand.
func (m *root) recount() {
	l := &m.labels
	t := tally{perLabel: make([]int, len(l.set.Labels)), overall: m.tally.overall}
	for i, c := range l.columns {
		t.perLabel[i] = -1
		if c >= 0 {
			t.perLabel[i] = m.scores.Count(c, l.cuts[i])
			t.tags += t.perLabel[i]
			t.moved += t.perLabel[i] - m.scores.Count(c, l.base[i])
		}
	}
	m.tally = t
	m.tallyPace.want(false)
	m.folders.pace.want(false)
}

// recountAll counts what takes a look at every logit.
func (m *root) recountAll() tea.Cmd {
	g, scores, s, said, n := m.o.Gallery, m.scores, m.labels.sides, &m.answers, m.photos.len()
	return m.spread(&m.tallyPace, func(ctx context.Context) func(*root) {
		t := s.count(ctx, g, scores, said, n)
		return func(m *root) { m.tally.overall = t }
	})
}

// count looks at the photos below n.
func (s sides) count(ctx context.Context, g *gallery.Gallery, scores *gallery.Scores, said *gallery.Answers, n int) overall {
	var t overall
	for id := 0; scores != nil && id < n; id++ {
		if id%albumPage == 0 && ctx.Err() != nil {
			break
		}
		row, ok := scores.Row(id)
		if !ok {
			continue
		}
		t.scored++
		if s.bare(g.Photo(id), row, said) {
			t.untagged++
		}
		if _, changed := s.holds(row); changed {
			t.changed++
		}
	}
	return t
}

// bare reports whether a photo has no tag: nobody has tagged it or accepted a
// label, and none holds but those that were rejected.
func (s *sides) bare(p gallery.Photo, row []float32, said *gallery.Answers) bool {
	answers := s.verdicts(said.Of(p.Content))
	if p.Tagged || accepts(answers) {
		return false
	}
	for i, c := range s.columns {
		if c >= 0 && row[c] >= s.cuts[i] && s.answer(answers, i) == catalog.Withdraw {
			return false
		}
	}
	return true
}

// holds reports whether any label holds for a photo's logits, and whether any
// holds now but not with δ = 0, or the other way round.
func (s *sides) holds(row []float32) (tagged, changed bool) {
	for i, c := range s.columns {
		if c < 0 {
			continue
		}
		now, before := row[c] >= s.cuts[i], row[c] >= s.base[i]
		tagged = tagged || now
		if changed = changed || now != before; changed && tagged {
			break
		}
	}
	return tagged, changed
}

// The slider's line: "bias δ   -2 ─────●───── +2    +0.3".
const (
	sliderHead = 12
	sliderTail = 10
)

// sliderCells is the length of the slider itself in a line of width w that it
// may have to share with the counts.
func sliderCells(w int, shared bool) int {
	if shared {
		w -= 38
	}
	return max(10, min(w-sliderHead-sliderTail, 41))
}

// reach is the end of the scale: the smallest that has room for δ.
func reach(delta float64) float64 {
	ends := []float64{2, 5, 10, biasEnd}
	i := slices.IndexFunc(ends, func(end float64) bool { return math.Abs(delta) <= end })
	return ends[max(i, 0)]
}

// biasLines draws the slider and what the bias does in h lines of width w: an
// empty one, the slider, the counts. Below a sheet there are only two, and the
// counts follow the slider.
func (m *root) biasLines(w, h int) []string {
	t, delta, end := m.theme, m.score.Delta, reach(m.score.Delta)
	before, knob, after := chart.Slider(delta, -end, end, m.lay.slider.w)
	var slider line
	slider.add(t.quiet, "bias δ  ").add(t.quiet, right(fmt.Sprintf("%+.0f", -end), sliderHead-9)+" ")
	slider.add(t.rule, before).add(t.accent, knob).add(t.rule, after)
	slider.add(t.quiet, " "+left(fmt.Sprintf("%+.0f", end), 3)).add(t.strong, right(fmt.Sprintf("%+.1f", delta), sliderTail-4))
	if h < 3 {
		slider.add("", "   ")
		m.counts(&slider, w)
		return []string{spaces(w), slider.fit(w)}
	}
	var counts line
	m.counts(&counts, w)
	return []string{spaces(w), slider.fit(w), counts.fit(w)}
}

// counts says what the bias does, in the longest words that have room, or else
// less of it.
func (m *root) counts(l *line, w int) {
	t, n := m.theme, m.tally
	switch {
	case len(m.labels.set.Labels) == 0:
		l.add(t.quiet, "no labels yet: a adds some")
		return
	case n.scored == 0:
		l.add(t.quiet, "nothing is scored yet")
		return
	}
	atLeast := func(w int, s string) string { return spaces(max(0, w-width(s))) + s } // so that little moves
	set, moved, turned := atLeast(5, count(n.tags)), "("+signed(n.moved)+")", atLeast(4, count(n.changed))
	moved += spaces(max(0, 8-width(moved)))
	numbers := width(set + " " + moved + " " + turned)
	tags, changed := "tags ", "changed "
	for _, longer := range [][2]string{{"tags: ", "photos changed: "}, {"tags set by this bias: ", "photos changed: "}} {
		if l.cells+width(longer[0]+longer[1])+numbers <= w {
			tags, changed = longer[0], longer[1]
		}
	}
	hasRoom := l.cells+width(tags+changed)+numbers <= w
	l.add(t.quiet, tags).add("", set+" ").add(t.quiet, moved)
	if hasRoom {
		l.add(t.quiet, " "+changed).add("", turned)
	}
}
