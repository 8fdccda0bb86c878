package tokenize

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// file is a tokenizer.json, its parts as far as they can be read apart.
type file struct {
	added        []addedToken
	normalizer   json.RawMessage
	preTokenizer json.RawMessage
	post         json.RawMessage
	pad          json.RawMessage

	kind   string  // model.type
	pieces []piece // by id; an id that no piece has is empty

	unknown int32 // Unigram: model.unk_id, -1 if there is none

	// What a SentencePiece model says itself; -1: nothing.
	eos, filler int32

	unknownToken string // BPE
	merges       json.RawMessage
	prefix       string // continuing_subword_prefix
	suffix       string // end_of_word_suffix
	fuse         bool   // fuse_unk
	ignoreMerges bool
	dropout      float64
}

func parseFile(data []byte) (*file, error) {
	f := &file{unknown: -1, eos: -1, filler: -1}
	c := &cursor{data: data}
	err := c.object(func(key []byte) error {
		if string(key) == "model" {
			return f.readModel(c)
		}
		raw, err := c.skip()
		if err != nil {
			return err
		}
		switch string(key) {
		case "added_tokens":
			err = json.Unmarshal(raw, &f.added)
		case "normalizer":
			f.normalizer = raw
		case "pre_tokenizer":
			f.preTokenizer = raw
		case "post_processor":
			f.post = raw
		case "padding":
			f.pad = raw
		}
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		return nil
	})
	if err == nil && c.peek() != 0 {
		err = c.errorf("the file goes on after its end")
	}
	if err != nil {
		return nil, err
	}
	for _, t := range f.added {
		if t.ID < 0 || t.ID >= math.MaxInt32 {
			return nil, fmt.Errorf("added_tokens: %q has the id %d", t.Content, t.ID)
		}
	}
	if len(f.pieces) == 0 {
		return nil, errors.New("there is no vocabulary")
	}
	if int(f.unknown) >= len(f.pieces) {
		return nil, fmt.Errorf("unk_id %d is outside the vocabulary of %d", f.unknown, len(f.pieces))
	}
	return f, nil
}

func (f *file) readModel(c *cursor) error {
	return c.object(func(key []byte) error {
		if string(key) == "vocab" && c.peek() == '[' {
			return f.readScores(c)
		}
		if string(key) == "vocab" {
			return f.readIDs(c)
		}
		raw, err := c.skip()
		if err != nil {
			return err
		}
		setting, ok := map[string]any{
			"type":                      &f.kind,
			"unk_id":                    &f.unknown,
			"unk_token":                 &f.unknownToken,
			"continuing_subword_prefix": &f.prefix,
			"end_of_word_suffix":        &f.suffix,
			"fuse_unk":                  &f.fuse,
			"ignore_merges":             &f.ignoreMerges,
			"dropout":                   &f.dropout,
		}[string(key)]
		switch {
		case string(key) == "merges":
			f.merges = raw // as it is: Unmarshal would copy it
		case ok && !isNull(raw):
			err = json.Unmarshal(raw, setting)
		}
		if err != nil {
			return fmt.Errorf("model: %s: %w", key, err)
		}
		return nil
	})
}

// readScores reads the vocabulary of a Unigram model: [[piece, score], …].
func (f *file) readScores(c *cursor) error {
	return c.array(func() error {
		if err := c.expect('['); err != nil {
			return err
		}
		text, err := c.text()
		if err != nil {
			return err
		}
		if err := c.expect(','); err != nil {
			return err
		}
		score, err := c.number()
		if err != nil {
			return err
		}
		f.pieces = append(f.pieces, piece{text, score, normalPiece})
		return c.expect(']')
	})
}

// readIDs reads the vocabulary of a BPE model: {piece: id, …}.
func (f *file) readIDs(c *cursor) error {
	type numbered struct {
		text []byte
		id   int
	}
	var list []numbered
	size := 0
	err := c.object(func(key []byte) error {
		id, err := c.number()
		if err != nil {
			return err
		}
		if id < 0 || id != math.Trunc(id) || id >= math.MaxInt32 {
			return c.errorf("%v is no id", id)
		}
		list = append(list, numbered{key, int(id)})
		size = max(size, int(id)+1)
		return nil
	})
	if err != nil {
		return err
	}
	// Ids without a piece take memory too: a few are normal, many are a lie.
	if size > 2*len(list)+1<<12 {
		return fmt.Errorf("vocabulary: %d pieces with ids up to %d", len(list), size-1)
	}
	f.pieces = make([]piece, size)
	for _, n := range list {
		p := &f.pieces[n.id]
		if p.text != nil {
			return fmt.Errorf("vocabulary: %q and %q have the same id %d", p.text, n.text, n.id)
		}
		*p = piece{n.text, 0, normalPiece}
	}
	return nil
}

func (f *file) vocabSize() int {
	n := int64(len(f.pieces))
	for _, t := range f.added {
		n = max(n, t.ID+1)
	}
	return int(n)
}

// id returns the id of a token by its spelling.
func (f *file) id(token string) (int32, bool) {
	for _, t := range f.added {
		if t.Content == token {
			return int32(t.ID), true
		}
	}
	for i, p := range f.pieces {
		if token != "" && string(p.text) == token {
			return int32(i), true
		}
	}
	return 0, false
}

// frame returns the ids before and after every text: those of a
// post-processor, or without one those that the configuration asks for. A
// SentencePiece model has none, and a text tower needs its end token.
func (f *file) frame(c config) (prefix, suffix []int32, err error) {
	if !isNull(f.post) {
		prefix, suffix, err = parseFrame(f.post)
		if err != nil {
			return nil, nil, fmt.Errorf("post_processor: %w", err)
		}
		return prefix, suffix, nil
	}
	if c.AddBos {
		id, err := f.named("bos_token", c.Bos)
		if err != nil {
			return nil, nil, err
		}
		prefix = []int32{id}
	}
	switch {
	case c.Eos == "" && f.eos >= 0:
		suffix = []int32{f.eos}
	case c.AddEos || c.isSigLIP() || f.eos >= 0:
		id, err := f.named("eos_token", c.Eos)
		if err != nil {
			return nil, nil, err
		}
		suffix = []int32{id}
	}
	return prefix, suffix, nil
}

// named returns the id of a token that the configuration names.
func (f *file) named(what string, token tokenName) (int32, error) {
	id, ok := f.id(string(token))
	if !ok {
		return 0, fmt.Errorf("the vocabulary has no %s %q", what, token)
	}
	return id, nil
}

// padding returns the id that fills a row: that of the configuration, else that
// of the vocabulary's file, else the end token, which is what SigLIP pads with.
func (f *file) padding(c config, suffix []int32) (int32, error) {
	if c.Pad != "" {
		return f.named("pad_token", c.Pad)
	}
	if !isNull(f.pad) {
		var p struct {
			ID *int32 `json:"pad_id"`
		}
		if err := json.Unmarshal(f.pad, &p); err != nil {
			return 0, fmt.Errorf("padding: %w", err)
		}
		if p.ID != nil {
			return *p.ID, nil
		}
	}
	if f.filler >= 0 {
		return f.filler, nil
	}
	if len(suffix) > 0 {
		return suffix[len(suffix)-1], nil
	}
	return 0, errors.New("no padding token: neither pad_token in tokenizer_config.json nor padding or an end token here")
}

// parseFrame reads a post_processor: the ids that it puts around one text.
func parseFrame(raw json.RawMessage) (prefix, suffix []int32, err error) {
	type special struct{ IDs []int32 }
	var p struct {
		Type   string
		Single []struct {
			Sequence     *struct{}
			SpecialToken *struct{ ID string }
		}
		SpecialTokens map[string]special `json:"special_tokens"`
		Processors    []json.RawMessage
		Cls, Sep      tokenPair
	}
	if isNull(raw) {
		return nil, nil, nil
	}
	if err := json.Unmarshal(raw, &p); err != nil {
		return nil, nil, err
	}
	switch p.Type {
	case "ByteLevel": // adjusts offsets only
	case "RobertaProcessing", "BertProcessing":
		before, errBefore := p.Cls.id()
		after, errAfter := p.Sep.id()
		return []int32{before}, []int32{after}, cmp.Or(errBefore, errAfter)
	case "Sequence":
		for _, raw := range p.Processors {
			before, after, err := parseFrame(raw)
			if err != nil {
				return nil, nil, err
			}
			prefix, suffix = append(before, prefix...), append(suffix, after...)
		}
	case "TemplateProcessing":
		side := &prefix
		for _, part := range p.Single {
			switch {
			case part.Sequence != nil:
				side = &suffix
			case part.SpecialToken != nil:
				s, ok := p.SpecialTokens[part.SpecialToken.ID]
				if !ok {
					return nil, nil, fmt.Errorf("special token %q is not explained", part.SpecialToken.ID)
				}
				*side = append(*side, s.IDs...)
			}
		}
	default:
		return nil, nil, fmt.Errorf("unknown type %q", p.Type)
	}
	return prefix, suffix, nil
}

// tokenPair is ["</s>", 2].
type tokenPair []json.RawMessage

func (p tokenPair) id() (id int32, err error) {
	if len(p) != 2 {
		return 0, errors.New("cls or sep is no pair of token and id")
	}
	return id, json.Unmarshal(p[1], &id)
}

// config is a tokenizer_config.json.
type config struct {
	Class  string    `json:"tokenizer_class"`
	Lower  bool      `json:"do_lower_case"`
	Bos    tokenName `json:"bos_token"`
	Eos    tokenName `json:"eos_token"`
	Pad    tokenName `json:"pad_token"`
	AddBos bool      `json:"add_bos_token"`
	AddEos bool      `json:"add_eos_token"`

	AddedTokens map[string]addedToken `json:"added_tokens_decoder"` // by id
}

func parseConfig(data []byte) (c config, err error) {
	if data != nil {
		err = json.Unmarshal(data, &c)
	}
	return c, err
}

// addedTokens returns the tokens that the configuration lists, in no order.
func (c config) addedTokens() (added []addedToken, err error) {
	for id, t := range c.AddedTokens {
		if t.ID, err = strconv.ParseInt(id, 10, 32); err != nil || t.ID < 0 {
			return nil, fmt.Errorf("tokenizer_config.json: added_tokens_decoder has the id %q", id)
		}
		added = append(added, t)
	}
	return added, nil
}

// isSigLIP reports the class that runs SentencePiece on canonicalised text.
func (c config) isSigLIP() bool {
	return strings.TrimSuffix(c.Class, "Fast") == "SiglipTokenizer"
}

// A tokenName is a token's spelling, written "</s>" or {"content": "</s>", …}.
type tokenName string

func (n *tokenName) UnmarshalJSON(data []byte) error {
	var long struct{ Content string }
	if json.Unmarshal(data, &long) == nil {
		*n = tokenName(long.Content)
		return nil
	}
	return json.Unmarshal(data, (*string)(n))
}
