//go:build gpu && cgo && (linux || windows)

package model

import (
	"context"
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
