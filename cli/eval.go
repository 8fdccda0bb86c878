package cli

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"sigla/backend"
	"sigla/finetune"
	"sigla/gallery"
	"sigla/gallery/label"
	"sigla/model"
)

// evalOptions are the flags of eval.
type evalOptions struct {
	knowledgeOptions
	split  string
	depth  string
	head   string
	aim    finetune.Aim
	seed   uint64
	doubts int
}

func (a *app) evalCommand() *cobra.Command {
	var opt evalOptions
	cmd := &cobra.Command{
		Use:   "eval PATH...",
		Short: "Measure how well tagged photos are told to show their labels",
		Long: `Measure the model on photos of which it is known what they show: by tags in sidecars and photos, by names of folders, by a CSV file (path,tag; or a column for each tag), and by a person's answers, which always count. A tag that is absent says nothing, unless --complete is given; a label needs photos that show it and photos that do not.

For every label: average precision; precision and recall at its threshold; the expected calibration error; each with its 95 % interval, from resampling groups of photos that show the same; and the labels that are taken for each other. With an adapter, --adapter, everything is measured without it and with it. With --depth nothing is kept: it measures what learning calibrate or head would bring, each photo scored by what the others teach, and says for which labels that would be kept.

--split validation measures the fifth of the photos that sigla train with the same --seed does not learn from.

JSON has one object: {"photos","groups","known","labels":[{"label","shown","not_shown","unknown","threshold","before":{"average_precision":{"value","low","high"},...},"after","gain"}],"before","after","gain","confused":[...],"verdicts":[...],"doubts":[...],"disputes":[...]}. CSV has a row a label.`,
		Example: `sigla eval Pictures
sigla eval Pictures --tags tags.csv --format csv
sigla eval Pictures --tags folders --complete --depth head
sigla eval Pictures --adapter mine --split validation`,
		Args: cobra.MinimumNArgs(1),
		Run: a.configured(func(ctx context.Context, args []string) error {
			if err := opt.check(a.settings.adapter); err != nil {
				return err
			}
			return a.runEval(ctx, args, opt)
		}),
	}
	opt.add(cmd.Flags())
	f := cmd.Flags()
	f.StringVar(&opt.split, "split", "all", "which photos: all, train or validation")
	f.StringVar(&opt.depth, "depth", "", "measure what learning this would bring: calibrate or head")
	f.StringVar(&opt.head, "head", headKinds[0], "with --depth head: linear or prototype, as for train")
	f.StringVar((*string)(&opt.aim), "fit-threshold", "", "tell where each label's threshold would be: f1 for the best F1, a number as 0.9 for that precision")
	f.Uint64Var(&opt.seed, "seed", 0, "seed of the split")
	f.IntVar(&opt.doubts, "doubts", 10, "with --depth: how many doubtful tags to list")
	return cmd
}

// check says what of the command line cannot be carried out.
func (o *evalOptions) check(adapter string) error {
	switch {
	case !slices.Contains(evalSplits, o.split):
		return usagef("eval --split %s: want one of %s", o.split, strings.Join(evalSplits, ", "))
	case !slices.Contains([]string{"", "calibrate", "head"}, o.depth):
		return usagef("eval --depth %s: want calibrate or head", o.depth)
	case !slices.Contains(headKinds, o.head):
		return usagef("eval --head %s: want one of %s", o.head, strings.Join(headKinds, ", "))
	case o.head != headKinds[0] && o.depth != "head":
		return usagef("eval --head %s: it is of --depth head", o.head)
	case o.depth != "" && o.split != "all":
		return usagef("eval --depth %s --split %s: cross-validation takes all photos", o.depth, o.split)
	case o.depth != "" && adapter != "" && adapter != "none":
		return usagef("eval --depth %s --adapter %s: measure one after the other", o.depth, adapter)
	case o.doubts < 0:
		return usagef("eval --doubts %d: want 0 or more", o.doubts)
	case o.aim != finetune.AimNone:
		if _, err := o.aim.Wanted(); err != nil {
			return usagef("eval --fit-threshold: %w", err)
		}
	}
	return nil
}

var evalSplits = []string{"all", "train", "validation"}

// evaluated is what eval has found.
type evaluated struct {
	finetune.Report
	Known      string               `json:"known"` // where it is said what photos show
	Adapter    string               `json:"adapter,omitempty"`
	Verdicts   []finetune.Verdict   `json:"verdicts,omitempty"`
	Doubts     []doubt              `json:"doubts,omitempty"`
	Disputes   []string             `json:"disputes,omitempty"`
	Thresholds []finetune.Threshold `json:"thresholds,omitempty"`
}

// doubt is a tag that may be wrong.
type doubt struct {
	Path        string  `json:"path"`
	Label       string  `json:"label"`
	Shown       bool    `json:"shown"` // as it is known
	Probability float64 `json:"probability"`
	By          string  `json:"by"`
}

func (a *app) runEval(ctx context.Context, args []string, opt evalOptions) error {
	paths, err := a.paths(args)
	if err != nil {
		return err
	}
	set, _, err := a.labelSet(ctx, userLabels())
	if err != nil {
		return err
	}
	e := evaluator{app: a, opt: opt, paths: paths, set: set}
	with := a.settings.adapter
	a.settings.adapter = "none"
	if err := e.look(ctx); err != nil {
		return err
	}
	if a.settings.adapter = with; opt.depth == "" {
		err = e.lookAgain(ctx)
	}
	if err != nil {
		return err
	}
	r, err := e.report()
	if err != nil {
		return err
	}
	return a.output().evaluated(r)
}

// An evaluator measures a model and what was learned for it.
type evaluator struct {
	*app
	opt    evalOptions
	paths  []string
	set    label.Set // that may explain names
	known  *trainSet
	photos []int // of known, that are measured

	scores   []finetune.Scores // without and with what was learned, of photos
	adapter  string
	verdicts []finetune.Verdict
	doubts   []finetune.Doubt
}

// look scores the photos by the model alone.
func (e *evaluator) look(ctx context.Context) error {
	return e.visit(ctx, func(g *gallery.Gallery, enc *encoder) error {
		var err error
		if e.known, err = knowledge(ctx, g, e.set, e.settings.labels != "", e.opt.knowledgeOptions); err != nil {
			return err
		}
		if e.known.missing != nil {
			e.complain(e.known.missing)
		}
		if len(e.known.Labels) == 0 {
			return fmt.Errorf("%s has captions; eval needs tags", e.opt.tags)
		}
		e.photos = e.known.Rest(nil)
		switch learn, look := e.known.HoldOut(e.opt.seed); e.opt.split {
		case "train":
			e.photos = learn
		case "validation":
			e.photos = look
		}
		if len(e.photos) == 0 {
			return errors.New("no photo is in this part: all photos are alike or of one burst")
		}
		if e.opt.depth != "" {
			return e.learn(ctx, g, enc)
		}
		return e.score(ctx, g, enc, func(photo int) int { return e.known.ids[photo] })
	})
}

// lookAgain scores them with the adapter that the settings name, if there is one.
func (e *evaluator) lookAgain(ctx context.Context) error {
	if e.settings.adapter == "none" {
		return nil
	}
	enc, err := e.open(ctx)
	if err != nil {
		return err
	}
	e.adapter = e.adapted
	if err := enc.Close(); err != nil || e.adapter == "" {
		return err
	}
	return e.visit(ctx, func(g *gallery.Gallery, enc *encoder) error {
		ids := make(map[string]int)
		for _, p := range g.Photos() {
			if p.State == gallery.Ready {
				ids[p.Path] = p.ID
			}
		}
		for _, i := range e.photos {
			if _, ok := ids[e.known.Photos[i].Path]; !ok {
				return fmt.Errorf("%s went away, or cannot be read any more, while it was measured", e.known.Photos[i].Path)
			}
		}
		return e.score(ctx, g, enc, func(photo int) int { return ids[e.known.Photos[photo].Path] })
	})
}

// visit embeds the photos and reads their tags.
func (e *evaluator) visit(ctx context.Context, f func(*gallery.Gallery, *encoder) error) error {
	enc, err := e.open(ctx)
	if err != nil {
		return err
	}
	defer enc.Close()
	g := catalogued(dataDir())
	defer e.closeCatalogued(g)
	g.UseModel(enc.catalogModel())
	g.UseScanner(enc.cpu)
	failed := e.failed
	if err := e.indexPhotos(ctx, g, e.paths, enc); err != nil {
		return err
	}
	if e.known != nil {
		e.failed = failed // they were counted the first time
	}
	return f(g, enc)
}

// score notes how photos score, as sigla score says it.
func (e *evaluator) score(ctx context.Context, g *gallery.Gallery, enc *encoder, id func(photo int) int) error {
	s, err := newScorer(ctx, label.Set{Name: "tags", Templates: e.set.Templates, Labels: e.known.labels}, enc, &e.settings)
	if err != nil {
		return err
	}
	scores := finetune.Scores{Labels: len(e.known.labels)}
	for _, l := range s.classifier.Set().Labels {
		scores.Thresholds = append(scores.Thresholds, enc.Tune(l).Cutoff())
	}
	for _, photo := range e.photos {
		for _, p := range s.probabilities(g.Vector(id(photo))) {
			scores.Values = append(scores.Values, float32(logit(p)))
		}
	}
	e.scores = append(e.scores, scores)
	return ctx.Err()
}

// logit is the inverse of the sigmoid, within what a float64 can tell from 0
// and 1.
func logit(p float64) float64 { return max(-700, min(36, math.Log(p)-math.Log1p(-p))) }

// learn measures by cross-validation what learning would bring.
func (e *evaluator) learn(ctx context.Context, g *gallery.Gallery, enc *encoder) error {
	if enc.Info().Kind == model.CLIP.String() {
		return fmt.Errorf("learn %s: model %s chooses among labels and has no bias; learning needs a SigLIP model", e.opt.depth, enc.Info().Name)
	}
	d, err := e.known.embedded(ctx, g, enc, e.set.Templates)
	if err != nil {
		return err
	}
	how := trainSetup{Depth: finetune.Depth(e.opt.depth), Prototype: e.opt.head == headKinds[1]}.method()
	choose := func(by backend.Backend) (finetune.Choice, error) {
		return finetune.Choose(ctx, by, d, how, finetune.DefaultPrior, e.opt.seed)
	}
	c, err := choose(enc.engine)
	if failed := deviceFailure(err); failed != nil {
		e.complain(fmt.Errorf("%w; the cpu goes on", failed))
		c, err = choose(enc.cpu)
	}
	if err != nil {
		return err
	}
	e.scores, e.verdicts, e.doubts = []finetune.Scores{c.Before, c.After}, c.Verdicts, d.Doubts(c.After)
	return nil
}

func (e *evaluator) report() (r evaluated, err error) {
	thresholds := make([]float64, len(e.known.labels))
	for i, l := range e.known.labels {
		thresholds[i] = l.Cutoff()
	}
	r = evaluated{Report: e.known.Evaluate(e.photos, thresholds, e.scores...), Known: e.known.from, Adapter: e.adapter, Verdicts: e.verdicts}
	for _, d := range e.doubts[:min(len(e.doubts), e.opt.doubts)] {
		r.Doubts = append(r.Doubts, doubt{e.known.Photos[d.Photo].Path, e.known.Labels[d.Label].Name, d.Value > 0, d.P, d.By.String()})
	}
	for _, d := range e.known.disputes {
		r.Disputes = append(r.Disputes, d.Error())
	}
	if e.opt.aim != finetune.AimNone {
		r.Thresholds, err = e.known.FitThresholds(e.scores[len(e.scores)-1], e.photos, e.opt.aim)
	}
	return r, err
}

// evaluated writes what eval has found.
func (o *output) evaluated(r evaluated) error {
	switch o.format {
	case "json":
		return o.object(r)
	case "csv":
		return o.evaluatedRows(r)
	}
	return o.text(evalText(r))
}

// evalColumns are the figures of a label in CSV.
var evalColumns = []struct {
	name string
	of   func(finetune.Measures) finetune.Interval
}{
	{"average_precision", func(m finetune.Measures) finetune.Interval { return m.AveragePrecision }},
	{"precision", func(m finetune.Measures) finetune.Interval { return m.Precision }},
	{"recall", func(m finetune.Measures) finetune.Interval { return m.Recall }},
	{"f1", func(m finetune.Measures) finetune.Interval { return m.F1 }},
	{"calibration_error", func(m finetune.Measures) finetune.Interval { return m.CalibrationError }},
	{"log_loss", func(m finetune.Measures) finetune.Interval { return m.LogLoss }},
}

func (o *output) evaluatedRows(r evaluated) error {
	sides := []string{"before"}
	if r.After != nil {
		sides = append(sides, "after")
	}
	head := []string{"label", "shown", "not_shown", "unknown", "threshold"}
	for _, side := range sides {
		for _, c := range evalColumns {
			head = append(head, side+"_"+c.name, side+"_"+c.name+"_low", side+"_"+c.name+"_high")
		}
	}
	if err := o.header(head...); err != nil {
		return err
	}
	for _, l := range r.Labels {
		row := []string{l.Label, strconv.Itoa(l.Shown), strconv.Itoa(l.NotShown), strconv.Itoa(l.Unknown), formatProbability(l.Threshold)}
		measures := []finetune.Measures{l.Before}
		if l.After != nil {
			measures = append(measures, *l.After)
		}
		for _, m := range measures {
			for _, c := range evalColumns {
				i := c.of(m)
				row = append(row, figure(i.Value), figure(i.Low), figure(i.High))
			}
		}
		if err := o.row(row...); err != nil {
			return err
		}
	}
	return nil
}

// figure is a number, nothing where there is none.
func figure(x float64) string {
	if math.IsNaN(x) {
		return ""
	}
	return strconv.FormatFloat(x, 'g', 6, 64)
}
