package model

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigla/backend"
	"sigla/backend/ref"
)

// selections are ways to choose what learns, with a name that is trained and one
// that is frozen.
var selections = []struct {
	patterns        []string
	trained, frozen string
	image, text     reach
}{
	{[]string{"text_model.*"}, "text_model.head.weight", "vision_model.head.probe", reach{since: 2}, reach{true, 0, true}},
	{[]string{"vision_model.*"}, "vision_model.head.probe", "text_model.head.weight", reach{true, 0, true}, reach{since: 2}},
	{[]string{"*.head.*"}, "vision_model.head.probe", "vision_model.post_layernorm.weight", reach{true, 2, false}, reach{true, 2, false}},
	{[]string{"*.layers.1.*", "!text_*"}, "vision_model.encoder.layers.1.mlp.fc1.weight", "vision_model.head.probe", reach{true, 1, false}, reach{since: 2}},
	{[]string{"*", "!*.embeddings.*"}, "text_model.encoder.layers.0.mlp.fc1.weight", "vision_model.embeddings.patch_embedding.weight", reach{true, 0, false}, reach{true, 0, false}},
	{[]string{"*.bias", "!logit_*"}, "vision_model.embeddings.patch_embedding.bias", "logit_scale", reach{true, 0, true}, reach{true, 0, false}},
	{[]string{"logit_*"}, "logit_scale", "text_model.head.weight", reach{since: 2}, reach{since: 2}},
}

// What is trained has the gradient that it has when everything is, what is
// frozen has none, and whether the frozen front of the image tower is gone
// through again makes no difference.
func TestSelections(t *testing.T) {
	for engine, e := range engines(t) {
		m := loadOn(t, e, bicubic)
		b := goldenBatch(t, m, bicubic)
		all, err := m.NewTrainer()
		if err != nil {
			t.Fatal(err)
		}
		loss := add(t, all, b)
		want := gradients(t, all)
		for _, s := range selections {
			name := engine + " " + strings.Join(s.patterns, " ")
			tr, err := m.NewTrainer(s.patterns...)
			if err != nil {
				t.Fatal(err)
			}
			if tr.image != s.image || tr.text != s.text {
				t.Errorf("%s: reaches %+v and %+v", name, tr.image, tr.text)
			}
			front := b
			if front.Images, err = tr.Front(context.Background(), b.Images); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if got := add(t, tr, front); got != loss {
					t.Errorf("%s: loss %g, want %g", name, got, loss)
				}
				got := gradients(t, tr)
				if got[s.trained] == nil || got[s.frozen] != nil {
					t.Errorf("%s: %s must be trained, %s not", name, s.trained, s.frozen)
				}
				for tensor, g := range got {
					if !slices.Equal(g, want[tensor]) {
						t.Errorf("%s: another gradient of %s", name, tensor)
					}
				}
				tr.Clear()
				front = b
			}
		}
	}
}

// The map of a stem stands for a photo, bit by bit, and takes less memory.
func TestFrontOfStem(t *testing.T) {
	for engine, e := range engines(t) {
		if engine == "ref" || engine == "cpu generic" {
			continue // minutes
		}
		m := loadOn(t, e, starterFolder)
		var b Batch
		for _, text := range []string{"a dog", "a cat", "a boat"} {
			x, err := m.Prepare(readImage(t, filepath.Join(bicubic, "image3_64x64.png")))
			if err != nil {
				t.Fatal(err)
			}
			ids, _ := m.Tokenize(text)
			b.Images, b.IDs = append(b.Images, x), append(b.IDs, ids)
		}
		b.Pairs = backend.Pairs{Default: -1, Diagonal: true}
		for _, pattern := range []string{"*", "vision_model.head.*"} {
			tr, err := m.NewTrainer(pattern)
			if err != nil {
				t.Fatal(err)
			}
			want := add(t, tr, b)
			grads := gradients(t, tr)
			tr.Clear()
			front := b
			if front.Images, err = tr.Front(context.Background(), b.Images); err != nil {
				t.Fatal(err)
			}
			if got := add(t, tr, front); got != want {
				t.Errorf("%s %s: loss %g, want %g", engine, pattern, got, want)
			}
			for name, g := range gradients(t, tr) {
				if !slices.Equal(g, grads[name]) {
					t.Errorf("%s %s: another gradient of %s", engine, pattern, name)
				}
			}
			if before, after := Size(b.Images[0]), Size(front.Images[0]); after > before/4 {
				t.Errorf("%s: %d bytes in the place of %d", pattern, after, before)
			}
		}
	}
}

// A frozen tower may be given by its embeddings.
func TestEmbeddingsStandForTowers(t *testing.T) {
	m := load(t, bicubic)
	b := goldenBatch(t, m, bicubic)
	tr, err := m.NewTrainer("vision_model.*")
	if err != nil {
		t.Fatal(err)
	}
	loss, want := add(t, tr, b), gradients(t, tr)
	var texts []string
	var expected golden
	readJSON(t, filepath.Join(bicubic, "expected.json"), &expected)
	texts = expected.Texts[:len(b.IDs)]
	rows, err := m.EmbedTexts(context.Background(), texts)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		b.Texts = append(b.Texts, row)
	}
	b.IDs = nil
	tr.Clear()
	if got := add(t, tr, b); got != loss {
		t.Errorf("loss %g, want %g", got, loss)
	}
	for name, g := range gradients(t, tr) {
		if !slices.Equal(g, want[name]) {
			t.Errorf("another gradient of %s", name)
		}
	}
	all, err := m.NewTrainer()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := all.Add(context.Background(), b); err == nil || !strings.Contains(err.Error(), "an embedding stands for what is trained") {
		t.Error(err)
	}
}

// The gradient of a batch that goes in parts is that of the batch.
func TestMicroBatches(t *testing.T) {
	for engine, e := range engines(t) {
		for _, dir := range []string{bicubic, "testdata/golden/hf/siglip2-fixed"} {
			m := loadOn(t, e, dir)
			b := goldenBatch(t, m, dir)
			b.Prompts, b.Pairs = promptColumns(b), backend.Pairs{Default: -1, Except: []backend.Pair{{Row: 0, Col: 1, Label: 1}, {Row: 1, Col: 0, Label: 0}}}
			for _, loss := range []Loss{Sigmoid, Softmax} {
				b.Loss = loss
				tr, err := m.NewTrainer()
				if err != nil {
					t.Fatal(err)
				}
				want, whole := add(t, tr, b), gradients(t, tr)
				tr.micro = 2
				for _, micro := range []int{0, 1, 3} {
					tr.Clear()
					b := b
					b.Micro = micro
					if got := add(t, tr, b); got != want {
						t.Errorf("%s %s, parts of %d: loss %g, want %g", engine, loss, micro, got, want)
					}
					if d := difference(gradients(t, tr), whole); d > 1e-5 {
						t.Errorf("%s %s, parts of %d: the gradient is off by %g", engine, loss, micro, d)
					}
				}
			}
		}
	}
}

// promptColumns makes two columns of the texts of a batch.
func promptColumns(b Batch) []int { return []int{1, len(b.IDs) - 1} }

// difference is the greatest difference of two gradients, relative to the norm
// of the tensor, or to a thousandth of that of all where a tensor has nearly none.
func difference(got, want map[string][]float32) float64 {
	norm := func(x []float32) float64 {
		sum := 0.0
		for _, v := range x {
			sum += float64(v) * float64(v)
		}
		return math.Sqrt(sum)
	}
	var all []float32
	for _, g := range want {
		all = append(all, g...)
	}
	worst := 0.0
	for name, w := range want {
		d := make([]float32, len(w))
		for i := range w {
			d[i] = got[name][i] - w[i]
		}
		worst = max(worst, norm(d)/max(norm(w), 1e-3*norm(all)))
	}
	return worst
}

// Columns of several prompts have the gradient of finite differences.
func TestPromptsGradient(t *testing.T) {
	m := load(t, bicubic)
	b := goldenBatch(t, m, bicubic)
	b.Prompts, b.Pairs = promptColumns(b), backend.Pairs{Default: -1, Except: []backend.Pair{{Row: 0, Col: 1, Label: 1}, {Row: 2, Col: 0, Label: 1}}}
	tr, err := m.NewTrainer("text_model.head.*")
	if err != nil {
		t.Fatal(err)
	}
	add(t, tr, b)
	grad := gradients(t, tr)["text_model.head.weight"]
	values := readBuf(t, m, m.w.proj.w)
	for _, i := range []int{0, 7, 100, len(values) - 1} {
		const h = 1e-2
		at := func(d float32) float64 {
			moved := slices.Clone(values)
			moved[i] += d
			m.e.Write(m.w.proj.w, moved)
			return float64(add(t, tr, b))
		}
		if got := (at(h) - at(-h)) / (2 * h); math.Abs(got-float64(grad[i])) > 2e-3*max(1, math.Abs(got)) {
			t.Errorf("element %d: %g, by differences %g", i, grad[i], got)
		}
	}
}

func TestTrainerRefuses(t *testing.T) {
	m := load(t, bicubic)
	for want, patterns := range map[string][]string{
		`no tensor that can be trained matches "vision_model.stem.*"`: {"vision_model.stem.*"},
		`pattern "[": syntax error in pattern`:                        {"["},
		"the patterns select no tensor":                               {"!*"},
	} {
		if _, err := m.NewTrainer(patterns...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", patterns, err)
		}
	}
	tr, err := m.NewTrainer()
	if err != nil {
		t.Fatal(err)
	}
	b := goldenBatch(t, m, bicubic)
	for want, change := range map[string]func(*Batch){
		"a batch without photos, or without texts": func(b *Batch) { b.Images = nil },
		"a column without a text":                  func(b *Batch) { b.Prompts = []int{0, 4} },
		"4 texts for columns of 3":                 func(b *Batch) { b.Prompts = []int{2, 1} },
		"photo was not prepared by this model":     func(b *Batch) { b.Images = []any{1, 2, 3, 4} },
	} {
		b := b
		change(&b)
		if _, err := tr.Add(context.Background(), b); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := tr.Add(ctx, b); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// State gives back all that a step changes: two trainers with one state go on
// alike, whatever gradients they had.
func TestState(t *testing.T) {
	adam := backend.Adam{LR: 1e-3, Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, Scale: 1}
	steps := func(tr *Trainer, b Batch, from, to int) {
		for adam.Step = from; adam.Step <= to; adam.Step++ {
			add(t, tr, b)
			if err := tr.Step(adam, false); err != nil {
				t.Fatal(err)
			}
		}
	}
	m := load(t, bicubic)
	b := goldenBatch(t, m, bicubic)
	tr, err := m.NewTrainer()
	if err != nil {
		t.Fatal(err)
	}
	steps(tr, b, 1, 3)
	state := map[string][]float32{}
	keep := func(into map[string][]float32) func(string, []int, []float32) (bool, error) {
		return func(name string, _ []int, values []float32) (bool, error) {
			into[name] = slices.Clone(values)
			return false, nil
		}
	}
	if err := tr.State(keep(state)); err != nil {
		t.Fatal(err)
	}
	if len(state) != 3*len(tr.weights) {
		t.Errorf("%d parts of %d tensors", len(state), len(tr.weights))
	}
	steps(tr, b, 4, 6)
	other := load(t, bicubic)
	again, err := other.NewTrainer()
	if err != nil {
		t.Fatal(err)
	}
	add(t, again, b)
	if err := again.State(func(name string, _ []int, values []float32) (bool, error) {
		copy(values, state[name])
		return true, nil
	}); err != nil {
		t.Fatal(err)
	}
	if got, want := other.Info().LogScale, state[scaleName][0]; got != want {
		t.Errorf("t' is %g, want %g", got, want)
	}
	steps(again, b, 4, 6)
	one, two := map[string][]float32{}, map[string][]float32{}
	if err := errors.Join(tr.State(keep(one)), again.State(keep(two))); err != nil {
		t.Fatal(err)
	}
	for name := range one {
		if !slices.Equal(one[name], two[name]) {
			t.Errorf("%s is another one", name)
		}
	}
}

func TestSumSquaresNamesTensor(t *testing.T) {
	m := load(t, bicubic)
	tr, err := m.NewTrainer()
	if err != nil {
		t.Fatal(err)
	}
	add(t, tr, goldenBatch(t, m, bicubic))
	want := 0.0
	for _, g := range gradients(t, tr) {
		for _, v := range g {
			want += float64(v) * float64(v)
		}
	}
	if sum, at, err := tr.SumSquares(); err != nil || at != "" || math.Abs(sum-want) > 1e-5*want {
		t.Errorf("%g at %q, %v, want %g", sum, at, err, want)
	}
	m.e.Write(tr.grads.text[1].mlp.fc1.b.Slice(3, 1), []float32{float32(math.NaN())})
	if _, at, err := tr.SumSquares(); err != nil || at != "text_model.encoder.layers.1.mlp.fc1.bias" {
		t.Errorf("at %q, %v", at, err)
	}
}

// Frozen tensors take no memory for gradients and moments.
func TestFrozenTakesNoMemory(t *testing.T) {
	allocated := func(patterns ...string) int {
		e := &counter{Backend: ref.New()}
		m := loadOn(t, e, bicubic)
		before := e.elements
		if _, err := m.NewTrainer(patterns...); err != nil {
			t.Fatal(err)
		}
		return e.elements - before
	}
	if n := allocated("logit_*"); n > 3*2*64 {
		t.Errorf("for t' and b: %d", n)
	}
	one, all := allocated("vision_model.head.mlp.fc1.weight", "!logit_*"), allocated()
	if n := load(t, bicubic).cfg.Vision; one != 3*aligned(n.MLP*n.Width) || all < 20*one {
		t.Errorf("for one matrix %d, for all %d", one, all)
	}
}

// counter counts what is allocated.
type counter struct {
	backend.Backend
	elements int
}

func (c *counter) Alloc(n int, use backend.Use) backend.Buf {
	c.elements += n
	return c.Backend.Alloc(n, use)
}
