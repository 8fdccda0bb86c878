package tokenize

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sigla/internal/require"
)

// clipPair takes the vocab.json and the merges.txt out of a tokenizer.json.
func clipPair(t testing.TB, tokenizerJSON []byte) map[string][]byte {
	t.Helper()
	var f struct {
		Model struct {
			Vocab  json.RawMessage
			Merges []json.RawMessage // "a b" or ["a", "b"]
		}
	}
	if err := json.Unmarshal(tokenizerJSON, &f); err != nil {
		t.Fatal(err)
	}
	merges := "#version: 0.2\n"
	for _, raw := range f.Model.Merges {
		var pair []string
		var line string
		if json.Unmarshal(raw, &pair) == nil {
			line = strings.Join(pair, " ")
		} else if err := json.Unmarshal(raw, &line); err != nil {
			t.Fatal(err)
		}
		merges += line + "\n"
	}
	return map[string][]byte{"vocab.json": f.Model.Vocab, "merges.txt": []byte(merges)}
}

// The golden checkpoints of CLIP, their vocabulary in two files, however these
// are written.
func TestCLIPPairGolden(t *testing.T) {
	for _, family := range []string{"clip-quickgelu", "clip-gelu"} {
		dir := filepath.Join(goldenDir, "hf", family)
		want := readExpected(t, dir)
		files := clipPair(t, read(t, dir, "tokenizer.json"))
		withHeader := string(files["merges.txt"])
		_, bare, _ := strings.Cut(withHeader, "\n")
		for name, merges := range map[string]string{
			"header":    withHeader,
			"no header": bare,
			"no end":    strings.TrimSuffix(withHeader, "\n"),
			"Windows":   strings.ReplaceAll(withHeader, "\n", "\r\n"),
		} {
			files["merges.txt"] = []byte(merges)
			for _, config := range [][]byte{nil, read(t, dir, "tokenizer_config.json")} {
				delete(files, "tokenizer_config.json")
				if config != nil {
					files["tokenizer_config.json"] = config
				}
				t.Run(fmt.Sprintf("%s/%s/%d", family, name, len(config)), func(t *testing.T) {
					tok := mustLoad(t, memory(files), want.Length)
					for i, text := range want.Texts {
						check(t, tok, text, want.IDs[i])
					}
					if tok.VocabSize() != 634 {
						t.Errorf("vocabulary of %d", tok.VocabSize())
					}
				})
			}
		}
	}
}

// The pair and the tokenizer.json agree on texts that the goldens lack: marks
// inside the text, white space, letters of several marks, an empty one.
func TestCLIPPairAgrees(t *testing.T) {
	dir := goldenDir + "hf/clip-gelu"
	files := clipPair(t, read(t, dir, "tokenizer.json"))
	a, b := mustLoad(t, memory(files), 64), mustLoad(t, folder(dir), 64)
	for _, text := range append(append(kitokenSample, labels...), "<|endoftext|>a<|startoftext|> b", "THE\u00a0 theE\u0301", "it's 2024!!") {
		want, _ := b.Encode(text)
		check(t, a, text, want)
	}
	// A padding token that is a word is cut out of the text before BPE.
	files["tokenizer_config.json"] = []byte(`{"tokenizer_class":"CLIPTokenizer","pad_token":"!"}`)
	tok := mustLoad(t, memory(files), 8)
	end := int32(tok.VocabSize() - 1)
	check(t, tok, "!!", []int32{end - 1, 0, 0, end, 0, 0, 0, 0})
	// A token of the configuration may have an id beyond the vocabulary.
	files["tokenizer_config.json"] = []byte(`{"added_tokens_decoder":{"700":{"content":"<x>"}}}`)
	tok = mustLoad(t, memory(files), 4)
	check(t, tok, "<x>", []int32{end - 1, 700, end, end})
	if tok.VocabSize() != 701 {
		t.Errorf("vocabulary of %d", tok.VocabSize())
	}
}

func clip(t testing.TB) Tokenizer {
	return mustLoad(t, folder(require.Data(t, "tokenizers/clip")), 77)
}

func TestCLIP(t *testing.T) {
	var v vectors
	decode(t, &v, goldenDir, "vectors.json")
	tok := clip(t)
	if len(v.CLIP.Cases) < 20 {
		t.Fatalf("%d cases", len(v.CLIP.Cases))
	}
	for _, c := range v.CLIP.Cases {
		if len(c.ids) <= 77 {
			check(t, tok, c.text, padded(c.ids, 77, 49407))
		}
	}
	// A pad token that is a word of the vocabulary is cut out of the text.
	file := read(t, require.Data(t, "tokenizers/clip/tokenizer.json"))
	file = regexp.MustCompile(`"added_tokens":\s*\[`).ReplaceAll(file, []byte(`$0{"id":0,"content":"!"},`))
	tok = mustParse(t, file, []byte(`{"pad_token":"!"}`), 77)
	for _, c := range v.CLIPPad.Cases {
		check(t, tok, c.text, padded(c.ids, 77, 0))
	}
}

// The three forms of the published vocabulary are the same tokenizer.
func TestCLIPForms(t *testing.T) {
	var v vectors
	decode(t, &v, goldenDir, "vectors.json")
	dir := require.Data(t, "tokenizers/clip")
	pair := clipPair(t, read(t, dir, "tokenizer.json"))
	a := clip(t)
	for name, tok := range map[string]Tokenizer{
		"OpenAI's": mustLoad(t, folder(dir, "tokenizer.json"), 77),
		"pair":     mustLoad(t, memory(pair), 77),
	} {
		if a.VocabSize() != 49408 || tok.VocabSize() != 49408 {
			t.Errorf("%s: vocabularies of %d and %d", name, a.VocabSize(), tok.VocabSize())
		}
		for _, c := range v.CLIP.Cases {
			want, _ := a.Encode(c.text)
			check(t, tok, c.text, want)
		}
	}
	pair["tokenizer_config.json"] = []byte(`{"pad_token":"!"}`)
	tok := mustLoad(t, memory(pair), 77)
	for _, c := range v.CLIPPad.Cases {
		check(t, tok, c.text, padded(c.ids, 77, 0))
	}
}

// FuzzCLIPPair: a broken vocab.json or merges.txt gives an error or a tokenizer
// that keeps its promise.
func FuzzCLIPPair(f *testing.F) {
	const vocab = `{"a":0,"b":1,"b</w>":2,"ab</w>":3,"<|startoftext|>":4,"<|endoftext|>":5}`
	f.Add([]byte(vocab), []byte("#version: 0.2\na b</w>\n"), []byte(`{"pad_token":"a"}`), "AB a\n<|endoftext|>é")
	f.Add([]byte(vocab), []byte("\r\n \n"), []byte(`{"bos_token":"a","added_tokens_decoder":{"9":{"content":"b"}}}`), "b")
	f.Fuzz(func(t *testing.T, vocab, merges, config []byte, text string) {
		tok, err := Load(memory(map[string][]byte{"vocab.json": vocab, "merges.txt": merges, "tokenizer_config.json": config}), Options{Length: 8})
		if err != nil {
			return
		}
		ids, cut := tok.Encode(text)
		checkRow(t, tok, ids, 8)
		if cut < 0 {
			t.Fatalf("%d pieces cut", cut)
		}
	})
}
