package tokenize

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
)

// Load makes the tokenizer of a checkpoint from the first of its files that is
// there: spiece.model, tokenizer.model, tokenizer.json, OpenAI's vocabulary of
// CLIP. The first two are the originals that the third was converted from, not
// always rightly, and are a fraction of its size. files returns a file's
// contents, or fs.ErrNotExist.
func Load(files func(name string) ([]byte, error), o Options) (Tokenizer, error) {
	configJSON, err := files("tokenizer_config.json")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	c, err := parseConfig(configJSON)
	if err != nil {
		return nil, fmt.Errorf("read tokenizer_config.json: %w", err)
	}
	for _, source := range []struct {
		name  string
		parse func([]byte, config, Options) (*pipeline, error)
	}{
		{"spiece.model", parseSentencePiece},
		{"tokenizer.model", parseSentencePiece},
		{"tokenizer.json", parse},
		{"bpe_simple_vocab_16e6.txt.gz", parseCLIPVocabulary},
	} {
		data, err := files(source.name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		p, err := source.parse(data, c, o)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", source.name, err)
		}
		return p, nil
	}
	return nil, fmt.Errorf("there is no tokenizer: neither spiece.model nor tokenizer.model nor tokenizer.json: %w", fs.ErrNotExist)
}

// parseSentencePiece makes the tokenizer of a spiece.model or tokenizer.model.
func parseSentencePiece(data []byte, c config, o Options) (*pipeline, error) {
	s, err := parseProto(data)
	if err != nil {
		return nil, err
	}
	f := &file{pieces: s.pieces, unknown: -1, eos: s.eos, filler: -1}
	for i, p := range s.pieces {
		if p.kind == unknownPiece {
			f.unknown = int32(i)
		}
	}
	if f.added, err = s.addedTokens(c); err != nil {
		return nil, err
	}
	p := &pipeline{length: o.Length, vocab: f.vocabSize()}
	if p.normalize, err = parseCharsmap(s.charsmap); err != nil {
		return nil, err
	}
	if s.squeeze {
		p.normalize = sequence(p.normalize, squeeze)
	}
	mark := metaspace{mark: string(metaspaceRune), prepend: "never"}
	if s.dummyPrefix {
		mark.prepend = "always"
	}
	switch s.kind {
	case kindUnigram:
		p.model, err = newUnigram(s.pieces, f.unknown)
		p.cut = mark.cut
	case kindBPE:
		// Its user-defined pieces are spelt with marks: these come first.
		p.normalize = sequence(p.normalize, mark.replace)
		p.normalized = newAddedSet(s.userPieces())
		p.model, err = newRankedBPE(s.pieces, f.unknown)
		f.filler = s.pad
	default:
		err = fmt.Errorf("a model of type %d is not supported; 1, Unigram, and 2, BPE, are", s.kind)
	}
	if err != nil {
		return nil, err
	}
	return p, p.finish(f, c, o)
}

// addedTokens returns what the configuration lists, otherwise the end and the
// unknown token.
func (s *sentencePiece) addedTokens(c config) (added []addedToken, err error) {
	for id, t := range c.AddedTokens {
		if t.ID, err = strconv.ParseInt(id, 10, 32); err != nil || t.ID < 0 {
			return nil, fmt.Errorf("tokenizer_config.json: added_tokens_decoder has the id %q", id)
		}
		t.Normalized = false // SentencePiece would not find it in its own text
		added = append(added, t)
	}
	if len(added) > 0 {
		return added, nil
	}
	for i, p := range s.pieces {
		if p.kind == unknownPiece || p.kind == controlPiece && int32(i) == s.eos {
			added = append(added, addedToken{ID: int64(i), Content: string(p.text)})
		}
	}
	return added, nil
}

// userPieces returns the pieces that win over every merge.
func (s *sentencePiece) userPieces() (tokens []addedToken) {
	for i, p := range s.pieces {
		if p.kind == userPiece {
			tokens = append(tokens, addedToken{ID: int64(i), Content: string(p.text)})
		}
	}
	return tokens
}
