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
	"github.com/spf13/pflag"

	"sigla/finetune"
	"sigla/ui"
)

// trainOptions are the flags of train.
type trainOptions struct {
	setup  trainSetup
	depth  string
	head   string
	name   string
	log    string
	merge  string
	resume string
	replay string
	dryRun bool
	list   bool

	balance float64 // of setup, if it is said
	fixed   string  // a flag that was given and that a run which goes on has its own value of
}

// headKinds are how the vectors of depth head are found.
var headKinds = []string{"linear", "prototype"}

// newestRun is what --resume and --replay say without a value.
const newestRun = "newest"

func (a *app) trainCommand() *cobra.Command {
	opt := &trainOptions{}
	cmd := &cobra.Command{
		Use:   "train PATH...",
		Short: "Fine-tune the model on the tags of your photos",
		Long: `Learn from photos of which it is known what they show: by tags in sidecars and photos, by names of folders, by a CSV file, and by a person's answers. A tag that is absent says nothing, unless --complete is given; a label learns if there are photos that show it and photos that do not. A fifth of the photos is not learned from and says how well it goes.

The depths: calibrate learns how surely each label is said; head, besides, where each label is among the photos, from the embeddings that are there; lora trains small updates of the towers, full the towers themselves. With calibrate and head only what cross-validation finds better is kept, label by label; the rest stays as it is.

What was learned is kept as an adapter: sigla adapters lists them, --adapter uses one, sigla adapters NAME --use makes it the default. The model itself is never changed.

The run is written to a folder below $XDG_DATA_HOME/sigla/runs, with checkpoints: an interrupted one ends with one and --resume goes on. Where standard output is no terminal it has an event a line: {"step","steps","loss","t_prime","temperature","bias","lr","grad_norm","pairs_per_s","seconds"} and, after a look at the photos held back, "validation", after the failure of a device, "note"; the last line is {"result":{"adapter","before","after","gate"}}, with --fit-threshold "thresholds" besides.`,
		Example: `sigla train Pictures
sigla train Pictures --depth calibrate --complete
sigla train Pictures --tags tags.csv --dry-run
sigla train Pictures --depth lora --epochs 3 --log run.jsonl
sigla train --resume
sigla train --replay`,
		Run: a.configured(func(ctx context.Context, args []string) error {
			if err := opt.check(args); err != nil {
				return err
			}
			switch {
			case opt.list:
				return a.listRuns()
			case opt.replay != "":
				return a.replayRun(ctx, opt.replay)
			}
			return a.runTrain(ctx, args, opt)
		}),
	}
	known := opt.flags(cmd.Flags())
	cmd.MarkFlagsMutuallyExclusive("resume", "replay", "list", "dry-run")
	cmd.PreRun = func(*cobra.Command, []string) {
		opt.setup.Tags, opt.setup.Complete = known.tags, known.complete
		if cmd.Flags().Changed("balance") {
			opt.setup.Balance = &opt.balance
		}
		free := []string{"resume", "name", "log", "merge"}
		cmd.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
			if f.Changed && !slices.Contains(free, f.Name) {
				opt.fixed = f.Name
			}
		})
		for _, name := range []string{"labels", "template"} { // every command has these
			if cmd.Flags().Changed(name) {
				opt.fixed = name
			}
		}
	}
	return cmd
}

// flags are the command's.
func (o *trainOptions) flags(f *pflag.FlagSet) *knowledgeOptions {
	s, known := &o.setup, &knowledgeOptions{}
	f.StringVar(&o.depth, "depth", string(finetune.DepthHead), "what learns: "+strings.Join(depthNames(), ", "))
	known.add(f)
	f.StringVar(&o.head, "head", headKinds[0], "with depth head: linear learns a label's vector, prototype moves it towards the mean of its photos")
	f.StringVar((*string)(&s.Aim), "fit-threshold", "", "move each label's threshold: f1 to where F1 is best, a number as 0.9 to where that share of what is tagged is right (they stay)")
	f.IntVar(&s.Epochs, "epochs", 0, "how often every photo is seen (the depth's own)")
	f.IntVar(&s.Batch, "batch", 0, "photos of a step (the depth's own)")
	f.IntVar(&s.Rank, "rank", 0, "with lora: rank of the updates (8)")
	f.Float64Var(&s.Rate, "rate", 0, "learning rate at its highest (the depth's own)")
	f.StringArrayVar(&s.Tensors, "tensors", nil, "with full: which tensors learn, by patterns on their names, as 'text_model.*'; '!…' takes out; may be repeated (all)")
	f.Float64Var(&o.balance, "balance", -1, "with lora and full: labels rarer than this times the mean are drawn more often, the rarer the more; 0: none (the depth's own)")
	f.Uint64Var(&s.Seed, "seed", 0, "seed of the split and of the order of the photos")
	f.BoolVar(&s.DecayAll, "decay-all", false, "with lora and full: weights decay whatever their shape")
	f.StringVar(&o.name, "name", "", "what the adapter is called (the run's name)")
	f.StringVar(&o.log, "log", "", "write the events to this file, too")
	f.StringVar(&o.merge, "merge", "", "write the model with what was learned as a checkpoint to this new folder, too")
	f.BoolVar(&o.dryRun, "dry-run", false, "say what it would learn from and take, and learn nothing")
	f.StringVar(&o.resume, "resume", "", "go on with a run that was interrupted: its name, or the newest")
	f.StringVar(&o.replay, "replay", "", "show a run of the past: its name or folder, or the newest")
	f.BoolVar(&o.list, "list", false, "list the runs")
	f.Lookup("balance").DefValue = "0" // which help leaves out
	f.Lookup("resume").NoOptDefVal, f.Lookup("replay").NoOptDefVal = newestRun, newestRun
	return known
}

func depthNames() []string {
	return []string{string(finetune.DepthCalibrate), string(finetune.DepthHead), string(finetune.DepthLoRA), string(finetune.DepthFull)}
}

// check says what of the command line cannot be carried out.
func (o *trainOptions) check(args []string) error {
	s := &o.setup
	s.Depth, s.Prototype = finetune.Depth(o.depth), o.head == headKinds[1]
	other := o.resume != "" || o.replay != "" || o.list
	switch {
	case other && len(args) > 0:
		return usagef("train %s: --resume, --replay and --list take no PATH; a run is named by --resume=NAME", args[0])
	case !other && len(args) == 0:
		return usagef("train: name the folder of the photos")
	case o.resume != "" && o.fixed != "":
		return usagef("train --resume --%s: a run goes on as it was begun; leave --%s out", o.fixed, o.fixed)
	case !slices.Contains(depthNames(), o.depth):
		return usagef("train --depth %s: want one of %s", o.depth, strings.Join(depthNames(), ", "))
	case !slices.Contains(headKinds, o.head):
		return usagef("train --head %s: want one of %s", o.head, strings.Join(headKinds, ", "))
	case s.Prototype && s.Depth != finetune.DepthHead:
		return usagef("train --head: it is of --depth head")
	case s.Epochs < 0 || s.Batch < 0 || s.Rank < 0 || s.Rate < 0:
		return usagef("train: --epochs, --batch, --rank and --rate are above 0")
	case s.Rank > 0 && s.Depth != finetune.DepthLoRA:
		return usagef("train --rank: it is of --depth lora")
	case s.Balance != nil && !(*s.Balance >= 0 && *s.Balance <= finetune.MostBalance):
		return usagef("train --balance %g: want a number from 0 to %d", *s.Balance, finetune.MostBalance)
	case s.Balance != nil && s.Depth != finetune.DepthLoRA && s.Depth != finetune.DepthFull:
		return usagef("train --balance: it is of --depth lora and full; with %s each label has parameters of its own", s.Depth)
	case len(s.Tensors) > 0 && s.Depth != finetune.DepthFull:
		return usagef("train --tensors: it is of --depth full")
	}
	if s.Aim != finetune.AimNone {
		if _, err := s.Aim.Wanted(); err != nil {
			return usagef("train --fit-threshold: %w", err)
		}
	}
	if o.name != "" {
		if err := finetune.CheckName(o.name); err != nil {
			return usagef("train --name: %w", err)
		}
	}
	return nil
}

func (a *app) runTrain(ctx context.Context, args []string, opt *trainOptions) (err error) {
	dir := ""
	if opt.resume != "" {
		if dir, err = findUnfinished(opt.resume); err == nil {
			err = a.takeUp(dir, &opt.setup)
		}
	} else {
		opt.setup.Paths, err = a.absolutePaths(args)
		opt.setup.Labels, opt.setup.Template, opt.setup.Model = a.settings.labels, a.settings.templates, a.settings.model
	}
	if err != nil {
		return err
	}
	set, _, err := a.labelSet(ctx, userLabels())
	if err != nil {
		return err
	}
	a.settings.adapter = "none"
	src, err := a.source(ctx)
	if err != nil {
		return err
	}
	enc, err := a.use(ctx, src)
	if err != nil {
		return err
	}
	defer enc.Close()
	enc.tellFailure(a.complain)
	g := catalogued(dataDir())
	defer a.closeCatalogued(g)
	g.UseModel(enc.catalogModel())
	g.UseScanner(enc.cpu)
	if err := a.indexPhotos(ctx, g, opt.setup.Paths, enc); err != nil {
		return err
	}
	l, err := a.newLesson(enc, src, g, opt.setup, set)
	if err != nil {
		return err
	}
	l.warnPhoto, l.hint = once(a.fail), "--complete says that absent tags are wrong"
	return a.teach(ctx, l, dir, opt)
}

// absolutePaths are paths that mean the same wherever a run is taken up.
func (a *app) absolutePaths(args []string) ([]string, error) {
	paths, err := a.paths(args)
	for i := range paths {
		if abs, e := filepath.Abs(paths[i]); e == nil {
			paths[i] = abs
		}
	}
	return paths, err
}

// teach gathers, trains, measures and keeps.
func (a *app) teach(ctx context.Context, l *lesson, dir string, opt *trainOptions) (err error) {
	if err := l.gather(ctx); err != nil {
		return err
	}
	for _, d := range l.known.disputes {
		a.complain(d)
	}
	if opt.dryRun {
		return a.dryRun(ctx, l)
	}
	t, err := l.begin(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	out := a.output()
	report, closeLog, err := a.reporter(t, out, opt.log, dir != "")
	if err != nil {
		return err
	}
	if !a.settings.quiet {
		a.tell(planText(t.plan), out)
	}
	err = t.Train(ctx, finetune.Watch{Event: report, Warn: a.complain})
	a.progress.clear()
	if err = errors.Join(err, closeLog()); err != nil {
		if step := t.current().Step(); ctx.Err() != nil {
			a.complain(fmt.Errorf("stopped at step %d, with a checkpoint: sigla train --resume=%s goes on", step, t.name()))
		}
		return err
	}
	if !a.settings.quiet {
		a.tell("measuring what was learned\n", out)
	}
	result, err := t.Result(ctx)
	if err != nil {
		return err
	}
	return a.finish(ctx, t, result, opt, out)
}

// finish keeps what the gate lets through, and says what it is.
func (a *app) finish(ctx context.Context, t *trainRun, result ui.TrainResult, opt *trainOptions, out *output) error {
	name := opt.name
	if name == "" {
		name = t.name()
	}
	d, err := t.keep(name)
	if err != nil {
		return err
	}
	if d == nil {
		name = ""
	}
	if !out.terminal {
		err = out.object(map[string]any{"result": trained{name, result.Before, result.After, result.Labels, result.Thresholds}})
	}
	if err != nil {
		return err
	}
	a.tell(resultText(result, name), out)
	if opt.merge != "" && d != nil {
		return a.mergeAdapter(ctx, name, opt.merge)
	}
	return nil
}

// trained is the last line of a training in JSON.
type trained struct {
	Adapter    string               `json:"adapter,omitempty"`
	Before     finetune.Validation  `json:"before"`
	After      finetune.Validation  `json:"after"`
	Gate       []finetune.Verdict   `json:"gate"`
	Thresholds []finetune.Threshold `json:"thresholds,omitempty"`
}

// tell writes text for people: to standard output if that is a terminal, else
// beside the events.
func (a *app) tell(text string, out *output) {
	a.progress.clear()
	if out.terminal {
		out.text(text)
		return
	}
	fmt.Fprint(a.stderr, text)
}

// dryRun says what a training would take.
func (a *app) dryRun(ctx context.Context, l *lesson) error {
	p, err := l.foresee(ctx)
	if err != nil {
		return err
	}
	if l.towers() {
		if err := l.measure(ctx, &p); err != nil {
			return err
		}
	}
	if a.settings.format == "json" {
		return a.output().object(dryPlan(p))
	}
	return a.output().text(planText(p))
}

// planned is a plan in JSON.
type planned struct {
	Depth   finetune.Depth   `json:"depth"`
	Known   string           `json:"known"`
	Data    finetune.Summary `json:"data"`
	Learned int              `json:"labels_that_learn"`
	Held    int              `json:"held_back"`
	Steps   int              `json:"steps"`
	Seconds float64          `json:"seconds"`
	Bytes   int64            `json:"bytes"`
	Device  string           `json:"device"`
	Notes   []string         `json:"notes,omitempty"`
}

func dryPlan(p ui.TrainPlan) planned {
	return planned{p.Depth, p.From, p.Data, p.Learned, p.Held, p.Steps, p.Time.Seconds(), p.Bytes, p.Device, p.Notes}
}

// planText is a plan for people.
func planText(p ui.TrainPlan) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s on %s, from %s\n", p.Depth, p.Data, printable(p.From))
	if p.Learned < p.Data.Labels {
		others := "only those learn"
		if p.Depth == finetune.DepthLoRA || p.Depth == finetune.DepthFull {
			others = "the others teach the towers one side alone"
		}
		fmt.Fprintf(&b, "%d of %d labels have photos that show them and photos that do not: %s\n", p.Learned, p.Data.Labels, others)
	}
	fmt.Fprintf(&b, "%d photos are held back; %d steps", p.Held, p.Steps)
	if p.Time > 0 {
		fmt.Fprintf(&b, ", %s", about(p.Time))
	}
	if p.Bytes > 0 {
		fmt.Fprintf(&b, ", %.0f MB of memory", float64(p.Bytes)/1e6)
	}
	fmt.Fprintf(&b, ", on %s\n", printable(p.Device))
	for _, note := range p.Notes {
		fmt.Fprintln(&b, note)
	}
	return b.String()
}

// about is a time that is foreseen, in no more digits than it is worth.
func about(d time.Duration) string {
	switch {
	case d < time.Second/10:
		return "less than 0.1s"
	case d < 10*time.Second:
		return "about " + d.Round(time.Second/10).String()
	}
	return "about " + d.Round(time.Second).String()
}

// resultText says what a training brought.
func resultText(r ui.TrainResult, name string) string {
	var b strings.Builder
	switch {
	case r.After.Photos > 0 && r.After.Labels == 0:
		fmt.Fprintf(&b, "average precision cannot be told: no label is shown by some of the %d photos held back and not by others\n", r.After.Photos)
	case r.After.Photos > 0:
		fmt.Fprintf(&b, "average precision on %d photos held back: %.3f before, %.3f after\n", r.After.Photos, r.Before.AveragePrecision, r.After.AveragePrecision)
	}
	if len(r.Labels) > 0 {
		better := "are better and kept"
		if r.Whole {
			better = "became better"
		}
		fmt.Fprintf(&b, "%d of %d labels %s\n", r.Kept, len(r.Labels), better)
	}
	for _, v := range r.Labels {
		line := v.String()
		if r.Whole && v.Reason == "" {
			line = fmt.Sprintf("%s: average precision %.3f → %.3f (%+.3f to %+.3f)", v.Label, v.Before, v.After, v.Low, v.High)
		} else if r.Whole && v.After > 0 { // else there were too few photos
			line = fmt.Sprintf("%s: %.3f → %.3f, %s", v.Label, v.Before, v.After, v.Reason)
		} else if r.Whole {
			line = fmt.Sprintf("%s: %s", v.Label, v.Reason)
		}
		fmt.Fprintf(&b, "  %s\n", printable(line))
	}
	if len(r.Thresholds) > 0 {
		fmt.Fprintf(&b, "%d of %d thresholds are moved\n", r.Moved(), len(r.Thresholds))
	}
	for _, t := range r.Thresholds {
		fmt.Fprintf(&b, "  %s\n", printable(t.String()))
	}
	for _, note := range r.Notes {
		fmt.Fprintln(&b, note)
	}
	if name == "" {
		b.WriteString("nothing is kept: no label became better\n")
	} else {
		fmt.Fprintf(&b, "kept as adapter %s: sigla adapters %s --use makes it the default\n", name, name)
	}
	return b.String()
}

// measure times some steps of a run in the towers.
func (l *lesson) measure(ctx context.Context, p *ui.TrainPlan) error {
	timed := finetune.Plan{Steps: p.Steps}
	_, err := l.onDevice(ctx, func(l *lesson) (err error) {
		m, err := newTowerMethod(ctx, l)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, m.close()) }()
		p.Device = m.own.Device()
		timed.PerEpoch = max(1, p.Steps/m.options().Epochs)
		return timed.Measure(ctx, m.Towers, m.options())
	})
	if err != nil {
		return err
	}
	p.Time = timed.Whole
	p.Notes = append(p.Notes, fmt.Sprintf("the first epoch takes %s, each one after it %s", about(timed.First), about(timed.Epoch)))
	return nil
}

// takeUp has the settings be what a run began with.
func (a *app) takeUp(dir string, setup *trainSetup) error {
	was, err := readSetup(dir)
	if err != nil {
		return err
	}
	*setup = was
	a.settings.labels, a.settings.templates = was.Labels, was.Template
	if a.settings.model == "" {
		a.settings.model = was.Model
	}
	return nil
}
