package tokenize

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sigla/internal/require"
)

// folder reads files below dir, except the named ones.
func folder(dir string, except ...string) func(string) ([]byte, error) {
	return func(name string) ([]byte, error) {
		if slices.Contains(except, name) {
			return nil, fs.ErrNotExist
		}
		return os.ReadFile(filepath.Join(dir, name))
	}
}

func mustLoad(t testing.TB, files func(string) ([]byte, error), length int) Tokenizer {
	t.Helper()
	tok, err := Load(files, Options{Length: length})
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func TestLoadGolden(t *testing.T) {
	for _, family := range goldenFamilies {
		t.Run(family, func(t *testing.T) {
			dir := filepath.Join(goldenDir, "hf", family)
			want := readExpected(t, dir)
			tok := mustLoad(t, folder(dir), want.Length)
			for i, text := range want.Texts {
				check(t, tok, text, want.IDs[i])
			}
		})
	}
}

// spiece.model is taken before tokenizer.json, and knows its end token without
// any other file.
func TestLoadOrder(t *testing.T) {
	dir := goldenDir + "hf/siglip-bicubic"
	model := read(t, dir, "spiece.model")
	tok := mustLoad(t, func(name string) ([]byte, error) {
		switch name {
		case "spiece.model":
			return model, nil
		case "tokenizer.json":
			return []byte("broken"), nil
		}
		return nil, fs.ErrNotExist
	}, 8)
	check(t, tok, "a cat", []int32{260, 317, 1, 1, 1, 1, 1, 1})
	check(t, tok, "a <unk>", []int32{260, 2, 1, 1, 1, 1, 1, 1})
}

// The Unigram model of a spiece.model and that of the tokenizer.json beside it
// agree on every text.
func TestSentencePieceAgrees(t *testing.T) {
	dir := goldenDir + "hf/siglip-bicubic"
	a, b := mustLoad(t, folder(dir), 64), mustLoad(t, folder(dir, "spiece.model"), 64)
	for _, text := range append(kitokenSample, labels...) {
		want, _ := b.Encode(text)
		check(t, a, text, want)
	}
}

var kitokenSample = []string{"", "  x ", "Σς", "▁a▁", "</s>a</s> b", "\u200bé\x00", "ＡＢＣ　ｄ", "a\nb\tc", "饭 <unk> 饭饭"}

func TestLoadFails(t *testing.T) {
	for _, c := range []struct {
		files map[string]string
		want  string
	}{
		{nil, "there is no tokenizer; one of these is needed: spiece.model, tokenizer.model, tokenizer.json, vocab.json with merges.txt, bpe_simple_vocab_16e6.txt.gz"},
		{map[string]string{"tokenizer_config.json": "x"}, "read tokenizer_config.json: invalid"},
		{map[string]string{"spiece.model": ""}, "read spiece.model: there is no vocabulary"},
		{map[string]string{"tokenizer.model": "\xff"}, "read tokenizer.model: it is cut off or no protocol buffer"},
		{map[string]string{"tokenizer.model": "\x0f"}, "read tokenizer.model: a field of unknown wire type 7"},
		{map[string]string{"tokenizer.model": "version https://git-lfs"}, "read tokenizer.model: "},
		{map[string]string{"spiece.model": "\x0a\x00"}, `piece 0, "" with the score 0`},
		{map[string]string{"spiece.model": "\x0a\x08\x0a\x01a\x15\x00\x00\xc0\x7f"}, `piece 0, "a" with the score NaN`},
		{map[string]string{"spiece.model": "\x0a\x05\x0a\x01\xbf\x18\x04"}, `piece 0, "\xbf" with the score 0`},
		{map[string]string{"spiece.model": "\x0a\x05\x0a\x01a\x18\x01"}, "neither an unknown token"},
		{map[string]string{"spiece.model": "\x0a\x05\x0a\x01a\x18\x02\x12\x02\x18\x03"}, "a model of type 3 is not supported"},
		{map[string]string{"spiece.model": "\x0a\x05\x0a\x01a\x18\x02\x12\x03\xc0\x01\x01"}, "by a ▁ before them"},
		{map[string]string{"spiece.model": "\x0a\x05\x0a\x01a\x18\x02", "tokenizer_config.json": `{"added_tokens_decoder":{"x":{}}}`}, `has the id "x"`},
		{map[string]string{"spiece.model": "\x0a\x05\x0a\x01a\x18\x02", "tokenizer_config.json": `{"eos_token":"b"}`}, `no eos_token "b"`},
		{map[string]string{"spiece.model": "\x0a\x05\x0a\x01a\x18\x02", "tokenizer_config.json": `{"add_bos_token":true}`}, `no bos_token ""`},
		{map[string]string{"vocab.json": "{}"}, "there is no tokenizer; "},
		{map[string]string{"merges.txt": "a b"}, "there is no tokenizer; "},
		{map[string]string{"vocab.json": "x", "merges.txt": ""}, "read vocab.json with merges.txt: vocab.json: JSON at byte 0"},
		{map[string]string{"vocab.json": "{}x", "merges.txt": ""}, "goes on after its end"},
		{map[string]string{"vocab.json": "{}", "merges.txt": "a b"}, `no bos_token "<|startoftext|>"`},
		{map[string]string{"vocab.json": `{"<|startoftext|>":0}`, "merges.txt": "a b"}, `no eos_token "<|endoftext|>"`},
		{map[string]string{"vocab.json": `{"<|startoftext|>":0,"<|endoftext|>":1,"ab":2}`, "merges.txt": "#version: 0.2\na b\nb c"}, `merge 1 makes "bc", which the vocabulary does not have`},
		{map[string]string{"vocab.json": `{"<|startoftext|>":0,"<|endoftext|>":1}`, "merges.txt": "ab"}, "\"ab\" are not two pieces"},
		{map[string]string{"vocab.json": `{"<|startoftext|>":0,"<|endoftext|>":1,"ab":2}`, "merges.txt": "a b", "tokenizer_config.json": `{"pad_token":"a"}`}, `no pad_token "a"`},
		{map[string]string{"vocab.json": `{"<|startoftext|>":0,"<|endoftext|>":1}`, "merges.txt": "#version: 0.2\n"}, "merges.txt has no merges"},
		{map[string]string{"vocab.json": `{"<|endoftext|>":0}`, "merges.txt": "", "tokenizer_config.json": `{"tokenizer_class":"GPT2TokenizerFast"}`}, `"GPT2TokenizerFast" is not supported`},
		{map[string]string{"bpe_simple_vocab_16e6.txt.gz": "x"}, "read bpe_simple_vocab_16e6.txt.gz: "},
		{map[string]string{"bpe_simple_vocab_16e6.txt.gz": gzipped("#version\na b\n")}, "3 lines instead of more than 48894"},
		{map[string]string{"spiece.model": "\x0a\x05\x0a\x01a\x18\x02"}, "id 2 is outside the vocabulary of 1"},
	} {
		_, err := Load(func(name string) ([]byte, error) {
			if data, ok := c.files[name]; ok {
				return []byte(data), nil
			}
			return nil, fs.ErrNotExist
		}, Options{Length: 8})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: error %v, want %s", c.files, err, c.want)
		}
		if none := strings.HasPrefix(c.want, "there is no tokenizer"); errors.Is(err, fs.ErrNotExist) != none || err != nil && strings.HasSuffix(err.Error(), "exist") {
			t.Errorf("%q: error %v, absent: %v", c.files, err, !none)
		}
	}
}

// TestUnreadable: a file that is there and cannot be read is an error, whatever
// else there is.
func TestUnreadable(t *testing.T) {
	broken := errors.New("disk on fire")
	for _, name := range []string{"tokenizer_config.json", "spiece.model", "vocab.json"} {
		_, err := Load(func(n string) ([]byte, error) {
			if n == name {
				return nil, broken
			}
			return nil, fs.ErrNotExist
		}, Options{Length: 8})
		if !errors.Is(err, broken) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func gzipped(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	io.WriteString(w, text)
	w.Close()
	return b.String()
}

// gemmaModel makes a tokenizer.model of the published pieces, which come in id
// order without scores.
func gemmaModel(t testing.TB) []byte {
	t.Helper()
	var pieces []string
	decode(t, &pieces, require.Data(t, "tokenizers/siglip2/pieces_256k.json"))
	var out []byte
	for id, text := range pieces {
		kind := normalPiece
		switch {
		case id == 3:
			kind = unknownPiece
		case id < 3:
			kind = controlPiece
		case 217 <= id && id < 473:
			kind = bytePiece
			text = "<0x" + strings.ToUpper(strconv.FormatInt(0x100+int64(id-217), 16))[1:] + ">"
		case id < 217 || id > 255968:
			kind = userPiece
		}
		p := append([]byte{0x0a}, binary.AppendUvarint(nil, uint64(len(text)))...)
		p = append(append(p, text...), 0x15)
		p = binary.LittleEndian.AppendUint32(p, math.Float32bits(-float32(id)))
		p = append(p, 0x18, byte(kind))
		out = append(out, 0x0a)
		out = append(binary.AppendUvarint(out, uint64(len(p))), p...)
	}
	// trainer_spec: BPE, byte fallback, eos 1, pad 0; normalizer_spec: no dummy
	// prefix, no squeezing.
	out = append(out, 0x12, 11, 0x18, 2, 0x98, 2, 1, 0xd0, 2, 1, 0xd8, 2, 0)
	return append(out, 0x1a, 4, 0x18, 0, 0x20, 0)
}

// gemma opens the SigLIP 2 vocabulary. With bos, as its upstream uses it.
func gemma(t testing.TB, config string, length int) Tokenizer {
	model := gemmaModel(t)
	return mustLoad(t, func(name string) ([]byte, error) {
		switch name {
		case "tokenizer.model":
			return model, nil
		case "tokenizer_config.json":
			return []byte(config), nil
		}
		return nil, fs.ErrNotExist
	}, length)
}

const gemmaConfig = `{"tokenizer_class":"GemmaTokenizer","do_lower_case":true,"eos_token":"<eos>","pad_token":"<pad>"}`

func TestSigLIP2(t *testing.T) {
	var v vectors
	decode(t, &v, goldenDir, "vectors.json")
	tok := gemma(t, gemmaConfig, 64)
	if len(v.V2.Cases) != 30 || len(v.Gemma.Cases) != 37 {
		t.Fatalf("%d and %d cases", len(v.V2.Cases), len(v.Gemma.Cases))
	}
	for _, c := range v.V2.Cases {
		check(t, tok, c.text, padded(c.ids, 64, 0))
		check(t, tok, strings.Map(upperASCII, c.text), padded(c.ids, 64, 0))
	}
	upstream := gemma(t, `{"eos_token":"<eos>","pad_token":"<pad>","bos_token":"<bos>","add_bos_token":true}`, 512)
	for _, c := range v.Gemma.Cases {
		check(t, upstream, c.text, padded(append(c.ids, 1), 512, 0))
	}
}

func upperASCII(r rune) rune {
	if 'a' <= r && r <= 'z' {
		return r - 'a' + 'A'
	}
	return r
}

// Kitoken's texts, each line a text, with the ids that the original libraries gave.
func TestKitoken(t *testing.T) {
	dir := require.Data(t, "tokenizers/vectors-kitoken")
	const length = 4 << 10
	for _, c := range []struct {
		tok    Tokenizer
		ids    string
		before []int32
		after  []int32
	}{
		{gemma(t, `{"eos_token":"<eos>","pad_token":"<pad>"}`, length), "sentencepiece/%_tokens_gemma.txt", nil, []int32{1}},
		{mustLoad(t, folder(require.Data(t, "tokenizers/clip")), length), "tokenizers/%_tokens_clip_base.txt", []int32{49406}, []int32{49407}},
	} {
		for _, set := range []string{"small", "mixed"} {
			texts := lines(t, dir, set+"_input.txt")
			rows := lines(t, dir, strings.ReplaceAll(c.ids, "%", set))
			if len(texts) != len(rows) || len(rows) < 20 {
				t.Fatalf("%s: %d texts, %d rows", set, len(texts), len(rows))
			}
			for i, text := range texts {
				var ids []int32
				if err := json.Unmarshal([]byte("["+rows[i]+"]"), &ids); err != nil {
					t.Fatal(err)
				}
				text = strings.NewReplacer(`\n`, "\n", `\s`, " ", `\t`, "\t").Replace(text)
				want := slices.Concat(c.before, ids, c.after)
				got, _ := c.tok.Encode(text)
				if got = got[:min(len(want), len(got))]; !slices.Equal(got, want) {
					t.Errorf("%s %d %q:\n got %v\nwant %v", c.ids, i, text, got, want)
				}
			}
		}
	}
}

// The whole of a long text at once.
func TestKitokenUTF8(t *testing.T) {
	dir := require.Data(t, "tokenizers/vectors-kitoken")
	text := string(read(t, dir, "utf8_input.txt"))
	for name, tok := range map[string]Tokenizer{
		"sentencepiece/utf8_tokens_gemma.txt":  gemma(t, `{"eos_token":"<eos>","pad_token":"<pad>"}`, 8<<10),
		"tokenizers/utf8_tokens_clip_base.txt": mustLoad(t, folder(require.Data(t, "tokenizers/clip")), 8<<10),
	} {
		var want []int32
		if err := json.Unmarshal([]byte("["+string(read(t, dir, name))+"]"), &want); err != nil {
			t.Fatal(err)
		}
		got, _ := tok.Encode(text)
		if strings.Contains(name, "clip") {
			got = got[1:]
		}
		if !slices.Equal(got[:len(want)], want) {
			t.Errorf("%s: the ids differ", name)
		}
	}
}

func lines(t *testing.T, path ...string) (list []string) {
	s := bufio.NewScanner(strings.NewReader(string(read(t, path...))))
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		list = append(list, s.Text())
	}
	return list
}
