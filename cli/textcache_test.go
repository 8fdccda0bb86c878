package cli

import (
	"context"
	"crypto/sha256"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"sigla/model"
)

func TestTextCache(t *testing.T) {
	a := &app{}
	enc, err := a.load(context.Background(), starter())
	if err != nil {
		t.Fatal(err)
	}
	defer enc.Close()
	path := filepath.Join(t.TempDir(), "texts")
	open := func() *textCache { return &textCache{path: path, width: enc.Info().Width} }
	ctx, texts := context.Background(), []string{"a cat", "a dog", "a cat"}
	want, err := enc.Model.EmbedTexts(ctx, texts)
	if err != nil {
		t.Fatal(err)
	}
	check := func(c *textCache, what string, known int) {
		t.Helper()
		checkTexts(t, enc, c, texts, want, what, known)
	}
	check(open(), "no file", 0)
	check(open(), "from the file", 2)

	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	size := open().recordSize()
	damaged := slices.Clone(data)
	damaged[size+40] ^= 1
	for _, c := range []struct {
		what  string
		data  []byte
		known int
	}{
		{"torn", data[:len(data)-5], len(data)/size - 1},
		{"damaged", damaged[:2*size], 1},
		{"another file", []byte("text"), 0},
	} {
		if err := os.WriteFile(path, c.data, 0o644); err != nil {
			t.Fatal(err)
		}
		known := open()
		known.read()
		check(open(), c.what, len(known.known))
		if len(known.known) > c.known {
			t.Errorf("%s: %d records were believed, want at most %d", c.what, len(known.known), c.known)
		}
		check(open(), c.what+", mended", 2)
	}
	blocked := &textCache{path: filepath.Join(path, "no", "folder"), width: enc.Info().Width}
	check(blocked, "nowhere to write", 0)
}

// checkTexts embeds texts through a cache that must know so many before.
func checkTexts(t *testing.T, enc *encoder, c *textCache, texts []string, want [][]float32, what string, known int) {
	t.Helper()
	c.read()
	if len(c.known) != known {
		t.Errorf("%s: %d texts are known, want %d", what, len(c.known), known)
	}
	got, err := c.embed(context.Background(), enc.Model, texts)
	if err != nil {
		t.Fatal(err)
	}
	for i := range got {
		if !slices.Equal(got[i], want[i]) {
			t.Errorf("%s: text %d differs", what, i)
		}
	}
}

// An embedding that is not finite is not kept, others of its batch are.
func TestTextCacheKeepsNumbers(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(-1))
	path := filepath.Join(t.TempDir(), "texts")
	c := &textCache{path: path, width: 2}
	c.read()
	c.add([]string{"a", "b", "c"}, [][]float32{{1, nan}, {0.6, 0.8}, {inf, 0}})
	again := &textCache{path: path, width: 2}
	again.read()
	for _, c := range []*textCache{c, again} {
		if row := c.known[sha256.Sum256([]byte("b"))]; len(c.known) != 1 || !slices.Equal(row, []float32{0.6, 0.8}) {
			t.Errorf("known are %v, want b's only", c.known)
		}
	}
}

// Weights that have changed have a cache of their own, even where the digest,
// which reads samples, is the same.
func TestTextCacheFollowsWeights(t *testing.T) {
	dir := t.TempDir()
	weights := filepath.Join(dir, "model-00001-of-00002.safetensors")
	if err := os.WriteFile(weights, []byte("weights"), 0o644); err != nil {
		t.Fatal(err)
	}
	src, err := openFolder(dir, "tiny")
	if err != nil {
		t.Fatal(err)
	}
	path := func(digest, device string) string { return newTextCache(model.Info{Digest: digest}, device, src).path }
	seen := []string{path("one", "cpu avx2 · f32")}
	if path("one", "cpu avx2 · f32") != seen[0] {
		t.Error("the same model has two caches")
	}
	next := func(what, path string) {
		t.Helper()
		if slices.Contains(seen, path) {
			t.Errorf("%s has the cache of another", what)
		}
		seen = append(seen, path)
	}
	next("another model", path("two", "cpu avx2 · f32"))
	next("another engine", path("one", "cpu generic · f32"))
	if err := os.Chtimes(weights, time.Time{}, time.Unix(1e9, 0)); err != nil {
		t.Fatal(err)
	}
	next("a newer file", path("one", "cpu avx2 · f32"))
	if err := os.Truncate(weights, 3); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(weights, time.Time{}, time.Unix(1e9, 0)); err != nil {
		t.Fatal(err)
	}
	next("a shorter file", path("one", "cpu avx2 · f32"))
}
