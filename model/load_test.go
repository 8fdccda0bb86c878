package model

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"image"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigla/backend/ref"
)

const tinyFolder = "testdata/golden/hf/siglip-bicubic"

// files reads a checkpoint folder, to break it.
func files(t *testing.T, folder string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	for _, name := range []string{"config.json", "preprocessor_config.json", "tokenizer.json", "tokenizer_config.json", singleFile} {
		data, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		out[name] = data
	}
	return out
}

// header rewrites the header of a safetensors file.
func header(t *testing.T, file []byte, edit func(map[string]map[string]any)) []byte {
	t.Helper()
	n := binary.LittleEndian.Uint64(file)
	var h map[string]map[string]any
	if err := json.Unmarshal(file[8:8+n], &h); err != nil {
		t.Fatal(err)
	}
	edit(h)
	head, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	out := binary.LittleEndian.AppendUint64(nil, uint64(len(head)))
	return append(append(out, head...), file[8+n:]...)
}

const fc1 = "vision_model.encoder.layers.1.mlp.fc1.weight"

// A breaker spoils the files of a checkpoint.
type breaker func(t *testing.T, f map[string][]byte)

func replace(name, old, new string) breaker {
	return func(t *testing.T, f map[string][]byte) {
		t.Helper()
		if !strings.Contains(string(f[name]), old) {
			t.Fatalf("%s has no %s", name, old)
		}
		f[name] = []byte(strings.Replace(string(f[name]), old, new, 1))
	}
}

// brokenCheckpoints says what is spoilt and what the error must name.
var brokenCheckpoints = []struct {
	name  string
	spoil breaker
	want  []string
}{
	{"no config", func(t *testing.T, f map[string][]byte) { delete(f, "config.json") }, []string{"no config.json"}},
	{"config is no JSON", func(t *testing.T, f map[string][]byte) { f["config.json"] = []byte("{") }, []string{"config.json"}},
	{"another kind", replace("config.json", `"model_type": "siglip"`, `"model_type": "bert"`), []string{"config.json", `"bert"`}},
	{"heads do not divide", replace("config.json", `"num_attention_heads": 3`, `"num_attention_heads": 5`), []string{"config.json", "vision_config", "24", "5"}},
	{"negative layers", replace("config.json", `"num_hidden_layers": 2`, `"num_hidden_layers": -2`), []string{"config.json", "-2"}},
	{"huge width", replace("config.json", `"hidden_size": 16`, `"hidden_size": 9223372036854775807`), []string{"config.json"}},
	{"another width", replace("config.json", `"intermediate_size": 50`, `"intermediate_size": 52`), []string{singleFile, "vision_model.encoder.layers.0.mlp.fc1.weight", "[50 24]", "[52 24]"}},
	{"another input", replace("preprocessor_config.json", `"height": 32`, `"height": 64`), []string{"preprocessor_config.json", "32×64", "32×32"}},
	{"no tokenizer", func(t *testing.T, f map[string][]byte) { delete(f, "tokenizer.json") }, []string{"tokenizer"}},
	{"small table", replace("config.json", `"vocab_size": 472`, `"vocab_size": 300`), []string{"tokenizer", "472", "300"}},
	{"no weights", func(t *testing.T, f map[string][]byte) { delete(f, singleFile) }, []string{"no " + singleFile}},
	{"truncated weights", func(t *testing.T, f map[string][]byte) { f[singleFile] = f[singleFile][:70000] }, []string{singleFile}},
	{"missing tensor", func(t *testing.T, f map[string][]byte) {
		f[singleFile] = header(t, f[singleFile], func(h map[string]map[string]any) {
			h["text_model.position_ids"] = h[fc1]
			delete(h, fc1)
		})
	}, []string{singleFile, fc1}},
	{"a layer more than in the config", func(t *testing.T, f map[string][]byte) {
		replace("config.json", "\"num_hidden_layers\": 2,\n    \"pad_token_id\"", "\"num_hidden_layers\": 1,\n    \"pad_token_id\"")(t, f)
	}, []string{singleFile, "text_model.encoder.layers.1.layer_norm1.bias", "15 more"}},
	{"NaN", func(t *testing.T, f map[string][]byte) {
		at := len(f[singleFile]) - 4
		f[singleFile] = append(slices.Clone(f[singleFile][:at]), 0, 0, 0xc0, 0x7f)
	}, []string{singleFile, "no numbers"}},
	{"integers", func(t *testing.T, f map[string][]byte) {
		f[singleFile] = header(t, f[singleFile], func(h map[string]map[string]any) { h[fc1]["dtype"] = "I32" })
	}, []string{singleFile, fc1, "I32"}},
}

// Every broken checkpoint ends in one line that names the file, and the tensor
// if there is one.
func TestBrokenCheckpoints(t *testing.T) {
	good := files(t, tinyFolder)
	for _, c := range brokenCheckpoints {
		t.Run(c.name, func(t *testing.T) {
			broken := maps.Clone(good)
			c.spoil(t, broken)
			_, err := Load(ref.New(), Memory("tiny", broken))
			if err == nil {
				t.Fatal("it loaded")
			}
			for _, want := range append(c.want, "open model") {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("%q has more than one line", err)
			}
		})
	}
	if _, err := Load(ref.New(), Memory("tiny", good)); err != nil {
		t.Errorf("the unbroken one: %v", err)
	}
}

func TestIndexStaysInItsFolder(t *testing.T) {
	for _, name := range []string{"../model.safetensors", `..\\model.safetensors`, "a/b.safetensors", ".."} {
		f := files(t, tinyFolder)
		f[indexFile] = []byte(`{"weight_map":{"logit_scale":"` + name + `"}}`)
		if _, err := Load(ref.New(), Memory("tiny", f)); err == nil || !strings.Contains(err.Error(), "same folder") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Old and new library versions write other prefixes.
func TestPrefixes(t *testing.T) {
	for _, prefix := range []string{"", "model."} {
		f := files(t, tinyFolder)
		f[singleFile] = header(t, f[singleFile], func(h map[string]map[string]any) {
			for name, v := range maps.Clone(h) {
				if rest, ok := strings.CutPrefix(name, "vision_model."); ok {
					delete(h, name)
					h["vision_tower."+prefix+rest] = v
				}
			}
		})
		if _, err := Load(ref.New(), Memory("tiny", f)); err != nil {
			t.Errorf("prefix %q: %v", prefix, err)
		}
	}
}

func TestDir(t *testing.T) {
	if _, err := Dir(filepath.Join(tinyFolder, singleFile)); err == nil || !strings.Contains(err.Error(), "is a file") {
		t.Errorf("a file: %v", err)
	}
	if _, err := Dir(filepath.Join(t.TempDir(), "x")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("nothing: %v", err)
	}
}

// A result must not depend on what else is in the batch, nor on its order.
func TestBatchesDoNotMix(t *testing.T) {
	m := load(t, tinyFolder)
	var batch []any
	var texts []string
	for i := range maxBatch + 3 {
		img := image.NewNRGBA(image.Rect(0, 0, 30+i, 40))
		for j := range img.Pix {
			img.Pix[j] = uint8(j * (i + 3))
		}
		x, err := m.Prepare(img)
		if err != nil {
			t.Fatal(err)
		}
		batch, texts = append(batch, x), append(texts, strings.Repeat("a cat ", i))
	}
	ctx := context.Background()
	images, err := m.Embed(ctx, batch)
	if err != nil {
		t.Fatal(err)
	}
	words, err := m.EmbedTexts(ctx, texts)
	if err != nil {
		t.Fatal(err)
	}
	for i := range batch {
		x, err := m.Embed(ctx, batch[i:i+1])
		if err != nil {
			t.Fatal(err)
		}
		y, err := m.EmbedTexts(ctx, texts[i:i+1])
		if err != nil {
			t.Fatal(err)
		}
		near(t, "image", x[0], images[i], 0)
		near(t, "text", y[0], words[i], 0)
	}
}

func TestEmbedRefuses(t *testing.T) {
	m := load(t, tinyFolder)
	for _, x := range []any{nil, 7, []float32{1}} {
		if _, err := m.Embed(context.Background(), []any{x}); err == nil {
			t.Errorf("%v was embedded", x)
		}
	}
	if _, err := m.Prepare(image.NewGray(image.Rect(0, 0, 0, 5))); err == nil {
		t.Error("a photo without pixels was prepared")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := m.EmbedTexts(ctx, []string{"a"}); !errors.Is(err, context.Canceled) {
		t.Errorf("after cancelling: %v", err)
	}
}
