package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"sigla/gallery"
	"sigla/gallery/catalog"
	"sigla/gallery/label"
	"sigla/gallery/sidecar"
	"sigla/gallery/sidecar/journal"
)

// tagOptions are the flags of tag.
type tagOptions struct {
	threshold     float64
	naming        string
	apply, noSync bool
	embed         bool
}

var namings = map[string]sidecar.Naming{"full": sidecar.Full, "adobe": sidecar.Adobe}

func (a *app) tagCommand() *cobra.Command {
	var opt tagOptions
	cmd := &cobra.Command{
		Use:   "tag PATH...",
		Short: "Plan tags, and write them to XMP sidecars with --apply",
		Long: `Say which tags the photos under PATH would get: the labels that the model gives at least their threshold, and those that a person accepted. Nothing is written without --apply.

Tags go to sidecars that digiKam, darktable, Lightroom, Immich and others read; photos are written only with --embed, which puts tags into JPEGs: into a new file with the same picture, bit for bit, that is checked and takes the old one's place. What others wrote stays to the byte. A label that fell below its threshold is taken back if sigla had set it, never if somebody else had; one that a person rejected, or took out of the sidecar, does not come back. Private labels are not written. sigla undo takes the last application back.

Text has a path, then + what is added, - what is removed, and how many tags are kept, and at the end what programs will show. JSON has an object a photo: {"path","added","removed","kept","files","shown","missing","notes","refused"}.`,
		Example: `sigla tag Pictures --labels dog,cat,beach
sigla tag Pictures --labels dog,cat,beach --threshold 0.8 --apply
sigla tag Pictures --labels dog,cat,beach --embed --apply
sigla undo`,
		Args: cobra.MinimumNArgs(1),
		Run: a.configured(func(ctx context.Context, args []string) error {
			naming, ok := namings[opt.naming]
			switch {
			case !ok:
				return usagef("tag --naming %q: want full (photo.jpg.xmp) or adobe (photo.xmp)", opt.naming)
			case opt.threshold < 0 || opt.threshold >= 1:
				return usagef("tag --threshold %v: want a probability above 0 and below 1", opt.threshold)
			case a.settings.format == "csv":
				return usagef("tag --format csv: want text or json")
			}
			return a.runTag(ctx, args, opt, naming)
		}),
	}
	f := cmd.Flags()
	f.Float64Var(&opt.threshold, "threshold", 0, "probability from which on every label holds (the labels' own)")
	f.StringVar(&opt.naming, "naming", "full", "how new sidecars are called: full, photo.jpg.xmp, or adobe, photo.xmp")
	f.BoolVar(&opt.embed, "embed", false, "put tags into JPEGs themselves; other photos get sidecars")
	f.BoolVar(&opt.apply, "apply", false, "write what is planned")
	f.BoolVar(&opt.noSync, "no-sync", false, "do not wait for the disk: faster, but a power cut may leave files empty")
	return cmd
}

func (a *app) runTag(ctx context.Context, args []string, opt tagOptions, naming sidecar.Naming) error {
	set, _, err := a.labelSet(ctx, userLabels())
	if err != nil {
		return err
	}
	paths, err := a.paths(args)
	if err != nil {
		return err
	}
	for i := range set.Labels {
		if opt.threshold > 0 {
			set.Labels[i].Threshold = opt.threshold
		}
	}
	enc, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer enc.Close()
	g := catalogued(dataDir())
	defer a.closeCatalogued(g)
	a.warnMissing(enc.adapter, set)
	by, err := a.tagger(ctx, g, set, enc)
	if err != nil {
		return err
	}
	by.Naming, by.Embed = naming, opt.embed
	g.UseModel(enc.catalogModel())
	g.UseScanner(enc.cpu)
	if err := a.indexPhotos(ctx, g, paths, enc); err != nil {
		return err
	}
	var ids []int
	for _, p := range g.Photos() {
		if p.State == gallery.Ready {
			ids = append(ids, p.ID)
		}
	}
	planner, err := g.NewTagPlanner(ctx, by)
	if err != nil {
		return err
	}
	plan, err := planner.Plan(ctx, ids)
	if err != nil {
		return err
	}
	if err := a.output().plan(plan.Plan); err != nil || !opt.apply {
		return err
	}
	return a.applyPlan(ctx, g, plan, opt)
}

// tagger has labels set by the model.
func (a *app) tagger(ctx context.Context, g *gallery.Gallery, set label.Set, enc *encoder) (gallery.Tagger, error) {
	open := public(set)
	by := gallery.Tagger{Labels: enc.tuneAll(set), Model: enc.Info().Digest, Bias: a.settings.bias, Now: time.Now()}
	if len(open.Labels) == 0 && len(set.Labels) > 0 {
		a.complain(fmt.Errorf("all labels of %s are private: none of them is written", set.Name))
		return by, nil
	}
	s, err := newScorer(ctx, open, enc, &a.settings)
	if err != nil {
		return gallery.Tagger{}, err
	}
	by.Judge = func(id int) []gallery.Judgement {
		vector := g.Vector(id)
		if vector == nil {
			return nil
		}
		var list []gallery.Judgement
		for _, l := range s.scores(vector) {
			list = append(list, gallery.Judgement{Label: set.Index(l.Label), Holds: l.above, P: l.Probability, Logit: float64(l.read)})
		}
		return list
	}
	return by, nil
}

// runsOf is the folder of the journal beside a catalog.
func runsOf(data string) string { return filepath.Join(data, "runs") }

// applyPlan writes the sidecars of a plan.
func (a *app) applyPlan(ctx context.Context, g *gallery.Gallery, plan gallery.TagPlan, opt tagOptions) (err error) {
	if err := g.Decide(ctx, plan.Rejections...); err != nil {
		return err
	}
	j, err := a.openJournal(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	result, err := plan.Apply(ctx, j, journal.Options{NoSync: opt.noSync, Begin: follow(ctx, dataDir())})
	a.failWrites(result)
	if err != nil {
		return err
	}
	if result.Written > 0 && !a.settings.quiet {
		what := counted(result.Written, "sidecar")
		if opt.embed {
			what = fmt.Sprintf("%d photos and sidecars", result.Written)
		}
		fmt.Fprintf(a.stderr, "sigla: %s written; \"sigla undo\" takes that back\n", what)
	}
	return nil
}

// follow has the catalog know of what photos become what it knows of them.
func follow(ctx context.Context, data string) func([]journal.Replacement) error {
	return func(list []journal.Replacement) (err error) {
		moves := make([]catalog.Move, len(list))
		for i, r := range list {
			if err := errors.Join(moves[i].From.UnmarshalText([]byte(r.Before)), moves[i].To.UnmarshalText([]byte(r.After))); err != nil {
				return err
			}
		}
		c, err := catalog.Open(ctx, data)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, c.Close()) }()
		return c.Follow(ctx, moves...)
	}
}

// openJournal opens the journal and says what a run that was killed had left.
func (a *app) openJournal(ctx context.Context) (*journal.Journal, error) {
	j, err := journal.Open(ctx, runsOf(dataDir()))
	if err != nil {
		return nil, err
	}
	for _, r := range j.Recovered {
		a.failWrites(r)
		if r.Written > 0 {
			a.complain(fmt.Errorf("run %s had been cut off and is finished now: %s", r.Run, counted(r.Written, "file")))
		}
	}
	return j, nil
}

func (a *app) failWrites(r journal.Result) {
	for _, f := range r.Failed {
		a.fail(fmt.Errorf("write %s: %w", f.Path, f.Err))
	}
}
