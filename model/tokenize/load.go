package tokenize

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// forms are those that a tokenizer is stored in, the preferred one first. The
// originals of SentencePiece precede the tokenizer.json that was converted from
// them, not always rightly, and are a fraction of its size. package hub knows
// those that a repository may have.
var forms = []struct {
	files []string
	parse func(data [][]byte, c config, o Options) (*pipeline, error)
}{
	{[]string{"spiece.model"}, parseSentencePiece},
	{[]string{"tokenizer.model"}, parseSentencePiece},
	{[]string{"tokenizer.json"}, parseTokenizerJSON},
	{[]string{"vocab.json", "merges.txt"}, parseCLIPPair},
	{[]string{"bpe_simple_vocab_16e6.txt.gz"}, parseCLIPVocabulary},
}

// Load makes the tokenizer of a checkpoint from the first of its files that is
// there: spiece.model, tokenizer.model, tokenizer.json, vocab.json with
// merges.txt, OpenAI's vocabulary of CLIP; and from tokenizer_config.json, if
// there is one. files returns a file's contents, or fs.ErrNotExist. That is what
// Load fails with, to errors.Is, if there is no tokenizer in any form.
func Load(files func(name string) ([]byte, error), o Options) (Tokenizer, error) {
	configJSON, err := files("tokenizer_config.json")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	c, err := parseConfig(configJSON)
	if err != nil {
		return nil, fmt.Errorf("read tokenizer_config.json: %w", err)
	}
	for _, form := range forms {
		data, err := readAll(files, form.files)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		p, err := form.parse(data, c, o)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", strings.Join(form.files, " with "), err)
		}
		return p, nil
	}
	return nil, errNone{}
}

// readAll returns the contents of all the named files.
func readAll(files func(name string) ([]byte, error), names []string) (data [][]byte, err error) {
	for _, name := range names {
		content, err := files(name)
		if err != nil {
			return nil, err
		}
		data = append(data, content)
	}
	return data, nil
}

// errNone says that there is no tokenizer. It is an fs.ErrNotExist whose text
// would add nothing.
type errNone struct{}

func (errNone) Error() string {
	names := make([]string, len(forms))
	for i, form := range forms {
		names[i] = strings.Join(form.files, " with ")
	}
	return "there is no tokenizer; one of these is needed: " + strings.Join(names, ", ")
}

func (errNone) Is(target error) bool { return target == fs.ErrNotExist }

// parseSentencePiece makes the tokenizer of a spiece.model or tokenizer.model.
func parseSentencePiece(data [][]byte, c config, o Options) (*pipeline, error) {
	s, err := parseProto(data[0])
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
	if added, err = c.addedTokens(); err != nil || len(added) > 0 {
		for i := range added {
			added[i].Normalized = false // SentencePiece would not find it in its own text
		}
		return added, err
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
