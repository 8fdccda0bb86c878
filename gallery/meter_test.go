package gallery

import (
	"math"
	"testing"
	"time"
)

func TestMeter(t *testing.T) {
	var m meter
	now := time.Unix(1000, 0)
	pass := func(d time.Duration) { now = now.Add(d) }
	work := func(n int, each time.Duration) {
		m.work(now, true)
		for range n {
			pass(each)
			m.count(now)
		}
	}
	check := func(what string, want float64) {
		t.Helper()
		if got := m.rate(now); math.Abs(got-want) > 0.03*want {
			t.Errorf("%s: rate %v, want %v", what, got, want)
		}
	}
	check("before any work", 0)
	work(1, 100*time.Millisecond)
	check("after one photo", 10)
	work(20, 100*time.Millisecond)
	check("after some", 10)
	m.work(now, false)
	pass(time.Hour)
	check("after an idle hour", 10)
	work(100, 10*time.Millisecond)
	// 21 photos in 2.1 s, 100 in 1 s.
	check("idle time does not count", 121/3.1)
	work(4000, 10*time.Millisecond)
	check("the old rate leaves the window", 100)
	if len(m.marks) > meterMarks+3 {
		t.Errorf("%d marks are kept", len(m.marks))
	}
	pass(meterWindow)
	if got := m.rate(now); got > 1 {
		t.Errorf("rate %v after nothing was done in a window of work", got)
	}
}
