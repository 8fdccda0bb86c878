package model

import (
	"context"
	"image"
	"math"
	"testing"

	"sigla/backend/ref"
)

// What WriteInitial writes loads, begins with the scalars that are asked for,
// has the spread of its initialisation, and tells photos apart no better than by
// chance: texts and photos have nothing to do with each other yet.
func TestWriteInitial(t *testing.T) {
	src, err := Dir(starterFolder)
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []Kind{SigLIP, CLIP} {
		c := Config{Kind: kind, ImageSize: 16, Patch: 4, Vocab: 8192, Tokens: 16, Dim: 48, EOS: 1}
		c.Vision = Tower{Width: 48, MLP: 192, Heads: 4, Layers: 2, Eps: 1e-6}
		c.Text = c.Vision
		dir := t.TempDir()
		if err := WriteInitial(dir, c, src, float32(math.Log(10)), -10, 1); err != nil {
			t.Fatal(err)
		}
		from, err := Dir(dir)
		if err != nil {
			t.Fatal(err)
		}
		m, err := Load(ref.New(), from)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		if m.Config() != c {
			t.Errorf("written %+v, read %+v", c, m.Config())
		}
		if i := m.Info(); i.LogScale != float32(math.Log(10)) || kind == SigLIP && i.Bias != -10 {
			t.Errorf("t' %g, b %g", i.LogScale, i.Bias)
		}
		checkSpread(t, m)
		x, err := m.Prepare(image.NewGray(image.Rect(0, 0, 9, 9)))
		if err != nil {
			t.Fatal(err)
		}
		images, err := m.Embed(context.Background(), []any{x})
		if err != nil {
			t.Fatal(err)
		}
		texts, err := m.EmbedTexts(context.Background(), []string{"a dog", "a boat"})
		if err != nil {
			t.Fatal(err)
		}
		for _, y := range texts {
			if c := dot(images[0], y); math.Abs(float64(c)) > 0.6 {
				t.Errorf("%s: a cosine of %g before any training", kind, c)
			}
		}
	}
	c := tinyConfig()
	c.Stem = &StemConfig{}
	if err := WriteInitial(t.TempDir(), c, src, 0, 0, 1); err == nil {
		t.Error("a stem was accepted")
	}
}

// checkSpread looks at the mean square of tensors of each kind.
func checkSpread(t *testing.T, m *Model) {
	t.Helper()
	for name, w := range map[string]struct {
		values buf
		want   float64
	}{
		"fc1":    {m.w.image[1].mlp.fc1.w, 2. / (48 + 192)},
		"q":      {m.w.text[0].attn.q.w, 2. / (48 + 48)},
		"patch":  {m.w.patch.w, 1. / 48},
		"places": {m.w.pos, 1. / 48},
		"norm":   {m.w.text[1].ln1.w, 1},
		"bias":   {m.w.image[0].mlp.fc2.b, 0},
	} {
		square := 0.0
		for _, v := range readBuf(t, m, w.values) {
			square += float64(v) * float64(v) / float64(w.values.Len)
		}
		if math.Abs(square-w.want) > w.want/5 {
			t.Errorf("%s: the mean square of %s is %g, want %g", m.cfg.Kind, name, square, w.want)
		}
	}
}
