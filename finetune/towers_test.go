package finetune

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"image"
	_ "image/png"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"sigla/backend"
	"sigla/backend/ref"
	"sigla/cpu"
	"sigla/internal/require"
	"sigla/model"
)

// engines are the definition, and the best level that this machine has.
// moreEngines are those that not every build has.
var moreEngines = map[string]func(t *testing.T) backend.Backend{}

func engines(t *testing.T) map[string]backend.Backend {
	t.Helper()
	all := map[string]backend.Backend{"ref": ref.New(), "cpu": cpuEngine(t)}
	for name, open := range moreEngines {
		all[name] = open(t)
	}
	return all
}

func cpuEngine(t *testing.T) backend.Backend {
	t.Helper()
	e, err := cpu.New(cpu.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// loadBicubic loads a small published checkpoint, its photos and their captions.
func loadBicubic(t *testing.T, e backend.Backend) (*model.Model, Set, TowersOptions) {
	t.Helper()
	src, err := model.Dir(bicubic)
	if err != nil {
		t.Fatal(err)
	}
	m, err := model.Load(e, src)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	var golden struct {
		Images []struct{ File string }
		Texts  []string
	}
	data, err := os.ReadFile(filepath.Join(bicubic, "expected.json"))
	if err == nil {
		err = json.Unmarshal(data, &golden)
	}
	if err != nil {
		t.Fatal(err)
	}
	var set Set
	for i, img := range golden.Images {
		set.Photos = append(set.Photos, Photo{Path: filepath.Join(bicubic, img.File), Caption: golden.Texts[i]})
	}
	return m, set, TowersOptions{Cache: 1 << 20, Photo: reader(m, set)}
}

// reader reads the photos of a set.
func reader(m *model.Model, set Set) func(context.Context, int) (any, error) {
	return func(_ context.Context, i int) (any, error) {
		data, err := os.ReadFile(set.Photos[i].Path)
		if err != nil {
			return nil, err
		}
		img, _, err := image.Decode(bytes.NewReader(data))
		if err != nil {
			return nil, err
		}
		return m.Prepare(img)
	}
}

func towers(t *testing.T, m *model.Model, set Set, o TowersOptions, patterns ...string) *Towers {
	t.Helper()
	tr, err := m.NewTrainer(patterns...)
	if err != nil {
		t.Fatal(err)
	}
	l, err := NewTowers(m, tr, set, o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// A run of the golden settings is the recorded run of the reference library:
// loss, t', b and the norm of the gradients at each of its steps.
func TestRun200(t *testing.T) {
	want := readRun200(t)
	s := want.Settings
	for name, e := range engines(t) {
		t.Run(name, func(t *testing.T) {
			m, set, o := loadBicubic(t, e)
			l := towers(t, m, set, o)
			r, err := New("", l, record(Options{Steps: s.Steps, Batch: 4, LR: s.LR, Warmup: s.Warmup, Decay: s.WeightDecay,
				Beta1: s.Betas[0], Beta2: s.Betas[1], Eps: s.Eps, Clip: s.Clip, ValidateEvery: -1}))
			if err != nil {
				t.Fatal(err)
			}
			worst := map[string]float64{}
			check := func(step int, what string, got, want, limit float64) {
				d := math.Abs(got - want)
				worst[what] = max(worst[what], d)
				if !(d <= limit) {
					t.Errorf("step %d: %s %.7g, want %.7g", step, what, got, want)
				}
			}
			steps := s.Steps
			if name == "ref" {
				steps = require.Rounds(30, s.Steps, s.Steps) // the race detector takes minutes for all
			}
			err = r.Train(context.Background(), Watch{Event: func(e Event) {
				if e.Step == steps {
					r.Stop()
				}
				row := want.Rows[e.Step-1]
				check(e.Step, "loss", e.Loss, row.Loss, 1e-4)
				check(e.Step, "t'", e.LogScale, row.LogScale, 1e-4)
				check(e.Step, "b", e.Bias, row.Bias, 1e-4)
				check(e.Step, "norm", e.GradNorm, row.GradNorm, 1e-3)
			}})
			if err != nil || r.Step() != steps {
				t.Fatalf("%d steps, %v", r.Step(), err)
			}
			last := want.Rows[steps]
			loss, _, err := l.Gradient(context.Background(), []int{0, 1, 2, 3})
			if err != nil {
				t.Fatal(err)
			}
			scale, bias := l.Scalars()
			check(steps+1, "loss", loss, last.Loss, 1e-4)
			check(steps+1, "t'", float64(scale), last.LogScale, 1e-4)
			check(steps+1, "b", float64(bias), last.Bias, 1e-4)
			t.Logf("greatest differences %v", worst)
		})
	}
}

// The validation's losses are those that the engine gives of the same photos.
func TestTowersValidate(t *testing.T) {
	for _, loss := range []model.Loss{model.Sigmoid, model.Softmax} {
		m, set, o := loadBicubic(t, ref.New())
		o.Loss = loss
		all := towers(t, m, set, o)
		want, pairs, err := all.Gradient(context.Background(), []int{0, 1, 2, 3})
		if err != nil || pairs != 16 {
			t.Fatalf("%d pairs, %v", pairs, err)
		}
		o.Held = []int{0, 1, 2, 3}
		set.Photos = append(set.Photos, Photo{Path: set.Photos[0].Path, Caption: "one to learn from"})
		v, err := towers(t, m, set, o).Validate(context.Background())
		if err != nil || math.Abs(v.Loss-want) > 1e-5 || v.Photos != 4 || v.Labels != 4 || v.AveragePrecision <= 0 || v.AveragePrecision > 1 {
			t.Errorf("%s: %+v, %v, want loss %g", loss, v, err, want)
		}
	}
}

// labelled gives the photos labels in place of captions.
func labelled(set Set) Set {
	set.Labels = []Label{
		{Name: "a", Texts: []string{"a photo of a cat", "a cat"}},
		{Name: "b", Texts: []string{"a dog"}},
		{Name: "never", Texts: []string{"nothing that anybody knows of"}},
	}
	set.Photos = slices.Clone(set.Photos)
	for i := range set.Photos {
		set.Photos[i].Caption = ""
	}
	set.Photos[0].Known = []Known{{Label: 0, Value: 1}, {Label: 1, Value: -1}}
	set.Photos[1].Known = []Known{{Label: 1, Value: 1}}
	set.Photos[2].Known = []Known{{Label: 0, Value: -1}}
	return set // of the fourth nothing is known
}

// The loss of labels is the definition: over the known pairs, with the averages
// of prompts, divided by the number of photos.
func TestTowersLabels(t *testing.T) {
	ctx := context.Background()
	for _, patterns := range [][]string{nil, {"vision_model.*"}, {"text_model.*"}} {
		for _, complete := range []bool{false, true} {
			m, set, o := loadBicubic(t, ref.New())
			set = labelled(set)
			set.Complete = complete
			l := towers(t, m, set, o, patterns...)
			rows := 3
			if complete {
				rows = 4
			}
			if l.Rows() != rows {
				t.Fatalf("%d rows, want %d", l.Rows(), rows)
			}
			var batch []int
			for i := range rows {
				batch = append(batch, i)
			}
			loss, pairs, err := l.Gradient(ctx, batch)
			if err != nil {
				t.Fatal(err)
			}
			var texts [][]string
			for _, label := range set.Labels {
				texts = append(texts, label.Texts)
			}
			columns, err := embedPrompts(ctx, m, texts)
			if err != nil {
				t.Fatal(err)
			}
			want, n := 0.0, 0
			score := model.Score{LogScale: m.Info().LogScale, Bias: m.Info().Bias}
			for i := range rows {
				photo, err := o.Photo(ctx, i)
				if err != nil {
					t.Fatal(err)
				}
				x, err := m.Embed(ctx, []any{photo})
				if err != nil {
					t.Fatal(err)
				}
				for j, y := range columns {
					if z := set.Value(i, j); z != 0 {
						n++
						want += softplus(-float64(z)*float64(score.Logit(float32(dot(x[0], y))))) / float64(rows)
					}
				}
			}
			if math.Abs(loss-want) > 1e-5 || pairs != n {
				t.Errorf("%q complete %v: loss %g of %d pairs, want %g of %d", patterns, complete, loss, pairs, want, n)
			}
		}
	}
}

// Captions with the same words, or of the same photo, are no wrong pairs.
func TestTowersDuplicates(t *testing.T) {
	m, set, o := loadBicubic(t, ref.New())
	set.Photos[2].Caption = set.Photos[0].Caption
	set.Photos[3].Path = set.Photos[1].Path
	for _, c := range []struct {
		mask  bool
		label int8
		pairs int
	}{{false, 1, 16}, {true, 0, 12}} {
		o.Mask = c.mask
		l := towers(t, m, set, o)
		b, _ := l.batch([]int{0, 1, 2, 3})
		var want []backend.Pair
		for _, p := range [][2]int32{{0, 2}, {1, 3}, {2, 0}, {3, 1}} {
			want = append(want, backend.Pair{Row: p[0], Col: p[1], Label: c.label})
		}
		if !slices.Equal(b.Pairs.Except, want) || !b.Pairs.Diagonal || b.Pairs.Default != -1 {
			t.Errorf("mask %v: %+v", c.mask, b.Pairs)
		}
		if _, pairs, err := l.Gradient(context.Background(), []int{0, 1, 2, 3}); err != nil || pairs != c.pairs {
			t.Errorf("mask %v: %d pairs, %v", c.mask, pairs, err)
		}
	}
}

// A photo that cannot be read is left out and told of once; when none can, the
// batch teaches nothing. How much is kept in memory changes nothing.
func TestTowersPhotos(t *testing.T) {
	m, set, o := loadBicubic(t, ref.New())
	var warnings []string
	var reads atomic.Int64
	read := o.Photo
	o.Photo = func(ctx context.Context, i int) (any, error) {
		reads.Add(1)
		if i == 2 {
			return nil, errors.New("it is torn")
		}
		return read(ctx, i)
	}
	o.Warn = func(err error) { warnings = append(warnings, err.Error()) }
	three := set
	three.Photos = slices.Delete(slices.Clone(set.Photos), 2, 3)
	healthy := o
	healthy.Photo = reader(m, three)
	want, _, err := towers(t, m, three, healthy).Gradient(context.Background(), []int{0, 1, 2})
	if err != nil {
		t.Fatal(err)
	}
	for _, cache := range []int64{0, 20000, 1 << 20} {
		warnings = nil
		reads.Store(0)
		o.Cache = cache
		l := towers(t, m, set, o)
		for range 3 {
			for i := range 4 { // one after the other: what is read together is read before any of it is kept
				if _, _, err := l.load(context.Background(), []int{i}); err != nil {
					t.Fatal(err)
				}
			}
		}
		if wantReads := map[int64]int64{0: 10, 1 << 20: 4}[cache]; wantReads > 0 && reads.Load() != wantReads || reads.Load() > 10 {
			t.Errorf("a cache of %d: %d reads", cache, reads.Load())
		}
		if got, _, err := l.Gradient(context.Background(), []int{0, 1, 2, 3}); err != nil || got != want {
			t.Errorf("a cache of %d: loss %g, %v, want %g", cache, got, err, want)
		}
		if len(warnings) != 1 || !strings.HasSuffix(warnings[0], "image2_19x57.png is left out: it is torn") {
			t.Errorf("warnings %q", warnings)
		}
		if _, _, err := l.Gradient(context.Background(), []int{2}); !errors.Is(err, ErrUnread) {
			t.Error(err)
		}
	}
}

// torn are towers of a set of which some photos cannot be read.
func torn(t *testing.T, held int, warn func(error), bad ...int) *Towers {
	t.Helper()
	m, set, o := loadBicubic(t, ref.New())
	read := o.Photo
	o.Photo = func(ctx context.Context, i int) (any, error) {
		if slices.Contains(bad, i) {
			return nil, errors.New("it is torn")
		}
		return read(ctx, i)
	}
	o.Held, o.Warn = []int{held}, warn
	return towers(t, m, set, o)
}

// A batch of which no photo can be read is passed over, also where a run is taken
// up again: it has its steps, and they are those of the other photos.
func TestTowersPassOver(t *testing.T) {
	o := Options{Steps: 9, Batch: 1, LR: 1e-3, ValidateEvery: 4, Seed: 3}
	warned := 0 // a batch is one photo
	r, err := New("", torn(t, 3, func(error) { warned++ }, 1), record(o))
	if err != nil {
		t.Fatal(err)
	}
	var want []Event
	if err := r.Train(context.Background(), Watch{Event: func(e Event) { want = append(want, e) }}); err != nil {
		t.Fatal(err)
	}
	if len(want) != o.Steps || r.at.Place.Epoch < 4 || warned != 1 || want[0].Loss == want[8].Loss {
		t.Errorf("%d steps, at %+v, %d warnings", len(want), r.at.Place, warned)
	}
	for stop := 1; stop < o.Steps; stop += 3 {
		dir := filepath.Join(t.TempDir(), "run")
		if r, err = New(dir, torn(t, 3, nil, 1), record(o)); err != nil {
			t.Fatal(err)
		}
		trainTo(t, r, stop)
		r.Close()
		if r, err = Open(dir, torn(t, 3, nil, 1)); err != nil || r.Step() != stop {
			t.Fatalf("step %d, %v", r.Step(), err)
		}
		trainTo(t, r, o.Steps)
		r.Close()
		if got := logged(t, dir); !reflect.DeepEqual(got, timeless(want)) {
			t.Errorf("taken up at step %d it is another run", stop)
		}
	}
	p := Plan{Steps: 9, PerEpoch: 3}
	if err := p.Measure(context.Background(), torn(t, 3, nil, 1), o); err != nil || p.Epoch <= 0 {
		t.Errorf("%+v, %v", p, err)
	}
}

// A run of which no photo can be read at all ends, each told of once.
func TestTowersNothingRead(t *testing.T) {
	const none = "train: none of the photos to learn from can be read"
	o, warned := Options{Steps: 9, Batch: 1, LR: 1e-3}, 0
	r, err := New("", torn(t, 3, func(error) { warned++ }, 0, 1, 2), record(o))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Train(context.Background(), Watch{}); err == nil || err.Error() != none || r.Step() != 0 || warned != 3 {
		t.Errorf("step %d, %v, %d warnings", r.Step(), err, warned)
	}
	p := Plan{Steps: 9, PerEpoch: 3}
	if err := p.Measure(context.Background(), torn(t, 3, nil, 0, 1, 2), o); err == nil || err.Error() != none {
		t.Error(err)
	}
	if v, err := torn(t, 3, nil, 3).Validate(context.Background()); err != nil || v.Photos != 0 {
		t.Errorf("%+v, %v", v, err)
	}
}

// What is trained resumes bit by bit, whichever part it is.
func TestTowersResume(t *testing.T) {
	for name, e := range engines(t) {
		for _, patterns := range [][]string{nil, {"text_model.*"}, {"*.head.*", "!logit_*"}} {
			o := Options{Steps: 12, Batch: 3, LR: 1e-3, ValidateEvery: 5, Decay: 1e-2, Seed: 9}
			fresh := func() *Towers {
				m, set, to := loadBicubic(t, e)
				to.Held, to.Micro = []int{3}, 2
				return towers(t, m, set, to, patterns...)
			}
			r, err := New("", fresh(), record(o))
			if err != nil {
				t.Fatal(err)
			}
			var want []Event
			if err := r.Train(context.Background(), Watch{Event: func(e Event) { want = append(want, e) }}); err != nil {
				t.Fatal(err)
			}
			dir := filepath.Join(t.TempDir(), "run")
			if r, err = New(dir, fresh(), record(o)); err != nil {
				t.Fatal(err)
			}
			trainTo(t, r, 7)
			r.Close()
			if r, err = Open(dir, fresh()); err != nil || r.Step() != 7 {
				t.Fatalf("step %d, %v", r.Step(), err)
			}
			trainTo(t, r, 12)
			r.Close()
			if got := logged(t, dir); !reflect.DeepEqual(got, timeless(want)) {
				t.Errorf("%s %q: a run that was taken up is another one", name, patterns)
			}
			for _, e := range want {
				if e.Loss == want[0].Loss && e.Step == 12 {
					t.Errorf("%s %q: nothing was learned", name, patterns)
				}
			}
		}
	}
}

// Numbers that run away end the run, which says where, and the model is what it
// was at the checkpoint.
func TestTowersRunAway(t *testing.T) {
	for name, e := range engines(t) {
		m, set, o := loadBicubic(t, e)
		l := towers(t, m, set, o)
		r, err := New(filepath.Join(t.TempDir(), "run"), l, record(Options{Steps: 100, Batch: 4, LR: 1e15, ValidateEvery: -1}))
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		before, _ := l.Scalars()
		err = r.Train(context.Background(), Watch{})
		var bad *NonFiniteError
		if !errors.As(err, &bad) || bad.BackAt != 0 || bad.Tensor == "" {
			t.Fatalf("%s: %v", name, err)
		}
		t.Log(name, err)
		if after, _ := l.Scalars(); after != before {
			t.Errorf("%s: t' is %g, it was %g", name, after, before)
		}
		if loss, _, err := l.Gradient(context.Background(), []int{0, 1, 2, 3}); err != nil || !finite(loss) {
			t.Errorf("%s: loss %g, %v", name, loss, err)
		}
		if sum, _, err := l.SumSquares(); err != nil || !finite(sum) {
			t.Errorf("%s: gradients are left over: %g, %v", name, sum, err)
		}
	}
}
