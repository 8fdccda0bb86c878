// Package gallery is a collection of photos: found, embedded, ranked and scored.
//
//	Scan      folders → photos, Waiting, in the order in which they are shown;
//	          again: what is new, has changed or is gone
//	Watch     scans again what has changed on disk
//	Embed     decode workers (Want first, then in order) → batches → Embedder
//	          → vectors; the photo is Ready, or Failed and says why
//	ReadTags  sidecars and photos → what the photos are tagged with already
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
	"sync/atomic"
	"time"

	"sigla/gallery/catalog"
	"sigla/gallery/photo"
)

// State says how far a photo has come.
type State uint8

const (
	Waiting State = iota // found, not yet embedded
	Ready                // has a vector: see Gallery.Vector
	Failed               // could not be read or embedded: see Photo.Err
	Gone                 // its file is no longer there, or is left out by now; not shown, counted or ranked
)

// A Photo is what is known of a photo at one moment.
type Photo struct {
	ID       int    // counts from 0 in the order of discovery and never changes
	Path     string // as reached from the path given to Scan
	Name     string // relative to that path, with slashes
	Size     int64  // bytes
	Modified time.Time
	State    State
	// Unreachable says that the file could not be looked at the last time: its
	// drive, or its folder, cannot be read. The rest is as it was before.
	Unreachable bool
	// Twins are the names of files beside it that hold the same picture: the
	// raw file of a JPEG.
	Twins   []string
	Changed uint64     // version of the gallery in which it became what it is
	Err     error      // why it Failed: one line that names the photo
	Info    photo.Info // once decoded, zero before
	Tagged  bool       // ReadTags has found Tags
	// Content is what is in the file, if that was read with a catalog: by it answers
	// are found.
	Content catalog.Hash
}

// A Skip is a folder or file that Scan had to pass by. Err names it and says
// what was being done.
type Skip struct {
	Path string
	Err  error
}

// Gallery is a set of photos. Their IDs only grow.
type Gallery struct {
	decoded func(id int, img image.Image)
	now     func() time.Time
	turn    chan struct{} // has the token of the running Embed
	walking chan struct{} // has the token of the running walk

	reading sync.RWMutex // held while vectors are read, before mu

	mu      sync.RWMutex
	moved   *sync.Cond    // mu; a worker may have something to do
	version uint64        // counts changes
	wake    chan struct{} // closed at the next change; nil if nobody waits

	slots   []slot         // by ID
	known   map[string]int // ID by slot.real
	turned  []int          // see Turned
	scans   int            // running
	walks   int            // begun
	folders map[string]*folder
	named   map[string]*named // what Scan was given, by place.at
	skipped []skipped
	leftOut LeftOut
	notices []error
	books   []*book  // roots of the catalog that walks have come to
	watcher *watcher // nil: nobody watches

	scanner    Scanner
	rows       rows
	closed     bool     // there are no vectors any more
	dead       deadRows // of rows
	deadShared atomic.Bool
	ready      int
	failed     int
	gone       int
	remembered int // of rows: not embedded, for the catalog had them
	embedding  bool
	paused     bool
	meter      meter
	order      order

	keep keeper
	tags tagBook
}

// A slot is a photo with what Scan and Embed have to know of it.
type slot struct {
	Photo
	taken      bool // the running Embed has begun with it
	turn       int  // counts the times that its file changed, or went: what was begun before is void
	row        int  // if embedded
	embedded   bool // row has the vector of what is in the file
	remembered bool // Ready by the catalog

	at      string // absolute path by which it was reached
	real    string // the same without links: its identity
	walk    int    // the last that has seen it
	pending bool   // the catalog says that it is there; no walk has come to it

	// For the catalog.
	book   *book  // where Scan writes its file down; nil: nowhere
	file   int64  // the file's ID there, 0 until Scan has
	reason string // why there is no photo in it

	tags tagging
}

// New returns an empty gallery.
func New() *Gallery {
	g := &Gallery{
		scanner: plainScanner{},
		now:     time.Now,
		turn:    make(chan struct{}, 1),
		walking: make(chan struct{}, 1),
		known:   make(map[string]int),
		folders: make(map[string]*folder),
		named:   make(map[string]*named),
		tags:    newTagBook(),
	}
	g.moved = sync.NewCond(&g.mu)
	return g
}

// Len returns the number of photos found so far, those that are Gone by now
// too; their IDs are below it.
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
	list := make([]Skip, len(g.skipped))
	for i, s := range g.skipped {
		list[i] = s.Skip
	}
	return list
}

// Progress is how far a gallery has come.
type Progress struct {
	Version             uint64        // of the gallery, as WaitChange returns it
	Found, Done, Failed int           // photos that are not Gone; Done have vectors
	Remembered          int           // of those Done: from the catalog, not embedded
	Tagged              int           // photos that ReadTags has found Tags of
	TagsDue             bool          // there is something for ReadTags to do
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
		Version:    g.version,
		Found:      len(g.slots) - g.gone,
		Done:       g.ready,
		Failed:     g.failed,
		Remembered: g.remembered,
		Tagged:     g.tags.table.photos,
		TagsDue:    g.tags.next < len(g.slots),
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

// waiting returns, with mu held, the number of photos that are still to be
// embedded.
func (g *Gallery) waiting() int {
	return len(g.slots) - g.ready - g.failed - g.gone
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
