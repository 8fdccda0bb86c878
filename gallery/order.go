package gallery

// order says which photo is next: those on the screen, in the order wished,
// then all in order of their IDs. Both lists are walked by a cursor, so that
// the next photo of a gallery of any size is found at once.
type order struct {
	wanted []int       // the wish, without double and unknown IDs
	rank   map[int]int // ID → position in wanted
	near   int         // wanted[:near] are taken or settled
	next   int         // so are the photos below next
	left   int         // wanted photos that are waiting
	again  []int       // photos below next that wait once more
}

// Want says which photos are on the screen now, most important first: they are
// decoded and embedded before all others. It replaces the former wish.
func (g *Gallery) Want(ids []int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	o := order{next: g.order.next, again: g.order.again, rank: make(map[int]int, len(ids))}
	for _, id := range ids {
		if _, twice := o.rank[id]; twice || id < 0 || id >= len(g.slots) {
			continue
		}
		o.rank[id] = len(o.wanted)
		o.wanted = append(o.wanted, id)
		if g.slots[id].State == Waiting {
			o.left++
		}
	}
	g.order = o
	g.moved.Broadcast()
}

// take returns the next photo that nobody has begun with and marks it taken.
// With wantedOnly it passes by photos that are not on the screen. It is called
// with mu held. Photos from end on are not to be taken yet.
func (g *Gallery) take(wantedOnly bool, end int) (id int, ok bool) {
	o := &g.order
	for ; o.near < len(o.wanted) && o.wanted[o.near] < end; o.near++ {
		if id := o.wanted[o.near]; g.free(id) {
			g.slots[id].taken = true
			return id, true
		}
	}
	if wantedOnly {
		return 0, false
	}
	for len(o.again) > 0 {
		id := o.again[0]
		if o.again = o.again[1:]; g.free(id) {
			g.slots[id].taken = true
			return id, true
		}
	}
	for ; o.next < min(len(g.slots), end); o.next++ {
		if id := o.next; g.free(id) {
			g.slots[id].taken = true
			return id, true
		}
	}
	return 0, false
}

// free reports whether a photo may be taken. One that only the catalog knows is
// left until Scan has seen whether it is there.
func (g *Gallery) free(id int) bool {
	s := &g.slots[id]
	return s.State == Waiting && !s.taken && !s.pending
}

// offer says, with mu held, that a photo is free that was not before: it may
// have been passed by.
func (g *Gallery) offer(id int) {
	o := &g.order
	if rank, wanted := o.rank[id]; wanted {
		o.near = min(o.near, rank)
	}
	if id < o.next {
		o.again = append(o.again, id)
	}
	g.moved.Broadcast()
}

// untake lets go, with mu held, of the photos that were begun and not finished.
func (g *Gallery) untake() {
	for i := range g.slots {
		g.slots[i].taken = false
	}
	g.order.near, g.order.next, g.order.again = 0, 0, nil
}

// settle ends the wait of a photo, with mu held: with its vector, the last of
// the rows, or with the reason why there is none.
func (g *Gallery) settle(id int, err error) {
	s := &g.slots[id]
	if err != nil {
		s.State, s.Err = Failed, err
		g.failed++
	} else {
		s.State, s.row, s.embedded = Ready, len(g.rows.ids)-1, true
		g.ready++
	}
	g.touch(id)
	if _, wanted := g.order.rank[id]; wanted {
		g.order.left--
	}
	if s.taken {
		g.meter.count(g.now())
	}
}
