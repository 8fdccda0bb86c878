package gallery

import (
	"cmp"
	"math/bits"
	"runtime"
	"slices"
	"sort"
	"sync"
	"sync/atomic"
)

// Scores has the logit of every ready photo for every label of a classifier,
// and counts how many lie above a line without looking at them one by one.
// Logits are those of Classifier.Logits, bit for bit.
type Scores struct {
	g     *Gallery
	c     *Classifier
	logit func(float32) float32

	updating sync.Mutex // held during Update

	mu      sync.RWMutex
	rows    int         // of the gallery that were looked at,
	dead    deadRows    // those of them that no longer counted then,
	scored  int         // and those that did
	photos  [][]float32 // by ID; nil: not scored
	columns []column    // by label
}

// Scores scores the photos that are ready now, by the model's own logit of a
// cosine; call Update for those that become ready. It takes a while on a large
// gallery.
func (g *Gallery) Scores(c *Classifier, logit func(cosine float32) float32) *Scores {
	s := &Scores{g: g, c: c, logit: logit, columns: make([]column, len(c.parts))}
	s.Update()
	return s
}

// Classifier returns whose labels these are.
func (s *Scores) Classifier() *Classifier { return s.c }

// Update adds the photos that have become ready since, takes out those that no
// longer are, and reports whether there were any.
func (s *Scores) Update() bool {
	s.updating.Lock()
	defer s.updating.Unlock()
	s.g.mu.RLock()
	blocks, dead, lost := s.g.rows.blocks(s.rows), s.g.shareDead(), s.lost()
	s.g.mu.RUnlock()
	if len(blocks) == 0 && len(lost) == 0 {
		return false
	}
	var ids []int // of the new rows; -1: dead already
	for _, b := range blocks {
		for _, id := range b.ids {
			if dead.has(s.rows + len(ids)) {
				id = -1
			}
			ids = append(ids, id)
		}
	}
	rows := s.score(blocks, len(ids))
	columns := s.change(rows, ids, lost)

	s.mu.Lock()
	defer s.mu.Unlock()
	s.rows += len(ids)
	s.dead = dead
	s.columns = columns
	for _, id := range lost {
		s.photos[id] = nil
		s.scored--
	}
	labels := len(columns)
	for i, id := range ids {
		if id < 0 {
			continue
		}
		s.scored++
		if id >= len(s.photos) {
			s.photos = append(s.photos, make([][]float32, id+1-len(s.photos))...)
		}
		s.photos[id] = rows[i*labels : (i+1)*labels : (i+1)*labels]
	}
	return true
}

// lost returns, with the gallery's mu held, the photos whose rows counted at the
// last Update and no longer do.
func (s *Scores) lost() (ids []int) {
	for word, now := range s.g.dead {
		if word < len(s.dead) {
			now &^= s.dead[word]
		}
		for ; now != 0; now &= now - 1 {
			if row := 64*word + bits.TrailingZeros64(now); row < s.rows {
				ids = append(ids, s.g.rows.ids[row])
			}
		}
	}
	return ids
}

// score returns the logits of n photos, [n, labels].
func (s *Scores) score(blocks []block, n int) []float32 {
	labels := len(s.c.parts)
	rows := make([]float32, n*labels)
	starts := make([]int, len(blocks))
	for i := 1; i < len(blocks); i++ {
		starts[i] = starts[i-1] + len(blocks[i-1].ids)
	}
	onAllCores(len(blocks), func(i int) {
		b := blocks[i]
		dim := len(b.vectors) / len(b.ids)
		dst := rows[starts[i]*labels:]
		for k := range b.ids {
			s.c.score(dst[k*labels:(k+1)*labels], b.vectors[k*dim:(k+1)*dim], s.logit)
		}
	})
	return rows
}

// change returns the columns with the rows of photos added, and those of lost
// photos taken out.
func (s *Scores) change(rows []float32, ids, lost []int) []column {
	columns := make([]column, len(s.columns))
	onAllCores(len(columns), func(k int) {
		c := s.columns[k]
		if len(lost) > 0 {
			gone := make([]float32, len(lost))
			for i, id := range lost {
				gone[i] = s.photos[id][k]
			}
			c = c.without(gone)
		}
		added := make([]float32, 0, len(ids))
		for i, id := range ids {
			if id >= 0 {
				added = append(added, rows[i*len(columns)+k])
			}
		}
		columns[k] = c.with(added)
	})
	return columns
}

// onAllCores calls do(0) … do(n-1) and returns when all have returned.
func onAllCores(n int, do func(i int)) {
	var next atomic.Int64
	var wait sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		wait.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	wait.Wait()
}

// Len returns the number of photos scored.
func (s *Scores) Len() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.scored
}

// Row returns the logits of a photo, one for each label, not to be changed;
// false if it is not scored.
func (s *Scores) Row(id int) ([]float32, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if id < 0 || id >= len(s.photos) || s.photos[id] == nil {
		return nil, false
	}
	return s.photos[id], true
}

// Count returns how many photos have a logit of at least cut for the label.
func (s *Scores) Count(label int, cut float32) int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.columns[label].count(cut)
}

// tailSize is how long a column's tail may grow before it is merged.
const tailSize = 256

// A column is the logits of one label, in two ascending lists: new ones are
// merged into the short tail, and the tail into the long list only when it has
// grown to a fraction of it. So adding a photo costs about the same in a
// gallery of any size. The lists of a column are never changed.
type column struct {
	long, tail []float32
}

// with returns the column with values added; it sorts them.
func (c column) with(values []float32) column {
	slices.Sort(values)
	tail := merge(c.tail, values)
	if len(tail) < tailSize+len(c.long)/16 {
		return column{c.long, tail}
	}
	return column{merge(c.long, tail), nil}
}

// without returns the column without values that are in it; it sorts them.
func (c column) without(values []float32) column {
	slices.Sort(values)
	var kept column
	kept.long, values = subtract(c.long, values)
	kept.tail, _ = subtract(c.tail, values)
	return kept
}

func (c column) count(cut float32) int {
	return countFrom(c.long, cut) + countFrom(c.tail, cut)
}

// countFrom returns how many of the ascending values are cut or above.
func countFrom(values []float32, cut float32) int {
	return len(values) - sort.Search(len(values), func(i int) bool { return values[i] >= cut })
}

// merge returns the ascending union of two ascending lists.
func merge(a, b []float32) []float32 {
	out := make([]float32, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if a[0] <= b[0] {
			out, a = append(out, a[0]), a[1:]
		} else {
			out, b = append(out, b[0]), b[1:]
		}
	}
	return append(append(out, a...), b...)
}

// subtract returns the ascending list a without the values of b that are in it,
// and those that are not.
func subtract(a, b []float32) (without, rest []float32) {
	without = make([]float32, 0, len(a))
	for _, v := range a {
		for len(b) > 0 && cmp.Less(b[0], v) {
			rest, b = append(rest, b[0]), b[1:]
		}
		if len(b) > 0 && cmp.Compare(b[0], v) == 0 {
			b = b[1:]
			continue
		}
		without = append(without, v)
	}
	return without, append(rest, b...)
}
