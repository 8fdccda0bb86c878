package gallery

import "time"

const (
	meterWindow = 10 * time.Second // long enough to be steady, short enough to follow
	meterMarks  = 40               // per window
)

// A meter measures work per second over the last seconds in which there was
// work to do; time without does not count.
type meter struct {
	working bool
	since   time.Time     // when work last began, if working
	worked  time.Duration // before that
	done    int
	marks   []mark // oldest first
}

// A mark is how much was done after how much working time.
type mark struct {
	at   time.Duration
	done int
}

// work says whether there is work to do from now on.
func (m *meter) work(now time.Time, working bool) {
	if working == m.working {
		return
	}
	m.worked = m.clock(now)
	m.since = now
	m.working = working
}

func (m *meter) clock(now time.Time) time.Duration {
	if !m.working {
		return m.worked
	}
	return m.worked + now.Sub(m.since)
}

// count adds one piece of work that is done.
func (m *meter) count(now time.Time) {
	at := m.clock(now)
	if n := len(m.marks); n == 0 {
		m.marks = append(m.marks, mark{})
	} else if at-m.marks[n-1].at >= meterWindow/meterMarks {
		m.marks = append(m.marks, mark{at, m.done})
	}
	m.done++
	for len(m.marks) > 1 && m.marks[1].at <= at-meterWindow {
		m.marks = m.marks[1:]
	}
}

// rate returns the work per second, 0 before there was any.
func (m *meter) rate(now time.Time) float64 {
	if len(m.marks) == 0 {
		return 0
	}
	at := m.clock(now)
	base := m.marks[0]
	for _, next := range m.marks[1:] {
		if next.at > at-meterWindow {
			break
		}
		base = next
	}
	if at <= base.at {
		return 0
	}
	return float64(m.done-base.done) / (at - base.at).Seconds()
}
