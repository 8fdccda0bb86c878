package tokenize

import (
	"cmp"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigla/internal/require"
)

const goldenDir = "../testdata/golden/"

// read returns a file's bytes.
func read(t testing.TB, path ...string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// decode unmarshals a JSON file.
func decode(t testing.TB, to any, path ...string) {
	t.Helper()
	if err := json.Unmarshal(read(t, path...), to); err != nil {
		t.Fatal(err)
	}
}

// parseJSON is Load of a tokenizer.json and a tokenizer_config.json, which may
// be nil.
func parseJSON(tokenizer, config []byte, o Options) (Tokenizer, error) {
	files := map[string][]byte{"tokenizer.json": tokenizer}
	if config != nil {
		files["tokenizer_config.json"] = config
	}
	return Load(memory(files), o)
}

func mustParse(t testing.TB, tokenizer, config []byte, length int) Tokenizer {
	t.Helper()
	tok, err := parseJSON(tokenizer, config, Options{Length: length})
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// padded fills ids up to a length.
func padded(ids []int32, length int, pad int32) []int32 {
	ids = slices.Clone(ids)
	for len(ids) < length {
		ids = append(ids, pad)
	}
	return ids
}

func check(t *testing.T, tok Tokenizer, text string, want []int32) {
	t.Helper()
	if got, _ := tok.Encode(text); !slices.Equal(got, want) {
		t.Errorf("%q:\n got %v\nwant %v", text, got, want)
	}
}

// goldenFamilies are the checkpoints that the reference libraries wrote.
var goldenFamilies = []string{
	"siglip-bicubic", "siglip-bilinear-hubscale", "siglip-so400m-like", "siglip-sharded", "siglip-f16", "openclip-siglip",
	"siglip2-fixed", "siglip2-bf16", "siglip2-naflex", "clip-quickgelu", "clip-gelu",
}

type expected struct {
	Texts  []string
	IDs    [][]int32 `json:"input_ids"`
	Length int       `json:"text_length"`
}

func readExpected(t testing.TB, dir string) (want expected) {
	t.Helper()
	decode(t, &want, dir, "expected.json")
	if len(want.Texts) < 4 || len(want.Texts) != len(want.IDs) {
		t.Fatalf("%d texts, %d rows of ids", len(want.Texts), len(want.IDs))
	}
	return want
}

func TestGolden(t *testing.T) {
	for _, family := range goldenFamilies {
		t.Run(family, func(t *testing.T) {
			dir := filepath.Join(goldenDir, "hf", family)
			want := readExpected(t, dir)
			tok := openFolder(t, dir, want.Length)
			for i, text := range want.Texts {
				check(t, tok, text, want.IDs[i])
			}
		})
	}
}

func TestStarter(t *testing.T) {
	dir := "../../assets/starter"
	tok := mustParse(t, read(t, dir, "tokenizer.json"), read(t, dir, "tokenizer_config.json"), 16)
	var want struct {
		Template string
		Labels   []string
		IDs      [][]int32
		Probes   []struct {
			Text string
			IDs  []int32
		} `json:"token_probes"`
	}
	decode(t, &want, "../testdata/starter/expected.json")
	if len(want.IDs) != 32 || len(want.Labels) != 32 || len(want.Probes) != 6 || tok.VocabSize() != 8192 {
		t.Fatalf("%d rows, %d labels, %d probes, vocabulary of %d", len(want.IDs), len(want.Labels), len(want.Probes), tok.VocabSize())
	}
	for i, label := range want.Labels {
		check(t, tok, strings.ReplaceAll(want.Template, "{}", label), want.IDs[i])
	}
	for _, p := range want.Probes {
		check(t, tok, p.Text, p.IDs)
	}
}

type vectors struct {
	V1 struct {
		Cases []textIDs
	} `json:"tokens_siglip_v1"`
	V2      struct{ Cases []textIDs } `json:"tokens_siglip2_derived"`
	Gemma   struct{ Cases []textIDs } `json:"tokens_gemma_upstream"`
	CLIP    struct{ Cases []textIDs } `json:"tokens_clip_upstream"`
	CLIPPad struct{ Cases []textIDs } `json:"tokens_clip_pad_exclamation"`
	Stub    struct {
		Vocab json.RawMessage
		Cases []textIDs
	} `json:"unigram_stub"`
}

// textIDs is [text, ids] or [name, text, ids].
type textIDs struct {
	text string
	ids  []int32
}

func (p *textIDs) UnmarshalJSON(data []byte) error {
	var parts []json.RawMessage
	if err := json.Unmarshal(data, &parts); err != nil {
		return err
	}
	n := len(parts)
	return cmp.Or(json.Unmarshal(parts[n-2], &p.text), json.Unmarshal(parts[n-1], &p.ids))
}

// big_vision's test of its own Unigram tokenizer.
func TestStub(t *testing.T) {
	var v vectors
	decode(t, &v, goldenDir, "vectors.json")
	tok := mustParse(t, slices.Concat([]byte(`{"normalizer":{"type":"NFKC"},
		"pre_tokenizer":{"type":"Metaspace","replacement":"▁","prepend_scheme":"always","split":false},
		"model":{"type":"Unigram","unk_id":0,"vocab":`), v.Stub.Vocab, []byte(`}}`)), []byte(`{"pad_token":"</s>"}`), 6)
	if len(v.Stub.Cases) != 3 {
		t.Fatalf("%d cases", len(v.Stub.Cases))
	}
	for _, c := range v.Stub.Cases {
		check(t, tok, c.text, padded(c.ids, 6, 2))
	}
}

// The published vocabulary of 32,000 pieces with the ids of transformers' tests.
func TestSigLIP(t *testing.T) {
	tok := sigLIP(t)
	var v vectors
	decode(t, &v, goldenDir, "vectors.json")
	if len(v.V1.Cases) != 7 {
		t.Fatalf("%d cases", len(v.V1.Cases))
	}
	for _, c := range v.V1.Cases {
		check(t, tok, c.text, padded(c.ids, 64, 1))
	}
	// SentencePiece 0.2.3 inside transformers 5.24's SiglipTokenizer.
	for text, ids := range map[string][]int32{
		"  ":                 {1},
		"a </s> b":           {262, 266, 1, 402, 1},
		"a cat </s> ":        {262, 266, 2783, 1},
		"</s> a cat":         {1, 266, 2783, 1},
		"a <unk> cat":        {262, 266, 2, 3895, 1},
		"<unk><unk> a":       {2, 2, 266, 1},
		"▁cat":               {2783, 1},
		"a▁▁cat":             {262, 266, 2783, 1},
		"a _ cat":            {262, 266, 2783, 1},
		"a\u00a0\u3000cat":   {262, 266, 2783, 1},
		"İstanbul":           {262, 302, 207, 138, 8813, 8385, 1},
		"ﬁsh":                {1898, 1},
		"\u200bzero":         {4396, 1},
		"e\u0301te\u0301":    {262, 2083, 15900, 1},
		"a\x00b":             {262, 266, 3, 402, 1},
		"<0x41>":             {262, 1002, 497, 4666, 1},
		"猫 饭":                {262, 234, 143, 174, 262, 236, 168, 176, 1},
		"½ ²":                {16227, 454, 1},
		"</S>":               {262, 264, 1},
		"\ufeffcat":          {2783, 1},
		"don’t":              {443, 276, 278, 1},
		"\x1fcat":            {2783, 1},
		"a.b . c":            {262, 266, 402, 262, 399, 1},
		"x\u2028y\u0085z\v!": {262, 497, 262, 322, 262, 761, 1},
	} {
		check(t, tok, text, padded(ids, 64, 1))
	}
}

func sigLIP(t testing.TB) Tokenizer {
	dir := require.Data(t, "tokenizers/siglip")
	return mustParse(t, read(t, dir, "tokenizer.json"), read(t, dir, "tokenizer_config.json"), 64)
}
