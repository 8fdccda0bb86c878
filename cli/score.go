package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"sigla/gallery"
	"sigla/gallery/label"
)

func (a *app) scoreCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "score PATH...",
		Short: "Print the logit and probability of every label",
		Long: `Score photos, and all photos in folders, against the labels. Everything is computed anew, in f32: what sigla index keeps, in half precision, is not used.

The logit is the model's own, exp(t')·cosine + b. The probability follows --bias and --temperature and the labels' own calibration: sigmoid(s·(logit − b) + b + δ). The probabilities of a label set need not sum to one.

Text has a path and below it the labels, the most probable first, with probability and logit; ● marks those above their threshold. JSON has one object a line: {"path":P,"scores":[{"label":L,"logit":X,"probability":Y}]}.`,
		Example: `sigla score photo.jpg
sigla score --labels cat,dog,bird --format json Pictures
find . -name '*.jpg' -print0 | sigla score -0 --format csv -`,
		Args: cobra.MinimumNArgs(1),
		Run:  a.configured(a.runScore),
	}
}

func (a *app) runScore(ctx context.Context, args []string) error {
	set, _, err := a.labelSet(ctx, userLabels())
	if err != nil {
		return err
	}
	paths, err := a.paths(args)
	if err != nil {
		return err
	}
	out := a.output()
	if err := out.scoreHeader(); err != nil {
		return err
	}
	return a.scorePhotos(ctx, set, paths, func(photo gallery.Photo, scores []labelScore) error {
		return out.scores(photo.Path, scores)
	})
}

// scorePhotos gives each photo under paths and its scores to each.
func (a *app) scorePhotos(ctx context.Context, set label.Set, paths []string, each func(gallery.Photo, []labelScore) error) error {
	enc, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer enc.Close()
	s, err := newScorer(ctx, set, enc, &a.settings)
	if err != nil {
		return err
	}
	for _, l := range set.Labels {
		a.warnLong(enc, "label", l.Name, append(l.Texts(set.Templates), l.NegativeTexts()...)...)
	}
	g := gallery.New()
	return a.eachPhoto(ctx, g, paths, enc, func(photo gallery.Photo) error {
		return each(photo, s.scores(g.Vector(photo.ID)))
	})
}

// warnLong names what has texts of which the model reads only the beginning.
func (a *app) warnLong(enc *encoder, what, name string, texts ...string) {
	longest := 0
	for _, text := range texts {
		_, cut := enc.Tokenize(text)
		longest = max(longest, cut)
	}
	if longest > 0 {
		a.complain(fmt.Errorf("%s %q: %d tokens are too many for %s and were cut off", what, name, longest, enc.Info().Name))
	}
}

func (o *output) scoreHeader() error { return o.header("path", "label", "logit", "probability") }

// scores writes a photo's scores.
func (o *output) scores(path string, scores []labelScore) error {
	switch o.format {
	case "json":
		return o.object(struct {
			Path   string       `json:"path"`
			Scores []labelScore `json:"scores"`
		}{path, scores})
	case "csv":
		for _, s := range scores {
			if err := o.row(path, s.Label, formatFloat(s.Logit), formatProbability(s.Probability)); err != nil {
				return err
			}
		}
		return nil
	}
	var b strings.Builder
	b.WriteString(o.path(path))
	b.WriteByte(o.end)
	for _, s := range scores {
		mark := "○"
		if s.above {
			mark = "●"
		}
		fmt.Fprintf(&b, "  %s %6.4f %7.2f  %s\n", mark, s.Probability, s.Logit, s.Label)
	}
	if o.end == 0 {
		b.WriteByte(0)
	}
	return o.text(b.String())
}
