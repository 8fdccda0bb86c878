//go:build gpu && cgo && (linux || windows)

package gpu

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"

	"sigla/backend"
	"sigla/gpu/gl"
	"sigla/internal/atomicfile"
)

// A speed is what was measured of a tile.
type speed struct {
	Tile   tile
	GFLOPS float64 // of a product that fills the device
	Alone  float64 // seconds a work group takes for a step of k while nothing else runs
}

// tuning is what was measured on a device, a speed for each of tiles.
type tuning [len(tiles)]speed

// tiles are the shapes that a product may have: 128 × 128 values a group with and
// without loading ahead, 128 × 64, 64 × 64, and 32 × 32 for what is small. Each fits
// the 32 KiB that every device shares within a group.
var tiles = [...]tile{
	{PerRow: 8, PerCol: 8, Across: 16, Down: 16, Deep: 16},
	{PerRow: 8, PerCol: 8, Across: 16, Down: 16, Deep: 16, Prefetch: true},
	{PerRow: 8, PerCol: 8, Across: 8, Down: 16, Deep: 16, Prefetch: true},
	{PerRow: 8, PerCol: 4, Across: 16, Down: 8, Deep: 16},
	{PerRow: 4, PerCol: 4, Across: 8, Down: 8, Deep: 32},
}

// untuned is a guess: tiles are equal, and slower than on any device.
func untuned(software bool) (t tuning) {
	for i := range t {
		t[i] = speed{Tile: tiles[i], GFLOPS: 100, Alone: 1e-7}
		if software {
			t[i].GFLOPS = 2
		}
	}
	return t
}

// of is the speed of the tile that has a product of m × n values done first, in so
// many parts of k: a step of k takes as many groups as there are, padded, at full
// speed, but no less than a group alone.
func (t *tuning) of(m, n, parts int) speed {
	best, least := t[0], math.Inf(1)
	for _, s := range t {
		values := parts * s.Tile.groups(m, n) * s.Tile.rows() * s.Tile.cols()
		took := max(2*float64(values)/(s.GFLOPS*1e9), s.Alone)
		if took < least {
			best, least = s, took
		}
	}
	return best
}

// fastest is what the fastest tile does, in GFLOP/s.
func (t *tuning) fastest() (most float64) {
	for _, s := range t {
		most = max(most, s.GFLOPS)
	}
	return most
}

// work is how many floating point operations a dispatch may have to take about
// 50 ms: drivers stop those that take seconds.
func (s speed) work() float64 { return 0.05e9 * s.GFLOPS }

// work is that of the fastest tile, in which all but products is measured.
func (t *tuning) work() float64 { return 0.05e9 * t.fastest() }

// tune has the speeds of all tiles, from the cache or by trying them.
func (e *engine) tune(cache string) {
	path := ""
	if cache != "" {
		name := fmt.Sprintf("%x", sha256.Sum256([]byte(e.info.Renderer+"\n"+e.info.Version)))[:16]
		path = filepath.Join(cache, name+".json")
		e.add(func(d *device) { d.cache = programCache{filepath.Join(cache, name), d.limits.Binaries > 0} })
		var t tuning
		if data, err := os.ReadFile(path); err == nil && json.Unmarshal(data, &t) == nil && t.valid() {
			e.tuning = t
			return
		}
	}
	var found tuning
	for i, t := range tiles {
		found[i] = e.try(t)
	}
	e.giveBack("try a", "try b", "try c")
	e.tuning = untuned(e.info.Software)
	if !found.valid() {
		return // it has failed: the next Read says why
	}
	e.tuning = found
	if path == "" {
		return
	}
	// A cache that cannot be written costs the next start a trial.
	if data, err := json.Marshal(found); err == nil && os.MkdirAll(cache, 0o755) == nil {
		_ = atomicfile.Write(path, data, 0o644)
	}
}

// valid refuses what is not ours: a file that somebody has changed must not become
// a shader.
func (t *tuning) valid() bool {
	for i, s := range t {
		if s.Tile != tiles[i] || !(s.GFLOPS > 0) || !(s.Alone > 0) {
			return false
		}
	}
	return true
}

// only is a tuning that takes no other tile.
func only(s speed) (t tuning) {
	for i := range t {
		t[i] = s
	}
	return t
}

// try measures a tile on a product of the size of a layer's, and on one group of it;
// the zero speed if the device has failed.
func (e *engine) try(t tile) speed {
	m, n, k, times := 32*196, 768, 768, 4
	if e.info.Software {
		m, n, k, times = 128, 128, 256, 1
	}
	e.tuning = only(speed{t, untuned(e.info.Software)[0].GFLOPS, 1})
	a, b, c := e.temporary("try a", m*k), e.temporary("try b", k*n), e.temporary("try c", m*n)
	var one [1]float32
	run := func(m, n, times int) float64 {
		start := time.Now()
		for range times {
			e.MatMul(c.Slice(0, m*n), a.Slice(0, m*k), b.Slice(0, n*k), backend.Mat{M: m, N: n, K: k, TransB: true})
		}
		if e.Read(one[:], c.Slice(0, 1)) != nil {
			return math.Inf(1)
		}
		return time.Since(start).Seconds() / float64(times)
	}
	fastest := func(m, n, times int) float64 {
		best := math.Inf(1)
		for range 3 {
			best = min(best, run(m, n, times))
		}
		return best
	}
	run(m, n, 1) // the driver compiles at the first dispatch
	if full := fastest(m, n, times); !math.IsInf(full, 1) {
		return speed{t, 2 * float64(m*n) * float64(k) / full / 1e9, fastest(t.rows(), t.cols(), 8*times) / float64(k)}
	}
	return speed{}
}

// programCache keeps compiled programs of one driver in a folder; the zero
// programCache keeps none.
type programCache struct {
	dir  string
	able bool
}

// program compiles a source, unless that has been done before.
func (c programCache) program(source string) (uint32, error) {
	if c.dir == "" || !c.able {
		return gl.NewProgram(source)
	}
	path := filepath.Join(c.dir, fmt.Sprintf("%x", sha256.Sum256([]byte(source)))[:32])
	if data, err := os.ReadFile(path); err == nil {
		if p, ok := gl.LoadProgram(data); ok {
			return p, nil
		}
	}
	p, err := gl.NewProgram(source)
	if err != nil {
		return 0, err
	}
	if data := gl.Binary(p); data != nil && os.MkdirAll(c.dir, 0o755) == nil {
		_ = atomicfile.Write(path, data, 0o644) // else it is compiled again next time
	}
	return p, nil
}
