package finetune

import (
	"context"
	"slices"
	"testing"

	"sigla/cpu"
	"sigla/model"
)

// A trialRun is what a way of learning is given: some examples of a collection.
type trialRun struct {
	*testing.T
	e    *cpu.Engine
	src  model.Source
	c    *collection
	rows []int // photos to learn from
	seed uint64
}

// ways are the columns of the table. Another way of learning is another line: it
// says how it scores the photos of the test list, and for how many labels it
// uses what it has learned.
var ways = []struct {
	name  string
	score func(r trialRun) (s Scores, used int)
}{
	{"zero-shot", func(r trialRun) (Scores, int) { return r.scores(r.c.ZeroShot()), 0 }},
	{"calibrate", func(r trialRun) (Scores, int) { return r.learned(Calibrate) }},
	{"prototype", func(r trialRun) (Scores, int) { return r.learned(Prototype) }},
	{"head", func(r trialRun) (Scores, int) { return r.learned(LinearHead) }},
	{"head, gated", trialRun.gatedHead},
	{"lora", func(r trialRun) (Scores, int) {
		s, _ := r.lora(Options{}, false)
		return s, len(r.c.Labels)
	}},
	{"lora, gated", trialRun.gatedLoRA},
}

func (r trialRun) scores(h Heads) Scores {
	r.Helper()
	s, err := h.Scores(r.e, at(r.c.Images, r.c.test))
	if err != nil {
		r.Fatal(err)
	}
	return s
}

func (r trialRun) heads(m Method) Heads {
	r.Helper()
	l, err := NewLinear(r.e, r.c.Embedded, m, DefaultPrior, r.rows, nil)
	if err != nil {
		r.Fatal(err)
	}
	if err := l.fit(context.Background()); err != nil {
		r.Fatal(err)
	}
	h, err := l.Heads()
	if err != nil {
		r.Fatal(err)
	}
	return h
}

func (r trialRun) learned(m Method) (Scores, int) {
	r.Helper()
	return r.scores(r.heads(m)), len(r.c.Labels)
}

// gatedHead has heads where cross-validation over the examples keeps them.
func (r trialRun) gatedHead() (Scores, int) {
	ctx := context.Background()
	choice, err := Choose(ctx, r.e, r.c.part(r.rows), LinearHead, DefaultPrior, r.seed)
	if err != nil {
		r.Fatal(err)
	}
	gated, err := choice.Apply(ctx, r.e, r.c.Embedded, r.heads(LinearHead), DefaultPrior, r.rows)
	if err != nil {
		r.Fatal(err)
	}
	kept := 0
	for _, v := range choice.Verdicts {
		if v.As == LinearHead {
			kept++
		}
	}
	return r.scores(gated), kept
}

// gatedLoRA learns from four fifths of the examples, as sigla train does, and
// has what was learned if the last fifth is ranked better.
func (r trialRun) gatedLoRA() (Scores, int) {
	if s, better := r.lora(Options{}, true); better {
		return s, len(r.c.Labels)
	}
	return r.scores(r.c.ZeroShot()), 0
}

// lora learns low-rank updates, by the defaults where o leaves them, from all
// examples or with a fifth held back, and says if average precision on that became
// better.
func (r trialRun) lora(o Options, holdOut bool) (s Scores, better bool) {
	r.Helper()
	d := r.c.part(r.rows)
	var held []int
	if holdOut {
		if _, held = d.HoldOut(r.seed); len(held) == 0 {
			return Scores{}, false // nothing says that it is better
		}
	}
	e, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		r.Fatal(err)
	}
	m, err := model.Load(e, r.src) // which closes the engine
	if err != nil {
		r.Fatal(err)
	}
	defer m.Close()
	l := updated(r.T, m, d.Set, TowersOptions{Held: held}, DefaultLoRA(d.Set, 0, r.seed))
	for i, p := range d.Photos { // the image tower does not change: photos keep their vectors
		l.photos[p.Path] = model.Embedding(d.Images[i])
	}
	before := validate(r.T, l)
	o.Seed = r.seed
	o = TowerOptions(DepthLoRA, d.Set, l.rows, o)
	o.ValidateEvery = 0
	run, err := New("", l, record(o))
	if err != nil {
		r.Fatal(err)
	}
	var last Event
	if err := run.Train(context.Background(), Watch{Event: func(e Event) { last = e }}); err != nil {
		r.Fatal(err)
	}
	r.Logf("lora: %d photos, %d held back, %d steps in %.0f s, loss %.3f, t' %.2f, b %.2f, average precision %.3f → %.3f",
		l.Rows(), len(held), last.Steps, last.Seconds, last.Loss, last.LogScale, last.Bias, before.AveragePrecision, last.Validation.AveragePrecision)
	return r.scores(l.heads(r.T)), last.Validation.AveragePrecision > before.AveragePrecision
}

// heads are the labels as the towers have them now.
func (l *Towers) heads(t *testing.T) Heads {
	t.Helper()
	columns := make([]int, len(l.set.Labels))
	for i := range columns {
		columns[i] = i
	}
	vectors, err := l.embedColumns(context.Background(), columns)
	if err != nil {
		t.Fatal(err)
	}
	scale, bias := l.Scalars()
	h := Heads{Score: model.Score{LogScale: scale, Bias: bias}}
	for _, v := range vectors {
		h.Labels = append(h.Labels, Head{v, model.Adjust{Scale: 1}})
	}
	return h
}

// A usefulTrial is what each way of learning makes of some examples, measured on
// the photos of the test list.
type usefulTrial struct {
	figures map[string][][figures]float64 // by way, label
	used    map[string]int                // by way: labels that use what was learned
	harmed  map[string]int                // by way: labels that rank surely worse than zero-shot
}

// try learns from n examples of each class.
func (c *collection) try(t *testing.T, src model.Source, n int, seed uint64) usefulTrial {
	t.Helper()
	e, err := cpu.New(cpu.Options{Threads: 1}) // trials run beside each other
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	run := trialRun{T: t, e: e, src: src, c: c, rows: c.examples(n, seed), seed: seed}
	trial := usefulTrial{make(map[string][][figures]float64), make(map[string]int), make(map[string]int)}
	var zero Scores
	for i, w := range ways {
		scores, used := w.score(run)
		if i == 0 {
			zero = scores
		}
		for k := range c.Labels {
			trial.figures[w.name] = append(trial.figures[w.name], c.column(scores, k, c.test).measure(nil, 0))
		}
		if trial.used[w.name] = used; used == 0 {
			continue
		}
		report := c.Evaluate(c.test, slices.Repeat([]float64{0.5}, len(c.Labels)), zero, scores)
		for _, own := range report.Labels {
			if own.Gain.High < 0 {
				trial.harmed[w.name]++
			}
		}
	}
	return trial
}
