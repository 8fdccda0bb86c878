package tokenize

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// clipFile is the tokenizer.json of CLIP without its vocabulary.
const clipFile = `{
	"added_tokens": [{"id": 49406, "content": "<|startoftext|>"}, {"id": 49407, "content": "<|endoftext|>"}],
	"normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"},
		{"type": "Replace", "pattern": {"Regex": "\\s+"}, "content": " "}, {"type": "Lowercase"}]},
	"pre_tokenizer": {"type": "Sequence", "pretokenizers": [
		{"type": "Split", "pattern": {"Regex": "<\\|startoftext\\|>|<\\|endoftext\\|>|'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+"},
			"behavior": "Removed", "invert": true},
		{"type": "ByteLevel", "add_prefix_space": false}]},
	"post_processor": {"type": "RobertaProcessing", "sep": ["<|endoftext|>", 49407], "cls": ["<|startoftext|>", 49406]},
	"model": {"type": "BPE", "unk_token": "<|endoftext|>", "end_of_word_suffix": "</w>", "vocab": %s, "merges": %s}
}`

// clipMerges is how many lines of OpenAI's file its CLIP uses: the vocabulary of
// 49,408 less each byte alone, each at the end of a word, and two marks.
const clipMerges = 49408 - 2*256 - 2

// parseCLIPVocabulary makes the tokenizer of bpe_simple_vocab_16e6.txt.gz, the
// file beside OpenAI's code: a heading, then a merge a line, the best first.
// Ids follow from it: bytes, bytes that end a word, merges, the two marks.
func parseCLIPVocabulary(data []byte, c config, o Options) (*pipeline, error) {
	const mostBytes = 16 << 20 // the file has 3 MB
	r, err := gzip.NewReader(bytes.NewReader(data))
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

	var pieces []string
	for _, plain := range []bool{true, false} { // characters that can be seen come first
		for b, letter := range byteAlphabet {
			if (letter == string(rune(b))) == plain {
				pieces = append(pieces, letter)
			}
		}
	}
	for _, letter := range pieces[:256:256] {
		pieces = append(pieces, letter+"</w>")
	}
	for _, m := range merges {
		pieces = append(pieces, strings.Replace(m, " ", "", 1))
	}
	pieces = append(pieces, "<|startoftext|>", "<|endoftext|>")
	vocab := make(map[string]int, len(pieces))
	for id, p := range pieces {
		vocab[p] = id
	}
	vocabJSON, err := json.Marshal(vocab)
	if err != nil {
		return nil, err
	}
	mergesJSON, err := json.Marshal(merges)
	if err != nil {
		return nil, err
	}
	return parse(fmt.Appendf(nil, clipFile, vocabJSON, mergesJSON), c, o)
}
