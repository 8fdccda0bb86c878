//go:build gpu && cgo && (linux || windows)

package gpu

import (
	"testing"

	"sigla/backend"
)

// A card is a model of a large GPU: so many multiprocessors, which have groups at the
// same time. A group alone takes a while for a step of k; several share what the
// multiprocessor can do. Numbers are by tile.
type card struct {
	processors int
	atOnce     [len(tiles)]int     // groups of a multiprocessor
	full       [len(tiles)]float64 // FLOP/s of all with as many groups as they have
	alone      [len(tiles)]float64 // seconds
}

// large has 67 TFLOP/s of float32, of which products reach a half: what is aimed at,
// not what was measured.
var large = card{132, [...]int{2, 2, 4, 6, 16}, [...]float64{28e12, 33e12, 29e12, 19e12, 9e12}, [...]float64{170e-9, 150e-9, 100e-9, 90e-9, 60e-9}}

// takes is how long a step of k of a product takes, in so many parts of k at once:
// groups are dealt out to the multiprocessors, which do them one lot after the other.
func (c card) takes(tile, m, n, parts int) float64 {
	t := tiles[tile]
	each := 2 * float64(t.rows()*t.cols()) * float64(c.processors) / c.full[tile]
	lot := func(groups int) float64 {
		if groups == 0 {
			return 0
		}
		return max(c.alone[tile], float64(groups)*each)
	}
	mine := (parts*t.groups(m, n) + c.processors - 1) / c.processors
	return float64(mine/c.atOnce[tile])*lot(c.atOnce[tile]) + lot(mine%c.atOnce[tile])
}

// tuned is what would be measured on the card.
func (c card) tuned() (t tuning) {
	for i := range tiles {
		m, n := 32*196, 768
		t[i] = speed{tiles[i], 2 * float64(m*n) / c.takes(i, m, n, 1) / 1e9, c.takes(i, tiles[i].rows(), tiles[i].cols(), 1)}
	}
	return t
}

// SigLIP base's products on a large card: the tile that is chosen is nearly the best
// of them, and with the parts of k it keeps the card busy. floor is the least share
// of the fastest tile's full speed.
func TestLargeCard(t *testing.T) {
	tuned := large.tuned()
	for _, c := range []struct {
		name  string
		s     backend.Mat
		floor float64
	}{
		{"projection of 32 photos", backend.Mat{M: 6272, N: 768, K: 768, TransB: true}, 0.7},
		{"up of 32 photos", backend.Mat{M: 6272, N: 3072, K: 768, TransB: true}, 0.85},
		{"down of 32 photos, dx", backend.Mat{M: 6272, N: 768, K: 3072, TransB: true}, 0.7},
		{"dw of projections", backend.Mat{M: 768, N: 768, K: 6272, TransA: true, Add: true}, 0.8},
		{"dw of up", backend.Mat{M: 3072, N: 768, K: 6272, TransA: true, Add: true}, 0.8},
		{"dw of down", backend.Mat{M: 768, N: 3072, K: 6272, TransA: true, Add: true}, 0.8},
		{"dw of texts", backend.Mat{M: 768, N: 768, K: 2048, TransA: true, Add: true}, 0.75},
		{"dw of low rank", backend.Mat{M: 8, N: 768, K: 6272, TransA: true, Add: true}, 0},
		{"projection of 8 photos", backend.Mat{M: 1568, N: 768, K: 768, TransB: true}, 0.45},
		{"up of 8 photos", backend.Mat{M: 1568, N: 3072, K: 768, TransB: true}, 0.7},
		{"pooling", backend.Mat{M: 32, N: 768, K: 768, TransB: true}, 0},
		{"pairs", backend.Mat{M: 4096, N: 4096, K: 768, TransB: true}, 0.85},
		{"dx of pairs", backend.Mat{M: 4096, N: 768, K: 4096, Add: true}, 0.75},
		{"dy of pairs", backend.Mat{M: 4096, N: 768, K: 4096, TransA: true, Add: true}, 0.75},
	} {
		count, each := parts(c.s, c.s.Add, widestBinding/4)
		chosen, best := tuned.of(c.s.M, c.s.N, count).Tile, 0
		for i := range tiles {
			if large.takes(i, c.s.M, c.s.N, count) < large.takes(best, c.s.M, c.s.N, count) {
				best = i
			}
		}
		for i, tile := range tiles {
			if tile != chosen {
				continue
			}
			took := large.takes(i, c.s.M, c.s.N, count)
			if least := large.takes(best, c.s.M, c.s.N, count); took > 1.2*least {
				t.Errorf("%s goes in tiles of %d × %d, which take %.0f ns a step, %+v would take %.0f", c.name, tile.rows(), tile.cols(), 1e9*took, tiles[best], 1e9*least)
			}
			share := 2 * float64(c.s.M) * float64(c.s.N) * float64(c.s.K) / (took * float64(each)) / large.full[1]
			if share < c.floor {
				t.Errorf("%s reaches %.2f of the full speed, want %.2f: %d parts of %d in tiles of %d × %d", c.name, share, c.floor, count, each, tile.rows(), tile.cols())
			}
			t.Logf("%-24s %d × %d, %2d parts: %.2f", c.name, tile.rows(), tile.cols(), count, share)
		}
	}
}
