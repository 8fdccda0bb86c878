package gallery

import (
	"context"
	"errors"
	"fmt"
	"image"
	"math"
	"runtime"
	"slices"
	"sync"
	"time"

	"sigla/gallery/photo"
)

const (
	// batchSize is the most photos given to an Embedder at once: a large GPU is not
	// busy with less.
	batchSize = 32
	// leastAhead is how many photos are decoded before they are embedded, where two
	// batches are less: the screen shows them.
	leastAhead = 32
	// batchTime is how long an Embedder should be busy with a batch: what comes
	// onto the screen meanwhile has to wait for so long. A model that takes a
	// second for a photo gets one photo at a time.
	batchTime = 200 * time.Millisecond
	// smallBatch is how many photos off the screen are embedded at once while
	// one on the screen is still being decoded.
	smallBatch = 2
	// changeInterval is the least time between two calls of changed.
	changeInterval = time.Second / 30
	// brokenAfter is how many photos in a row an Embedder may refuse before it,
	// and not the photos, is held to be broken.
	brokenAfter = 32
)

// An Embedder turns photos into unit vectors, all of the same length.
type Embedder interface {
	// Prepare makes the model's input of a photo. It is called by several
	// goroutines at once.
	Prepare(img image.Image) (any, error)
	// Embed returns a vector for each input. It is called by one goroutine.
	Embed(ctx context.Context, batch []any) ([][]float32, error)
}

// Decoded has fn called with every photo that Embed decodes, upright and in
// full size, so that thumbnails need no decoding of their own. fn is called by
// several goroutines at once and may not keep the image. Set it before Embed.
func (g *Gallery) Decoded(fn func(id int, img image.Image)) { g.decoded = fn }

// A run is one call of Embed: decode workers that prepare photos, and the
// caller's goroutine, which embeds what is prepared. Both wait for changes of
// the gallery, whose mutex guards the fields below it.
type run struct {
	g       *Gallery
	e       Embedder
	ctx     context.Context
	workers int
	refused int           // photos in a row
	keeps   bool          // there is a catalog
	done    chan struct{} // closed when the workers are to end

	// guarded by g.mu
	over     bool       // the workers are to end
	limit    int        // photos of the next batch at most
	held     int        // photos that workers have in hand
	prepared []prepared // waiting to be embedded
	recalled int        // photos below are not in the catalog, or have what it has
	budget   budget
}

// prepared is a photo that is decoded and ready to be embedded.
type prepared struct {
	id    int
	turn  int // the slot's when it was taken
	path  string
	info  photo.Info
	input any
	reading
	known halved // the vector that the catalog has; there is no input then
}

// Embed embeds every photo that is Waiting, also those that a Scan running
// beside it still finds, and returns when there are none left. Photos on the
// screen (Want) come first. A photo that cannot be read or embedded is Failed
// and the rest goes on; Embed fails if ctx ends, or if the Embedder refuses
// everything. When ctx ends it waits only for the decoding and the batch in
// hand. What it has not finished is Waiting again and may be embedded by another
// call; a second call waits for the first. Begin Scan before: Embed returns when
// no Scan runs and no photo is waiting.
//
// changed, if not nil, is called after photos were found or have changed state,
// at most 30 times a second, from one goroutine at a time, and a last time
// before Embed returns. Between changes nothing runs, not even a timer.
func (g *Gallery) Embed(ctx context.Context, e Embedder, changed func()) error {
	select {
	case g.turn <- struct{}{}:
		defer func() { <-g.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if changed != nil {
		defer g.notify(changed)()
	}
	r := &run{g: g, e: e, ctx: ctx, workers: runtime.GOMAXPROCS(0), limit: 1,
		done: make(chan struct{}), keeps: g.load(ctx), recalled: anyPhoto}
	defer r.start()()
	for {
		batch := r.collect()
		if len(batch) == 0 {
			return ctx.Err()
		}
		if err := r.embed(batch); err != nil {
			return err
		}
	}
}

// notify calls changed after changes until the function it returns is called,
// which makes the last call.
func (g *Gallery) notify(changed func()) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		var seen uint64
		for {
			version, err := g.WaitChange(ctx, seen)
			if err != nil {
				return
			}
			seen = version
			changed()
			pause := time.NewTimer(changeInterval)
			select {
			case <-pause.C:
			case <-ctx.Done():
				pause.Stop()
			}
		}
	})
	return func() {
		cancel()
		done.Wait()
		changed()
	}
}

// start starts the workers and returns the function that ends them.
func (r *run) start() (stop func()) {
	g := r.g
	g.mu.Lock()
	g.embedding = true
	if r.keeps {
		r.recalled = 0
	}
	g.changed()
	g.mu.Unlock()

	woken := make(chan struct{})
	unwatch := context.AfterFunc(r.ctx, func() {
		defer close(woken)
		g.mu.Lock()
		defer g.mu.Unlock()
		g.moved.Broadcast()
	})
	var workers sync.WaitGroup
	for range r.workers {
		workers.Go(r.decode)
	}
	if r.keeps {
		workers.Go(r.recall)
		workers.Go(r.store)
	}
	return func() {
		if !unwatch() {
			<-woken
		}
		g.mu.Lock()
		r.over = true
		g.moved.Broadcast()
		g.mu.Unlock()
		close(r.done)
		workers.Wait()
		if r.keeps {
			r.finish()
			g.keep.tidy()
		}

		g.mu.Lock()
		defer g.mu.Unlock()
		g.untake()
		g.embedding = false
		g.changed()
	}
}

// collect waits for prepared photos and returns a batch of them; nothing if
// there are none left or ctx has ended.
func (r *run) collect() []prepared {
	g := r.g
	g.mu.Lock()
	defer g.mu.Unlock()
	for r.ctx.Err() == nil {
		r.prepared = slices.DeleteFunc(r.prepared, r.void)
		if len(r.prepared) > 0 && !g.paused {
			return r.batch()
		}
		if g.scans == 0 && g.waiting() == 0 {
			break
		}
		g.moved.Wait()
	}
	return nil
}

// batch takes the prepared photos that are to be embedded now: whatever is
// there, for waiting until a batch is full would delay the first photos and
// gain nothing, since batches fill up by themselves when decoding is ahead.
func (r *run) batch() []prepared {
	o := &r.g.order
	rank := func(p prepared) int {
		if rank, wanted := o.rank[p.id]; wanted {
			return rank
		}
		return len(o.wanted) + p.id
	}
	slices.SortFunc(r.prepared, func(a, b prepared) int { return rank(a) - rank(b) })
	wanted := 0
	for wanted < len(r.prepared) && rank(r.prepared[wanted]) < len(o.wanted) {
		wanted++
	}
	n := r.limit
	switch {
	case wanted > 0:
		n = min(n, wanted)
	case o.left > 0:
		n = min(n, smallBatch)
	}
	n = min(n, len(r.prepared))
	batch := slices.Clone(r.prepared[:n])
	r.prepared = slices.Delete(r.prepared, 0, n)
	r.g.moved.Broadcast() // there is room for more
	return batch
}

// embed embeds a batch and, if that fails, its photos one by one, so that a
// photo fails by itself.
func (r *run) embed(batch []prepared) error {
	inputs := make([]any, len(batch))
	for i := range batch {
		inputs[i] = batch[i].input
	}
	start := r.g.now()
	vectors, err := r.e.Embed(r.ctx, inputs)
	if r.ctx.Err() != nil {
		return r.ctx.Err()
	}
	r.paced(len(batch), r.g.now().Sub(start))
	if err == nil && len(vectors) != len(batch) {
		err = fmt.Errorf("%d vectors for %d photos", len(vectors), len(batch))
	}
	if err == nil {
		return r.settle(batch, vectors)
	}
	if len(batch) == 1 {
		return r.refuse(batch[0], err)
	}
	for i := range batch {
		if err := r.embed(batch[i : i+1]); err != nil {
			return err
		}
	}
	return nil
}

// paced sets the limit after a batch of n photos that took so long.
func (r *run) paced(n int, took time.Duration) {
	r.g.mu.Lock()
	defer r.g.mu.Unlock()
	r.limit = nextLimit(r.limit, n, took)
}

// nextLimit returns the limit of the next batch after one of n photos took so
// long: what fits into batchTime, but not more than twice the last limit, since
// the first photo of a model pays for more than itself.
func nextLimit(limit, n int, took time.Duration) int {
	fits := 2 * limit
	if each := took / time.Duration(n); each > 0 {
		fits = min(fits, int(batchTime/each))
	}
	return min(max(fits, 1), batchSize)
}

// settle makes photos Ready.
func (r *run) settle(batch []prepared, vectors [][]float32) error {
	for i, v := range vectors {
		if err := r.settleOne(batch[i], v); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) settleOne(p prepared, vector []float32) error {
	if !isUnit(vector) {
		return r.refuse(p, errors.New("its vector is not of length 1"))
	}
	g := r.g
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.rows.fits(len(vector)) {
		return fmt.Errorf("embed photos: vectors of %d values do not fit the %d of those embedded before; a gallery holds one model's vectors", len(vector), g.rows.dim)
	}
	r.refused = 0
	if r.void(p) {
		return nil
	}
	g.rows.add(p.id, vector)
	g.settle(p.id, nil)
	if g.rows.halved {
		g.note(p, g.rows.half[len(g.rows.half)-1])
	}
	g.changed()
	return nil
}

// refuse makes a photo Failed.
func (r *run) refuse(p prepared, err error) error {
	r.refused++
	if r.refused >= brokenAfter {
		return fmt.Errorf("embed photos: %d in a row could not be embedded, at last %s: %w", r.refused, p.path, err)
	}
	r.g.mu.Lock()
	defer r.g.mu.Unlock()
	if r.void(p) {
		return nil
	}
	r.g.settle(p.id, fmt.Errorf("embed photo %s: %w", p.path, err))
	r.g.changed()
	return nil
}

// unitError is how far the square of a vector's length may be from 1: vectors
// may be computed in half precision.
const unitError = 0.02

func isUnit(v []float32) bool {
	var sum float64
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	return math.Abs(sum-1) < unitError
}
