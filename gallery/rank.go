package gallery

import (
	"cmp"
	"fmt"
	"runtime"
	"slices"
)

// A Hit is a photo and how close it is to what was looked for.
type Hit struct {
	ID     int
	Cosine float32
}

// compareHits puts the better hit first, and of equals the one found first.
func compareHits(a, b Hit) int {
	return cmp.Or(cmp.Compare(b.Cosine, a.Cosine), cmp.Compare(a.ID, b.ID))
}

// chunkRows is how many rows are multiplied at a time: 50 to 500 µs of work.
const chunkRows = 512

// Rank compares the query, a unit vector of as many values as the photos'
// vectors, with every ready photo that keep wants (nil: all) and returns the
// best of them, at most limit (≤ 0: all), best first and of equals the lower ID
// first. It is exact. keep is asked once about each ready photo, by several
// goroutines at once, and reads no vectors; those that it does not want are not
// multiplied.
func (g *Gallery) Rank(query []float32, limit int, keep func(id int) bool) []Hit {
	v := g.view(0)
	defer v.release()
	n := len(v.ids)
	if n == 0 {
		return nil
	}
	if len(query) != v.dim {
		panic(fmt.Sprintf("gallery: rank %d values against photos of %d", len(query), v.dim))
	}
	if limit <= 0 {
		limit = n
	}
	chunks := (n + chunkRows - 1) / chunkRows
	rankers := make([]ranker, min(chunks, runtime.GOMAXPROCS(0)))
	onCores(len(rankers), chunks, func(worker, i int) {
		r := &rankers[worker]
		r.best.limit = min(limit, n)
		r.rank(v, i*chunkRows, min(n, (i+1)*chunkRows), [][]float32{query}, keep)
	})
	var hits []Hit
	for i := range rankers {
		hits = append(hits, rankers[i].best.hits...)
	}
	slices.SortFunc(hits, compareHits)
	return hits[:min(limit, len(hits))]
}

// A ranker goes through some of the rows.
type ranker struct {
	best    top
	picked  rows
	cosines [chunkRows]float32
}

// rank ranks the rows from lo to hi.
func (r *ranker) rank(v view, lo, hi int, query [][]float32, keep func(id int) bool) {
	part := v.part(lo, hi)
	if keep != nil || len(v.dead) > 0 {
		v.pick(&r.picked, lo, hi, keep)
		part = r.picked
	}
	if len(part.ids) == 0 {
		return
	}
	v.cosines(part, r.cosines[:len(part.ids)], query)
	for i, id := range part.ids {
		r.best.add(Hit{id, r.cosines[i]})
	}
}

// top keeps the best hits of a stream in a binary heap, the worst of them at
// the root: one comparison for most hits of a long stream.
type top struct {
	limit int
	hits  []Hit
}

func (t *top) add(h Hit) {
	if len(t.hits) < t.limit {
		t.hits = append(t.hits, h)
		if len(t.hits) == t.limit {
			for i := t.limit/2 - 1; i >= 0; i-- {
				t.sink(i)
			}
		}
		return
	}
	if compareHits(h, t.hits[0]) < 0 {
		t.hits[0] = h
		t.sink(0)
	}
}

// sink moves hit i down to where both hits below it are better.
func (t *top) sink(i int) {
	for {
		worst := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(t.hits); child++ {
			if compareHits(t.hits[child], t.hits[worst]) > 0 {
				worst = child
			}
		}
		if worst == i {
			return
		}
		t.hits[i], t.hits[worst] = t.hits[worst], t.hits[i]
		i = worst
	}
}
