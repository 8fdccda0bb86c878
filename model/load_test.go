package model

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigla/backend"
	"sigla/backend/ref"
	"sigla/model/preprocess"
	"sigla/model/safetensors"
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
	{"no text tower", func(t *testing.T, f map[string][]byte) {
		f[singleFile] = header(t, f[singleFile], func(h map[string]map[string]any) {
			for name, tensor := range maps.Clone(h) {
				if rest, ok := strings.CutPrefix(name, "text_model."); ok {
					delete(h, name)
					h["decoder."+strings.ReplaceAll(rest, ".", "_")] = tensor // that of something else
				}
			}
		})
	}, []string{"no text tower", "both towers"}},
	{"an image tower alone", replace("config.json", `"model_type": "siglip"`, `"model_type": "siglip_vision_model"`), []string{"config.json", "no text tower", "both towers"}},
	{"a layer more than in the config", func(t *testing.T, f map[string][]byte) {
		replace("config.json", "\"num_hidden_layers\": 2,\n    \"pad_token_id\"", "\"num_hidden_layers\": 1,\n    \"pad_token_id\"")(t, f)
	}, []string{singleFile, "text_model.encoder.layers.1.layer_norm1.bias", "15 more"}},
	{"NaN", func(t *testing.T, f map[string][]byte) {
		at := len(f[singleFile]) - 4
		f[singleFile] = append(slices.Clone(f[singleFile][:at]), 0, 0, 0xc0, 0x7f)
	}, []string{singleFile, "no numbers"}},
	{"a table of integers", func(t *testing.T, f map[string][]byte) {
		f[singleFile] = header(t, f[singleFile], func(h map[string]map[string]any) { h[tokenTable]["dtype"] = "I32" })
	}, []string{singleFile, tokenTable, "I32"}},
	{"another model's tokenizer", replace("config.json", `"vocab_size": 472`, `"vocab_size": 1000`), []string{"tokenizer", "472", "1000"}},
	{"an epsilon beyond float32", replace("config.json", `"layer_norm_eps": 1e-06`, `"layer_norm_eps": 1e300`), []string{"config.json", "layer_norm_eps"}},
	{"only a pickle", func(_ *testing.T, f map[string][]byte) {
		delete(f, singleFile)
		f["pytorch_model.bin"] = []byte("PK")
	}, []string{"pytorch_model.bin", "pickle", "safetensors"}},
	{"an index naming absent files", func(_ *testing.T, f map[string][]byte) {
		delete(f, singleFile)
		f[indexFile] = []byte(`{"weight_map":{"logit_scale":"model-00001-of-00002.safetensors"}}`)
	}, []string{"no model-00001-of-00002.safetensors"}},
	{"an index that lies", func(_ *testing.T, f map[string][]byte) {
		f["a.safetensors"] = f[singleFile]
		delete(f, singleFile)
		f[indexFile] = []byte(`{"weight_map":{"logit_scale":"a.safetensors","logit_shift":"a.safetensors"}}`)
	}, []string{indexFile, `"logit_shift"`, "a.safetensors"}},
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
		delete(f, singleFile)
		f[indexFile] = []byte(`{"weight_map":{"logit_scale":"` + name + `"}}`)
		if _, err := Load(ref.New(), Memory("tiny", f)); err == nil || !strings.Contains(err.Error(), "same folder") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Old and new library versions, and models around this one, write other names:
// another prefix of a tower, one before everything, other packing.
func TestOtherNames(t *testing.T) {
	rename := func(edit func(name string) string) func(h map[string]map[string]any) {
		return func(h map[string]map[string]any) {
			for name, v := range maps.Clone(h) {
				if name != "__metadata__" {
					delete(h, name)
					h[edit(name)] = v
				}
			}
		}
	}
	for what, edit := range map[string]func(h map[string]map[string]any){
		"another tower": rename(func(name string) string {
			return strings.Replace(name, "vision_model.", "vision_tower.vision_model.", 1)
		}),
		"no tower":          rename(func(name string) string { return strings.TrimPrefix(name, "vision_model.") }),
		"before everything": rename(func(name string) string { return "model." + name }),
	} {
		f := files(t, tinyFolder)
		f[singleFile] = header(t, f[singleFile], edit)
		if _, err := Load(ref.New(), Memory("tiny", f)); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// Queries, keys and values load packed and apart, wherever they are.
func TestRepack(t *testing.T) {
	m := load(t, tinyFolder)
	w := m.files
	const block, head = "vision_model.encoder.layers.0.self_attn.", "vision_model.head.attention."
	for _, kind := range []string{"weight", "bias"} {
		var parts []safetensors.Tensor
		for _, p := range []string{"q", "k", "v"} {
			parts = append(parts, w.source[block+p+"_proj."+kind].tensor)
			packed := w.source[head+"in_proj_"+kind].tensor
			n := packed.Shape[0] / 3
			w.source[head+p+"_proj."+kind] = found{tensor: packed.Rows((len(parts)-1)*n, n)}
			delete(w.source, block+p+"_proj."+kind)
		}
		w.source[block+"in_proj_"+kind] = found{tensor: safetensors.Join(parts...)}
		delete(w.source, head+"in_proj_"+kind)
	}
	w.repack()
	before := readBuf(t, m, m.w.image[0].attn.k.w)
	if err := m.upload(); err != nil {
		t.Fatal(err)
	}
	near(t, "keys of a block", readBuf(t, m, m.w.image[0].attn.k.w), before, 0)
	near(t, "values of the head", readBuf(t, m, m.w.pool.attn.v.w), readBuf(t, load(t, tinyFolder), load(t, tinyFolder).w.pool.attn.v.w), 0)
}

// A table that is not a number shows when a text needs it: it is too large to
// be read whole.
func TestDamagedTable(t *testing.T) {
	f := files(t, tinyFolder)
	whole, err := safetensors.Parse("tiny", f[singleFile])
	if err != nil {
		t.Fatal(err)
	}
	table, _ := whole.Tensor(tokenTable)
	for i := range table.Data {
		table.Data[i] = 0xff // NaN
	}
	m, err := Load(ref.New(), Memory("tiny", f))
	if err != nil {
		t.Fatal(err)
	}
	_, err = m.EmbedTexts(context.Background(), []string{"a cat"})
	if err == nil || !strings.Contains(err.Error(), tokenTable) {
		t.Errorf("texts were embedded: %v", err)
	}
}

// FuzzLoad changes one byte of a checkpoint's header or configuration: the
// result is a model or an error, never a panic.
func FuzzLoad(f *testing.F) {
	f.Add(uint32(0), byte(1), true)
	f.Add(uint32(300), byte('9'), true)
	f.Add(uint32(100), byte('{'), false)
	good := map[string][]byte{}
	for _, name := range []string{"config.json", "preprocessor_config.json", "tokenizer.json", "tokenizer_config.json", singleFile} {
		data, err := os.ReadFile(filepath.Join(tinyFolder, name))
		if err != nil {
			f.Fatal(err)
		}
		good[name] = data
	}
	f.Fuzz(func(t *testing.T, at uint32, to byte, weights bool) {
		spoilt := maps.Clone(good)
		name, n := "config.json", uint32(len(good["config.json"]))
		if weights {
			name, n = singleFile, uint32(8+binary.LittleEndian.Uint64(good[singleFile]))
		}
		spoilt[name] = slices.Clone(good[name])
		spoilt[name][at%n] = to
		if m, err := Load(ref.New(), Memory("tiny", spoilt)); err == nil {
			m.Close()
		}
	})
}

func TestDir(t *testing.T) {
	if _, err := Dir(filepath.Join(tinyFolder, singleFile)); err == nil || !strings.Contains(err.Error(), "is a file") {
		t.Errorf("a file: %v", err)
	}
	if _, err := Dir(filepath.Join(t.TempDir(), "x")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("nothing: %v", err)
	}
}

// A result must not depend on what else is in the batch, nor on its order or
// size, on any engine.
func TestBatchesDoNotMix(t *testing.T) {
	for name, e := range engines(t) {
		t.Run(name, func(t *testing.T) { checkBatches(t, e) })
	}
	for name, e := range engines(t) {
		t.Run(name+", large", func(t *testing.T) { checkBatches(t, able{e, backend.Capacity{FLOPS: 1e18}}) })
	}
}

func checkBatches(t *testing.T, e backend.Backend) {
	m := loadOn(t, e, tinyFolder)
	var batch []any
	var texts []string
	for i := range m.Batch() + 3 {
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
	embed := func(batch []any, texts []string) (x, y [][]float32) {
		x, err := m.Embed(context.Background(), batch)
		if err == nil {
			y, err = m.EmbedTexts(context.Background(), texts)
		}
		if err != nil {
			t.Fatal(err)
		}
		return x, y
	}
	images, words := embed(batch, texts)
	slices.Reverse(batch)
	slices.Reverse(texts)
	backwards, sdrow := embed(batch, texts)
	last := len(batch) - 1
	for i := range batch {
		x, y := embed(batch[last-i:last-i+1], texts[last-i:last-i+1])
		near(t, "image alone", x[0], images[i], 0)
		near(t, "text alone", y[0], words[i], 0)
		near(t, "image in another order", backwards[last-i], images[i], 0)
		near(t, "text in another order", sdrow[last-i], words[i], 0)
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

// TestWithoutPreprocessor: config.json alone says which image processor a
// checkpoint wants.
func TestWithoutPreprocessor(t *testing.T) {
	const shape = `{"model_type": %q, "text_config": {"vocab_size": %d}, "vision_config": {"image_size": 256, "patch_size": 16}}`
	for _, c := range []struct {
		kind  string
		vocab int
		want  preprocess.Family
	}{
		{"siglip", 32000, preprocess.SigLIP},
		{"siglip", 256000, preprocess.SigLIP2},
		{"clip", 49408, preprocess.CLIP},
	} {
		cfg, err := ParseConfig(fmt.Appendf(nil, shape, c.kind, c.vocab))
		if err != nil {
			t.Fatal(err)
		}
		m := &Model{cfg: cfg}
		if err := m.loadPreprocessor(Memory("none", nil)); err != nil {
			t.Fatal(err)
		}
		if want := preprocess.Default(c.want, 256); m.pre != want {
			t.Errorf("%s, %d pieces: %+v, want %+v", c.kind, c.vocab, m.pre, want)
		}
	}
}
