package tokenize

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// What CLIP's tokenizer.json says besides its vocabulary, which is all that its
// two other forms hold.
const (
	clipNormalizer = `{"type": "Sequence", "normalizers": [{"type": "NFC"},
		{"type": "Replace", "pattern": {"Regex": "\\s+"}, "content": " "}, {"type": "Lowercase"}]}`
	clipPreTokenizer = `{"type": "Sequence", "pretokenizers": [
		{"type": "Split", "pattern": {"Regex": "<\\|startoftext\\|>|<\\|endoftext\\|>|'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+"},
			"behavior": "Removed", "invert": true},
		{"type": "ByteLevel", "add_prefix_space": false}]}`
	clipPost = `{"type": "RobertaProcessing", "cls": ["", %d], "sep": ["", %d]}`

	clipStart     = "<|startoftext|>"
	clipEnd       = "<|endoftext|>"
	clipEndOfWord = "</w>"
)

// clipMerges is how many lines of OpenAI's file its CLIP uses: the vocabulary of
// 49,408 less each byte alone, each at the end of a word, and two marks.
const clipMerges = 49408 - 2*256 - 2

// parseCLIPVocabulary makes the tokenizer of bpe_simple_vocab_16e6.txt.gz, the
// file beside OpenAI's code: a heading, then a merge a line, the best first.
// Ids follow from it: bytes, bytes that end a word, merges, the two marks.
func parseCLIPVocabulary(data [][]byte, c config, o Options) (*pipeline, error) {
	const mostBytes = 16 << 20 // the file has 3 MB
	r, err := gzip.NewReader(bytes.NewReader(data[0]))
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(r, mostBytes))
	if err != nil {
		return nil, err
	}
	lines := strings.Split(string(text), "\n")
	if len(lines) <= clipMerges {
		return nil, fmt.Errorf("%d lines instead of more than %d", len(lines), clipMerges)
	}
	merges := lines[1 : 1+clipMerges]

	f := &file{}
	add := func(text string) { f.pieces = append(f.pieces, piece{[]byte(text), 0, normalPiece}) }
	for _, plain := range []bool{true, false} { // characters that can be seen come first
		for b, letter := range byteAlphabet {
			if (letter == string(rune(b))) == plain {
				add(letter)
			}
		}
	}
	for _, letter := range f.pieces[:256:256] {
		add(string(letter.text) + clipEndOfWord)
	}
	for _, m := range merges {
		add(strings.Replace(m, " ", "", 1))
	}
	add(clipStart)
	add(clipEnd)
	return f.clip(merges, c, o)
}

// parseCLIPPair makes the tokenizer of a vocab.json, {piece: id, …}, and a
// merges.txt, a merge a line with the best first and "#version: …" before them:
// what checkpoints of CLIP have beside their tokenizer.json, or instead of it.
func parseCLIPPair(data [][]byte, c config, o Options) (*pipeline, error) {
	// GPT-2's and RoBERTa's files have these names too, and other rules.
	if class := strings.TrimSuffix(c.Class, "Fast"); class != "" && class != "CLIPTokenizer" {
		return nil, fmt.Errorf("a tokenizer_class %q is not supported in this form; CLIPTokenizer is", c.Class)
	}
	f := &file{}
	vocab := &cursor{data: data[0]}
	err := f.readIDs(vocab)
	if err == nil && vocab.peek() != 0 {
		err = vocab.errorf("the file goes on after its end")
	}
	if err != nil {
		return nil, fmt.Errorf("vocab.json: %w", err)
	}
	text := strings.TrimRight(strings.ReplaceAll(string(data[1]), "\r\n", "\n"), "\n")
	if strings.HasPrefix(text, "#version") {
		_, text, _ = strings.Cut(text, "\n")
	}
	if text == "" { // every word would be spelt in letters
		return nil, errors.New("merges.txt has no merges")
	}
	return f.clip(strings.Split(text, "\n"), c, o)
}

// clip makes CLIP's tokenizer of the pieces in f and merges "a b", the best
// first.
func (f *file) clip(merges []string, c config, o Options) (*pipeline, error) {
	f.kind, f.unknown, f.eos, f.filler = "BPE", -1, -1, -1
	f.normalizer, f.preTokenizer = json.RawMessage(clipNormalizer), json.RawMessage(clipPreTokenizer)
	f.unknownToken, f.suffix = clipEnd, clipEndOfWord
	var err error
	if f.merges, err = json.Marshal(merges); err != nil {
		return nil, err
	}
	begin, end := cmp.Or(c.Bos, clipStart), cmp.Or(c.Eos, clipEnd)
	beginID, err := f.named("bos_token", begin)
	if err != nil {
		return nil, err
	}
	endID, err := f.named("eos_token", end)
	if err != nil {
		return nil, err
	}
	f.post = fmt.Appendf(nil, clipPost, beginID, endID)
	if f.added, err = c.addedTokens(); err != nil {
		return nil, err
	}
	// The library cuts every token that the configuration names out of the text,
	// even a padding token that is a word: "!" in some checkpoints.
	for _, token := range []tokenName{begin, end, c.Pad} {
		if id, ok := f.id(string(token)); ok && !f.adds(id) {
			f.added = append(f.added, addedToken{ID: int64(id), Content: string(token)})
		}
	}
	return f.pipeline(c, o)
}

// adds reports whether the token with this id is an added one.
func (f *file) adds(id int32) bool {
	return slices.ContainsFunc(f.added, func(t addedToken) bool { return t.ID == int64(id) })
}
