package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
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
}

var namings = map[string]sidecar.Naming{"full": sidecar.Full, "adobe": sidecar.Adobe}

func (a *app) tagCommand() *cobra.Command {
	var opt tagOptions
	cmd := &cobra.Command{
		Use:   "tag PATH...",
		Short: "Plan tags, and write them to XMP sidecars with --apply",
		Long: `Say which tags the photos under PATH would get: the labels that the model gives at least their threshold, and those that a person accepted. Nothing is written without --apply.

Tags go to sidecars that digiKam, darktable, Lightroom, Immich and others read; photos are never written. What others wrote stays to the byte. A label that fell below its threshold is taken back if sigla had set it, never if somebody else had; one that a person rejected, or took out of the sidecar, does not come back. Private labels are not written. sigla undo takes the last application back.

Text has a path, then + what is added, - what is removed, and how many tags are kept, and at the end what programs will show. JSON has an object a photo: {"path","added","removed","kept","files","shown","missing","notes","refused"}.`,
		Example: `sigla tag Pictures --labels dog,cat,beach
sigla tag Pictures --labels dog,cat,beach --threshold 0.8 --apply
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
	f.BoolVar(&opt.apply, "apply", false, "write the sidecars")
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
	set = public(set)
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
	t := tagger{g: g, set: set, digest: enc.Info().Digest, bias: a.settings.bias, now: time.Now()}
	if t.scorer, err = newScorer(ctx, set, enc, &a.settings); err != nil {
		return err
	}
	g.UseModel(enc.catalogModel())
	g.UseScanner(enc.engine)
	if err := a.indexPhotos(ctx, g, paths, enc); err != nil {
		return err
	}
	photos, err := t.photos(ctx)
	if err != nil {
		return err
	}
	plan := sidecar.NewPlan(photos, naming)
	if err := a.output().plan(plan); err != nil || !opt.apply {
		return err
	}
	return a.applyPlan(ctx, &t, plan, opt)
}

// tagger says what is to become of the tags of photos.
type tagger struct {
	g      *gallery.Gallery
	scorer *scorer
	set    label.Set
	digest string
	bias   float64
	now    time.Time
	ids    map[string]int // of photos, by path

	answers map[catalog.Hash][]catalog.Decision
}

func (t *tagger) photos(ctx context.Context) ([]sidecar.Photo, error) {
	var err error
	if t.answers, err = t.g.Decisions(ctx); err != nil {
		return nil, err
	}
	t.ids = make(map[string]int)
	stems := make(map[string]int)
	var photos []sidecar.Photo
	for _, p := range t.g.Photos() {
		if p.State != gallery.Ready {
			continue
		}
		t.ids[p.Path] = p.ID
		stems[stem(p.Path)] += 1 + len(p.Twins)
		photos = append(photos, sidecar.Photo{Path: p.Path, Files: sidecar.Look(p.Path)})
	}
	for i := range photos {
		p := &photos[i]
		p.Shared = stems[stem(p.Path)] > 1
		id := t.ids[p.Path]
		p.Change = t.change(id, p.Files, t.answers[t.g.Content(id)])
	}
	return photos, ctx.Err()
}

func stem(path string) string { return strings.TrimSuffix(path, filepath.Ext(path)) }

// change returns what a photo's labels and a person's answers ask for.
func (t *tagger) change(id int, files []sidecar.Known, answers []catalog.Decision) sidecar.Change {
	var c sidecar.Change
	said := make(map[string]bool)
	for _, d := range answers {
		said[sidecar.Fold(d.Label)] = true
		if d.Verdict == catalog.Reject {
			c.Reject = append(c.Reject, d.Label)
		} else {
			c.Accept = append(c.Accept, sidecar.Mark{Label: d.Label, Source: sidecar.User, When: d.When})
		}
	}
	var ours []string // tags that sigla set by itself
	for _, f := range files {
		for _, m := range sidecar.Marks(f.Values) {
			if m.Source == sidecar.Auto {
				ours = append(ours, m.Label)
			}
		}
	}
	has := t.g.Tags(id).Set()
	for _, s := range t.scorer.scores(t.g.Vector(id)) {
		l := t.set.Labels[t.set.Index(s.Label)]
		isOurs := slices.ContainsFunc(ours, func(o string) bool { return sidecar.Fold(o) == sidecar.Fold(l.Name) })
		switch {
		case said[sidecar.Fold(l.Name)]:
		case !s.above && isOurs:
			c.Withdraw = append(c.Withdraw, l.Name)
		case s.above && !isOurs && !has.Has(l.Name) && !slices.ContainsFunc(l.Synonyms, has.Has):
			c.Accept = append(c.Accept, sidecar.Mark{Label: l.Name, Source: sidecar.Auto, P: s.Probability, Logit: float64(s.Logit),
				Model: t.digest, Bias: t.bias, Threshold: l.Cutoff(), When: t.now})
		}
	}
	return c
}

// rejections are what somebody took out of sidecars since sigla wrote it, and of
// which nothing else was said.
func (t *tagger) rejections(plan sidecar.Plan) (list []catalog.Decision) {
	for _, p := range plan.Photos {
		content := t.g.Content(t.ids[p.Path])
		for _, m := range p.Missing {
			is := func(d catalog.Decision) bool { return sidecar.Fold(d.Label) == sidecar.Fold(m.Label) }
			if !slices.ContainsFunc(t.answers[content], is) {
				list = append(list, catalog.Decision{Photo: content, Label: m.Label, Verdict: catalog.Reject, When: t.now, Who: "sidecar"})
			}
		}
	}
	return list
}

func runsDir() string { return filepath.Join(dataDir(), "runs") }

// applyPlan writes the sidecars of a plan.
func (a *app) applyPlan(ctx context.Context, t *tagger, plan sidecar.Plan, opt tagOptions) (err error) {
	if err := t.g.Decide(ctx, t.rejections(plan)...); err != nil {
		return err
	}
	j, err := a.openJournal(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	result, err := plan.Apply(ctx, j, journal.Options{NoSync: opt.noSync})
	a.failWrites(result)
	if err != nil {
		return err
	}
	if result.Written > 0 && !a.settings.quiet {
		fmt.Fprintf(a.stderr, "sigla: %d sidecars written; \"sigla undo\" takes them back\n", result.Written)
	}
	return nil
}

// openJournal opens the journal and says what a run that was killed had left.
func (a *app) openJournal(ctx context.Context) (*journal.Journal, error) {
	j, err := journal.Open(ctx, runsDir())
	if err != nil {
		return nil, err
	}
	for _, r := range j.Recovered {
		a.failWrites(r)
		if r.Written > 0 {
			a.complain(fmt.Errorf("run %s had been cut off and is finished now: %d files", r.Run, r.Written))
		}
	}
	return j, nil
}

func (a *app) failWrites(r journal.Result) {
	for _, f := range r.Failed {
		a.fail(fmt.Errorf("write %s: %w", f.Path, f.Err))
	}
}
