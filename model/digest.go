package model

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
)

// sampled is how many bytes of a tensor's beginning, middle and end go into
// the digest. Hashing gigabytes would take longer than loading them, and
// weights that were trained further differ everywhere.
const sampled = 1 << 10

// digest names a checkpoint by content: SHA-256 over the files that say how a
// photo or a text becomes input, and over every tensor's name, type, shape and
// samples of its values. Embeddings of equal digests may be compared.
func digest(src Source, w *weights) (string, error) {
	h := sha256.New()
	for _, files := range [][]string{
		{"config.json"}, {"preprocessor_config.json"}, {"processor_config.json"}, {"tokenizer_config.json"},
		{"spiece.model", "tokenizer.model", "tokenizer.json", "bpe_simple_vocab_16e6.txt.gz", "vocab.json"}, // the one that is used
		{"merges.txt"},
	} {
		data, err := first(src, files...)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%s %d\n", files[0], len(data))
		h.Write(data)
	}
	var names []string
	for name := range w.source {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		t := w.source[name].tensor
		fmt.Fprintf(h, "%s %s %v\n", name, t.Type, t.Shape)
		if err := t.Sample(sampled, func(part []byte) { h.Write(part) }); err != nil {
			return "", err
		}
		t.Release()
		h.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(t.Data))))
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
