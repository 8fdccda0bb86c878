package model

import (
	"math"
	"slices"
	"testing"

	"sigla/backend"
)

// TestTinyCLIP compares with the reference's forward pass and gradients.
func TestTinyCLIP(t *testing.T) {
	var want struct {
		IDs    [][]int32              `json:"input_ids"`
		Image  flat                   `json:"image_pooled"`
		Text   flat                   `json:"text_pooled"`
		X      flat                   `json:"image_embeds"`
		Y      flat                   `json:"text_embeds"`
		Logits flat                   `json:"logits_per_image"`
		Loss   float64                `json:"loss"`
		Grads  map[string]fingerprint `json:"grads"`
	}
	readJSON(t, "testdata/golden/clip_tiny.json", &want)
	c := tinyConfig()
	c.Kind, c.ImageSize, c.Tokens, c.Dim, c.EOS = CLIP, 8, 6, 10, 22
	c.Vision.GELU, c.Text.GELU = backend.GELUQuick, backend.GELUQuick
	c.Vision.Eps, c.Text.Eps = 1e-5, 1e-5
	m := tinyModel(t, c)
	const logScale = 2.6592
	m.e.Write(m.w.t, []float32{logScale})
	tr, err := m.NewTrainer()
	if err != nil {
		t.Fatal(err)
	}
	b := Batch{IDs: want.IDs}
	pixels := hashed("pixel_values", 3*192, 1, 0)
	for i := range 3 {
		b.Images = append(b.Images, cutTiny(pixels[i*192:(i+1)*192], 8))
	}
	p, err := tr.forward(b)
	if err != nil {
		t.Fatal(err)
	}
	x, y := readBuf(t, m, m.images.out), readBuf(t, m, m.texts.out)
	near(t, "image pooled", readBuf(t, m, m.images.pooled), want.Image, 5e-6)
	near(t, "text pooled", readBuf(t, m, m.texts.pooled), want.Text, 5e-6)
	near(t, "image embeds", x, want.X, 5e-6)
	near(t, "text embeds", y, want.Y, 5e-6)
	var logits []float64
	for i := range 3 {
		for j := range 3 {
			logits = append(logits, math.Exp(logScale)*float64(dot(x[i*c.Dim:][:c.Dim], y[j*c.Dim:][:c.Dim])))
		}
	}
	near(t, "logits", logits, want.Logits, 2e-5)
	dx, dy := p.mem.take(len(x)), p.mem.take(len(y))
	loss := softmaxLoss(m, m.images.out, m.texts.out, dx, dy, tr.grads.t, 3)
	near(t, "loss", readBuf(t, m, loss), []float64{want.Loss}, 1e-5)
	tr.backward(p, b, dx, dy)
	checkGradients(t, tr, want.Grads)
	if _, err := tr.Add(b); err == nil {
		t.Error("the sigmoid loss ran without a bias")
	}
}

// softmaxLoss returns the loss of n images and their texts.
func softmaxLoss(m *Model, x, y, dx, dy, dt buf, n int) buf {
	loss := m.e.Alloc(1, backend.Scratch)
	m.e.SoftmaxLoss(loss, dx, dy, dt, x, y, m.w.t, backend.Pairs{Rows: n, Cols: n, Dim: m.cfg.Dim, Default: -1, Diagonal: true})
	return loss
}

// clipLoss is the loss of embeddings.
func clipLoss(t *testing.T, m *Model, images, texts [][]float32) float32 {
	n := len(images)
	put := func(rows [][]float32) (x, dx buf) {
		x, dx = m.e.Alloc(n*m.cfg.Dim, backend.Scratch), m.e.Alloc(n*m.cfg.Dim, backend.Scratch)
		m.e.Write(x, slices.Concat(rows...))
		return x, dx
	}
	x, dx := put(images)
	y, dy := put(texts)
	return readBuf(t, m, softmaxLoss(m, x, y, dx, dy, m.e.Alloc(1, backend.Scratch), n))[0]
}
