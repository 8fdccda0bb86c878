package model

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigla/backend"
	"sigla/cpu"
	"sigla/model/safetensors"
)

// What was exported loads as the patched model, bit for bit, whatever the
// layout and type of the base, and with nothing in the folder beside it.
func TestExport(t *testing.T) {
	for _, folder := range []string{"siglip-bicubic", "siglip2-fixed", "siglip-f16", "siglip2-bf16", "siglip-sharded", "siglip-so400m-like", "clip-gelu"} {
		path := filepath.Join("testdata/golden/hf", folder)
		src, err := Dir(path)
		if err != nil {
			t.Fatal(err)
		}
		m := load(t, path)
		patch := Patch{LowRank: []LowRank{lowRank(t, m, "vision_model.encoder.layers.0.self_attn.v_proj.weight", 2)}}
		if m.cfg.Kind == SigLIP {
			patch.Tensors = Scalars(1.25, -3)
		}
		if err := m.Apply(patch); err != nil {
			t.Fatal(err)
		}
		dir := filepath.Join(t.TempDir(), "out")
		if err := m.Export(dir, src, "# card\n"); err != nil {
			t.Fatal(err)
		}
		if err := m.Export(dir, src, ""); !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s: over another: %v", folder, err)
		}
		if list, err := os.ReadDir(filepath.Dir(dir)); err != nil || len(list) != 1 {
			t.Errorf("%s: beside the folder: %v, %v", folder, list, err)
		}
		same(t, folder, embedAll(t, load(t, dir), path), embedAll(t, m, path))
		f, err := safetensors.Open(filepath.Join(dir, singleFile))
		if err != nil {
			t.Fatal(err)
		}
		if len(f.Names()) != len(m.w.list(m.cfg)) || f.Metadata()["format"] != "pt" {
			t.Errorf("%s: %d tensors, metadata %v", folder, len(f.Names()), f.Metadata())
		}
		f.Close()
		config, err := os.ReadFile(filepath.Join(dir, "config.json"))
		if err != nil || strings.Contains(string(config), "float16") {
			t.Errorf("%s: config.json: %s, %v", folder, config, err)
		}
		if card, err := os.ReadFile(filepath.Join(dir, "README.md")); err != nil || string(card) != "# card\n" {
			t.Errorf("%s: card %q, %v", folder, card, err)
		}
	}
}

// fastest is the best engine of this machine.
func fastest(t *testing.T) backend.Backend {
	t.Helper()
	e, err := cpu.New(cpu.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// The starter has a stem, which no other checkpoint has.
func TestExportStarter(t *testing.T) {
	src, err := Dir(starterFolder)
	if err != nil {
		t.Fatal(err)
	}
	m := loadOn(t, fastest(t), starterFolder)
	dir := filepath.Join(t.TempDir(), "out")
	if err := m.Export(dir, src, ""); err != nil {
		t.Fatal(err)
	}
	again := loadOn(t, fastest(t), dir)
	texts := []string{"a cat", "a dog"}
	a, err := m.EmbedTexts(t.Context(), texts)
	if err != nil {
		t.Fatal(err)
	}
	b, err := again.EmbedTexts(t.Context(), texts)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "texts", a, b)
	photo, err := m.Prepare(readImage(t, filepath.Join(bicubic, "image3_64x64.png")))
	if err != nil {
		t.Fatal(err)
	}
	a, err = m.Embed(t.Context(), []any{photo})
	if err != nil {
		t.Fatal(err)
	}
	b, err = again.Embed(t.Context(), []any{photo})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "photo", a, b)
}

func TestInFloat32(t *testing.T) {
	for in, want := range map[string]string{
		`{"a": 1, "b": null}`:                                "",
		`{"dtype": "float32"}`:                               "",
		`{"torch_dtype": "bfloat16", "x": 1e-06}`:            `{"torch_dtype":"float32","x":1e-06}`,
		`{"text_config": {"dtype":"float16"}, "dtype":null}`: `{"text_config":{"dtype":"float32"},"dtype":null}`,
	} {
		got, err := inFloat32([]byte(in))
		if err != nil {
			t.Fatal(err)
		}
		if want == "" {
			if string(got) != in {
				t.Errorf("%s became %s", in, got)
			}
			continue
		}
		var a, b any
		if json.Unmarshal(got, &a) != nil || json.Unmarshal([]byte(want), &b) != nil {
			t.Fatalf("%s", got)
		}
		x, _ := json.Marshal(a)
		if y, _ := json.Marshal(b); string(x) != string(y) {
			t.Errorf("%s became %s, want %s", in, got, want)
		}
	}
	if _, err := inFloat32([]byte("{")); err == nil {
		t.Error("a broken file is taken")
	}
}

// What fails leaves nothing.
func TestExportFails(t *testing.T) {
	m := load(t, bicubic)
	src, err := Dir(bicubic)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Export(filepath.Join(t.TempDir(), "none", "out"), src, ""); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("into no folder: %v", err)
	}
	parent := t.TempDir()
	if err := m.Export(filepath.Join(parent, "out"), Memory("broken", map[string][]byte{"config.json": []byte("{")}), ""); err == nil {
		t.Error("a broken configuration was exported")
	}
	if list, _ := os.ReadDir(parent); len(list) != 0 {
		t.Errorf("left behind: %v", list)
	}
}
