//go:build gpu && cgo && (linux || windows)

package finetune

import (
	"testing"

	"sigla/backend"
	"sigla/gpu"
	"sigla/internal/require"
)

func init() {
	moreEngines["gpu:software"] = func(t *testing.T) backend.Backend {
		e, err := gpu.Open(gpu.Options{Software: true})
		if err != nil {
			require.Missing(t, "gl", err.Error())
		}
		return e
	}
}
