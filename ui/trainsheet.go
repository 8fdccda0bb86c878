package ui

import (
	"context"
	"fmt"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"sigla/finetune"
)

// depths are what can be trained, from the quickest.
var depths = []struct {
	finetune.Depth
	help string
}{
	{finetune.DepthCalibrate, "how surely each label is said: its s and δ"},
	{finetune.DepthHead, "and where each label is among the photos"},
	{finetune.DepthLoRA, "and small updates of the model itself"},
	{finetune.DepthFull, "the whole model: slow, and much memory"},
}

// planned is what the trainer has said of a depth.
type planned struct {
	plan TrainPlan
	err  error
}

type planMsg struct {
	request int
	depths  map[finetune.Depth]planned
}

// openTraining opens the sheet, or the screen of the training that there is.
func (m *root) openTraining() tea.Cmd {
	switch {
	case m.train.stage != trainNone:
		return m.toggleOverlay(overlayTraining)
	case m.o.Trainer == nil:
		m.say("there is nothing to train here")
		return nil
	case m.enc == nil:
		m.say("the model is not loaded yet")
		return nil
	case m.overlay == overlayTrain:
		return m.toggleOverlay(overlayTrain)
	}
	m.toggleOverlay(overlayTrain)
	m.overlayAt = 1 // heads: they learn in seconds, and most
	return m.planTraining()
}

// wish is what the sheet says.
func (m *root) trainWish() TrainWish {
	return TrainWish{Labels: m.labels.set, Depth: depths[m.overlayAt].Depth, Complete: m.train.complete, Aim: trainAims[m.train.aim].Aim, Prototype: m.train.prototype}
}

// planTraining asks what each depth takes.
func (m *root) planTraining() tea.Cmd {
	m.train.planned = map[finetune.Depth]planned{}
	m.train.request++
	request, trainer, wish := m.train.request, m.o.Trainer, m.trainWish()
	return m.work.command(func(ctx context.Context) tea.Msg {
		msg := planMsg{request, map[finetune.Depth]planned{}}
		var all []finetune.Depth
		for _, d := range depths {
			all = append(all, d.Depth)
		}
		trainer.Plan(ctx, wish, all, func(d finetune.Depth, p TrainPlan, err error) { msg.depths[d] = planned{p, err} })
		return msg
	})
}

func (m *root) trainPlanned(msg planMsg) {
	if msg.request == m.train.request {
		m.train.planned = msg.depths
	}
}

// trainKey takes the keys that move in the sheet.
func (m *root) trainKey(key string) bool {
	switch key {
	case "up", "k":
		m.overlayAt--
	case "down", "j":
		m.overlayAt++
	case "home", "g":
		m.overlayAt = 0
	case "end", "G":
		m.overlayAt = len(depths) - 1
	case "esc":
		m.overlay = overlayNone
		return true
	default:
		return false
	}
	m.overlayAt = max(0, min(m.overlayAt, len(depths)-1))
	return true
}

// toggleComplete says whether tags that are absent are known to be wrong.
func (m *root) toggleComplete() tea.Cmd {
	m.train.complete = !m.train.complete
	return m.planTraining()
}

// trainAims are what thresholds can be moved for.
var trainAims = []struct {
	finetune.Aim
	said string
}{
	{finetune.AimNone, "thresholds stay where they are"},
	{finetune.AimF1, "thresholds move to where most is found and least is wrong (best F1)"},
	{"0.9", "thresholds move to where 9 of 10 tags are right"},
}

// nextAim takes another aim of thresholds.
func (m *root) nextAim() tea.Cmd {
	m.train.aim = (m.train.aim + 1) % len(trainAims)
	return nil
}

// togglePrototype says how heads are found.
func (m *root) togglePrototype() tea.Cmd {
	m.train.prototype = !m.train.prototype
	return m.planTraining()
}

// startTraining begins what the sheet says, if it can be.
func (m *root) startTraining() tea.Cmd {
	wish := m.trainWish()
	p, known := m.train.planned[wish.Depth]
	switch {
	case !known:
		m.say("it is still counted what there is to learn from")
		return nil
	case p.err != nil:
		m.warn(p.err)
		return nil
	}
	return m.beginTraining(wish)
}

// trainPanel is the sheet.
func (m *root) trainPanel() panel {
	t, w := m.theme, m.lay.w
	s := panel{title: "learn from your tags", foot: signOf("start") + " start · ↑ ↓ depth · " + keyOf("complete") + " absent tags · " + keyOf("aim") + " thresholds · " + keyOf("heads") + " heads · Esc back"}
	for i, d := range depths {
		k, mark, said := ink(""), "  ", d.help
		if d.Depth == finetune.DepthHead && m.train.prototype {
			said = "and each label moved to the mean of its photos"
		}
		if i == m.overlayAt {
			k, mark = t.accent, "▸ "
		}
		if p, ok := m.train.planned[d.Depth]; ok && p.err == nil {
			said = cost(p.plan) + "   " + said
		}
		var l line
		l.add(k, " "+mark+left(string(d.Depth), 11)).add(t.quiet, clip(said, w-l.cells-1))
		s.lines = append(s.lines, l.fit(w))
	}
	s.lines = append(s.lines, spaces(w))
	for _, said := range m.trainSaid() {
		for _, text := range wrap(said.texts[0], w-4) {
			var l line
			l.add("", "   ").add(said.k, text)
			s.lines = append(s.lines, l.fit(w))
		}
	}
	return s
}

// trainSaid is what the sheet says of the data.
func (m *root) trainSaid() []part {
	t := m.theme
	absent := part{t.quiet, []string{"a tag that a photo does not have says nothing"}}
	if m.train.complete {
		absent = part{"", []string{"a tag that a photo does not have is wrong for it"}}
	}
	aim := part{t.quiet, []string{trainAims[m.train.aim].said}}
	if m.train.aim > 0 {
		aim.k = ""
	}
	p, known := m.train.planned[depths[m.overlayAt].Depth]
	switch {
	case !known:
		return []part{absent, aim, {t.quiet, []string{"counting what there is to learn from …"}}}
	case p.err != nil:
		return []part{absent, aim, {t.warn, []string{"✗ " + clean(p.err.Error())}}}
	}
	said := []part{absent, aim, {"", []string{dataWords(p.plan)}}}
	if p.plan.Device != "" {
		said = append(said, part{t.quiet, []string{"it learns on " + clean(p.plan.Device)}})
	}
	for _, note := range p.plan.Notes {
		said = append(said, part{t.quiet, []string{clean(note)}})
	}
	return said
}

// cost is what a training takes, in fixed widths.
func cost(p TrainPlan) string {
	took := "     –"
	if p.Time > 0 {
		took = right(clock(p.Time), 6)
	}
	return took + right(size(p.Bytes), 8)
}

// size is a number of bytes for people.
func size(n int64) string {
	switch {
	case n <= 0:
		return "–"
	case n < 1e6:
		return fmt.Sprintf("%d KB", (n+999)/1000)
	case n < 1e9:
		return fmt.Sprintf("%d MB", (n+5e5)/1e6)
	}
	return fmt.Sprintf("%.1f GB", float64(n)/1e9)
}

// dataWords says what is learned from.
func dataWords(p TrainPlan) string {
	parts := []string{plural(p.Data.Photos, "photo")}
	switch {
	case p.Data.Captions > 0:
		parts = append(parts, plural(p.Data.Captions, "caption"))
	case p.Learned < p.Data.Labels:
		parts = append(parts, fmt.Sprintf("%s of %s with photos of both sides", count(p.Learned), plural(p.Data.Labels, "label")))
	default:
		parts = append(parts, plural(p.Data.Labels, "label"))
	}
	if n := p.Data.Known[finetune.ByPerson.String()]; n > 0 {
		parts = append(parts, plural(n, "answer"))
	}
	if p.From != "" {
		parts = append(parts, "from "+clean(p.From))
	}
	if p.Held > 0 {
		parts = append(parts, count(p.Held)+" held back to check")
	}
	return strings.Join(parts, " · ")
}

// timeLeft is how long a training still takes at the pace so far.
func timeLeft(e finetune.Event) time.Duration {
	if e.Step == 0 {
		return 0
	}
	return time.Duration(e.Seconds / float64(e.Step) * float64(e.Steps-e.Step) * float64(time.Second))
}
