package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sigla/gallery"
	"sigla/gallery/catalog"
	"sigla/gallery/label"
	"sigla/gallery/sidecar"
	"sigla/model"
)

func (a *app) whyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "why PHOTO TAG",
		Short: "Tell why a photo has a tag, or has not",
		Long: `Tell the story of a tag on a photo: which files and fields have it, the raw file's too, and in which words; who set it, when, with which model, probability and threshold, and in which run; what you answered, and what somebody took out in another program; what the model says now, if the photo is embedded; and what sigla tag would do, and by which rule. docs/TAGS.md has the rules.

TAG is a label, by its name or a synonym, or any other tag. Nothing is written.

JSON has one object: {"path","tag","label","private","nearest","places","set","answers","model","ruling","problems"}.`,
		Example: `sigla why photo.jpg beach
sigla why photo.cr2 "animals|birds|owl" --format json`,
		Args: cobra.ExactArgs(2),
		Run: a.configured(func(ctx context.Context, args []string) error {
			if a.settings.format == "csv" {
				return usagef("why --format csv: want text or json")
			}
			if strings.TrimSpace(args[1]) == "" {
				return usagef("why: name a tag")
			}
			return a.runWhy(ctx, args[0], args[1])
		}),
	}
}

func (a *app) runWhy(ctx context.Context, path, tag string) (err error) {
	set, _, err := a.labelSet(ctx, userLabels())
	if err != nil {
		return err
	}
	photo, err := gallery.Inspect(path)
	if err != nil {
		return fmt.Errorf("why: %w", err)
	}
	c, err := catalog.Open(ctx, dataDir())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	q := gallery.Inquiry{Photo: photo, Words: gallery.NewVocabulary(set), Runs: runsOf(dataDir())}
	content, err := hashFile(photo.Path)
	if err != nil {
		return fmt.Errorf("why: %w", err)
	}
	if err := a.ask(ctx, c, &q, content); err != nil {
		return err
	}
	if at := q.Words.Find(tag); at >= 0 {
		enc, err := a.witness(ctx, c, &q, content)
		if err != nil {
			return err
		}
		if enc != nil {
			defer enc.Close()
		}
	}
	story, err := q.Why(tag)
	if err != nil {
		return err
	}
	for _, k := range photo.Files {
		if k.Err != nil {
			a.fail(k.Err)
		}
	}
	return a.output().story(story)
}

// ask finds what a catalog knows of a photo's answers, and of models.
func (a *app) ask(ctx context.Context, c *catalog.Catalog, q *gallery.Inquiry, content catalog.Hash) error {
	answers, err := c.Decisions(ctx)
	if err != nil {
		return err
	}
	for _, d := range answers {
		if d.Photo == content {
			q.Said = append(q.Said, d)
		}
	}
	if q.History, err = c.History(ctx, content); err != nil {
		return err
	}
	models, err := c.Models(ctx)
	q.Models = make(map[string]string)
	for _, m := range models {
		q.Models[m.Digest] = m.Name
	}
	return err
}

// witness has the model asked, which is opened if the catalog has a vector of
// the photo: without one it has nothing to say. It returns nil if it was not.
func (a *app) witness(ctx context.Context, c *catalog.Catalog, q *gallery.Inquiry, content catalog.Hash) (*encoder, error) {
	models, err := c.Models(ctx)
	if err != nil {
		return nil, err
	}
	seen := false
	for _, m := range models {
		v, err := gallery.Stored(ctx, c, m, content)
		if err != nil {
			return nil, err
		}
		seen = seen || v != nil
	}
	if !seen {
		return nil, nil
	}
	enc, err := a.open(ctx)
	if err != nil {
		return nil, err
	}
	vector, err := gallery.Stored(ctx, c, enc.catalogModel(), content)
	if err != nil || vector == nil {
		return nil, errors.Join(err, enc.Close())
	}
	q.Model = enc.Info().Digest
	q.Judge = func(at int) (gallery.Judgement, error) {
		set := q.Words.Set()
		name := set.Labels[at].Name
		if enc.Info().Kind == model.CLIP.String() {
			set = public(set) // which CLIP reads together
		} else {
			set.Labels = []label.Label{set.Labels[at]}
		}
		s, err := newScorer(ctx, set, enc, &a.settings)
		if err != nil {
			return gallery.Judgement{}, err
		}
		for _, score := range s.scores(vector) {
			if score.Label == name {
				return gallery.Judgement{Label: at, Holds: score.above, P: score.Probability, Logit: float64(score.read)}, nil
			}
		}
		return gallery.Judgement{Label: at}, nil
	}
	return enc, nil
}

// story writes a story.
func (o *output) story(s gallery.Story) error {
	if o.format == "json" {
		return o.object(s)
	}
	var b strings.Builder
	line := func(format string, v ...any) { fmt.Fprintf(&b, format+"\n", v...) }
	line("%s  %s", o.path(s.Path), o.path(s.Tag))
	switch {
	case s.Label == "" && s.Nearest != "":
		line("  no label of the set is called so; perhaps %s is meant", s.Nearest)
	case s.Label == "":
		line("  no label of the set is called so")
	case sidecar.Fold(s.Label) != sidecar.Fold(s.Tag):
		line("  that is the label %s", s.Label)
	}
	if s.Private {
		line("  private: it is not written to files")
	}
	o.whereabouts(line, s)
	for _, m := range s.Set {
		line("%s", o.setBy(m))
	}
	for _, d := range s.Answers {
		who := "you"
		if d.Elsewhere {
			who = "taken out elsewhere:"
		}
		line("  %s  %s %s %s", stampOf(d.When), who, verdictWords[d.Verdict], o.path(d.Label))
	}
	if m := s.Model; m != nil {
		line("now: p %.4f, threshold %.2f, logit %.2f by %s", m.Probability, m.Threshold, m.Logit, modelName(m.Name, m.Model))
	}
	line("sigla tag would %s (%s): %s", actWords[s.Ruling.Act], s.Ruling.Rule, s.Ruling.Why)
	return o.text(b.String())
}

var verdictWords = map[catalog.Verdict]string{catalog.Accept: "accepted", catalog.Reject: "rejected", catalog.Withdraw: "took back what was said of"}

var actWords = map[gallery.Act]string{
	gallery.Set: "write it", gallery.Keep: "keep it", gallery.Leave: "leave it out", gallery.Remove: "take it out", gallery.TakeBack: "take it back",
	gallery.Refuse: "write nothing",
}

// whereabouts tells where the tag stands.
func (o *output) whereabouts(line func(string, ...any), s gallery.Story) {
	if len(s.Places) == 0 {
		line("  the photo does not have it")
	}
	file := ""
	for _, p := range s.Places {
		if p.File != file {
			file = p.File
			line("  %s", o.path(file))
		}
		form := "path"
		if p.Flat {
			form = "word"
		}
		line("    %-28s %s %s", p.Field, form, o.path(p.Text))
	}
}

// setBy tells who set a tag.
func (o *output) setBy(s gallery.Setting) string {
	text := "  " + stampOf(s.When) + "  "
	switch s.Source {
	case sidecar.Auto:
		text += fmt.Sprintf("set by %s: p %.4f, threshold %.2f, logit %.2f", modelName(s.Name, s.Model), s.P, s.Threshold, s.Logit)
		if s.Bias != 0 {
			text += fmt.Sprintf(", δ %+.2f", s.Bias)
		}
	case sidecar.User:
		text += "set by you"
	case sidecar.Import:
		text = "  copied from where others had it"
	default:
		text += "set by " + o.path(string(s.Source))
	}
	if s.Label != "" {
		text += " as " + o.path(s.Label)
	}
	text += " in " + o.path(s.File)
	if s.Run != "" {
		text += ", run " + s.Run
	}
	if s.Undone {
		text += ", which was undone"
	}
	if s.Gone {
		text += "; taken out of it since"
	}
	return text
}

// stampOf is a time as people read it.
func stampOf(t time.Time) string {
	if t.IsZero() {
		return "at some time"
	}
	return t.Local().Format(time.DateTime)
}

// modelName is the name of a model and the beginning of its digest.
func modelName(name, digest string) string {
	if len(digest) > 12 {
		digest = digest[:12]
	}
	switch {
	case name != "" && digest != "":
		return name + " " + digest
	case name+digest == "":
		return "a model"
	}
	return name + digest
}
