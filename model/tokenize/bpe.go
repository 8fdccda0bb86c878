package tokenize

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// bpe is byte pair encoding (Sennrich 2016, arXiv:1508.07909): a word begins as
// its characters; again and again the two neighbours of lowest rank, the
// leftmost of equals, become one piece, until no two go together.
//
// Neighbours stand side by side in the word, so a pair is known by the piece it
// makes and the place inside where it is joined: no table of pairs is needed.
type bpe struct {
	pieces  *lexicon
	unknown int32       // the id of a character without a piece, or -1
	fuse    bool        // a run of unknown characters is one
	bytes   *[256]int32 // ids of the pieces that spell unknown characters, or nil
	suffix  string      // marks the end of a word in the vocabulary: "</w>"

	// rank has SentencePiece's order, by the id of the merged piece; it may be
	// joined anywhere. noRank is a piece that no merge makes.
	rank []float32

	// merges of a tokenizer.json name both halves: those that make piece id are
	// merges[firstMerge[id]:firstMerge[id+1]].
	merges     []merge
	firstMerge []int32
}

const noRank = math.MaxFloat32

// A merge makes a piece of two that meet at byte split of it.
type merge struct {
	split int32
	rank  int32
}

// newRankedBPE makes SentencePiece's BPE model, which ranks merges by the scores
// of the pieces that they make.
func newRankedBPE(pieces []piece, unknown int32) (*bpe, error) {
	b := &bpe{pieces: newLexicon(pieces), unknown: unknown, fuse: true, bytes: bytePieces(pieces)}
	b.rank = make([]float32, len(pieces))
	for i, p := range pieces {
		b.rank[i] = noRank
		if p.kind == normalPiece {
			b.rank[i] = float32(-p.score)
		}
	}
	return b, b.check()
}

// byMerges reads the merges of a tokenizer.json, "a b" or ["a", "b"], the best
// first.
func (b *bpe) byMerges(raw []byte, pieces int) error {
	type join struct{ id, split int32 }
	var list []join
	count := make([]int32, pieces+1)
	c := &cursor{data: raw}
	var word []byte
	err := c.array(func() (err error) {
		var split int
		if word, split, err = c.pair(word[:0]); err != nil {
			return err
		}
		id, ok := b.pieces.id(string(word))
		if !ok {
			return fmt.Errorf("merge %d makes %q, which the vocabulary does not have", len(list), word)
		}
		list = append(list, join{id, int32(split)})
		count[id+1]++
		return nil
	})
	if err != nil {
		return fmt.Errorf("merges: %w", err)
	}
	for i := range pieces {
		count[i+1] += count[i]
	}
	b.firstMerge = count
	b.merges = make([]merge, len(list))
	next := append([]int32(nil), count...)
	for rank, j := range list {
		b.merges[next[j.id]] = merge{j.split, int32(rank)}
		next[j.id]++
	}
	return nil
}

// pair reads a merge and appends its halves to word; the first ends at split.
func (c *cursor) pair(word []byte) (_ []byte, split int, err error) {
	if c.peek() == '"' {
		text, err := c.text()
		if err != nil {
			return nil, 0, err
		}
		left, right, ok := strings.Cut(string(text), " ")
		if !ok || strings.Contains(right, " ") {
			return nil, 0, c.errorf("%q are not two pieces", text)
		}
		return append(append(word, left...), right...), len(left), nil
	}
	n := 0
	err = c.array(func() error {
		text, err := c.text()
		if n++; n == 1 {
			split = len(text)
		}
		word = append(word, text...)
		return err
	})
	if err == nil && n != 2 {
		err = c.errorf("%d pieces instead of two", n)
	}
	return word, split, err
}

// order returns the rank and the id of the piece that joins at split.
func (b *bpe) order(text string, split int) (rank float32, id int32, ok bool) {
	id, ok = b.pieces.id(text)
	if !ok {
		return 0, 0, false
	}
	if b.rank != nil {
		return b.rank[id], id, b.rank[id] != noRank
	}
	for _, m := range b.merges[b.firstMerge[id]:b.firstMerge[id+1]] {
		if int(m.split) == split {
			return float32(m.rank), id, true
		}
	}
	return 0, 0, false
}

// A symbol is a piece of the word at some moment: word[start:end].
type symbol struct {
	start, end int32
	next       int32 // index of the neighbour to the right; its last is len(symbols)
	prev       int32 // index of the neighbour to the left, or -1
	id         int32 // -1: no piece is spelt so
}

// A candidate is two neighbours that may merge, as they were when found.
type candidate struct {
	rank        float32
	left        int32 // index of the left one
	middle, end int32 // where the left one and the right one end
	id          int32 // of the piece that they make
}

func (c candidate) less(d candidate) bool {
	return c.rank < d.rank || c.rank == d.rank && c.left < d.left
}

// encode appends the ids of word, which is valid UTF-8.
func (b *bpe) encode(ids []int32, word string) []int32 {
	if word == "" {
		return ids
	}
	var buf [64]symbol // most words are short: no allocation
	symbols := buf[:0]
	for i, r := range word {
		n := int32(len(symbols))
		symbols = append(symbols, symbol{int32(i), int32(i + utf8.RuneLen(r)), n + 1, n - 1, -1})
	}
	if b.suffix != "" {
		word += b.suffix
		symbols[len(symbols)-1].end = int32(len(word))
	}
	for i := range symbols {
		s := &symbols[i]
		if id, ok := b.pieces.id(word[s.start:s.end]); ok {
			s.id = id
		}
	}
	b.merge(word, symbols)
	return b.spell(ids, word, symbols)
}

// merge joins symbols until no two neighbours go together.
func (b *bpe) merge(word string, symbols []symbol) {
	var buf [64]candidate
	queue := buf[:0]
	consider := func(i int32) {
		if c, ok := b.candidate(word, symbols, i); ok {
			queue = push(queue, c)
		}
	}
	for i := range symbols {
		consider(int32(i))
	}
	for len(queue) > 0 {
		var c candidate
		c, queue = pop(queue)
		left := &symbols[c.left]
		if left.end != c.middle || int(left.next) == len(symbols) || symbols[left.next].end != c.end {
			continue // one of the two has merged otherwise
		}
		right := &symbols[left.next]
		left.end, left.next, left.id = right.end, right.next, c.id
		right.end = -1
		if int(left.next) < len(symbols) {
			symbols[left.next].prev = c.left
		}
		consider(c.left)
		if left.prev >= 0 {
			consider(left.prev)
		}
	}
}

// candidate returns symbol i and the one after it if they may merge.
func (b *bpe) candidate(word string, symbols []symbol, i int32) (candidate, bool) {
	left := symbols[i]
	if int(left.next) == len(symbols) {
		return candidate{}, false
	}
	right := symbols[left.next]
	// A character without a piece is in no pair of a list of merges;
	// SentencePiece asks only for the piece that a merge makes.
	if b.rank == nil && (left.id < 0 || right.id < 0) {
		return candidate{}, false
	}
	rank, id, ok := b.order(word[left.start:right.end], int(left.end-left.start))
	return candidate{rank, i, left.end, right.end, id}, ok
}

// push and pop keep a heap of candidates, the best at its root. The standard
// library's would box every one of them.
func push(heap []candidate, c candidate) []candidate {
	heap = append(heap, c)
	for k := len(heap) - 1; k > 0; {
		up := (k - 1) / 2
		if !heap[k].less(heap[up]) {
			break
		}
		heap[k], heap[up] = heap[up], heap[k]
		k = up
	}
	return heap
}

func pop(heap []candidate) (candidate, []candidate) {
	best, last := heap[0], len(heap)-1
	heap[0] = heap[last]
	heap = heap[:last]
	for k := 0; ; {
		down := 2*k + 1
		if down+1 < last && heap[down+1].less(heap[down]) {
			down++
		}
		if down >= last || !heap[down].less(heap[k]) {
			return best, heap
		}
		heap[k], heap[down] = heap[down], heap[k]
		k = down
	}
}

// spell appends the ids of the symbols that are left.
func (b *bpe) spell(ids []int32, word string, symbols []symbol) []int32 {
	wasUnknown := false
	for i := int32(0); int(i) < len(symbols); i = symbols[i].next {
		s := symbols[i]
		switch {
		case s.id >= 0:
			ids = append(ids, s.id)
		case b.bytes != nil:
			for _, c := range []byte(word[s.start:s.end]) {
				ids = append(ids, b.bytes[c])
			}
		case !wasUnknown || !b.fuse:
			ids = append(ids, b.unknown)
		}
		wasUnknown = s.id < 0
	}
	return ids
}

// newMergedBPE makes the BPE model of a tokenizer.json.
func newMergedBPE(f *file) (*bpe, error) {
	switch {
	case f.prefix != "":
		return nil, fmt.Errorf("model: continuing_subword_prefix %q is not supported", f.prefix)
	case f.ignoreMerges:
		return nil, errors.New("model: ignore_merges is not supported")
	case f.dropout != 0:
		return nil, fmt.Errorf("model: dropout %v makes ids random; set it to null", f.dropout)
	}
	b := &bpe{pieces: newLexicon(f.pieces), unknown: -1, fuse: f.fuse, bytes: bytePieces(f.pieces), suffix: f.suffix}
	if f.unknownToken != "" {
		id, ok := f.id(f.unknownToken)
		if !ok {
			return nil, fmt.Errorf("the vocabulary has no unk_token %q", f.unknownToken)
		}
		b.unknown = id
	}
	if err := b.check(); err != nil {
		return nil, err
	}
	return b, b.byMerges(f.merges, len(f.pieces))
}

// check makes sure that every character has an id.
func (b *bpe) check() error {
	if b.unknown < 0 && b.bytes == nil {
		return errNoUnknown
	}
	return nil
}
