package gallery

import (
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
	scored  int         // rows of the gallery
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

// Update adds the photos that have become ready since and reports whether there
// were any.
func (s *Scores) Update() bool {
	s.updating.Lock()
	defer s.updating.Unlock()
	scored := s.Len()
	s.g.mu.RLock()
	blocks := s.g.rows.blocks(scored)
	s.g.mu.RUnlock()
	if len(blocks) == 0 {
		return false
	}
	var ids []int
	for _, b := range blocks {
		ids = append(ids, b.ids...)
	}
	rows := s.score(blocks, len(ids))
	columns := s.extend(rows, len(ids))

	s.mu.Lock()
	defer s.mu.Unlock()
	s.scored += len(ids)
	s.columns = columns
	labels := len(columns)
	for i, id := range ids {
		if id >= len(s.photos) {
			s.photos = append(s.photos, make([][]float32, id+1-len(s.photos))...)
		}
		s.photos[id] = rows[i*labels : (i+1)*labels : (i+1)*labels]
	}
	return true
}

// score returns the logits of n photos, [n, labels].
func (s *Scores) score(blocks []block, n int) []float32 {
	labels := len(s.c.parts)
	rows := make([]float32, n*labels)
	starts := make([]int, len(blocks))
	for i := range blocks[1:] {
		starts[i+1] = starts[i] + len(blocks[i].ids)
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

// extend returns the columns with n rows added.
func (s *Scores) extend(rows []float32, n int) []column {
	columns := make([]column, len(s.columns))
	onAllCores(len(columns), func(k int) {
		added := make([]float32, n)
		for i := range added {
			added[i] = rows[i*len(columns)+k]
		}
		columns[k] = s.columns[k].with(added)
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
