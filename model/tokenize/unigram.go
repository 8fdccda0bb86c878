package tokenize

import (
	"errors"
	"math"
	"slices"
	"unicode/utf8"
)

// unknownPenalty is how far below the worst piece an unknown character scores
// (kUnkPenalty of SentencePiece's unigram_model.cc).
const unknownPenalty = 10

// unigram is the SentencePiece model that cuts a text into the pieces whose
// scores, log probabilities, have the largest sum (Kudo 2018, arXiv:1804.10959).
type unigram struct {
	pieces  *trie
	scores  []float64   // by id
	unknown int32       // the id of a run of characters that no piece covers, or -1
	penalty float64     // the score of one such character
	bytes   *[256]int32 // ids of the pieces that spell unknown text, or nil
}

// A piece is an entry of a vocabulary; its id is its place there.
type piece struct {
	text  []byte
	score float64
	kind  pieceKind
}

// pieceKind is SentencePiece's type of a piece. A tokenizer.json does not say
// it: there all pieces are normal.
type pieceKind uint8

const (
	normalPiece  pieceKind = 1
	unknownPiece pieceKind = 2
	controlPiece pieceKind = 3
	userPiece    pieceKind = 4
	unusedPiece  pieceKind = 5
	bytePiece    pieceKind = 6
)

var errNoUnknown = errors.New("vocabulary: neither an unknown token nor pieces for all 256 bytes")

// newUnigram makes the model of a vocabulary. A complete set of byte pieces is
// used for unknown text even where a file says byte_fallback: false, since only
// vocabularies trained for it have one: the published tokenizer.json of SigLIP
// says so, and disagrees with the spiece.model that it was made from.
func newUnigram(pieces []piece, unknown int32) (*unigram, error) {
	u := &unigram{scores: make([]float64, len(pieces)), unknown: unknown, bytes: bytePieces(pieces)}
	if u.bytes == nil && unknown < 0 {
		return nil, errNoUnknown
	}
	lowest, highest := math.Inf(1), math.Inf(-1)
	for _, p := range pieces {
		if p.kind == normalPiece {
			lowest, highest = min(lowest, p.score), max(highest, p.score)
		}
	}
	u.penalty = lowest - unknownPenalty
	entries := make([]entry, 0, len(pieces))
	for i, p := range pieces {
		u.scores[i] = p.score
		switch {
		case p.kind == userPiece: // wins: it scores as if each byte were the best piece
			u.scores[i] = float64(len(p.text))*highest - 0.1
		case p.kind != normalPiece || int32(i) == unknown || u.bytes != nil && byteValue(p.text) >= 0:
			continue // stands for something else than its spelling
		}
		entries = append(entries, entry{p.text, int32(i)})
	}
	u.pieces = newTrie(entries)
	return u, nil
}

// bytePieces returns the ids of <0x00> … <0xFF> if all of them are there.
func bytePieces(pieces []piece) *[256]int32 {
	var ids [256]int32
	var found [256]bool
	for i, p := range pieces {
		if v := byteValue(p.text); v >= 0 {
			ids[v], found[v] = int32(i), true
		}
	}
	if slices.Contains(found[:], false) {
		return nil
	}
	return &ids
}

// byteValue returns NN of a piece spelt <0xNN>, otherwise -1.
func byteValue(text []byte) int {
	if len(text) != 6 || string(text[:3]) != "<0x" || text[5] != '>' {
		return -1
	}
	v := 0
	for _, c := range text[3:5] {
		switch {
		case '0' <= c && c <= '9':
			v = v<<4 + int(c-'0')
		case 'A' <= c && c <= 'F':
			v = v<<4 + int(c-'A') + 10
		default:
			return -1
		}
	}
	return v
}

// A cut is the best way to write the text up to a byte: the sum of the scores,
// and the last piece of it.
type cut struct {
	score float64
	start int32 // where the last piece begins, -1 where no way leads
	id    int32 // -1: an unknown character
}

// encode appends the ids of text, which is valid UTF-8.
func (u *unigram) encode(ids []int32, text string) []int32 {
	var buf [128]cut // most texts are short: no allocation
	best := append(buf[:0], make([]cut, len(text)+1)...)
	for i := range best {
		best[i].start = -1
	}
	best[0].start = 0
	for i := 0; i < len(text); {
		_, width := utf8.DecodeRuneInString(text[i:])
		covered := false
		base := best[i].score
		for j, node := i, uint32(0); j < len(text); j++ {
			if node = u.pieces.step(node, text[j]); node == 0 {
				break
			}
			id := u.pieces.value[node]
			if id < 0 {
				continue
			}
			covered = covered || j+1 == i+width
			best[j+1].offer(cut{base + u.scores[id], int32(i), id})
		}
		if !covered {
			best[i+width].offer(cut{base + u.penalty, int32(i), -1})
		}
		i += width
	}
	return u.trace(ids, text, best)
}

// offer replaces the best way so far by a better one. Sums are float64, as in
// the library that tokenizer.json files are written for; SentencePiece's float32
// breaks a tie like "z"+"zz" and "zz"+"z" otherwise about once in 30,000 texts.
func (c *cut) offer(way cut) {
	if c.start < 0 || way.score > c.score {
		*c = way
	}
}

// trace appends the pieces of the best way to the end of text. A run of unknown
// characters becomes the pieces of its bytes, or one unknown token.
func (u *unigram) trace(ids []int32, text string, best []cut) []int32 {
	from := len(ids)
	wasUnknown := false
	for end := len(text); end > 0; {
		c := best[end]
		switch {
		case c.id >= 0:
			ids = append(ids, c.id)
		case u.bytes != nil:
			for i := end - 1; i >= int(c.start); i-- {
				ids = append(ids, u.bytes[text[i]])
			}
		case !wasUnknown:
			ids = append(ids, u.unknown)
		}
		wasUnknown = c.id < 0
		end = int(c.start)
	}
	slices.Reverse(ids[from:])
	return ids
}
