package gallery

import (
	"math"

	"sigla/gallery/catalog"
	"sigla/gallery/photo"
)

// recallPart is how many photos are looked up while nobody else waits.
const recallPart = 256

// anyPhoto is above every ID.
const anyPhoto = math.MaxInt

// recall goes through the photos ahead of the decode workers and makes those
// Ready that have not changed since the catalog learned their vectors. It ends
// with the run.
func (r *run) recall() {
	type memory struct {
		id      int
		turn    int
		content catalog.Hash
		info    photo.Info
		vector  []float32
	}
	g, k := r.g, &r.g.keep
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
			if s := &g.slots[id]; s.State == Waiting && s.content != (catalog.Hash{}) {
				part = append(part, memory{id: id, turn: s.turn, content: s.content})
			}
		}
		g.mu.Unlock()
		for i := range part {
			m := &part[i]
			var ok bool
			if m.info, ok = k.facts[m.content]; ok {
				m.vector, _ = k.vector(m.content)
			}
		}
		g.mu.Lock()
		for _, m := range part {
			if m.vector != nil && g.slots[m.id].turn == m.turn {
				g.remember(m.id, m.info, m.vector)
			}
		}
		r.recalled = end
		g.changed()
	}
}

// remember makes a photo Ready, with mu held, without its having been embedded.
// A vector of another size than the others is left alone.
func (g *Gallery) remember(id int, info photo.Info, vector []float32) bool {
	if g.rows.dim == 0 {
		g.rows.dim = len(vector)
	}
	if len(vector) != g.rows.dim {
		return false
	}
	g.slots[id].Info = info
	g.settle(id, vector, nil)
	g.slots[id].remembered = true
	g.remembered++
	return true
}

// find returns what is known of a content that was just read: the vector nil if
// nothing is.
func (r *run) find(p *prepared) {
	if p.content == (catalog.Hash{}) {
		return
	}
	g, k := r.g, &r.g.keep
	g.mu.RLock()
	if id, ok := k.own[p.content]; ok && g.slots[id].content == p.content {
		p.info, p.vector = g.slots[id].Info, g.slots[id].Vector
	}
	g.mu.RUnlock()
	if p.vector != nil {
		return
	}
	vector, ok := k.vector(p.content)
	if !ok {
		return
	}
	info, known := k.facts[p.content]
	if !known {
		// The catalog was rebuilt from its vectors.
		var err error
		if info, err = photo.Stat(p.path); err != nil {
			return
		}
	}
	p.info, p.vector = info, vector
}
