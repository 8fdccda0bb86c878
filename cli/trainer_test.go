package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sigla/finetune"
	"sigla/gallery/catalog"
	"sigla/gallery/label"
	"sigla/ui"
)

// classroom is a trainer of the explorer, with two kinds of photos.
func classroom(t *testing.T, photos map[string][]string) *trainer {
	t.Helper()
	atHome(t)
	dir := taggedFolder(t, photos)
	a := &app{stderr: io.Discard, progress: &progress{w: io.Discard}, threads: 1}
	a.settings.device, a.settings.precision = "cpu", "auto"
	enc, err := a.open(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { enc.Close() })
	g := catalogued(t.TempDir())
	t.Cleanup(func() { g.Close() })
	g.UseModel(enc.catalogModel())
	g.UseScanner(enc.cpu)
	if err := a.indexPhotos(context.Background(), g, []string{dir}, enc); err != nil {
		t.Fatal(err)
	}
	u := &trainer{app: a, g: g, src: starter(), data: t.TempDir(), paths: []string{dir}}
	u.setModel(enc)
	return u
}

var twoKinds = map[string][]string{
	"cat": {"animal"}, "two-dogs": {"animal"}, "nuthatch": {"animal"}, "flying-parakeet": {"animal"}, "dragonfly": {"animal"},
	"coffee-cup": {"thing"}, "wall-clock": {"thing"}, "greek-coins": {"thing"}, "paint-brushes": {"thing"}, "drum-and-wine": {"thing"},
}

// steps trains, and returns the steps that were told. each is called for each.
func steps(t *testing.T, run ui.Training, each func(step int)) (told []int) {
	t.Helper()
	err := run.Train(context.Background(), finetune.Watch{
		Event: func(e finetune.Event) {
			told = append(told, e.Step)
			if each != nil {
				each(e.Step)
			}
		},
		Warn: func(err error) { t.Error(err) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return told
}

// The whole way: a plan, a run with a branch, what it brought, what is used then.
func TestTrainerKeeps(t *testing.T) {
	u := classroom(t, twoKinds)
	// Thresholds move whatever the gate says of so few photos: there is always
	// something to keep.
	ctx, wish := context.Background(), ui.TrainWish{Depth: finetune.DepthHead, Complete: true, Aim: finetune.AimF1}
	var plan ui.TrainPlan
	u.Plan(ctx, wish, []finetune.Depth{wish.Depth}, func(_ finetune.Depth, p ui.TrainPlan, err error) {
		if plan = p; err != nil {
			t.Fatal(err)
		}
	})
	if plan.Data.Photos != 10 || plan.Learned != 2 || plan.Held == 0 || plan.Steps != 200 || plan.Time <= 0 || plan.Bytes <= 0 {
		t.Errorf("planned %+v", plan)
	}
	run, err := u.Begin(ctx, wish)
	if err != nil {
		t.Fatal(err)
	}
	defer run.Close()
	if before := run.Before(); before.Photos != plan.Held {
		t.Errorf("%+v before, of a plan with %d held back", before, plan.Held)
	}
	first := run.(*trainRun).dir
	branched := make(chan error, 1)
	told := steps(t, run, func(step int) {
		if step == 60 && len(branched) == 0 && run.(*trainRun).name() == filepath.Base(first) {
			run.Pause() // or it would be over before the branch is asked for
			go func() {
				branched <- run.Branch(0)
			}()
		}
	})
	if err := <-branched; err != nil {
		t.Fatal(err)
	}
	if n := len(told); n != 260 || told[59] != 60 || told[60] != 1 || told[n-1] != 200 {
		t.Errorf("%d steps: %v", len(told), told)
	}
	record, err := finetune.ReadRecord(run.(*trainRun).dir)
	if err != nil || record.From != first {
		t.Errorf("the branch is of %q, %v", record.From, err)
	}
	if steps, err := finetune.Checkpoints(first); err != nil || steps[len(steps)-1] != 60 {
		t.Errorf("what was branched off has checkpoints %v, %v", steps, err)
	}
	keeps(t, u, run)
}

// keeps keeps what a training brought, and holds it to what it says.
func keeps(t *testing.T, u *trainer, run ui.Training) {
	t.Helper()
	ctx := context.Background()
	result, err := run.Result(ctx)
	if err != nil {
		t.Fatal(err)
	}
	learned, err := run.Keep(ctx)
	if err != nil {
		t.Fatal(err)
	}
	enc := learned.Encoder.(*encoder)
	if result.Moved() != 2 || len(learned.Labels) != 2 || !strings.Contains(enc.Info().Name, learned.Name) {
		t.Errorf("learned %+v, model %s", learned, enc.Info().Name)
	}
	tuned := enc.Tune(label.Label{Name: learned.Labels[0].Name})
	if tuned.Threshold != result.Thresholds[0].Value.Value {
		t.Errorf("the label is read as %+v", tuned)
	}
	if own := enc.Tune(label.Label{Name: tuned.Name, Threshold: 0.3}); own.Threshold != 0.3 {
		t.Errorf("a person's threshold became %v", own.Threshold)
	}
	if d, err := finetune.Kept(filepath.Join(u.data, "adapters")).Default(u.enc.Model.Info().Digest); err != nil || d != learned.Name {
		t.Errorf("the default is %q, %v", d, err)
	}
}

// Photos that cannot be read any more when a training of the towers begins are
// left out of it and of what is measured, those held back, too.
func TestTrainerLosesPhotos(t *testing.T) {
	u := classroom(t, twoKinds)
	l := lessonOf(t, u, finetune.DepthFull, "cpu")
	if len(l.held) < 2 {
		t.Fatalf("held back are %d", len(l.held))
	}
	var warnings []string
	l.warnPhoto = func(err error) { warnings = append(warnings, err.Error()) }
	for _, i := range []int{l.held[0], l.learn[0]} {
		if err := os.WriteFile(l.known.Photos[i].Path, []byte("torn"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got := live(t, l, nil, nil)
	if len(got.told) == 0 || got.result.After.Photos != len(l.held)-1 || len(warnings) != 2 {
		t.Errorf("%d steps, result %+v, warnings %q", len(got.told), got.result, warnings)
	}
}

// A plan says what becomes of labels of which one side alone is known.
func TestPlanText(t *testing.T) {
	for depth, want := range map[finetune.Depth]string{
		finetune.DepthHead: "only those learn", finetune.DepthLoRA: "the others teach the towers one side alone",
	} {
		text := planText(ui.TrainPlan{Depth: depth, Learned: 1, Data: finetune.Summary{Labels: 2}})
		if !strings.Contains(text, "1 of 2 labels have photos that show them and photos that do not: "+want+"\n") {
			t.Errorf("%s: %s", depth, text)
		}
	}
}

func TestAbout(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "less than 0.1s", 99 * time.Millisecond: "less than 0.1s", 100 * time.Millisecond: "about 100ms",
		1849 * time.Millisecond: "about 1.8s", 311249 * time.Millisecond: "about 5m11s",
	} {
		if got := about(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}

// A label of which nothing can be told of a whole model has no figures.
func TestResultTextOfTooFew(t *testing.T) {
	text := resultText(ui.TrainResult{Whole: true, Labels: []finetune.Verdict{
		{Label: "ant", Reason: "too few photos are held back to say"},
		{Label: "owl", Before: 0.5, After: 0.6, Low: -0.1, High: 0.3, Reason: "it is not surely better"},
	}}, "x")
	for _, want := range []string{"  ant: too few photos are held back to say\n", "  owl: 0.500 → 0.600, it is not surely better\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in %s", want, text)
		}
	}
}

// What is discarded has left nothing.
func TestTrainerDiscards(t *testing.T) {
	u := classroom(t, twoKinds)
	ctx := context.Background()
	run, err := u.Begin(ctx, ui.TrainWish{Depth: finetune.DepthCalibrate, Complete: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := u.Begin(ctx, ui.TrainWish{Depth: finetune.DepthCalibrate, Complete: true}); err == nil || !strings.Contains(err.Error(), "is being trained") {
		t.Errorf("two at once: %v", err)
	}
	stopped := steps(t, run, func(step int) {
		if step == 20 {
			run.Stop()
		}
	})
	if len(stopped) != 20 {
		t.Errorf("stopped after %d steps", len(stopped))
	}
	if err := run.Rewind(0); err != nil {
		t.Fatal(err)
	}
	if again := steps(t, run, nil); len(again) != 200 {
		t.Errorf("%d steps from the beginning", len(again))
	}
	if err := run.Discard(); err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob(filepath.Join(u.data, "*", "*"))
	for _, path := range left {
		if !strings.HasSuffix(path, ".lock") {
			t.Errorf("%s is left", path)
		}
	}
	if err != nil || u.enc.adapter != nil {
		t.Error("something has changed")
	}
}

// Answers teach where tags say nothing of what photos do not show.
func TestTrainerLearnsFromAnswers(t *testing.T) {
	u := classroom(t, twoKinds)
	ctx, wish := context.Background(), ui.TrainWish{Depth: finetune.DepthHead}
	if _, err := u.Begin(ctx, wish); !errors.Is(err, finetune.ErrNothingToLearn) || !strings.Contains(err.Error(), "absent tags are wrong") {
		t.Errorf("tags alone: %v", err)
	}
	answerOf(t, u.g, "coffee-cup", "animal", catalog.Reject)
	answerOf(t, u.g, "cat", "animal", catalog.Reject)
	run, err := u.Begin(ctx, wish)
	if err != nil {
		t.Fatal(err)
	}
	defer run.Discard()
	p := run.Plan()
	if p.Learned != 1 || p.Data.Known["person"] != 2 || len(p.Notes) != 1 || !strings.Contains(p.Notes[0], "contradicted") {
		t.Errorf("%+v", p)
	}
}

// Thousands of labels, each of one photo, are read and kept as they were.
func TestTrainerManyLabels(t *testing.T) {
	photos := make(map[string][]string)
	for name := range twoKinds {
		for i := range 150 {
			photos[name] = append(photos[name], fmt.Sprintf("%s %d", name, i))
		}
	}
	u := classroom(t, photos)
	ctx := context.Background()
	run, err := u.Begin(ctx, ui.TrainWish{Depth: finetune.DepthCalibrate, Complete: true})
	if err != nil {
		t.Fatal(err)
	}
	defer run.Close()
	if n := run.Plan().Data.Labels; n != 1500 {
		t.Errorf("%d labels", n)
	}
	steps(t, run, func(step int) {
		if step == 3 {
			run.Stop()
		}
	})
	r, err := run.Result(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := run.Keep(ctx); r.Kept != 0 || err == nil {
		t.Errorf("%d labels of one photo each are kept, %v", r.Kept, err)
	}
	if _, err := os.Stat(filepath.Join(u.data, "adapters")); err == nil {
		t.Error("an adapter of nothing is there")
	}
}
