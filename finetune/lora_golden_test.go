package finetune

import (
	"context"
	"encoding/json"
	"image"
	_ "image/png"
	"math"
	"os"
	"path/filepath"
	"testing"

	"sigla/backend"
	"sigla/backend/ref"
	"sigla/cpu"
	"sigla/model"
)

// An adapter of the PEFT library's own numbers gives what that library computes
// in float64; testdata/golden/hf/check_lora.py wrote both.
func TestAdapterAsPEFT(t *testing.T) {
	fast, err := cpu.New(cpu.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for name, e := range map[string]backend.Backend{"ref": ref.New(), fast.String(): fast} {
		for _, folder := range []string{"siglip-bicubic", "siglip2-fixed"} {
			checkAdapter(t, name, e, filepath.Join("../model/testdata/golden/hf", folder))
		}
	}
}

func checkAdapter(t *testing.T, engine string, e backend.Backend, dir string) {
	t.Helper()
	var base struct {
		Images []struct {
			File string `json:"file"`
		} `json:"images"`
		Texts []string `json:"texts"`
	}
	var want struct {
		Images [][]float64 `json:"image_embeds"`
		Texts  [][]float64 `json:"text_embeds"`
		Logits [][]float64 `json:"logits_per_image"`
	}
	decode(t, filepath.Join(dir, "expected.json"), &base)
	decode(t, filepath.Join(dir, "lora.json"), &want)
	src, err := model.Dir(dir)
	if err != nil {
		t.Fatal(err)
	}
	m, err := model.Load(e, src)
	if err != nil {
		t.Fatal(err)
	}
	a, err := ReadAdapter(filepath.Join(dir, "lora.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Apply(a.Patch()); err != nil {
		t.Fatal(err)
	}
	var photos []any
	for _, img := range base.Images {
		x, err := m.Prepare(decodeImage(t, filepath.Join(dir, img.File)))
		if err != nil {
			t.Fatal(err)
		}
		photos = append(photos, x)
	}
	images, err := m.Embed(context.Background(), photos)
	if err != nil {
		t.Fatal(err)
	}
	texts, err := m.EmbedTexts(context.Background(), base.Texts)
	if err != nil {
		t.Fatal(err)
	}
	score := model.Score{LogScale: m.Info().LogScale, Bias: m.Info().Bias}
	for i, x := range images {
		within(t, engine+": image embedding", x, want.Images[i], 5e-6)
		var logits []float32
		for _, y := range texts {
			logits = append(logits, score.Logit(float32(dot(x, y))))
		}
		within(t, engine+": logit", logits, want.Logits[i], 2e-5)
	}
	for i, y := range texts {
		within(t, engine+": text embedding", y, want.Texts[i], 5e-6)
	}
}

func decode(t *testing.T, path string, v any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, v)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func decodeImage(t *testing.T, path string) image.Image {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, _, err := image.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func within(t *testing.T, what string, got []float32, want []float64, limit float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	for i := range got {
		if off := math.Abs(float64(got[i]) - want[i]); !(off <= limit) {
			t.Errorf("%s[%d] = %g, want %g", what, i, got[i], want[i])
		}
	}
}
