package cpu

import "time"

// Peak measures for about 50 ms how many floating-point operations a second
// the engine's threads can do on registers, a multiply-add counted as two: what
// every measured speed is compared with, in the same run, since clocks drift.
func (e *Engine) Peak() float64 {
	const rounds = 10
	n := 1000
	for {
		// An item is short, so that threads that others disturb do less.
		items := 64 * e.pool.threads
		start := time.Now()
		e.pool.run(items, func(int, int) { e.kern.peak(n) })
		took := time.Since(start)
		if took < 5*time.Millisecond {
			n *= 2
			continue
		}
		best := took
		for range rounds {
			start := time.Now()
			e.pool.run(items, func(int, int) { e.kern.peak(n) })
			best = min(best, time.Since(start))
		}
		return 2 * float64(e.kern.peakAdds) * float64(n) * float64(items) / best.Seconds()
	}
}
