package gallery

import (
	"math/bits"
	"runtime"
	"sync"
	"sync/atomic"
)

// Scores has the logit of every ready photo for every label of a classifier,
// and counts how many lie above a line without looking at them one by one.
// The logit of a photo does not depend on which others were scored with it.
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
	v := s.g.view(s.rows)
	defer v.release()
	lost := s.lost(v)
	if len(v.ids)+len(lost) == 0 {
		return false
	}
	s.c.fit(v.dim)
	rows, added := s.score(v)
	columns := s.change(v, added, lost)

	s.mu.Lock()
	defer s.mu.Unlock()
	s.rows, s.dead, s.columns = v.start+len(v.ids), v.dead, columns
	for _, id := range lost {
		s.photos[id] = nil
		s.scored--
	}
	labels := len(columns)
	for i, id := range v.ids {
		if !v.live(i) {
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

// lost returns the photos whose rows counted at the last Update and no longer
// do.
func (s *Scores) lost(v view) (ids []int) {
	for word, now := range v.dead {
		if word < len(s.dead) {
			now &^= s.dead[word]
		}
		for ; now != 0; now &= now - 1 {
			if row := 64*word + bits.TrailingZeros64(now); row < s.rows {
				ids = append(ids, v.before[row])
			}
		}
	}
	return ids
}

// score returns the logits of photos, [photos, labels], and those of each
// label, [labels][photos].
func (s *Scores) score(v view) (rows []float32, columns [][]float32) {
	n, labels, queries := len(v.ids), len(s.c.parts), s.c.all
	rows = make([]float32, n*labels)
	columns = make([][]float32, labels)
	for k := range columns {
		columns[k] = make([]float32, n)
	}
	chunks := (n + scoreRows - 1) / scoreRows
	cosines := make([][]float32, min(chunks, runtime.GOMAXPROCS(0)))
	for i := range cosines {
		cosines[i] = make([]float32, scoreRows*len(queries))
	}
	onCores(len(cosines), chunks, func(worker, i int) {
		from, end := i*scoreRows, min(n, (i+1)*scoreRows)
		part := cosines[worker][:(end-from)*len(queries)]
		v.cosines(v.part(from, end), part, queries)
		for k := from; k < end; k++ {
			row := rows[k*labels : (k+1)*labels]
			s.c.read(row, part[(k-from)*len(queries):][:len(queries)], s.logit)
			for label, x := range row {
				columns[label][k] = x
			}
		}
	})
	return rows, columns
}

// change returns the columns with the logits of the view's photos added, and
// those of lost photos taken out.
func (s *Scores) change(v view, added [][]float32, lost []int) []column {
	columns := make([]column, len(added))
	onCores(runtime.GOMAXPROCS(0), len(columns), func(_, k int) {
		c := s.columns[k]
		if len(lost) > 0 {
			gone := make([]float32, len(lost))
			for i, id := range lost {
				gone[i] = s.photos[id][k]
			}
			c = c.without(gone)
		}
		live := added[k][:0]
		for i, x := range added[k] {
			if v.live(i) {
				live = append(live, x)
			}
		}
		columns[k] = c.with(live)
	})
	return columns
}

// scoreRows is how many rows are scored at a time.
const scoreRows = 128

// onCores calls do with the numbers 0 … n-1, on so many goroutines, which have
// numbers, too, and returns when all calls have.
func onCores(workers, n int, do func(worker, i int)) {
	var next atomic.Int64
	var wait sync.WaitGroup
	for worker := range min(workers, n) {
		wait.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(worker, i)
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
