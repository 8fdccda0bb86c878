//go:build gpu && cgo && (linux || windows)

package gpu

import (
	"time"

	"sigla/backend"
)

// Peak measures for about 100 ms how many floating-point operations a second the
// device can do on registers, a multiply-add counted as two; 0 if it has failed.
func (e *engine) Peak() float64 {
	const perRound = 256 * 16 * 4 * 2 // of a work group
	dst := e.temporary("peak", 1)
	groups, rounds := 64, 50
	run := func() (time.Duration, bool) {
		var one [1]float32
		start := time.Now()
		e.run(kernel{file: "peak", bufs: []backend.Buf{dst}, sizes: ints(rounds)}.spread(groups))
		err := e.Read(one[:], dst)
		return time.Since(start), err == nil
	}
	took, ok := run() // compiles
	for ok && took < 15*time.Millisecond {
		if rounds < 800 {
			rounds *= 2
		} else if groups < 1<<16 {
			groups *= 2
		} else {
			break
		}
		took, ok = run()
	}
	best := took
	for range 4 {
		if took, again := run(); again {
			best = min(best, took)
		} else {
			ok = false
		}
	}
	if !ok {
		return 0
	}
	return perRound * float64(groups) * float64(rounds) / best.Seconds()
}
