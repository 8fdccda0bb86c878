package model

import (
	"context"
	"math"
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
	b := Batch{IDs: want.IDs, Pairs: backend.Pairs{Default: -1, Diagonal: true}, Loss: Softmax}
	pixels := hashed("pixel_values", 3*192, 1, 0)
	for i := range 3 {
		b.Images = append(b.Images, cutTiny(pixels[i*192:(i+1)*192], 8))
	}
	loss := add(t, tr, b)
	near(t, "loss", []float32{loss}, []float64{want.Loss}, 1e-5)
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
	checkGradients(t, tr, want.Grads)
	b.Loss = Sigmoid
	if _, err := tr.Add(context.Background(), b); err == nil {
		t.Error("the sigmoid loss ran without a bias")
	}
}
