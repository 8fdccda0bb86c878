package gallery

import (
	"cmp"
	"context"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"sigla/gallery/catalog"
	"sigla/gallery/label"
	"sigla/gallery/sidecar"
)

// A Tagger says what is to become of the tags of photos. What a person answered
// counts always; what a model says, if there is a Judge.
type Tagger struct {
	Labels label.Set // private ones are never written, whoever set them
	// Judge returns what a model says of a photo; nothing if it has not seen it. It
	// is called by several goroutines. Nil: no label is set because of a model, and
	// none is taken back.
	Judge  func(id int) []Judgement
	Model  string  // digest
	Bias   float64 // δ
	Naming sidecar.Naming
	Now    time.Time
}

// A Judgement is what a model says of one of the labels.
type Judgement struct {
	Label int // in the set
	Holds bool
	P     float64
	Logit float64
}

// A TagPlan is what would be written for photos, and what was learnt on the way.
type TagPlan struct {
	sidecar.Plan
	IDs []int // of the photos, in the order of the plan
	// Rejections are what somebody took out of sidecars since it was set there, and
	// of which nothing else was said. They are to be stored with Decide before the
	// plan is applied.
	Rejections []catalog.Decision
}

// PlanTags says what would be written for photos. It reads their files.
func (g *Gallery) PlanTags(ctx context.Context, ids []int, by Tagger) (TagPlan, error) {
	answers, err := g.Decisions(ctx)
	if err != nil {
		return TagPlan{}, err
	}
	r := planning{g: g, Tagger: by, words: NewVocabulary(by.Labels), answers: answers, stems: make(map[string]int)}
	for _, p := range g.Photos() {
		if p.State != Gone {
			r.stems[stem(p.Path)] += 1 + len(p.Twins)
		}
	}
	photos := make([]sidecar.Photo, len(ids))
	onCores(runtime.GOMAXPROCS(0), len(ids), func(_, i int) {
		if ctx.Err() == nil {
			photos[i] = r.photo(ids[i])
		}
	})
	if err := ctx.Err(); err != nil {
		return TagPlan{}, err
	}
	plan := TagPlan{Plan: sidecar.NewPlan(photos, by.Naming), IDs: ids}
	for i, p := range plan.Photos {
		plan.Rejections = append(plan.Rejections, r.rejections(ids[i], p)...)
	}
	return plan, nil
}

// stem returns what photos that may share a sidecar have in common.
func stem(path string) string { return strings.TrimSuffix(path, filepath.Ext(path)) }

// A planning is one call of PlanTags.
type planning struct {
	g *Gallery
	Tagger
	words   *Vocabulary
	answers map[catalog.Hash][]catalog.Decision
	stems   map[string]int // how many files share one
}

// photo returns what is known of a photo and asked for it.
func (r *planning) photo(id int) sidecar.Photo {
	p := r.g.Photo(id)
	files := p.Files()
	out := sidecar.Photo{Path: p.Path, Twins: files[1:], Files: sidecar.Look(p.Path, files[1:]...), Shared: r.stems[stem(p.Path)] > 1}
	e := r.words.gather(r.g.Tags(id), out.Files, r.answers[r.g.Content(id)])
	out.Change = r.change(id, &e)
	return out
}

// change returns what a photo's labels and a person's answers ask for.
func (r *planning) change(id int, e *evidence) sidecar.Change {
	var c sidecar.Change
	for _, tag := range e.tags {
		if r.words.Hides(tag) {
			c.Private = append(c.Private, tag)
		}
	}
	for _, a := range e.said {
		switch {
		case a.label >= 0:
			r.carryOut(&c, hearing{evidence: e, at: a.label})
		case a.Verdict == catalog.Accept && !r.words.Hides(a.Label) && !e.takenOut(a.Decision):
			c.Accept = append(c.Accept, sidecar.Mark{Label: a.Label, Source: sidecar.User, When: a.When})
		case a.Verdict == catalog.Reject && a.Who != inSidecar:
			c.Reject = append(c.Reject, a.Label)
		}
	}
	for _, m := range e.ours { // of labels that have become private
		if h := (hearing{evidence: e, at: m.label}); m.label >= 0 && r.words.Private(m.label) && h.answer() == nil {
			r.carryOut(&c, h)
		}
	}
	if r.Judge == nil {
		return c
	}
	judged := slices.Clone(r.Judge(id))
	slices.SortStableFunc(judged, func(a, b Judgement) int { return cmp.Compare(b.P, a.P) })
	for i := range judged {
		if h := (hearing{evidence: e, at: judged[i].Label, judge: &judged[i]}); h.answer() == nil && !r.words.Private(h.at) {
			r.carryOut(&c, h)
		}
	}
	return c
}

// carryOut adds what is decided on a label to a change. A label that is there
// under another name is set under that.
func (r *planning) carryOut(c *sidecar.Change, h hearing) {
	act, rule := h.rule()
	switch {
	case act == Remove:
		c.Reject = append(c.Reject, r.words.Names(h.at)...)
		for _, t := range h.there {
			if t.label == h.at {
				c.Reject = append(c.Reject, t.tag)
			}
		}
	case act == TakeBack:
		for _, m := range h.ours {
			if m.label == h.at && !slices.Contains(c.Withdraw, m.Label) {
				c.Withdraw = append(c.Withdraw, m.Label)
			}
		}
	case rule == RuleAccepted:
		name := r.words.Path(h.at)
		if i := slices.IndexFunc(h.there, func(t tagOf) bool { return t.label == h.at }); i >= 0 {
			name = h.there[i].tag
		}
		c.Accept = append(c.Accept, sidecar.Mark{Label: name, Source: sidecar.User, When: h.answer().When})
	case act == Set:
		l, j := r.words.set.Labels[h.at], h.judge
		c.Accept = append(c.Accept, sidecar.Mark{Label: r.words.Path(h.at), Source: sidecar.Auto, P: j.P, Logit: j.Logit,
			Model: r.Model, Bias: r.Bias, Threshold: l.Cutoff(), When: r.Now})
	}
}

// inSidecar is who rejects a label by taking it out of a sidecar. Somebody who
// sets it again in another program has thought better of it: unlike a rejection
// here this one takes nothing out that others wrote.
const inSidecar = "sidecar"

// takenOut reports whether what a person accepted, and what is no label, was
// written and has been taken out of a sidecar since.
func (e *evidence) takenOut(d catalog.Decision) bool {
	return slices.ContainsFunc(e.missing, func(m markOf) bool {
		return sidecar.Fold(d.Label) == sidecar.Fold(m.Label) && !d.When.Truncate(time.Second).After(m.When) // marks have whole seconds
	})
}

// isOf reports whether an answer and a mark are about one label.
func (v *Vocabulary) isOf(d catalog.Decision, m sidecar.Mark) bool {
	i := v.resolve(d.Label)
	return sidecar.Fold(d.Label) == sidecar.Fold(m.Label) || i >= 0 && i == v.resolve(m.Label)
}

// rejections are the answers that missing tags of a photo stand for.
func (r *planning) rejections(id int, p sidecar.PhotoPlan) (list []catalog.Decision) {
	content := r.g.Content(id)
	for _, m := range p.Missing {
		answered := slices.ContainsFunc(slices.Concat(r.answers[content], list), func(d catalog.Decision) bool {
			return r.words.isOf(d, m) && (d.Verdict == catalog.Reject || d.When.Truncate(time.Second).After(m.When))
		})
		if content != (catalog.Hash{}) && !answered {
			list = append(list, catalog.Decision{Photo: content, Label: m.Label, Verdict: catalog.Reject, When: r.Now, Who: inSidecar})
		}
	}
	return list
}
