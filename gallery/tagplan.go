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
	Embed  bool // JPEGs take in their tags themselves
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

// A TagPlanner makes plans by what a person had answered when it was made. It is
// for any goroutine.
type TagPlanner struct {
	Tagger
	g       *Gallery
	answers map[catalog.Hash][]catalog.Decision
	words   *Vocabulary
	stems   map[string]int // how many files have one
}

// NewTagPlanner reads a person's answers.
func (g *Gallery) NewTagPlanner(ctx context.Context, by Tagger) (*TagPlanner, error) {
	answers, err := g.Decisions(ctx)
	if err != nil {
		return nil, err
	}
	r := &TagPlanner{Tagger: by, g: g, answers: answers, words: NewVocabulary(by.Labels), stems: make(map[string]int)}
	for _, p := range g.Photos() {
		if p.State != Gone {
			r.stems[stem(p.Path)] += 1 + len(p.Twins)
		}
	}
	return r, nil
}

// stem returns what photos that may share a sidecar have in common.
func stem(path string) string { return strings.TrimSuffix(path, filepath.Ext(path)) }

// Plan says what would be written for photos. Of those that are to be changed it
// reads all files; of the others only what is not known of them.
func (r *TagPlanner) Plan(ctx context.Context, ids []int) (TagPlan, error) {
	plan, err := r.plan(ctx, ids, false)
	if err != nil {
		return plan, err
	}
	var at, touched []int
	for i, p := range plan.Photos {
		if len(p.Files) > 0 {
			at, touched = append(at, i), append(touched, ids[i])
		}
	}
	exact, err := r.plan(ctx, touched, true)
	if err != nil {
		return plan, err
	}
	for i, p := range exact.Photos {
		plan.Photos[at[i]] = p
	}
	for i := range plan.Photos {
		plan.Rejections = append(plan.Rejections, r.rejections(ids[i], &plan.Photos[i])...)
	}
	return plan, nil
}

// Draft says what Plan would say if files are what they were when they were read
// last, and leaves out the photos for which there is nothing to do. A file that
// is another by now is left alone when the draft is applied.
func (r *TagPlanner) Draft(ctx context.Context, ids []int) (TagPlan, error) {
	photos := make([]sidecar.Photo, len(ids))
	onCores(runtime.GOMAXPROCS(0), len(ids), func(_, i int) {
		if ctx.Err() == nil {
			photos[i] = r.photo(ids[i], false)
		}
	})
	var some []int
	busy := photos[:0]
	for i, p := range photos {
		if c := p.Change; len(c.Accept)+len(c.Reject)+len(c.Withdraw) > 0 || isMarked(p.Files) {
			some, busy = append(some, ids[i]), append(busy, p)
		}
	}
	plan := TagPlan{Plan: sidecar.NewPlan(busy, r.Naming)}
	for i, p := range plan.Photos {
		plan.Rejections = append(plan.Rejections, r.rejections(some[i], &p)...)
		if len(p.Files)+len(p.Missing) > 0 || p.Refused != "" {
			plan.Photos[len(plan.IDs)] = p
			plan.IDs = append(plan.IDs, some[i])
		}
	}
	plan.Photos = plan.Photos[:len(plan.IDs)]
	return plan, ctx.Err()
}

// isMarked reports whether this program has written to one of the files.
func isMarked(files []sidecar.Known) bool {
	return slices.ContainsFunc(files, func(k sidecar.Known) bool {
		return slices.ContainsFunc(k.Values, func(v sidecar.Value) bool { return v.Field == sidecar.Provenance })
	})
}

// plan plans photos; exact says that all their files are to be read.
func (r *TagPlanner) plan(ctx context.Context, ids []int, exact bool) (TagPlan, error) {
	photos := make([]sidecar.Photo, len(ids))
	onCores(runtime.GOMAXPROCS(0), len(ids), func(_, i int) {
		if ctx.Err() == nil {
			photos[i] = r.photo(ids[i], exact)
		}
	})
	if err := ctx.Err(); err != nil {
		return TagPlan{}, err
	}
	return TagPlan{Plan: sidecar.NewPlan(photos, r.Naming), IDs: ids}, nil
}

// photo returns what is known of a photo and asked for it.
func (r *TagPlanner) photo(id int, exact bool) sidecar.Photo {
	p := r.g.Photo(id)
	files := p.Files()
	out := sidecar.Photo{Path: p.Path, Twins: files[1:], Shared: r.stems[stem(p.Path)] > 1}
	var ok bool
	if !exact && !r.Embed { // what a JPEG can take in only the file tells
		out.Files, ok = r.g.knownFiles(id)
	}
	if !ok {
		out.Files = sidecar.Look(p.Path, files[1:]...)
	}
	answers := r.answers[p.Content]
	if r.Judge == nil && len(answers) == 0 && !isMarked(out.Files) {
		return out // nobody asks for anything
	}
	if out.Embed = r.Embed; out.Embed {
		for i := range out.Files {
			if k := &out.Files[i]; k.JPEG && k.Err == nil {
				k.Err = sidecar.Embeddable(k.Path)
			}
		}
	}
	e := r.words.gather(r.g.Tags(id), out.Files, answers)
	out.Change = r.change(id, &e)
	out.Notes = e.notes()
	return out
}

// Why tells the story of a tag of a photo, by what the plan goes by.
func (r *TagPlanner) Why(id int, tag string) (Story, error) {
	p := r.photo(id, false)
	p.Change = sidecar.Change{}
	q := Inquiry{Photo: p, Words: r.words, Said: r.answers[r.g.Content(id)], Model: r.Model}
	if r.Judge != nil {
		judged := r.Judge(id)
		at := func(label int) int {
			return slices.IndexFunc(judged, func(j Judgement) bool { return j.Label == label })
		}
		if i := r.words.Find(tag); i >= 0 && at(i) >= 0 {
			q.Judge = func(label int) (Judgement, error) { return judged[at(label)], nil }
		}
	}
	return q.Why(tag)
}

// knownFiles returns what ReadTags knows of a photo's files, as sidecar.Look
// would; false if that may be out of date.
func (g *Gallery) knownFiles(id int) ([]sidecar.Known, bool) {
	g.mu.RLock()
	s, all := &g.slots[id], g.tags.table.values
	p, files := s.Photo, s.tags.files
	known := s.tags.state == tagsRead && len(g.tags.reasons[id]) == 0
	g.mu.RUnlock()
	if !known || p.State == Gone {
		return nil, false
	}
	var list []sidecar.Known
	for _, f := range files {
		k := sidecar.Known{Size: f.size, Modified: time.Unix(0, f.modified)}
		k.File = sidecar.File{Path: beside(p.Path, f.name), Values: f.values.of(all)}
		if f.name == "" || !isSidecar(f.name) || sidecar.Belongs(k.Path, k.Values, p.Path, p.Files()[1:]...) {
			list = append(list, k)
		}
	}
	return list, true
}

// change returns what a photo's labels and a person's answers ask for.
func (r *TagPlanner) change(id int, e *evidence) sidecar.Change {
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
	for _, m := range e.ours { // of what has become private
		if private := m.label >= 0 && r.words.Private(m.label) || m.label < 0 && r.words.Hides(m.Label); private && !slices.Contains(c.Withdraw, m.Label) {
			c.Withdraw = append(c.Withdraw, m.Label)
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
func (r *TagPlanner) carryOut(c *sidecar.Change, h hearing) {
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
		return sidecar.Fold(d.Label) == sidecar.Fold(m.Label) && !answersTo(d, m.Mark)
	})
}

// answersTo reports whether an answer is later than a mark, and not what led to
// it. Marks have whole seconds.
func answersTo(d catalog.Decision, m sidecar.Mark) bool {
	if m.Source == sidecar.User {
		return d.When.Truncate(time.Second).After(m.When)
	}
	return !d.When.Before(m.When)
}

// isOf reports whether an answer and a mark are about one label.
func (v *Vocabulary) isOf(d catalog.Decision, m sidecar.Mark) bool {
	i := v.resolve(d.Label)
	return sidecar.Fold(d.Label) == sidecar.Fold(m.Label) || i >= 0 && i == v.resolve(m.Label)
}

// rejections are the answers that missing tags of a photo stand for. Of those
// only the ones stay in the plan that are not remembered yet.
func (r *TagPlanner) rejections(id int, p *sidecar.PhotoPlan) (list []catalog.Decision) {
	content := r.g.Content(id)
	var missing []sidecar.Mark
	for _, m := range p.Missing {
		answered := slices.ContainsFunc(slices.Concat(r.answers[content], list), func(d catalog.Decision) bool {
			return r.words.isOf(d, m) && (d.Verdict == catalog.Reject || answersTo(d, m))
		})
		if content != (catalog.Hash{}) && !answered {
			missing = append(missing, m)
			list = append(list, catalog.Decision{Photo: content, Label: m.Label, Verdict: catalog.Reject, When: r.Now, Who: inSidecar})
		}
	}
	p.Missing = missing
	return list
}
