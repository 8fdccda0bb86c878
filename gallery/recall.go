package gallery

import (
	"cmp"
	"math"
	"slices"

	"sigla/gallery/catalog"
	"sigla/gallery/photo"
)

// recallPart is how many photos are looked up while nobody else waits.
const recallPart = 1024

// anyPhoto is above every ID.
const anyPhoto = math.MaxInt

// recall goes through the photos ahead of the decode workers and makes those
// Ready that have not changed since the catalog learned their vectors. It ends
// with the run.
func (r *run) recall() {
	g := r.g
	var part []memory
	g.mu.Lock()
	defer g.mu.Unlock()
	for !r.ended() {
		if r.recalled == len(g.slots) {
			g.moved.Wait()
			continue
		}
		end := min(len(g.slots), r.recalled+recallPart)
		part = part[:0]
		for id := r.recalled; id < end; id++ {
			if s := &g.slots[id]; s.State == Waiting && s.Content != (catalog.Hash{}) {
				part = append(part, memory{id: id, turn: s.turn, content: s.Content})
			}
		}
		g.mu.Unlock()
		part = g.keep.look(part)
		g.mu.Lock()
		for _, m := range part {
			if g.slots[m.id].turn == m.turn {
				g.remember(m.id, m.info, m.vector)
			}
		}
		r.recalled = end
		g.changed()
	}
}

// A memory is what the catalog may know of a photo.
type memory struct {
	id      int
	turn    int // of the photo
	content catalog.Hash
	row     int // of the index
	info    photo.Info
	vector  halved
}

// look returns those of the photos that the catalog knows all of, in the order
// of their rows: so that is how a search goes through the mapped files.
func (k *keeper) look(part []memory) []memory {
	known := part[:0]
	for _, m := range part {
		var ok bool
		if m.info, ok = k.facts.of(m.content); !ok {
			continue
		}
		if m.row, ok = k.index.Find(m.content); !ok {
			continue
		}
		if m.vector, ok = k.row(m.row); ok {
			known = append(known, m)
		}
	}
	slices.SortFunc(known, func(a, b memory) int { return cmp.Or(cmp.Compare(a.row, b.row), cmp.Compare(a.id, b.id)) })
	return known
}

// remember makes a photo Ready, with mu held, without its having been embedded.
// A vector of another size than the others is left alone.
func (g *Gallery) remember(id int, info photo.Info, vector halved) bool {
	if !g.rows.fits(len(vector.values)) {
		return false
	}
	g.slots[id].Info = info
	g.rows.addHalved(id, vector)
	g.settle(id, nil)
	g.slots[id].remembered = true
	g.remembered++
	return true
}

// find finds what is known of a content that was just read.
func (r *run) find(p *prepared) {
	if p.content == (catalog.Hash{}) {
		return
	}
	g, k := r.g, &r.g.keep
	g.mu.RLock()
	if id, ok := k.own[p.content]; ok && g.slots[id].Content == p.content && g.slots[id].embedded {
		row := g.slots[id].row
		p.info, p.known = g.slots[id].Info, halved{g.rows.half[row], g.rows.inverse[row]}
	}
	g.mu.RUnlock()
	if p.known.values != nil {
		return
	}
	vector, ok := k.find(p.content)
	if !ok {
		return
	}
	info, known := k.facts.of(p.content)
	if !known {
		// The catalog was rebuilt from its vectors.
		var err error
		if info, err = photo.Stat(p.path); err != nil {
			return
		}
	}
	p.info, p.known = info, vector
}
