package model

import (
	"context"
	"image"
	"testing"

	"sigla/backend"
	"sigla/backend/ref"
)

// What WriteRandom writes loads again as the same shape and embeds.
func TestWriteRandom(t *testing.T) {
	for _, kind := range []Kind{SigLIP, CLIP} {
		c := tinyConfig()
		c.Kind, c.Vocab, c.EOS = kind, 100, 1
		c.Vision.GELU = backend.GELUQuick
		dir := t.TempDir()
		if err := WriteRandom(dir, c, 1); err != nil {
			t.Fatal(err)
		}
		src, err := Dir(dir)
		if err != nil {
			t.Fatal(err)
		}
		m, err := Load(ref.New(), src)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		if m.Config() != c {
			t.Errorf("written %+v, read %+v", c, m.Config())
		}
		x, err := m.Prepare(image.NewGray(image.Rect(0, 0, 9, 9)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Embed(context.Background(), []any{x}); err != nil {
			t.Error(err)
		}
		if y, err := m.EmbedTexts(context.Background(), []string{"a cat", "a dog"}); err != nil || y[0][0] == y[1][0] {
			t.Errorf("%v %v", y, err)
		}
	}
}
