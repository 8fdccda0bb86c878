package model

import (
	"bytes"
	"context"
	"encoding/json"
	"image"
	_ "image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"sigla/backend"
	"sigla/backend/ref"
	"sigla/cpu"
	"sigla/model/safetensors"
)

// golden is an expected.json of testdata/golden/hf; README.md there tells what
// each field is and recommends the limits used below.
type golden struct {
	Images []struct {
		File string `json:"file"`
	} `json:"images"`
	Texts       []string    `json:"texts"`
	IDs         [][]int32   `json:"input_ids"`
	LogScale    float64     `json:"logit_scale"`
	Bias        float64     `json:"logit_bias"`
	ImageEmbeds [][]float64 `json:"image_embeds"`
	TextEmbeds  [][]float64 `json:"text_embeds"`
	Logits      [][]float64 `json:"logits_per_image"`
	Probs       [][]float64 `json:"probabilities"`
	Loss        float64     `json:"sigmoid_loss"`
	CLIPLoss    float64     `json:"clip_loss"`
	Training    *struct {
		Optimizer struct {
			LR    float64    `json:"lr"`
			Betas [2]float64 `json:"betas"`
			Eps   float64    `json:"eps"`
			Decay float64    `json:"weight_decay"`
		} `json:"optimizer"`
		Losses    []float64              `json:"losses"`
		Gradients map[string]fingerprint `json:"gradients"`
		Zero      []string               `json:"zero_gradient_tensors"`
	} `json:"training"`
}

// fingerprint is what is kept of a large tensor.
type fingerprint struct {
	L2    float64   `json:"l2"`
	Sum   float64   `json:"sum"`
	First []float64 `json:"first"`
}

func readJSON(t *testing.T, path string, v any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, v)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func readImage(t *testing.T, path string) image.Image {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	img, _, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// load opens a checkpoint on the reference engine.
func load(t *testing.T, path string) *Model {
	t.Helper()
	return loadOn(t, ref.New(), path)
}

func loadOn(t *testing.T, e backend.Backend, path string) *Model {
	t.Helper()
	src, err := Dir(path)
	if err != nil {
		t.Fatal(err)
	}
	m, err := Load(e, src)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// near fails for every pair that differs by more than limit.
func near[A, B float32 | float64](t *testing.T, what string, got []A, want []B, limit float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	worst, at := 0.0, -1
	for i := range got {
		d := math.Abs(float64(got[i]) - float64(want[i]))
		if !(d <= worst) {
			worst, at = d, i
		}
	}
	if !(worst <= limit) {
		t.Errorf("%s[%d] = %.9g, want %.9g: off by %.2g, limit %.2g", what, at, got[at], want[at], worst, limit)
	}
}

// families are the published layouts that load; the limits for logits and loss
// are looser where exp(t') = 117 magnifies a cosine.
var families = []struct {
	folder       string
	logit, loss  float64
	withTraining bool
}{
	{"siglip-bicubic", 2e-5, 1e-5, true},
	{"siglip-bilinear-hubscale", 2e-4, 1e-4, false},
	{"siglip-so400m-like", 2e-5, 1e-5, false},
	{"siglip-f16", 2e-5, 1e-5, false},
	{"siglip-sharded", 2e-5, 1e-5, false},
	{"siglip2-fixed", 2e-5, 1e-5, false},
	{"siglip2-bf16", 2e-5, 1e-5, false},
	{"clip-quickgelu", 2e-5, 1e-5, false},
	{"clip-gelu", 2e-5, 1e-5, false},
}

// engines are the definition and every level of the CPU engine that this
// machine has.
func engines(t *testing.T) map[string]backend.Backend {
	t.Helper()
	all := map[string]backend.Backend{"ref": ref.New()}
	for _, level := range cpu.Levels() {
		e, err := cpu.New(cpu.Options{Level: level})
		if err != nil {
			t.Fatal(err)
		}
		all["cpu "+level] = e
	}
	return all
}

func TestGolden(t *testing.T) {
	for _, f := range families {
		for name, e := range engines(t) {
			t.Run(f.folder+"/"+name, func(t *testing.T) {
				dir := filepath.Join("testdata/golden/hf", f.folder)
				var want golden
				readJSON(t, filepath.Join(dir, "expected.json"), &want)
				m := loadOn(t, e, dir)
				batch := checkForward(t, m, dir, &want, f.logit)
				wantLoss := want.Loss
				if m.cfg.Kind == CLIP {
					batch.Loss, wantLoss = Softmax, want.CLIPLoss // TestTinyCLIP has the gradients
				}
				tr, err := m.NewTrainer()
				if err != nil {
					t.Fatal(err)
				}
				loss, err := tr.Add(context.Background(), batch)
				if err != nil {
					t.Fatal(err)
				}
				near(t, "loss", []float32{loss}, []float64{wantLoss}, f.loss)
				if f.withTraining != (want.Training != nil) {
					t.Fatal("the folder has changed: is there a training record?")
				}
				if f.withTraining {
					checkGradients(t, tr, want.Training.Gradients)
					checkSteps(t, tr, batch, &want, dir)
				}
			})
		}
	}
}

// checkForward compares everything up to the probabilities and returns the
// leading square block as a batch for training.
func checkForward(t *testing.T, m *Model, dir string, want *golden, logit float64) Batch {
	t.Helper()
	near(t, "t'", []float32{m.Info().LogScale}, []float64{want.LogScale}, 1e-7*math.Abs(want.LogScale))
	near(t, "b", []float32{m.Info().Bias}, []float64{want.Bias}, 1e-7*math.Abs(want.Bias)) // 0 in CLIP
	var b Batch
	for _, img := range want.Images {
		x, err := m.Prepare(readImage(t, filepath.Join(dir, img.File)))
		if err != nil {
			t.Fatal(err)
		}
		b.Images = append(b.Images, x)
	}
	for i, text := range want.Texts {
		ids, _ := m.Tokenize(text)
		if !slices.Equal(ids, want.IDs[i]) {
			t.Errorf("ids of %q are %v, want %v", text, ids, want.IDs[i])
		}
		b.IDs = append(b.IDs, ids)
	}
	images, err := m.Embed(context.Background(), b.Images)
	if err != nil {
		t.Fatal(err)
	}
	texts, err := m.EmbedTexts(context.Background(), want.Texts)
	if err != nil {
		t.Fatal(err)
	}
	for i := range images {
		near(t, "image embedding", images[i], want.ImageEmbeds[i], 5e-6)
	}
	for i := range texts {
		near(t, "text embedding", texts[i], want.TextEmbeds[i], 5e-6)
	}
	score := Score{LogScale: m.Info().LogScale, Bias: m.Info().Bias}
	for i, x := range images {
		var logits []float32
		for _, y := range texts {
			logits = append(logits, score.Logit(dot(x, y)))
		}
		near(t, "logit", logits, want.Logits[i], logit)
		if m.cfg.Kind == CLIP {
			odds, _ := score.Choosing() // the reference's probabilities are a softmax
			odds(logits)
		}
		var probs []float64
		for _, l := range logits {
			probs = append(probs, score.Probability(l, Adjust{}))
		}
		near(t, "probability", probs, want.Probs[i], 1e-5)
	}
	n := min(len(b.Images), len(b.IDs))
	return Batch{Images: b.Images[:n], IDs: b.IDs[:n], Pairs: backend.Pairs{Default: -1, Diagonal: true}}
}

func dot(a, b []float32) float32 {
	sum := 0.0
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return float32(sum)
}

func checkGradients(t *testing.T, tr *Trainer, want map[string]fingerprint) {
	t.Helper()
	seen := 0
	tr.Each(func(name string, _ []int, _, grad []float32) error {
		f, ok := want[name]
		if !ok {
			t.Errorf("%s has no golden gradient", name)
			return nil
		}
		seen++
		sum, squares := 0.0, 0.0
		for _, g := range grad {
			sum += float64(g)
			squares += float64(g) * float64(g)
		}
		near(t, "gradient of "+name, grad[:len(f.First)], f.First, 3e-5)
		near(t, "l2 of "+name, []float64{math.Sqrt(squares)}, []float64{f.L2}, 3e-5)
		near(t, "sum of "+name, []float64{sum}, []float64{f.Sum}, 3e-5)
		return nil
	})
	if seen != len(want) {
		t.Errorf("%d gradients, want %d", seen, len(want))
	}
}

// checkSteps makes three AdamW steps; the first gradient is in place already.
func checkSteps(t *testing.T, tr *Trainer, batch Batch, want *golden, dir string) {
	t.Helper()
	o := want.Training.Optimizer
	adam := backend.Adam{LR: float32(o.LR), Beta1: float32(o.Betas[0]), Beta2: float32(o.Betas[1]), Eps: float32(o.Eps), Decay: float32(o.Decay), Scale: 1}
	for step := 1; step <= 3; step++ {
		adam.Step = step
		if err := tr.Step(adam, true); err != nil {
			t.Fatal(err)
		}
		loss, err := tr.Add(context.Background(), batch)
		if err != nil {
			t.Fatal(err)
		}
		near(t, "loss", []float32{loss}, want.Training.Losses[step:step+1], 1e-5)
	}
	after, err := safetensors.Open(filepath.Join(dir, "after3.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer after.Close()
	tr.Each(func(name string, _ []int, values, _ []float32) error {
		f, ok := after.Tensor(name)
		if !ok {
			t.Errorf("after3.safetensors has no %s", name)
			return nil
		}
		golden, err := f.Floats(nil)
		if err != nil {
			t.Fatal(err)
		}
		if slices.Contains(want.Training.Zero, name) {
			return nil // noise over its own root: ±1 steps in any direction
		}
		if third := len(values) / 3; name == "vision_model.head.attention.in_proj_bias" {
			values = slices.Concat(values[:third], values[2*third:]) // the middle is a key bias
			golden = slices.Concat(golden[:third], golden[2*third:])
		}
		near(t, name+" after three steps", values, golden, 2e-5)
		return nil
	})
}
