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

// PlanTags says what would be written for photos. It reads their files.
func (g *Gallery) PlanTags(ctx context.Context, ids []int, by Tagger) (TagPlan, error) {
	answers, err := g.Decisions(ctx)
	if err != nil {
		return TagPlan{}, err
	}
	r := planning{g: g, Tagger: by, answers: answers, private: make(map[string]bool), stems: make(map[string]int)}
	for _, l := range by.Labels.Labels {
		if l.Private {
			for _, name := range append([]string{l.Name}, l.Synonyms...) {
				r.private[sidecar.Fold(name)] = true
			}
		}
	}
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
	answers map[catalog.Hash][]catalog.Decision
	private map[string]bool // labels and synonyms, folded
	stems   map[string]int  // how many files share one
}

// photo returns what is known of a photo and asked for it.
func (r *planning) photo(id int) sidecar.Photo {
	p := r.g.Photo(id)
	files := p.Files()
	out := sidecar.Photo{Path: p.Path, Twins: files[1:], Files: sidecar.Look(p.Path, files[1:]...), Shared: r.stems[stem(p.Path)] > 1}
	if out.Embed = r.Embed; out.Embed {
		for i := range out.Files {
			if k := &out.Files[i]; k.JPEG && k.Err == nil {
				k.Err = sidecar.Embeddable(k.Path)
			}
		}
	}
	out.Change = r.change(id, out.Files, r.answers[r.g.Content(id)])
	return out
}

// change returns what a photo's labels and a person's answers ask for.
func (r *planning) change(id int, files []sidecar.Known, answers []catalog.Decision) sidecar.Change {
	var c sidecar.Change
	said := make(map[string]bool)
	for _, d := range answers {
		key := sidecar.Fold(d.Label)
		said[key] = true
		switch {
		case r.private[key], d.Verdict == catalog.Reject && d.Who == inSidecar:
		case d.Verdict == catalog.Reject:
			c.Reject = append(c.Reject, d.Label)
		case !takenOut(d, files):
			c.Accept = append(c.Accept, sidecar.Mark{Label: d.Label, Source: sidecar.User, When: d.When})
		}
	}
	if r.Judge == nil {
		return c
	}
	ours := make(map[string]bool) // tags that sigla set by itself
	for _, f := range files {
		for _, m := range sidecar.Marks(f.Values) {
			if m.Source == sidecar.Auto {
				ours[sidecar.Fold(m.Label)] = true
			}
		}
	}
	has := r.g.Tags(id).Set()
	judged := slices.Clone(r.Judge(id))
	slices.SortStableFunc(judged, func(a, b Judgement) int { return cmp.Compare(b.P, a.P) })
	for _, j := range judged {
		l := r.Labels.Labels[j.Label]
		key := sidecar.Fold(l.Name)
		switch {
		case said[key], l.Private:
		case !j.Holds && ours[key]:
			c.Withdraw = append(c.Withdraw, l.Name)
		case j.Holds && !ours[key] && !has.Has(l.Name) && !slices.ContainsFunc(l.Synonyms, has.Has):
			c.Accept = append(c.Accept, sidecar.Mark{Label: l.Name, Source: sidecar.Auto, P: j.P, Logit: j.Logit,
				Model: r.Model, Bias: r.Bias, Threshold: l.Cutoff(), When: r.Now})
		}
	}
	return c
}

// inSidecar is who rejects a label by taking it out of a sidecar. Somebody who
// sets it again in another program has thought better of it: unlike a rejection
// here this one takes nothing out that others wrote.
const inSidecar = "sidecar"

// takenOut reports whether what a person accepted was written and has been taken
// out of a sidecar since.
func takenOut(d catalog.Decision, files []sidecar.Known) bool {
	for _, f := range files {
		for _, m := range sidecar.Missing(f.Values) {
			if isOf(d, m) && !d.When.Truncate(time.Second).After(m.When) { // marks have whole seconds
				return true
			}
		}
	}
	return false
}

func isOf(d catalog.Decision, m sidecar.Mark) bool {
	return sidecar.Fold(d.Label) == sidecar.Fold(m.Label)
}

// rejections are the answers that missing tags of a photo stand for.
func (r *planning) rejections(id int, p sidecar.PhotoPlan) (list []catalog.Decision) {
	content := r.g.Content(id)
	for _, m := range p.Missing {
		answered := slices.ContainsFunc(slices.Concat(r.answers[content], list), func(d catalog.Decision) bool {
			return isOf(d, m) && (d.Verdict == catalog.Reject || d.When.Truncate(time.Second).After(m.When))
		})
		if content != (catalog.Hash{}) && !answered {
			list = append(list, catalog.Decision{Photo: content, Label: m.Label, Verdict: catalog.Reject, When: r.Now, Who: inSidecar})
		}
	}
	return list
}
