//go:build gpu && cgo && linux

package model

import (
	"path/filepath"
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
