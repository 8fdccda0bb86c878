package cli

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestTextCache(t *testing.T) {
	a := &app{}
	enc, err := a.load(starter())
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
