package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"sigla/finetune"
	"sigla/gallery"
	"sigla/ui"
)

// findRun is the folder of a run by its name, of the newest, or itself.
func findRun(value string) (string, error) {
	if value != newestRun {
		dir := filepath.Join(trainRunsDir(dataDir()), value)
		if _, err := os.Stat(dir); err == nil && value == filepath.Base(value) {
			return dir, nil
		}
		return value, nil
	}
	runs, err := runFolders()
	if err != nil {
		return "", err
	}
	if len(runs) == 0 {
		return "", errors.New("there is no run yet: sigla train PATH begins one")
	}
	return runs[len(runs)-1], nil
}

// findUnfinished is findRun of runs that have steps left.
func findUnfinished(value string) (string, error) {
	if value != newestRun {
		return findRun(value)
	}
	runs, err := runFolders()
	if err != nil {
		return "", err
	}
	for _, dir := range slices.Backward(runs) {
		if _, events, err := readRun(dir); err == nil && (len(events) == 0 || events[len(events)-1].Step < events[len(events)-1].Steps) {
			return dir, nil
		}
	}
	return "", errors.New("there is no run to go on with: all have taken their steps")
}

// runFolders are the folders of all runs, the newest last.
func runFolders() ([]string, error) {
	entries, err := os.ReadDir(trainRunsDir(dataDir()))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list runs: %w", err)
	}
	var dirs []string
	for _, e := range entries {
		dir := filepath.Join(trainRunsDir(dataDir()), e.Name())
		if _, err := finetune.ReadRecord(dir); e.IsDir() && err == nil {
			dirs = append(dirs, dir)
		}
	}
	slices.Sort(dirs) // names begin with the time
	return dirs, nil
}

// readSetup reads how a run was begun.
func readSetup(dir string) (setup trainSetup, err error) {
	r, err := finetune.ReadRecord(dir)
	if err == nil {
		err = json.Unmarshal(r.Setup, &setup)
	}
	if err != nil {
		return setup, fmt.Errorf("take up training %s: %w", dir, err)
	}
	setup.Balance = &r.Options.Balance
	return setup, nil
}

// readRun reads what a run has told.
func readRun(dir string) (r finetune.Record, events []finetune.Event, err error) {
	if r, err = finetune.ReadRecord(dir); err != nil {
		return r, nil, err
	}
	f, err := os.Open(filepath.Join(dir, "events.jsonl"))
	if err != nil {
		return r, nil, fmt.Errorf("read training: %w", err)
	}
	defer f.Close()
	if events, err = finetune.ReadEvents(f); err != nil {
		return r, nil, fmt.Errorf("read training %s: %w", dir, err)
	}
	return r, events, nil
}

// runRow is a line of the list of runs.
type runRow struct {
	Name   string    `json:"name"`
	Depth  string    `json:"depth"`
	Begun  time.Time `json:"begun"`
	Photos int       `json:"photos"`
	Step   int       `json:"step"`
	Steps  int       `json:"steps"`
	Loss   float64   `json:"loss"`
	From   string    `json:"from,omitempty"` // of a branch
}

func (a *app) listRuns() error {
	dirs, err := runFolders()
	if err != nil {
		return err
	}
	out := a.output()
	if err := out.header("name", "depth", "begun", "photos", "step", "steps", "loss", "from"); err != nil {
		return err
	}
	if len(dirs) == 0 && out.format == "text" {
		return out.text("there is no run\n")
	}
	for _, dir := range dirs {
		r, events, err := readRun(dir)
		if err != nil {
			a.fail(err)
			continue
		}
		row := runRow{Name: filepath.Base(dir), Depth: r.Depth, Begun: r.Begun, Photos: r.Photos}
		if r.From != "" {
			row.From = filepath.Base(r.From)
		}
		if n := len(events); n > 0 {
			row.Step, row.Steps, row.Loss = events[n-1].Step, events[n-1].Steps, events[n-1].Loss
		}
		if err := out.run(row); err != nil {
			return err
		}
	}
	return nil
}

// run writes a line of the list.
func (o *output) run(r runRow) error {
	switch o.format {
	case "json":
		return o.object(r)
	case "csv":
		return o.row(r.Name, r.Depth, r.Begun.Format(time.RFC3339), strconv.Itoa(r.Photos), strconv.Itoa(r.Step), strconv.Itoa(r.Steps), formatProbability(r.Loss), r.From)
	}
	from := ""
	if r.From != "" {
		from = "  branch of " + r.From
	}
	reached := "no step yet"
	if r.Step > 0 {
		reached = fmt.Sprintf("step %5d / %-5d  loss %.4f", r.Step, r.Steps, r.Loss)
	}
	return o.text(fmt.Sprintf("%-28s  %-9s  %6d photos  %s%s\n", r.Name, r.Depth, r.Photos, reached, from))
}

// replayRun shows a run of the past: on a terminal in the explorer's screen, else
// as lines.
func (a *app) replayRun(ctx context.Context, value string) error {
	dir, err := findRun(value)
	if err != nil {
		return err
	}
	record, events, err := readRun(dir)
	if err != nil {
		return err
	}
	out := a.output()
	if out.terminal && os.Getenv("TERM") != "dumb" && out.format == "text" {
		return ui.Run(ctx, ui.Options{
			Title: filepath.Base(dir), Gallery: gallery.New(), NoColor: os.Getenv("NO_COLOR") != "",
			Replay: &recorded{record: record, events: events},
		})
	}
	for _, e := range events {
		if out.format == "json" {
			err = finetune.WriteEvent(out.w, e)
			err = errors.Join(err, out.flush())
		} else {
			err = out.text(eventText(e) + "\n")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// eventText is an event on a line.
func eventText(e finetune.Event) string {
	line := fmt.Sprintf("step %d/%d  loss %.4f  t %.2f  b %.3f  lr %.2g  grad norm %.3g", e.Step, e.Steps, e.Loss, e.Temperature, e.Bias, e.LR, e.GradNorm)
	if v := e.Validation; v != nil {
		line += fmt.Sprintf("  average precision %.3f of %d photos", v.AveragePrecision, v.Photos)
	}
	if e.Note != "" {
		line = printable(e.Note) + "\n" + line
	}
	return line
}

// reporter returns what events are given to: standard output, the progress line,
// and a file. What is run again after an interruption goes on in the file.
func (a *app) reporter(t *trainRun, out *output, path string, goOn bool) (report func(finetune.Event), done func() error, err error) {
	done = func() error { return nil }
	if path != "" {
		mode := os.O_CREATE | os.O_WRONLY | os.O_TRUNC
		if goOn {
			mode = os.O_CREATE | os.O_WRONLY | os.O_APPEND
		}
		f, err := os.OpenFile(path, mode, 0o644)
		if err != nil {
			return nil, nil, fmt.Errorf("write events: %w", err)
		}
		t.log, done = f, f.Close
	}
	var w io.Writer
	if !out.terminal {
		w = out.w
	}
	first, where := finetune.Event{}, ""
	return func(e finetune.Event) {
		if t.told() != "" { // an event's note may be of something else
			where = "on the cpu · "
		}
		if first.Step == 0 {
			first = e
		}
		if w != nil {
			if err := errors.Join(finetune.WriteEvent(w, e), out.flush()); err != nil {
				t.Stop() // the reader has gone
			}
		}
		left := time.Duration(e.Seconds / float64(e.Step) * float64(e.Steps-e.Step) * float64(time.Second)).Round(time.Second)
		if !a.settings.quiet {
			a.progress.say(where + fmt.Sprintf("step %d/%d · loss %.4f · t %.2f→%.2f · b %.2f→%.2f · %d:%02d left",
				e.Step, e.Steps, e.Loss, first.Temperature, e.Temperature, first.Bias, e.Bias, int(left.Minutes()), int(left.Seconds())%60))
		}
	}, done, nil
}

// recorded shows a run of the past. It implements ui.Training.
type recorded struct {
	record finetune.Record
	events []finetune.Event
}

// replayTime is how long it takes to show a run again.
const replayTime = 3 * time.Second

func (r *recorded) Plan() ui.TrainPlan {
	return ui.TrainPlan{
		Depth: finetune.Depth(r.record.Depth), Data: finetune.Summary{Photos: r.record.Photos},
		Seed: r.record.Options.Seed, Recorded: true,
	}
}

func (r *recorded) Before() finetune.Validation { return finetune.Validation{} }

func (r *recorded) Train(ctx context.Context, w finetune.Watch) error {
	tick := time.NewTicker(max(replayTime/time.Duration(len(r.events)+1), time.Microsecond))
	defer tick.Stop()
	for _, e := range r.events {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		w.Event(e)
	}
	return nil
}

var errRecorded = errors.New("it is a run of the past: sigla train --resume goes on with it")

func (*recorded) Pause()                                       {}
func (*recorded) Resume()                                      {}
func (*recorded) Stop()                                        {}
func (*recorded) Checkpoints() ([]int, error)                  { return nil, errRecorded }
func (*recorded) Rewind(int) error                             { return errRecorded }
func (*recorded) Branch(int) error                             { return errRecorded }
func (*recorded) Sides(context.Context) (ui.TrainSides, error) { return ui.TrainSides{}, nil }
func (*recorded) Result(context.Context) (ui.TrainResult, error) {
	return ui.TrainResult{}, errRecorded
}
func (*recorded) Keep(context.Context) (ui.Learned, error) { return ui.Learned{}, errRecorded }
func (*recorded) Discard() error                           { return errRecorded }
func (*recorded) Close() error                             { return nil }
