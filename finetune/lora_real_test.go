package finetune

import (
	"bufio"
	"context"
	"image"
	_ "image/jpeg"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sigla/internal/require"
	"sigla/model"
)

// unseen are the classes of Caltech-101 that the held-out starter never saw, as
// its MODEL.md has them: folder, label.
var unseen = [][2]string{
	{"ant", "ant"}, {"binocular", "binocular"}, {"buddha", "Buddha statue"}, {"chair", "chair"}, {"dalmatian", "dalmatian"},
	{"elephant", "elephant"}, {"emu", "emu"}, {"euphonium", "euphonium"}, {"ferry", "ferry"}, {"inline_skate", "inline skate"},
	{"ketch", "ketch"}, {"laptop", "laptop"}, {"lobster", "lobster"}, {"pigeon", "pigeon"}, {"saxophone", "saxophone"},
	{"sunflower", "sunflower"}, {"tick", "tick"}, {"wild_cat", "wildcat"}, {"windsor_chair", "Windsor chair"}, {"yin_yang", "yin yang symbol"},
}

// others are classes that nothing is learned of.
var others = [][2]string{
	{"accordion", "accordion"}, {"anchor", "anchor"}, {"barrel", "barrel"}, {"bonsai", "bonsai"}, {"butterfly", "butterfly"},
	{"camera", "camera"}, {"crab", "crab"}, {"cup", "cup"}, {"dolphin", "dolphin"}, {"dragonfly", "dragonfly"},
	{"flamingo", "flamingo"}, {"grand_piano", "grand piano"}, {"hedgehog", "hedgehog"}, {"helicopter", "helicopter"}, {"kangaroo", "kangaroo"},
	{"lamp", "lamp"}, {"mandolin", "mandolin"}, {"pizza", "pizza"}, {"revolver", "revolver"}, {"starfish", "starfish"},
}

// caltech has so many photos of each class to learn from, and up to 20 of its
// test list to look at, which are held.
func caltech(t *testing.T, dir string, classes [][2]string, examples int) (set Set, held []int) {
	t.Helper()
	set.Complete = true
	for i, c := range classes {
		set.Labels = append(set.Labels, Label{Name: c[1], Texts: []string{"this is a photo of " + c[1] + "."}})
		for _, list := range []struct {
			name string
			most int
		}{{"train.txt", examples}, {"test.txt", 20}} {
			f, err := os.Open(filepath.Join(dir, list.name))
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for lines := bufio.NewScanner(f); lines.Scan() && n < list.most; {
				if strings.HasPrefix(lines.Text(), c[0]+"/") {
					if list.name == "test.txt" {
						held = append(held, len(set.Photos))
					}
					set.Photos = append(set.Photos, Photo{Path: filepath.Join(dir, lines.Text()), Known: []Known{{Label: i, Value: 1, By: ByFolder}}})
					n++
				}
			}
			f.Close()
		}
	}
	return set, held
}

// Low-rank updates learn classes that the model has never seen from a few photos
// of each: average precision on other photos rises.
func TestLoRALearnsUnseenClasses(t *testing.T) {
	src, err := model.Dir(require.Data(t, "starter-heldout"))
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(require.Unpack(t, "train", "caltech101.tar"), "caltech101")
	qv := model.LoRA{Rank: 8, Alpha: 16, Targets: []string{"q", "v"}, Image: true, Text: true, Seed: 1}
	trials := []trial{{5, 60, 1e-3, qv}}
	if os.Getenv("SIGLA_LONG") != "" { // the table of docs/TRAINING.md
		all, image, text, narrow := qv, qv, qv, qv
		all.Targets, image.Text, text.Image, narrow.Rank, narrow.Alpha = model.LoRATargets, false, false, 2, 4
		trials = append(trials, trial{5, 60, 2e-4, qv}, trial{5, 60, 3e-3, qv}, trial{5, 60, 1e-3, all}, trial{5, 60, 1e-3, image}, trial{5, 60, 1e-2, image},
			trial{5, 60, 1e-3, text}, trial{5, 60, 1e-3, narrow}, trial{1, 60, 1e-3, qv}, trial{15, 60, 1e-3, qv}, trial{15, 180, 1e-3, qv})
	}
	for _, c := range trials {
		c.run(t, src, dir)
	}
}

type trial struct {
	examples, steps int
	lr              float64
	lora            model.LoRA
}

func (c trial) run(t *testing.T, src model.Source, dir string) {
	m, err := model.Load(cpuEngine(t), src)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	options := func(set Set, held []int) TowersOptions {
		return TowersOptions{Held: held, Cache: 1 << 30, Photo: func(_ context.Context, i int) (any, error) {
			f, err := os.Open(set.Photos[i].Path)
			if err != nil {
				return nil, err
			}
			defer f.Close()
			img, _, err := image.Decode(f)
			if err != nil {
				return nil, err
			}
			return m.Prepare(img)
		}}
	}
	set, held := caltech(t, dir, unseen, c.examples)
	l := updated(t, m, set, options(set, held), c.lora)
	rest, looked := caltech(t, dir, others, 0)
	elsewhere := func() Validation {
		other, err := NewTowers(m, l.t, rest, options(rest, looked))
		if err != nil {
			t.Fatal(err)
		}
		return validate(t, other)
	}
	before, otherBefore := validate(t, l), elsewhere()
	r, err := New("", l, record(Options{Steps: c.steps, Batch: 50, LR: c.lr, Warmup: 5, Seed: 1}))
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	var last Event
	if err := r.Train(context.Background(), Watch{Event: func(e Event) { last = e }}); err != nil {
		t.Fatal(err)
	}
	after, otherAfter := *last.Validation, elsewhere()
	t.Logf("%d examples a class, rank %d on %q of image %v, text %v, lr %g: average precision %.3f → %.3f, loss %.3f → %.3f (of training %.3f), t' %.3f, b %.3f, %d parameters, %d steps in %.1f s; elsewhere %.3f → %.3f, loss %.3f → %.3f",
		c.examples, c.lora.Rank, c.lora.Targets, c.lora.Image, c.lora.Text, c.lr, before.AveragePrecision, after.AveragePrecision, before.Loss, after.Loss, last.Loss, last.LogScale, last.Bias,
		l.t.Parameters(), c.steps, time.Since(begun).Seconds(), otherBefore.AveragePrecision, otherAfter.AveragePrecision, otherBefore.Loss, otherAfter.Loss)
	if !(after.AveragePrecision > before.AveragePrecision && after.Loss < before.Loss) {
		t.Errorf("nothing was learned that is of use: %+v, before %+v", after, before)
	}
}

func validate(t *testing.T, l *Towers) Validation {
	t.Helper()
	v, err := l.Validate(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return v
}
