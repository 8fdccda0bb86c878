package tokenize

import (
	"hash/maphash"
	"math/bits"
	"strings"
)

// A lexicon finds pieces by their spelling. It is a hash table with open
// addressing: against a map of 256,000 strings it takes a fifth of the memory,
// holds no pointers and is made in a third of the time.
type lexicon struct {
	seed   maphash.Seed
	slots  []int32 // 1 + id, 0 where free; a power of two of them
	texts  string  // all spellings, in the order of their ids
	offset []int32 // piece id is texts[offset[id]:offset[id+1]]
}

func newLexicon(pieces []piece) *lexicon {
	total := 0
	for _, p := range pieces {
		total += len(p.text)
	}
	var texts strings.Builder // a copy: the lexicon must not keep a file in memory
	texts.Grow(total)
	l := &lexicon{
		seed:   maphash.MakeSeed(),
		slots:  make([]int32, 2<<bits.Len(uint(len(pieces)))), // at most half full
		offset: make([]int32, 1, len(pieces)+1),
	}
	for _, p := range pieces {
		texts.Write(p.text)
		l.offset = append(l.offset, int32(texts.Len()))
	}
	l.texts = texts.String()
	for id, p := range pieces {
		if len(p.text) == 0 {
			continue // an id that no piece has
		}
		slot, _ := l.slot(l.text(int32(id)))
		l.slots[slot] = int32(id) + 1
	}
	return l
}

func (l *lexicon) text(id int32) string { return l.texts[l.offset[id]:l.offset[id+1]] }

// id returns the id of the piece that is spelt so; of several the last.
func (l *lexicon) id(text string) (id int32, ok bool) {
	_, id = l.slot(text)
	return id, id >= 0
}

// slot returns the place of text, and its id or -1 if the place is free.
func (l *lexicon) slot(text string) (slot int, id int32) {
	mask := len(l.slots) - 1
	for slot = int(maphash.String(l.seed, text)) & mask; ; slot = (slot + 1) & mask {
		id = l.slots[slot] - 1
		if id < 0 || l.text(id) == text {
			return slot, id
		}
	}
}
