package gallery

import "slices"

// A gallery's IDs and rows are never used again. A photo that is gone keeps its
// ID, and one whose file has changed has another row when it is embedded again;
// the rows that they leave behind are dead: they are skipped wherever rows are
// looked through.

// deadRows is a set of rows. What shareDead has handed out is not changed.
type deadRows []uint64

func (d deadRows) has(row int) bool {
	return row/64 < len(d) && d[row/64]>>(row%64)&1 != 0
}

// shareDead returns, with mu held, the rows that are dead now.
func (g *Gallery) shareDead() deadRows {
	g.deadShared.Store(true)
	return g.dead
}

// kill makes a row dead, with mu held.
func (g *Gallery) kill(row int) {
	if g.deadShared.Swap(false) {
		g.dead = slices.Clone(g.dead)
	}
	for row/64 >= len(g.dead) {
		g.dead = append(g.dead, 0)
	}
	g.dead[row/64] |= 1 << (row % 64)
}

// leave takes a photo out of the state it is in, with mu held. Whoever works
// on it works in vain.
func (g *Gallery) leave(id int) *slot {
	s := &g.slots[id]
	switch s.State {
	case Waiting:
		if _, wanted := g.order.rank[id]; wanted {
			g.order.left--
		}
	case Ready:
		g.kill(s.row)
		g.ready--
		if s.remembered {
			g.remembered--
		}
	case Failed:
		g.failed--
	case Gone:
		g.gone--
	}
	s.turn++
	s.taken, s.remembered, s.Err = false, false, nil
	g.turned = append(g.turned, id)
	return s
}

// lose makes a photo Gone, with mu held. Its vector is kept for whoever has the
// same content: a file that was renamed is gone and new.
func (g *Gallery) lose(id int) {
	s := g.leave(id)
	s.State, s.pending, s.Unreachable = Gone, false, false
	g.loseTags(id)
	g.gone++
	g.touch(id)
}

// again lets a photo wait once more, with mu held: its file is back, or has
// changed. If it is known to be as it was, its vector is, too.
func (g *Gallery) again(id int, same bool) {
	s := g.leave(id)
	s.State = Waiting
	if _, wanted := g.order.rank[id]; wanted {
		g.order.left++
	}
	if same && s.embedded {
		g.rows.repeat(id, s.row)
		g.settle(id, nil)
	} else {
		s.embedded = false
		g.offer(id)
	}
	g.touch(id)
}

// touch notes, with mu held, that a photo is not what it was.
func (g *Gallery) touch(id int) {
	g.slots[id].Changed = g.version + 1
}

// Turned returns the IDs of photos that were found to be gone, to be back, to
// have changed or to be out of reach, one for each time, but for the first n.
// Whoever shows photos learns from it which to look at again.
func (g *Gallery) Turned(n int) []int {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return slices.Clone(g.turned[min(n, len(g.turned)):])
}
