//go:build gpu && cgo && (linux || windows)

package model

import (
	"context"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"sigla/backend"
	"sigla/gpu"
	"sigla/internal/require"
)

func init() {
	moreEngines["gpu:software"] = func(t *testing.T) backend.Backend { return openGPU(t, gpu.F32) }
}

func openGPU(t *testing.T, s gpu.Storage) backend.Backend {
	t.Helper()
	e, err := gpu.Open(gpu.Options{Software: true, Storage: s})
	if err != nil {
		require.Missing(t, "gl", err.Error())
	}
	return e
}

// A checkpoint whose weights have 16 bits loses nothing when they lie so in the
// device's memory: the golden values hold as in float32.
func TestGolden16Bit(t *testing.T) {
	for folder, s := range map[string]gpu.Storage{"siglip-f16": gpu.F16, "siglip2-bf16": gpu.BF16} {
		t.Run(folder, func(t *testing.T) {
			dir := filepath.Join("testdata/golden/hf", folder)
			var want golden
			readJSON(t, filepath.Join(dir, "expected.json"), &want)
			checkForward(t, loadOn(t, openGPU(t, s), dir), dir, &want, 2e-5)
		})
	}
}

// Low-rank updates learn in float32 beside weights that are stored in bf16. If these
// lose nothing by that, it is the training of float32; else one whose frozen weights
// are up to a part in 256 away, and with them the loss.
func TestPackedLoRA(t *testing.T) {
	for folder, most := range map[string]float64{"siglip2-bf16": 1e-5, "siglip-bicubic": 0.01} {
		t.Run(folder, func(t *testing.T) {
			dir := filepath.Join("testdata/golden/hf", folder)
			train := func(s gpu.Storage) (losses []float64) {
				m := loadOn(t, openGPU(t, s), dir)
				tr, err := m.NewLoRA(loras["q, v"])
				if err != nil {
					t.Fatal(err)
				}
				b := goldenBatch(t, m, dir)
				for step := range 8 {
					losses = append(losses, float64(add(t, tr, b)))
					if err := tr.Step(backend.Adam{LR: 5e-3, Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, Scale: 1, Step: step + 1}, false); err != nil {
						t.Fatal(err)
					}
				}
				return losses
			}
			got, want := train(gpu.BF16), train(gpu.F32)
			apart := 0.0
			for i := range want {
				apart = max(apart, math.Abs(got[i]-want[i])/want[i])
			}
			t.Logf("loss %g → %g, at most %.1e of it apart", want[0], want[7], apart)
			if apart > most || want[7] > 0.9*want[0] {
				t.Errorf("losses %v, want %v", got, want)
			}
		})
	}
}

// t' and b are as in the file, however weights are stored.
func TestPackedScalars(t *testing.T) {
	want := load(t, bicubic).Info()
	if got := loadOn(t, openGPU(t, gpu.BF16), bicubic).Info(); got.LogScale != want.LogScale || got.Bias != want.Bias {
		t.Errorf("t' %g and b %g, want %g and %g", got.LogScale, got.Bias, want.LogScale, want.Bias)
	}
}

// Low-rank updates go into weights however these are stored: photos are embedded as
// with float32, but for the rounding.
func TestPackedTakesUpdates(t *testing.T) {
	var got [2][][]float32
	for i, storage := range []gpu.Storage{gpu.F32, gpu.BF16} {
		m := loadOn(t, openGPU(t, storage), bicubic)
		u := lowRank(t, m, "vision_model.encoder.layers.0.self_attn.v_proj.weight", 2)
		if err := m.Apply(Patch{LowRank: []LowRank{u}}); err != nil {
			t.Fatal(err)
		}
		photo := make([]float32, m.window.Len())
		for j := range photo {
			photo[j] = float32(j%7)/7 - 0.5
		}
		var err error
		if got[i], err = m.Embed(context.Background(), []any{photo}); err != nil {
			t.Fatal(err)
		}
	}
	cosine := 0.0
	for j, v := range got[0][0] {
		cosine += float64(v) * float64(got[1][0][j])
	}
	if cosine < 0.999 {
		t.Errorf("the cosine to what float32 gives is %g", cosine)
	}
}

// The starter's weights take 45 MB: with less than that they take turns, and the
// values stay.
func TestStarterInLittleMemory(t *testing.T) {
	var want starterRecord
	readJSON(t, "testdata/starter/expected.json", &want)
	e, err := gpu.Open(gpu.Options{Software: true, Budget: 32 << 20})
	if err != nil {
		require.Missing(t, "gl", err.Error())
	}
	m := loadOn(t, e, starterFolder)
	var prompts []string
	for _, label := range want.Labels {
		prompts = append(prompts, strings.ReplaceAll(want.Template, "{}", label))
	}
	texts, err := m.EmbedTexts(context.Background(), prompts)
	if err != nil {
		t.Fatal(err)
	}
	want.check(t, m, texts, 1)
}
