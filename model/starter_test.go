package model

import (
	"context"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigla/cpu"
)

const starterFolder = "../assets/starter"

// starterRecord is what the reference reader made of the starter.
type starterRecord struct {
	Template string   `json:"template"`
	Labels   []string `json:"labels"`
	IDs      [][]int32
	Probes   []struct {
		Text string
		IDs  []int32
	} `json:"token_probes"`
	Images []struct {
		File      string
		Embedding []float64
	}
	Texts [][]float64 `json:"text_embeddings"`
	Probs [][]float64 `json:"probabilities"`
}

// TestStarter holds the model that is built in to the reference reader's
// numbers, within the limits of its MODEL.md.
func TestStarter(t *testing.T) {
	var want starterRecord
	readJSON(t, "testdata/starter/expected.json", &want)
	m := load(t, starterFolder)
	for _, p := range want.Probes {
		if ids, _ := m.Tokenize(p.Text); !slices.Equal(ids, p.IDs) {
			t.Errorf("ids of %q are %v, want %v", p.Text, ids, p.IDs)
		}
	}
	var prompts []string
	for i, label := range want.Labels {
		prompts = append(prompts, strings.ReplaceAll(want.Template, "{}", label))
		if ids, _ := m.Tokenize(prompts[i]); !slices.Equal(ids, want.IDs[i]) {
			t.Errorf("ids of %q are %v, want %v", prompts[i], ids, want.IDs[i])
		}
	}
	texts, err := m.EmbedTexts(context.Background(), prompts)
	if err != nil {
		t.Fatal(err)
	}
	for i := range texts {
		near(t, want.Labels[i], texts[i], want.Texts[i], 1e-4)
	}
	fast, err := cpu.New(cpu.Options{})
	if err != nil {
		t.Fatal(err)
	}
	// The definition takes its time over a stem: two photos show that it
	// agrees, the CPU engine does them all.
	want.check(t, m, texts, 2)
	want.check(t, loadOn(t, fast, starterFolder), texts, len(want.Images))
	for _, open := range moreEngines {
		want.check(t, loadOn(t, open(t), starterFolder), texts, 2)
	}
}

// check compares the first n photos.
func (want *starterRecord) check(t *testing.T, m *Model, texts [][]float32, n int) {
	t.Helper()
	score := Score{LogScale: m.Info().LogScale, Bias: m.Info().Bias}
	for i, img := range want.Images[:n] {
		x, err := m.Prepare(readImage(t, filepath.Join("testdata/starter", img.File)))
		if err != nil {
			t.Fatal(err)
		}
		rows, err := m.Embed(context.Background(), []any{x})
		if err != nil {
			t.Fatal(err)
		}
		near(t, img.File, rows[0], img.Embedding, 1e-4)
		var probs []float64
		for _, y := range texts {
			probs = append(probs, score.Probability(score.Logit(dot(rows[0], y)), Adjust{}))
		}
		near(t, img.File+" probabilities", probs, want.Probs[i], 1e-4)
	}
}

// The counts stand in the starter's MODEL.md.
func TestStarterFigures(t *testing.T) {
	info := load(t, starterFolder).Info()
	if info.Params != 11_192_306 {
		t.Errorf("%d parameters, want 11,192,306", info.Params)
	}
	if mega := info.ImageFLOPs / 1e6; math.Abs(mega-(768+218)) > 2 {
		t.Errorf("a photo costs %.0f MFLOP, want 768 + 218", mega)
	}
	if mega := info.TextFLOPs / 1e6; math.Abs(mega-76) > 2 {
		t.Errorf("a text costs %.0f MFLOP, want 76", mega)
	}
	if !info.Stem || info.Width != 384 || info.TextLen != 16 || info.ImageSize != 224 {
		t.Errorf("unexpected shape: %+v", info)
	}
}
