package tokenize

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"testing"

	"sigla/internal/require"
)

var labels = []string{
	"cat", "This is a photo of a dog.", "a red apple on a wooden table", "the Eiffel tower at night",
	"Zürich", "children running on the beach", "T-shirt", "mountain bike, black and white",
}

// BenchmarkEncode is per label.
func BenchmarkEncode(b *testing.B) {
	for name, open := range tokenizers {
		b.Run(name, func(b *testing.B) {
			tok := open(b)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				tok.Encode(labels[i%len(labels)])
			}
		})
	}
}

// tokenizers opens one of each kind, at the length that its text tower has.
var tokenizers = map[string]func(testing.TB) Tokenizer{
	"starter": func(t testing.TB) Tokenizer { return openFolder(t, "../../assets/starter", 16) },
	"siglip":  sigLIP,
	"siglip2": func(t testing.TB) Tokenizer { return gemma(t, gemmaConfig, 64) },
	"clip":    clip,
}

func openFolder(t testing.TB, dir string, length int) Tokenizer {
	t.Helper()
	return mustParse(t, read(t, dir, "tokenizer.json"), read(t, dir, "tokenizer_config.json"), length)
}

func BenchmarkLoad(b *testing.B) {
	for name, files := range map[string]func() func(string) ([]byte, error){
		"starter": func() func(string) ([]byte, error) { return folder("../../assets/starter") },
		"siglip":  func() func(string) ([]byte, error) { return folder(require.Data(b, "tokenizers/siglip")) },
		"clip":    func() func(string) ([]byte, error) { return folder(require.Data(b, "tokenizers/clip")) },
		"siglip2": func() func(string) ([]byte, error) {
			return memory(map[string][]byte{"tokenizer.model": gemmaModel(b)})
		},
		"siglip2-json": func() func(string) ([]byte, error) {
			return memory(map[string][]byte{"tokenizer.json": gemmaJSON(b)})
		},
	} {
		b.Run(name, func(b *testing.B) {
			files := files()
			for b.Loop() {
				mustLoad(b, files, 64)
			}
		})
	}
}

// gemmaJSON makes a tokenizer.json of the published pieces in the form that it
// has there: every way to cut a piece in two pieces is a merge.
func gemmaJSON(t testing.TB) []byte {
	var pieces []string
	decode(t, &pieces, require.Data(t, "tokenizers/siglip2/pieces_256k.json"))
	vocab := map[string]int{}
	for id, p := range pieces {
		if 217 <= id && id < 473 {
			p = fmt.Sprintf("<0x%02X>", id-217)
		}
		vocab[p] = id
	}
	var merges [][2]string
	for id, p := range pieces {
		if id < 473 || id > 255968 {
			continue
		}
		for i := range p {
			_, left := vocab[p[:i]]
			_, right := vocab[p[i:]]
			if left && right {
				merges = append(merges, [2]string{p[:i], p[i:]})
			}
		}
	}
	data, err := json.Marshal(map[string]any{
		"added_tokens": []any{map[string]any{"id": 0, "content": "<pad>"}, map[string]any{"id": 1, "content": "<eos>"}},
		"normalizer":   map[string]any{"type": "Replace", "pattern": map[string]any{"String": " "}, "content": "▁"},
		"model":        map[string]any{"type": "BPE", "unk_token": "<unk>", "byte_fallback": true, "fuse_unk": true, "vocab": vocab, "merges": merges},
		"padding":      map[string]any{"pad_id": 0},
	})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func memory(files map[string][]byte) func(string) ([]byte, error) {
	return func(name string) ([]byte, error) {
		if data, ok := files[name]; ok {
			return data, nil
		}
		return nil, fs.ErrNotExist
	}
}
