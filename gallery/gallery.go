// Package gallery is a collection of photos: found, embedded, ranked and scored.
//
//	Scan      folders → photos, Waiting, in the order in which they are shown
//	Embed     decode workers (Want first, then in order) → batches → Embedder
//	          → vectors; the photo is Ready, or Failed and says why
//	Rank      a query's vector → the photos closest to it
//	Scores    a Classifier's labels → a logit for every photo and label
//	catalog   keeps vectors from one run to the next (UseCatalog)
//
// It knows no model: it asks for an Embedder. Scan and Embed run beside whoever
// watches; every method may be called at any time from any goroutine.
package gallery

import (
	"context"
	"image"
	"sync"
	"time"

	"sigla/gallery/catalog"
	"sigla/gallery/photo"
)

// State says how far a photo has come.
type State uint8

const (
	Waiting State = iota // found, not yet embedded
	Ready                // has a vector
	Failed               // could not be read or embedded: see Photo.Err
)

// A Photo is what is known of a photo at one moment.
type Photo struct {
	ID       int    // counts from 0 in the order of discovery and never changes
	Path     string // as reached from the path given to Scan
	Name     string // relative to that path, with slashes
	Size     int64  // bytes
	Modified time.Time
	State    State
	Err      error      // why it Failed: one line that names the photo
	Info     photo.Info // once decoded, zero before
	Vector   []float32  // once Ready; of length 1, shared, not to be changed
}

// A Skip is a folder or file that Scan had to pass by. Err names it and says
// what was being done.
type Skip struct {
	Path string
	Err  error
}

// Gallery is a set of photos that only grows.
type Gallery struct {
	scanner Scanner
	decoded func(id int, img image.Image)
	now     func() time.Time
	turn    chan struct{} // has the token of the running Embed

	mu      sync.RWMutex
	moved   *sync.Cond    // mu; a worker may have something to do
	version uint64        // counts changes
	wake    chan struct{} // closed at the next change; nil if nobody waits

	slots   []slot // by ID
	known   map[string]struct{}
	skipped []Skip
	scans   int // running

	rows       rows
	failed     int
	remembered int // of rows: not embedded, for the catalog had them
	embedding  bool
	paused     bool
	meter      meter
	order      order

	keep keeper
}

// A slot is a photo and whether the running Embed has begun with it.
type slot struct {
	Photo
	taken bool

	// For the catalog.
	tracked bool         // Scan writes its file down
	file    int64        // the file's ID there, 0 until Scan has
	content catalog.Hash // what is in it, if that was read
	reason  string       // why there is no photo in it
}

// New returns an empty gallery.
func New() *Gallery {
	g := &Gallery{
		scanner: plainScanner{},
		now:     time.Now,
		turn:    make(chan struct{}, 1),
		known:   make(map[string]struct{}),
	}
	g.moved = sync.NewCond(&g.mu)
	return g
}

// Len returns the number of photos found so far; their IDs are below it.
func (g *Gallery) Len() int {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return len(g.slots)
}

// Photo returns the photo of that ID as it is now. It panics if there is none.
func (g *Gallery) Photo(id int) Photo {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.slots[id].Photo
}

// Photos returns all photos as they are now. It copies them: to draw a screen,
// ask for the photos on it.
func (g *Gallery) Photos() []Photo {
	g.mu.RLock()
	defer g.mu.RUnlock()
	photos := make([]Photo, len(g.slots))
	for i := range g.slots {
		photos[i] = g.slots[i].Photo
	}
	return photos
}

// Skipped returns what Scan had to pass by so far.
func (g *Gallery) Skipped() []Skip {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return append([]Skip(nil), g.skipped...)
}

// Progress is how far a gallery has come.
type Progress struct {
	Found, Done, Failed int           // photos; Done have vectors
	Remembered          int           // of those Done: from the catalog, not embedded
	Scanning, Embedding bool          // Embedding also while Embed waits for Scan
	Paused              bool          // Embed, if it runs, begins with nothing
	Rate                float64       // photos/s, done or failed, of the last seconds with work
	Left                time.Duration // for the photos found; 0 if unknown
}

// Progress returns how far the gallery has come.
func (g *Gallery) Progress() Progress {
	g.mu.RLock()
	defer g.mu.RUnlock()
	p := Progress{
		Found:      len(g.slots),
		Done:       len(g.rows.ids),
		Failed:     g.failed,
		Remembered: g.remembered,
		Scanning:   g.scans > 0,
		Embedding:  g.embedding,
		Paused:     g.paused,
		Rate:       g.meter.rate(g.now()),
	}
	if p.Rate > 0 {
		p.Left = time.Duration(float64(g.waiting()) / p.Rate * float64(time.Second))
	}
	return p
}

// WaitChange returns as soon as the gallery is at another version than seen,
// and which; 0 is that of an empty gallery. It is for whoever watches Scan
// while no Embed runs: nothing is polled. The error is that of ctx.
func (g *Gallery) WaitChange(ctx context.Context, seen uint64) (uint64, error) {
	for {
		g.mu.Lock()
		version := g.version
		if version == seen && g.wake == nil {
			g.wake = make(chan struct{})
		}
		wake := g.wake
		g.mu.Unlock()
		if err := ctx.Err(); err != nil {
			return version, err
		}
		if version != seen {
			return version, nil
		}
		select {
		case <-wake:
		case <-ctx.Done():
		}
	}
}

// waiting returns the number of photos that are neither ready nor failed. It
// is called with mu held.
func (g *Gallery) waiting() int {
	return len(g.slots) - len(g.rows.ids) - g.failed
}

// changed tells everybody, with mu held, that something has moved.
func (g *Gallery) changed() {
	g.version++
	if g.wake != nil {
		close(g.wake)
		g.wake = nil
	}
	g.meter.work(g.now(), g.embedding && !g.paused && g.waiting() > 0)
	g.moved.Broadcast()
}
