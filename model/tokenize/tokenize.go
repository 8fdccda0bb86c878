// Package tokenize turns texts into the token ids that a text tower was trained
// on: SentencePiece's Unigram model (SigLIP) and BPE model (SigLIP 2's Gemma
// vocabulary), and CLIP's byte-level BPE, from the files that checkpoints come
// with: see Load.
//
// Text passes through a tokenizer in five steps: added tokens such as "</s>" are
// cut out; the rest is normalized, cut into words, and each word into pieces of
// the vocabulary; then the end token is appended and the row is filled to its
// length. The result agrees id for id with the library that a checkpoint was
// published for, since one wrong id moves an embedding without any notice.
//
// Libraries were tried before this was written: sugarme/tokenizer 0.3.0 gets 4
// of 23 test texts right and panics on CLIP's files; eliben/go-sentencepiece
// 0.6.0 refuses Unigram models, and gomlx/go-huggingface 0.3.1 is built on it.
package tokenize

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// A Tokenizer turns a text into ids. It is safe for concurrent use.
type Tokenizer interface {
	// Encode returns exactly Options.Length ids below VocabSize. A long text
	// loses its end: cut is the number of pieces that did not fit.
	Encode(text string) (ids []int32, cut int)

	// VocabSize is one more than the largest id there is. A checkpoint's
	// embedding table may have fewer rows if its last tokens were never trained.
	VocabSize() int
}

// Options says what the files of a tokenizer leave open.
type Options struct {
	Length int // ids per text, end token and padding included

	// Lower asks for lower-casing where the files do not. SigLIP 2 was trained
	// on it; its published files say so, but a copy may have lost the line.
	Lower bool
}

// parseTokenizerJSON makes the tokenizer of a tokenizer.json.
func parseTokenizerJSON(data [][]byte, c config, o Options) (*pipeline, error) {
	f, err := parseFile(data[0])
	if err != nil {
		return nil, err
	}
	return f.pipeline(c, o)
}

// pipeline puts together what f describes.
func (f *file) pipeline(c config, o Options) (p *pipeline, err error) {
	p = &pipeline{length: o.Length, vocab: f.vocabSize()}
	switch f.kind {
	case "Unigram":
		p.model, err = newUnigram(f.pieces, f.unknown)
	case "BPE":
		p.model, err = newMergedBPE(f)
	default:
		err = fmt.Errorf("a model of type %q is not supported", f.kind)
	}
	if err != nil {
		return nil, err
	}
	if p.normalize, err = parseNormalizer(f.normalizer); err != nil {
		return nil, fmt.Errorf("normalizer: %w", err)
	}
	if p.cut, err = parsePreTokenizer(f.preTokenizer); err != nil {
		return nil, fmt.Errorf("pre_tokenizer: %w", err)
	}
	return p, p.finish(f, c, o)
}

// finish adds what does not depend on the model: cleaning of the text, added
// tokens, and what stands around a text.
func (p *pipeline) finish(f *file, c config, o Options) (err error) {
	switch {
	case c.isSigLIP():
		p.likeSigLIP()
	case c.Lower || o.Lower:
		p.normalize = sequence(lower, p.normalize)
	}
	p.addTokens(f.added, c)
	if p.prefix, p.suffix, err = f.frame(c); err != nil {
		return err
	}
	if p.pad, err = f.padding(c, p.suffix); err != nil {
		return err
	}
	return p.check()
}

// A model cuts a word into pieces of its vocabulary and appends their ids.
type model interface {
	encode(ids []int32, word string) []int32
}

// pipeline is a tokenizer put together as a tokenizer.json describes it.
type pipeline struct {
	raw        *addedSet  // tokens cut out of the text as it comes
	normalize  normalizer // nil: none
	normalized *addedSet  // tokens cut out of the normalized text
	cut        preTokenizer
	model      model

	prefix, suffix []int32 // before and after every text
	pad            int32
	length, vocab  int
}

func (p *pipeline) VocabSize() int { return p.vocab }

func (p *pipeline) Encode(text string) (ids []int32, cut int) {
	text = strings.ToValidUTF8(text, "\uFFFD")
	ids = append(make([]int32, 0, p.length), p.prefix...)
	var buf [4]stretch
	for _, s := range p.raw.split(buf[:0], text, true) {
		if s.id >= 0 {
			ids = append(ids, s.id)
		} else {
			ids = p.encodeStretch(ids, s)
		}
	}
	room := p.length - len(p.prefix) - len(p.suffix)
	body := ids[len(p.prefix):]
	if cut = max(0, len(body)-room); cut > 0 {
		body = body[:room]
		ids = ids[:len(p.prefix)+room]
	}
	// The end token is sticky: a text that ends with it gets no second one.
	if len(p.suffix) != 1 || len(body) == 0 || body[len(body)-1] != p.suffix[0] {
		ids = append(ids, p.suffix...)
	}
	for len(ids) < p.length {
		ids = append(ids, p.pad)
	}
	return slices.Clip(ids), cut
}

func (p *pipeline) encodeStretch(ids []int32, s stretch) []int32 {
	if p.normalize != nil {
		s.text = p.normalize(s.text)
	}
	var buf [4]stretch
	var words [16]string
	for _, part := range p.normalized.split(buf[:0], s.text, s.first) {
		switch {
		case part.id >= 0:
			ids = append(ids, part.id)
		case p.cut == nil:
			ids = p.model.encode(ids, part.text)
		default:
			for _, word := range p.cut(words[:0], part.text, part.first) {
				ids = p.model.encode(ids, word)
			}
		}
	}
	return ids
}

// addTokens sets up the search for added tokens.
func (p *pipeline) addTokens(added []addedToken, c config) {
	var raw, normalized []addedToken
	for _, t := range added {
		if t.Normalized && !c.isSigLIP() {
			if p.normalize != nil {
				t.Content = p.normalize(t.Content)
			}
			normalized = append(normalized, t)
		} else {
			raw = append(raw, t)
		}
	}
	p.raw = newAddedSet(raw)
	if p.normalized == nil {
		p.normalized = newAddedSet(normalized)
	}
}

// likeSigLIP makes p do what transformers' SiglipTokenizer does around
// SentencePiece, whatever of it the tokenizer.json leaves out: the text is
// canonicalised, SentencePiece squeezes the spaces that its character map
// leaves, and only the very beginning gets the mark of a word.
func (p *pipeline) likeSigLIP() {
	p.normalize = sequence(canonical, p.normalize, squeeze)
	p.cut = metaspace{mark: string(metaspaceRune), prepend: "first"}.cut
}

// check makes sure that no id can leave the vocabulary or the row.
func (p *pipeline) check() error {
	if frame := len(p.prefix) + len(p.suffix); p.length < max(1, frame) {
		return fmt.Errorf("a length of %d ids has no room for the %d of an empty text", p.length, max(1, frame))
	}
	if p.vocab > math.MaxInt32 {
		return errors.New("the vocabulary has an id beyond 2^31")
	}
	for _, id := range slices.Concat(p.prefix, p.suffix, []int32{p.pad}) {
		if id < 0 || int(id) >= p.vocab {
			return fmt.Errorf("id %d is outside the vocabulary of %d", id, p.vocab)
		}
	}
	return nil
}
