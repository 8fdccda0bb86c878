//go:build gpu && cgo && (linux || windows)

package gpu

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"sigla/backend"
	"sigla/gpu/gl"
	"sigla/internal/atomicfile"
)

// tuning is what was measured on a device.
type tuning struct {
	Tile   tile
	GFLOPS float64 // of a matrix product with it
}

// tiles are the shapes that tune tries: 64 × 64, 128 × 128, 32 × 32 values a
// group. Each fits the 32 KiB that every device shares within a group.
var tiles = []tile{
	{PerRow: 4, PerCol: 4, Across: 16, Down: 16, Deep: 16},
	{PerRow: 8, PerCol: 8, Across: 16, Down: 16, Deep: 8},
	{PerRow: 2, PerCol: 2, Across: 16, Down: 16, Deep: 16},
	{PerRow: 8, PerCol: 4, Across: 16, Down: 8, Deep: 16},
}

// untuned is a guess: the first tile, and speeds below those of any device.
func untuned(software bool) tuning {
	if software {
		return tuning{tiles[0], 2}
	}
	return tuning{tiles[0], 100}
}

// work is how many floating point operations a dispatch may have to take about
// 50 ms: drivers stop those that take seconds.
func (t tuning) work() float64 { return 0.05e9 * t.GFLOPS }

// tune takes the fastest tile, from the cache or by trying them all.
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
	best := tuning{}
	for _, t := range tiles {
		if speed := e.try(t); speed > best.GFLOPS {
			best = tuning{t, speed}
		}
	}
	if !best.valid() {
		return // it has failed: the next Read says why
	}
	e.tuning = best
	if path == "" {
		return
	}
	// A cache that cannot be written costs the next start a trial.
	if data, err := json.Marshal(best); err == nil && os.MkdirAll(cache, 0o755) == nil {
		_ = atomicfile.Write(path, data, 0o644)
	}
}

// valid refuses what is not one of ours: a file that somebody has changed must
// not become a shader.
func (t tuning) valid() bool {
	for _, known := range tiles {
		if t.Tile == known {
			return t.GFLOPS > 0
		}
	}
	return false
}

// try measures a tile on a product of the size of a layer's, in GFLOP/s; 0 if
// the device has failed.
func (e *engine) try(t tile) float64 {
	m, n, k := 784, 768, 768
	if e.info.Software {
		m, n, k = 128, 128, 256
	}
	e.tuning = tuning{t, untuned(e.info.Software).GFLOPS}
	a, b, c := e.temporary("try a", m*k), e.temporary("try b", k*n), e.temporary("try c", m*n)
	var one [1]float32
	run := func() bool {
		e.MatMul(c, a, b, backend.Mat{M: m, N: n, K: k, TransB: true})
		return e.Read(one[:], c.Slice(0, 1)) == nil
	}
	if !run() { // the driver compiles at the first dispatch
		return 0
	}
	var best time.Duration
	for range 3 {
		start := time.Now()
		if !run() {
			return 0
		}
		if d := time.Since(start); best == 0 || d < best {
			best = d
		}
	}
	return 2 * float64(m) * float64(n) * float64(k) / best.Seconds() / 1e9
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
