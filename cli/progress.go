package cli

import (
	"fmt"
	"io"
	"sync"
	"time"

	"sigla/gallery"
)

// progress is one line on a terminal that tells how far the work is. It is not
// drawn unless on. Any goroutine may draw it, and write above it.
type progress struct {
	w  io.Writer
	on bool

	mu    sync.Mutex
	drawn bool      // the line is on the screen
	last  time.Time // it was drawn
}

// redraw is the least time between two drawings.
const redraw = 100 * time.Millisecond

func (p *progress) draw(g gallery.Progress) {
	if g.Found == 0 {
		return
	}
	line := fmt.Sprintf("%d/%d photos", g.Done+g.Failed, g.Found)
	if g.Rate > 0 {
		left := g.Left.Round(time.Second)
		line += fmt.Sprintf(" · %.0f/s · %d:%02d left", g.Rate, int(left.Minutes()), int(left.Seconds())%60)
	}
	p.say(line)
}

// say draws a line, unless the last was drawn a moment ago.
func (p *progress) say(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := time.Now(); p.on && now.Sub(p.last) >= redraw {
		p.drawn, p.last = true, now
		fmt.Fprint(p.w, "\r"+line+"\x1b[K")
	}
}

// clear takes the line away, so that something else can be printed.
func (p *progress) clear() { p.above(func() {}) }

// above has something else printed where the line is.
func (p *progress) above(print func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.drawn {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.drawn = false
	}
	print()
}
