//go:build gpu && cgo && (linux || windows)

package gpu

import (
	"testing"

	"sigla/backend"
	"sigla/internal/require"
)

// Each way that this machine has leads to an engine that computes.
func TestWays(t *testing.T) {
	opened := 0
	for _, w := range ways(true) {
		t.Run(w.name, func(t *testing.T) {
			e, err := Open(Options{Software: true, Way: w.name})
			if err != nil {
				t.Skip(err)
			}
			opened++
			b := e.Alloc(2, backend.Scratch)
			e.Write(b, []float32{3, 4})
			e.Normalize(b, backend.Buf{}, b, 1, 2)
			got := make([]float32, 2)
			if err := e.Read(got, b); err != nil || got[0] != 0.6 || got[1] != 0.8 {
				t.Errorf("%v, %v through %s", got, err, e.Info().Context)
			}
			if err := e.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	if opened == 0 {
		require.Missing(t, "gl", "no way leads to a software driver")
	}
}

// A device that is hardware is looked for before software, and the other way
// round where software is wanted; displays count as hardware.
func TestOrder(t *testing.T) {
	for _, software := range []bool{false, true} {
		switched := 0
		all := ways(software)
		for i := 1; i < len(all); i++ {
			if all[i].software != all[i-1].software {
				switched++
			}
		}
		if len(all) == 0 || switched > 1 || switched == 1 && all[0].software != software {
			t.Errorf("software %v: %+v", software, all)
		}
	}
}
