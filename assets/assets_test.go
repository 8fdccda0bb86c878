package assets_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"image/jpeg"
	"io/fs"
	"path"
	"slices"
	"strings"
	"testing"

	"sigla/assets"
	"sigla/gallery/label"
)

// The starter model is published by these digests: other weights or another
// tokenizer are another model and need another name.
func TestStarter(t *testing.T) {
	want := map[string]string{
		"MODEL.md":                 "",
		"config.json":              "8355d5d65e409d8b9e2269b10d8fb0dcec51f59bff69f38aed7c957050f1424d",
		"model.safetensors":        "f311ca03bb66d6f923e5ab2a042263a6be9c0c8cba2e53105619b347e9085ef1",
		"preprocessor_config.json": "538c4508060407273c209e6d3abb14349766c651d3f6cacc8e9e79821ece6816",
		"tokenizer.json":           "fcb27ed40d70b81399cf835099bdf5294babfb185a8a8e55c92e93b92de9531a",
		"tokenizer_config.json":    "06b5828bfcc93da5a6fb913477ab3687bcabeff1735a6554e59b1182ad5c09fb",
	}
	files := assets.Starter()
	for name, digest := range want {
		data, ok := files[name]
		if sum := sha256.Sum256(data); !ok || len(data) == 0 || digest != "" && hex.EncodeToString(sum[:]) != digest {
			t.Errorf("%s: %d bytes with digest %x, want %s", name, len(data), sum, digest)
		}
	}
	if len(files) != len(want) {
		t.Errorf("%d files, want %d", len(files), len(want))
	}
	if about := files["MODEL.md"]; !bytes.Contains(about, []byte("licence")) {
		t.Error("MODEL.md does not speak of licences")
	}
}

func TestStarterIsShared(t *testing.T) {
	a, b := assets.Starter()["model.safetensors"], assets.Starter()["model.safetensors"]
	if &a[0] != &b[0] {
		t.Error("the weights were copied")
	}
}

func TestDemo(t *testing.T) {
	names, err := fs.Glob(assets.Demo(), "*.jpg")
	if err != nil || len(names) != 23 {
		t.Fatalf("%d photos, %v; want 23", len(names), err)
	}
	credits, err := fs.ReadFile(assets.Demo(), "CREDITS.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		f, err := assets.Demo().Open(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := jpeg.DecodeConfig(f); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		f.Close()
		if !strings.Contains(string(credits), strings.TrimSuffix(name, path.Ext(name))) {
			t.Errorf("CREDITS.md does not name %s", name)
		}
	}
}

func TestEveryday(t *testing.T) {
	set, err := label.Parse("everyday.toml", assets.Everyday())
	if err != nil {
		t.Fatal(err)
	}
	if set.Name != "everyday" || !slices.Equal(set.Templates, []string{label.DefaultTemplate}) {
		t.Errorf("set %q with templates %q", set.Name, set.Templates)
	}
	if len(set.Labels) != 60 {
		t.Errorf("%d labels, want 60", len(set.Labels))
	}
	// Parse refuses equal names; equal texts would be two names for one thing.
	seen := make(map[string]string)
	for _, l := range set.Labels {
		if l.Group == "" {
			t.Errorf("label %q has no group", l.Name)
		}
		for _, text := range l.Texts(set.Templates) {
			if other, twice := seen[text]; twice {
				t.Errorf("labels %q and %q are both %q", l.Name, other, text)
			}
			seen[text] = l.Name
		}
	}
}
