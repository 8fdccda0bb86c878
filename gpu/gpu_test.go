//go:build gpu && cgo && (linux || windows)

package gpu

import (
	"testing"

	"sigla/backend"
	"sigla/backend/backendtest"
	"sigla/internal/require"
)

// open makes an engine on Mesa's software driver.
func open(t testing.TB) backend.Backend {
	t.Helper()
	e, err := Open(Options{Software: true})
	if err != nil {
		require.Missing(t, "gl", err.Error())
	}
	return e
}

func TestSoftware(t *testing.T) {
	backendtest.Run(t, func(t *testing.T) backend.Backend { return open(t) })
}

func BenchmarkEngine(b *testing.B) {
	backendtest.Bench(b, func() backend.Backend { return open(b) })
}
