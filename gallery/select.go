package gallery

import (
	"context"
	"math/bits"
	"runtime"
	"sync/atomic"

	"sigla/gallery/catalog"
	"sigla/gallery/query"
)

// A Selection is the photos that pass the filters of a query.
type Selection struct {
	bits  []uint64 // by ID
	count int
}

// Has reports whether the photo of that ID is selected.
func (s Selection) Has(id int) bool {
	return id>>6 < len(s.bits) && s.bits[id>>6]>>(id&63)&1 != 0
}

// Len returns how many photos are selected.
func (s Selection) Len() int { return s.count }

// IDs returns the photos, in the order in which they were found.
func (s Selection) IDs() []int {
	ids := make([]int, 0, s.count)
	for i, word := range s.bits {
		for ; word != 0; word &= word - 1 {
			ids = append(ids, i<<6+bits.TrailingZeros64(word))
		}
	}
	return ids
}

// A Witness says of labels and answers what filters ask for; the gallery knows
// neither. Its functions are called by several goroutines at once.
type Witness struct {
	// Label returns the probability that the label of that name, as it is
	// written in the query, has for a photo, and whether it is above the label's
	// threshold; see query.Facts. It may be nil.
	Label func(id int, name string) (p float64, above, ok bool)
	// Answers are a person's, by content.
	Answers map[catalog.Hash][]catalog.Decision
	// Words has tags count for the labels that they mean, by all names of these.
	// It may be nil.
	Words *Vocabulary
}

// selectRows is how many photos are looked at before others may change the
// gallery: a multiple of 64, so that no two workers write one word.
const selectRows = 1024

// Select returns the photos that pass the filters of the query. The error is
// that of ctx.
func (g *Gallery) Select(ctx context.Context, q query.Query, w Witness) (Selection, error) {
	names := g.foldedTags()
	var others [][]string
	if w.Words != nil {
		others = make([][]string, len(names))
		onCores(runtime.GOMAXPROCS(0), len(names), func(_, i int) { others[i] = w.Words.others(names[i]) })
	}
	n := g.Len()
	s := Selection{bits: make([]uint64, (n+63)/64)}
	var count atomic.Int64
	chunks := (n + selectRows - 1) / selectRows
	onCores(runtime.GOMAXPROCS(0), chunks, func(_, i int) {
		if ctx.Err() != nil {
			return
		}
		v := viewer{g: g, witness: w, names: names, others: others}
		v.facts.Label = v.label
		g.mu.RLock()
		defer g.mu.RUnlock()
		for id := i * selectRows; id < min(n, (i+1)*selectRows); id++ {
			if v.look(id) && q.Match(&v.facts) {
				s.bits[id>>6] |= 1 << (id & 63)
				count.Add(1)
			}
		}
	})
	s.count = int(count.Load())
	return s, ctx.Err()
}

// foldedTags returns the names of tags as filters compare them, by number. It
// folds those that are new.
func (g *Gallery) foldedTags() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	t := &g.tags.table
	for _, n := range t.names[len(t.folded):] {
		t.folded = append(t.folded, query.Fold(n.text))
	}
	return t.folded
}

// A viewer looks at one photo after the other.
type viewer struct {
	g       *Gallery
	witness Witness
	names   []string   // of tags, folded
	others  [][]string // of the labels that those mean
	facts   query.Facts
	id      int
}

// look fills the facts of a photo, with mu held for reading; false if it is gone.
func (v *viewer) look(id int) bool {
	s := &v.g.slots[id]
	if s.State == Gone {
		return false
	}
	v.id = id
	f := &v.facts
	f.Name, f.Bytes = query.Fold(s.Name), s.Size
	f.Date = s.Info.Taken
	if f.Date.IsZero() {
		f.Date = s.Modified
	}
	f.Format, f.Width, f.Height = query.Fold(s.Info.Format), s.Info.Width, s.Info.Height
	f.Failed = s.State == Failed
	f.Rating, f.Rated = int(s.tags.rating), s.tags.rated
	f.Tags = f.Tags[:0]
	for _, number := range s.tags.names {
		if int(number) < len(v.names) { // it was read a moment ago
			f.Tags = append(f.Tags, v.names[number])
			if v.others != nil {
				f.Tags = append(f.Tags, v.others[number]...)
			}
		}
	}
	f.Accepted, f.Rejected = 0, 0
	answers := v.witness.Answers[s.Content]
	if v.witness.Words != nil && len(answers) > 1 {
		answers = v.witness.Words.Answers(answers)
	}
	for _, d := range answers {
		if d.Verdict == catalog.Accept {
			f.Accepted++
		} else {
			f.Rejected++
		}
	}
	return true
}

func (v *viewer) label(name string) (p float64, above, ok bool) {
	if v.witness.Label == nil {
		return 0, false, false
	}
	return v.witness.Label(v.id, name)
}
