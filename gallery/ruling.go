package gallery

import (
	"fmt"
	"slices"
	"strings"

	"sigla/gallery/catalog"
	"sigla/gallery/sidecar"
)

// An Act is what a plan does with a label of a photo.
type Act string

const (
	Set      Act = "set"       // it is written
	Keep     Act = "keep"      // it is there and stays
	Leave    Act = "leave"     // it is not there and stays away
	Remove   Act = "remove"    // it is taken out, whoever wrote it
	Refuse   Act = "refuse"    // nothing of the photo is written
	TakeBack Act = "take back" // what this program wrote is taken out; it stays where others wrote it
)

// A Rule is why; docs/TAGS.md has what each says.
type Rule string

const (
	RulePrivate   Rule = "private"
	RuleAccepted  Rule = "accepted"
	RuleRejected  Rule = "rejected"
	RuleDeleted   Rule = "deleted elsewhere"
	RuleOthers    Rule = "tag of others"
	RuleThreshold Rule = "threshold"
	RuleUnknown   Rule = "not embedded"
	RuleNoLabel   Rule = "no label"
	RuleRefused   Rule = "refused"
)

// evidence is what is known of a photo's tags, each with the label that it is
// about, or -1.
type evidence struct {
	words *Vocabulary
	tags  []string // that the photo has, people among them

	there   []tagOf // tags that are a label, by whatever name
	below   []tagOf // tags that say that they lie below a label
	ours    []markOf
	missing []markOf // of tags that somebody has taken out since
	said    []answerOf
}

type tagOf struct {
	label int
	tag   string
}

type markOf struct {
	label int
	sidecar.Mark
}

type answerOf struct {
	label int
	catalog.Decision
}

// gather brings together what files of a photo and a person say.
func (v *Vocabulary) gather(tags sidecar.Tags, files []sidecar.Known, answers []catalog.Decision) evidence {
	e := evidence{words: v}
	for _, list := range [][]sidecar.Tag{tags.Tags, tags.People} {
		for _, t := range list {
			tag := t.String()
			e.tags = append(e.tags, tag)
			for _, i := range v.Means(tag) {
				if v.is(tag, i) {
					e.there = append(e.there, tagOf{i, tag})
				} else {
					e.below = append(e.below, tagOf{i, tag})
				}
			}
		}
	}
	for _, f := range files {
		gone := sidecar.Missing(f.Values)
		for _, m := range sidecar.Marks(f.Values) {
			is := func(g sidecar.Mark) bool { return g.Label == m.Label }
			switch {
			case m.Source == sidecar.Import:
			case slices.ContainsFunc(gone, is):
				e.missing = append(e.missing, markOf{v.resolve(m.Label), m})
			default:
				e.ours = append(e.ours, markOf{v.resolve(m.Label), m})
			}
		}
	}
	for _, d := range v.Answers(answers) {
		e.said = append(e.said, answerOf{v.resolve(d.Label), d})
	}
	return e
}

// A hearing is what is known of one label of a photo.
type hearing struct {
	*evidence
	at    int        // in the vocabulary
	no    bool       // the set does not have it; it was asked for
	judge *Judgement // nil: the model has not seen the photo, or is not asked
}

// rule decides on a label. What a person does comes before what a model says,
// and of what a person does the last counts.
func (h hearing) rule() (Act, Rule) {
	there, ours, said := h.has(h.there), h.hasMark(h.ours), h.answer()
	switch {
	case h.words.Private(h.at):
		return either(ours, TakeBack, either(there, Keep, Leave)), RulePrivate
	case said != nil && said.Verdict == catalog.Reject && said.Who == inSidecar && !there:
		return Leave, RuleDeleted
	case said != nil && said.Verdict == catalog.Reject && said.Who == inSidecar:
		return Keep, RuleOthers
	case said != nil && said.Verdict == catalog.Reject:
		return either(there, Remove, Leave), RuleRejected
	case said != nil && !h.outdated(*said):
		return either(there, Keep, Set), RuleAccepted
	case h.hasMark(h.missing) && (ours || !there):
		return either(ours, TakeBack, Leave), RuleDeleted // ours in the sidecar of a twin
	case !h.auto() && (there || h.has(h.below)):
		return Keep, RuleOthers
	case h.no:
		return either(there, Keep, Leave), RuleNoLabel
	case h.judge == nil:
		return either(there, Keep, Leave), RuleUnknown
	case h.judge.Holds:
		return either(there, Keep, Set), RuleThreshold
	}
	return either(h.auto(), TakeBack, Leave), RuleThreshold
}

func either(yes bool, a, b Act) Act {
	if yes {
		return a
	}
	return b
}

func (h hearing) has(tags []tagOf) bool {
	return slices.ContainsFunc(tags, func(t tagOf) bool { return t.label == h.at })
}

func (h hearing) hasMark(marks []markOf) bool {
	return slices.ContainsFunc(marks, func(m markOf) bool { return m.label == h.at })
}

// auto reports whether this program has set it by itself.
func (h hearing) auto() bool {
	return slices.ContainsFunc(h.ours, func(m markOf) bool { return m.label == h.at && m.Source == sidecar.Auto })
}

// answer returns what a person said; nil if nothing.
func (h hearing) answer() *catalog.Decision {
	if i := slices.IndexFunc(h.said, func(a answerOf) bool { return a.label == h.at }); i >= 0 {
		return &h.said[i].Decision
	}
	return nil
}

// outdated reports whether what was set for an answer was taken out afterwards.
func (h hearing) outdated(answer catalog.Decision) bool {
	return slices.ContainsFunc(h.missing, func(m markOf) bool { return m.label == h.at && !answersTo(answer, m.Mark) })
}

// notes say which labels are there under other names.
func (e *evidence) notes() (list []string) {
	for _, t := range e.there {
		l := e.words.set.Labels[t.label]
		for _, name := range l.Synonyms {
			if sidecar.Fold(name) == sidecar.Fold(t.tag) {
				list = append(list, fmt.Sprintf("%q is there as %q", e.words.Path(t.label), t.tag))
			}
		}
	}
	return list
}

// A Ruling is what a plan does with a label of a photo, and by which rule.
type Ruling struct {
	Act  Act    `json:"act"`
	Rule Rule   `json:"rule"`
	Why  string `json:"why"` // in words
}

// ruling decides and says why.
func (h hearing) ruling() Ruling {
	act, rule := h.rule()
	r := Ruling{Act: act, Rule: rule}
	switch rule {
	case RulePrivate:
		r.Why = "private labels are not written, and not copied where others have them"
	case RuleAccepted:
		r.Why = "you accepted it" + h.already()
	case RuleRejected:
		r.Why = "you rejected it"
	case RuleDeleted:
		r.Why = "sigla had set it and somebody took it out of a sidecar; it comes back only if you accept it"
	case RuleOthers:
		r.Why = "what you or another program have set is neither scored nor taken away" + h.already()
	case RuleNoLabel:
		r.Why = "no label of the set is called so"
	case RuleUnknown:
		r.Why = "the model has not seen the photo yet"
	case RuleThreshold:
		side := "at least"
		if !h.judge.Holds {
			side = "below"
		}
		r.Why = fmt.Sprintf("%.4f is %s the threshold, %.4g", h.judge.P, side, h.words.set.Labels[h.at].Cutoff())
	}
	return r
}

// already says as which tags it is there.
func (h hearing) already() string {
	var names []string
	for _, list := range [][]tagOf{h.there, h.below} {
		for _, t := range list {
			if t.label == h.at {
				names = append(names, t.tag)
			}
		}
	}
	if names == nil {
		return ""
	}
	return "; it is there as " + strings.Join(names, ", ")
}
