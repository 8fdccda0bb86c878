package gallery

import (
	"fmt"

	"sigla/gallery/photo"
)

// memoryBudget is how many bytes all workers may decode into at once. A photo
// that takes more is decoded alone.
const memoryBudget = 800_000_000

// decode is a worker: it takes photos until there are none left.
func (r *run) decode() {
	for {
		p, ok := r.take()
		if !ok {
			return
		}
		p.reading = r.read(p.path)
		var err error
		if r.find(&p); p.known.values == nil {
			err = r.prepare(&p)
			p.check(p.path)
		}
		r.deliver(p, err)
	}
}

// take waits for a photo to decode. It keeps two batches ahead of the Embedder, or
// leastAhead; photos on the screen may be taken beyond that, up to as many again.
func (r *run) take() (p prepared, ok bool) {
	g := r.g
	g.mu.Lock()
	defer g.mu.Unlock()
	for !r.ended() {
		most := max(2*r.limit, leastAhead) + r.workers
		if ahead := len(r.prepared) + r.held; ahead < 2*most && !g.paused {
			if id, ok := g.take(ahead >= most, r.recalled); ok {
				r.held++
				return prepared{id: id, turn: g.slots[id].turn, path: g.slots[id].Path}, true
			}
		}
		g.moved.Wait()
	}
	return prepared{}, false
}

// void reports, with mu held, whether a photo has turned since it was taken.
func (r *run) void(p prepared) bool { return r.g.slots[p.id].turn != p.turn }

func (r *run) ended() bool { return r.over || r.ctx.Err() != nil }

// prepare reads a photo and makes the model's input of it. A photo that makes
// a decoder or the model panic is a photo that fails.
func (r *run) prepare(p *prepared) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("prepare photo %s: panic: %v", p.path, v)
		}
	}()
	if p.info, err = photo.Stat(p.path); err != nil {
		p.failed(err)
		return err
	}
	if !r.reserve(p.info.Memory) {
		return r.ctx.Err()
	}
	defer r.release(p.info.Memory)
	img, info, err := photo.Read(p.path)
	if err != nil {
		p.failed(err)
		return err
	}
	p.info = info
	if r.g.decoded != nil {
		r.g.decoded(p.id, img)
	}
	if p.input, err = r.e.Prepare(img); err != nil {
		err = fmt.Errorf("prepare photo %s: %w", p.path, err)
	}
	return err
}

// deliver hands a photo on to be embedded, or ends it if it has failed or its
// vector is known. What comes after the end, or of a file that has changed since,
// is dropped: the photo remains Waiting.
func (r *run) deliver(p prepared, err error) {
	g := r.g
	g.mu.Lock()
	defer g.mu.Unlock()
	r.held--
	if r.ended() || r.void(p) {
		g.moved.Broadcast()
		return
	}
	g.slots[p.id].Info = p.info
	g.touch(p.id)
	switch {
	case err != nil:
		g.settle(p.id, err)
		if p.reason != "" {
			g.note(p, nil)
		}
	case p.known.values != nil && g.remember(p.id, p.info, p.known):
		g.note(p, nil)
	case p.known.values != nil:
		g.settle(p.id, fmt.Errorf("embed photo %s: the catalog's vector is of another size", p.path))
	default:
		r.prepared = append(r.prepared, p)
	}
	g.changed()
}

// A budget shares out memory in order of asking: a large photo is not passed
// by for ever by small ones.
type budget struct {
	bytes   int64 // given out
	asked   int   // tickets drawn
	serving int   // tickets served
}

// reserve waits until a photo that takes so many bytes may be decoded. It
// returns false if the run ends first.
func (r *run) reserve(bytes int64) bool {
	g, b := r.g, &r.budget
	g.mu.Lock()
	defer g.mu.Unlock()
	ticket := b.asked
	b.asked++
	for g.paused || ticket != b.serving || b.bytes > 0 && b.bytes+bytes > memoryBudget {
		if r.ended() {
			return false
		}
		g.moved.Wait()
	}
	b.serving++
	b.bytes += bytes
	g.moved.Broadcast()
	return true
}

func (r *run) release(bytes int64) {
	r.g.mu.Lock()
	defer r.g.mu.Unlock()
	r.budget.bytes -= bytes
	r.g.moved.Broadcast()
}
