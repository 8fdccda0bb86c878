package model

import (
	"cmp"
	"context"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sigla/backend"
	"sigla/backend/ref"
)

// goldenBatch is the leading square block of a golden checkpoint.
func goldenBatch(t *testing.T, m *Model, dir string) Batch {
	t.Helper()
	var want golden
	readJSON(t, filepath.Join(dir, "expected.json"), &want)
	var b Batch
	for i, img := range want.Images {
		x, err := m.Prepare(readImage(t, filepath.Join(dir, img.File)))
		if err != nil {
			t.Fatal(err)
		}
		ids, _ := m.Tokenize(want.Texts[i])
		b.Images, b.IDs = append(b.Images, x), append(b.IDs, ids)
	}
	b.Pairs = backend.Pairs{Default: -1, Diagonal: true}
	return b
}

// attach prepares updates whose B is not zero, as after some steps.
func attach(t *testing.T, m *Model, o LoRA) *Trainer {
	t.Helper()
	tr, err := m.NewLoRA(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range tr.adapted {
		m.e.Write(a.w.low.b, hashed(a.name, a.out*o.Rank, 0.2, 0))
	}
	return tr
}

// learned is what was trained so far.
func learned(t *testing.T, tr *Trainer) Patch {
	t.Helper()
	p, err := tr.Patch()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func add(t *testing.T, tr *Trainer, b Batch) float32 {
	t.Helper()
	loss, err := tr.Add(context.Background(), b)
	if err != nil {
		t.Fatal(err)
	}
	return loss
}

// gradients are the gradients added so far, by name.
func gradients(t *testing.T, tr *Trainer) map[string][]float32 {
	t.Helper()
	all := map[string][]float32{}
	if err := tr.Each(func(name string, _ []int, _, grad []float32) error { all[name] = grad; return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}

// loras are ways to update a model of two layers a tower.
var loras = map[string]LoRA{
	"q, v":      {Rank: 2, Alpha: 4, Targets: []string{"q", "v"}, Image: true, Text: true, Seed: 1},
	"all":       {Rank: 3, Alpha: 1, Targets: LoRATargets, Image: true, Text: true, Seed: 2},
	"last":      {Rank: 2, Alpha: 3, Targets: []string{"k", "fc2"}, Layers: 1, Image: true, Text: true, Seed: 3},
	"image":     {Rank: 1, Alpha: 1, Targets: []string{"out"}, Image: true, Seed: 4},
	"last text": {Rank: 2, Alpha: 2, Targets: []string{"q", "fc1"}, Layers: 1, Text: true, Seed: 5},
}

// dA = α/r·Bᵀ·dW and dB = α/r·dW·Aᵀ, where dW is the gradient of the whole
// matrix of the model with the update applied.
func TestLoRAGradientIsTheDenseOne(t *testing.T) {
	for _, dir := range []string{bicubic, "testdata/golden/hf/siglip2-fixed"} {
		for name, o := range loras {
			if dir != bicubic && name != "all" {
				continue
			}
			dense := load(t, dir)
			updates := learned(t, attach(t, load(t, dir), o)).LowRank
			if err := dense.Apply(Patch{LowRank: updates}); err != nil {
				t.Fatal(err)
			}
			whole, err := dense.NewTrainer()
			if err != nil {
				t.Fatal(err)
			}
			b := goldenBatch(t, dense, dir)
			loss := add(t, whole, b)
			want := gradients(t, whole)
			for engine, e := range engines(t) {
				tr := attach(t, loadOn(t, e, dir), o)
				near(t, name+" on "+engine+": loss", []float32{add(t, tr, b)}, []float32{loss}, 1e-5)
				got := gradients(t, tr)
				if len(got) != 2*len(updates)+2 {
					t.Errorf("%s: %d tensors learn for %d matrices", name, len(got), len(updates))
				}
				for _, l := range updates {
					da, db := factors(want[l.Name], l)
					module := strings.TrimSuffix(l.Name, "weight")
					near(t, engine+": dA of "+module, got[module+"lora_A.weight"], da, 3e-5)
					near(t, engine+": dB of "+module, got[module+"lora_B.weight"], db, 3e-5)
				}
				for _, s := range []string{scaleName, biasName} {
					near(t, engine+": "+s, got[s], want[s], 3e-5)
				}
			}
		}
	}
}

// factors are the gradients of A and B by that of W + α/r·B·A.
func factors(dw []float32, l LowRank) (da, db []float32) {
	da, db = make([]float32, len(l.A)), make([]float32, len(l.B))
	for k := range l.Rank {
		for j := range l.In {
			sum := 0.0
			for i := range l.Out {
				sum += float64(l.B[i*l.Rank+k]) * float64(dw[i*l.In+j])
			}
			da[k*l.In+j] = l.Scale() * float32(sum)
		}
		for i := range l.Out {
			sum := 0.0
			for j := range l.In {
				sum += float64(dw[i*l.In+j]) * float64(l.A[k*l.In+j])
			}
			db[i*l.Rank+k] = l.Scale() * float32(sum)
		}
	}
	return da, db
}

// Moving along the gradient changes the loss by the gradient's square.
func TestLoRAFiniteDifferences(t *testing.T) {
	m := loadOn(t, fastest(t), bicubic)
	tr := attach(t, m, loras["all"])
	b := goldenBatch(t, m, bicubic)
	add(t, tr, b)
	grads := gradients(t, tr)
	for _, w := range tr.weights {
		values, grad := make([]float32, w.len()), grads[w.name]
		if err := m.e.Read(values, w.all()); err != nil {
			t.Fatal(err)
		}
		squares := 0.0
		for _, g := range grad {
			squares += float64(g) * float64(g)
		}
		norm := math.Sqrt(squares)
		if norm < 1e-3 {
			continue // keys: what they add to all of a row's scores is no gradient
		}
		at := func(step float64) float64 {
			moved := slices.Clone(values)
			for i, g := range grad {
				moved[i] += float32(step * float64(g) / norm)
			}
			m.e.Write(w.all(), moved)
			return float64(add(t, tr, b))
		}
		const step = 4e-3
		if got := (at(step) - at(-step)) / (2 * step); math.Abs(got-norm) > 0.01*norm+1e-3 {
			t.Errorf("%s: the loss rises by %g along a gradient of length %g", w.name, got, norm)
		}
		m.e.Write(w.all(), values)
	}
}

// At full rank with A = I the update is any matrix, and the result that of the
// matrix W + ΔW.
func TestLoRAOfFullRank(t *testing.T) {
	for engine, e := range engines(t) {
		m, dense := loadOn(t, e, bicubic), load(t, bicubic)
		width := m.cfg.Vision.Width
		tr, err := m.NewLoRA(LoRA{Rank: width, Alpha: float64(2 * width), Targets: []string{"q", "out"}, Image: true})
		if err != nil {
			t.Fatal(err)
		}
		var sums Patch
		for _, a := range tr.adapted {
			delta, identity := hashed(a.name, width*width, 0.2, 0), make([]float32, width*width)
			for i := range width {
				identity[i*width+i] = 1
			}
			w := tensorOf(t, m, a.name)
			for i := range w.Values {
				w.Values[i] += 2 * delta[i]
			}
			sums.Tensors = append(sums.Tensors, w)
			m.e.Write(a.w.low.a, identity)
			m.e.Write(a.w.low.b, delta)
		}
		if err := dense.Apply(sums); err != nil {
			t.Fatal(err)
		}
		got, want := embedAll(t, m, bicubic), embedAll(t, dense, bicubic)
		for i := range got {
			near(t, engine, got[i], want[i], 5e-6)
		}
	}
}

// A new update changes nothing, steps move A, B, t' and b alone and lower the
// loss, what was learned merges, and Detach gives the model back as it was.
func TestLoRATraining(t *testing.T) {
	for engine, e := range map[string]backend.Backend{"ref": ref.New(), "cpu": fastest(t)} {
		m := loadOn(t, e, bicubic)
		before, info := embedAll(t, m, bicubic), m.Info()
		frozen := map[string][]float32{}
		for _, w := range m.w.list(m.cfg) {
			if w.name != tokenTable && w.name != scaleName && w.name != biasName {
				frozen[w.name] = tensorOf(t, m, w.name).Values
			}
		}
		tr, err := m.NewLoRA(loras["q, v"])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.NewLoRA(loras["q, v"]); err == nil || !strings.Contains(err.Error(), "being trained already") {
			t.Errorf("a second time: %v", err)
		}
		same(t, engine+": a new update", embedAll(t, m, bicubic), before)
		b := goldenBatch(t, m, bicubic)
		first := add(t, tr, b)
		for i := range 8 {
			if err := tr.Step(backend.Adam{LR: 1e-2, Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, Scale: 1, Step: i + 1}, false); err != nil {
				t.Fatal(err)
			}
			add(t, tr, b)
		}
		if last := add(t, tr, b); !(last < first-0.1) {
			t.Errorf("%s: the loss went from %g to %g", engine, first, last)
		}
		for name, values := range frozen {
			if !slices.Equal(tensorOf(t, m, name).Values, values) {
				t.Errorf("%s: %s has changed", engine, name)
			}
		}
		trained, after := embedAll(t, m, bicubic), m.Info()
		patch := learned(t, tr)
		if err := tr.Detach(); err != nil {
			t.Fatal(err)
		}
		same(t, engine+": detached", embedAll(t, m, bicubic), before)
		if m.Info() != info {
			t.Errorf("%s: detached %+v, was %+v", engine, m.Info(), info)
		}
		if err := m.Apply(patch); err != nil {
			t.Fatal(err)
		}
		if i := m.Info(); i.LogScale != after.LogScale || i.Bias != after.Bias {
			t.Errorf("%s: merged %+v, trained %+v", engine, i, after)
		}
		for i, row := range embedAll(t, m, bicubic) {
			near(t, engine+": merged", row, trained[i], 5e-6)
		}
	}
}

func same(t *testing.T, what string, got, want [][]float32) {
	t.Helper()
	for i := range got {
		if !slices.Equal(got[i], want[i]) {
			t.Errorf("%s: row %d is another", what, i)
		}
	}
}

// The first A is normal with variance 1/r and follows from the seed.
func TestLoRAStart(t *testing.T) {
	draw := func(seed uint64) (a []float32) {
		o := loras["all"]
		o.Seed = seed
		tr, err := load(t, bicubic).NewLoRA(o)
		if err != nil {
			t.Fatal(err)
		}
		updates := learned(t, tr).LowRank
		for _, l := range updates {
			a = append(a, l.A...)
			if slices.ContainsFunc(l.B, func(v float32) bool { return v != 0 }) {
				t.Errorf("B of %s is not zero", l.Name)
			}
		}
		return a
	}
	a := draw(1)
	if !slices.Equal(a, draw(1)) || slices.Equal(a, draw(2)) {
		t.Error("A does not follow from the seed")
	}
	mean, squares := 0.0, 0.0
	for _, v := range a {
		mean += float64(v) / float64(len(a))
		squares += float64(v) * float64(v) / float64(len(a))
	}
	if math.Abs(mean) > 0.05 || math.Abs(squares-1.0/3) > 0.05 {
		t.Errorf("%d values of A have mean %.3f and variance %.3f, want 0 and 1/3", len(a), mean, squares)
	}
}

// What is frozen has neither gradients nor moments, and blocks before the first
// update keep no activations for a way back that nobody goes.
func TestLoRAMemory(t *testing.T) {
	for name, o := range loras {
		e := &counted{Backend: ref.New()}
		m := loadOn(t, e, bicubic)
		b := goldenBatch(t, m, bicubic)
		e.scratch = 0
		tr, err := m.NewLoRA(o)
		if err != nil {
			t.Fatal(err)
		}
		want := 0
		for _, a := range tr.adapted {
			want += 4 * (aligned(o.Rank*a.in) + aligned(o.Rank*a.out))
		}
		if want += 3*2*64 + o.Rank*o.Rank; e.scratch != want { // of t' and b, and the updates' scale
			t.Errorf("%s: %d values for updates, gradients and moments, want %d", name, e.scratch, want)
		}
		add(t, tr, b)
		for tower, acts := range map[string][]blockActs{"image": m.images.blocks, "text": m.texts.blocks} {
			for i, a := range acts {
				learns := tower == "image" && o.Image || tower == "text" && o.Text
				if keeps := a.ln1.mean.Len > 0; keeps != (learns && i >= len(acts)-cmp.Or(o.Layers, len(acts))) {
					t.Errorf("%s: block %d of the %s tower keeps its activations: %v", name, i, tower, keeps)
				}
			}
		}
	}
}

// counted counts the values allocated for scratch.
type counted struct {
	backend.Backend
	scratch int
}

func (c *counted) Alloc(n int, use backend.Use) backend.Buf {
	if use == backend.Scratch {
		c.scratch += n
	}
	return c.Backend.Alloc(n, use)
}

func TestLoRACheck(t *testing.T) {
	m := load(t, bicubic)
	width := m.Config().Vision.Width
	good := LoRA{Rank: 1, Alpha: 1, Targets: []string{"q"}, Image: true}
	for want, change := range map[string]func(o *LoRA){
		`updates of "o": a block has q, k, v, out, fc1, fc2`: func(o *LoRA) { o.Targets = []string{"q", "o"} },
		"of no tower":  func(o *LoRA) { o.Image = false },
		"of no matrix": func(o *LoRA) { o.Targets = nil },
		"of rank 0: want 1 to " + strconv.Itoa(width):   func(o *LoRA) { o.Rank = 0 },
		"of rank " + strconv.Itoa(width+1) + ": want 1": func(o *LoRA) { o.Rank = width + 1 },
		"with alpha NaN":   func(o *LoRA) { o.Alpha = math.NaN() },
		"with alpha 0":     func(o *LoRA) { o.Alpha = 0 },
		"of -1 layers":     func(o *LoRA) { o.Layers = -1 },
		"of 9 layers: the": func(o *LoRA) { o.Layers = 9 },
	} {
		o := good
		change(&o)
		if _, err := m.NewLoRA(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want …%s…", err, want)
		}
	}
}

// Whole tensors that were trained, the token table among them, make a patch that
// gives the trained model, and Detach takes them back.
func TestPatchOfWholeTensors(t *testing.T) {
	for _, patterns := range [][]string{nil, {"text_model.*"}, {"vision_model.head.*", "!logit_*"}} {
		m := load(t, bicubic)
		before, info := embedAll(t, m, bicubic), m.Info()
		tr, err := m.NewTrainer(patterns...)
		if err != nil {
			t.Fatal(err)
		}
		add(t, tr, goldenBatch(t, m, bicubic))
		if err := tr.Step(backend.Adam{LR: 1e-2, Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, Scale: 1, Step: 1}, false); err != nil {
			t.Fatal(err)
		}
		trained, patch := embedAll(t, m, bicubic), learned(t, tr)
		if err := tr.Detach(); err != nil {
			t.Fatal(err)
		}
		same(t, "detached", embedAll(t, m, bicubic), before)
		if m.Info() != info {
			t.Errorf("%q: detached %+v, was %+v", patterns, m.Info(), info)
		}
		fresh := load(t, bicubic)
		if err := fresh.Apply(patch); err != nil {
			t.Fatal(err)
		}
		same(t, "applied", embedAll(t, fresh, bicubic), trained)
		if slices.Equal(trained[len(trained)-1], before[len(before)-1]) != (len(patterns) == 2) {
			t.Errorf("%q: what learned is not what should", patterns)
		}
	}
}
