package gallery

import (
	"cmp"
	"fmt"
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

// A Scanner computes dot products: dst[i] = query · row i of vectors, which is
// [len(dst), dim]. An engine may bring a faster one than the gallery's own.
type Scanner interface {
	Scan(dst []float32, query []float32, vectors []float32, dim int)
}

// UseScanner makes Rank use s. Call it before the first Rank.
func (g *Gallery) UseScanner(s Scanner) { g.scanner = s }

// Rank compares the query, a unit vector of as many values as the photos'
// vectors, with every ready photo and returns the best of them, at most limit
// (≤ 0: all), best first and of equals the lower ID first. It is exact.
func (g *Gallery) Rank(query []float32, limit int) []Hit {
	g.mu.RLock()
	blocks, dim, n, dead := g.rows.blocks(0), g.rows.dim, g.ready, g.shareDead()
	g.mu.RUnlock()
	if n == 0 {
		return nil
	}
	if len(query) != dim {
		panic(fmt.Sprintf("gallery: rank %d values against photos of %d", len(query), dim))
	}
	if limit <= 0 {
		limit = n
	}
	best := top{limit: min(limit, n)}
	cosines := make([]float32, slabRows)
	row := 0
	for _, b := range blocks {
		dst := cosines[:len(b.ids)]
		g.scanner.Scan(dst, query, b.vectors, dim)
		for i, cosine := range dst {
			if !dead.has(row + i) {
				best.add(Hit{b.ids[i], cosine})
			}
		}
		row += len(b.ids)
	}
	slices.SortFunc(best.hits, compareHits)
	return best.hits
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

// plainScanner is the Scanner that runs everywhere.
type plainScanner struct{}

func (plainScanner) Scan(dst, query, vectors []float32, dim int) {
	if len(query) != dim || len(vectors) != len(dst)*dim {
		panic(fmt.Sprintf("gallery: scan of %d values for %d rows of %d, query of %d", len(vectors), len(dst), dim, len(query)))
	}
	for i := range dst {
		dst[i] = dot(query, vectors[i*dim:][:dim])
	}
}

// dot returns a · b. Eight sums keep the adder busy: each waits four cycles for
// its last addition. The order of additions is fixed, so equal vectors have
// equal products wherever they are compared.
func dot(a, b []float32) float32 {
	var s [8]float32
	for len(a) >= 8 && len(b) >= 8 {
		s[0] += a[0] * b[0]
		s[1] += a[1] * b[1]
		s[2] += a[2] * b[2]
		s[3] += a[3] * b[3]
		s[4] += a[4] * b[4]
		s[5] += a[5] * b[5]
		s[6] += a[6] * b[6]
		s[7] += a[7] * b[7]
		a, b = a[8:], b[8:]
	}
	for i := range min(len(a), len(b)) {
		s[i] += a[i] * b[i]
	}
	return ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]))
}
