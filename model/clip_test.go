package model

import (
	"math"
	"testing"

	"sigla/backend"
)

// TestTinyCLIP compares with the reference's forward pass and gradients. The
// softmax loss is not an operation of the engines: its gradient by the unit
// rows is computed here, which leaves everything behind them to the model.
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
	loss, logits, dx, dy, dt := softmaxLoss(x, y, 3, math.Exp(float64(float32(logScale))))
	near(t, "logits", logits, want.Logits, 2e-5)
	near(t, "loss", []float64{loss}, []float64{want.Loss}, 1e-5)

	gx, gy := p.mem.take(len(dx)), p.mem.take(len(dy))
	m.e.Write(gx, dx)
	m.e.Write(gy, dy)
	m.e.Write(tr.grads.t, []float32{float32(dt)})
	tr.backward(p, b, gx, gy)
	checkGradients(t, tr, want.Grads)
	if _, err := tr.Add(b); err == nil {
		t.Error("the sigmoid loss ran without a bias")
	}
}

// softmaxLoss is the mean of the cross-entropies of rows and columns of
// logits = scale·x·yᵀ with the diagonal as targets, and its gradients.
func softmaxLoss(x, y []float32, n int, scale float64) (loss float64, logits []float64, dx, dy []float32, dt float64) {
	d := len(x) / n
	logits, dx, dy = make([]float64, n*n), make([]float32, n*d), make([]float32, n*d)
	for i := range n {
		for j := range n {
			logits[i*n+j] = scale * float64(dot(x[i*d:(i+1)*d], y[j*d:(j+1)*d]))
		}
	}
	rows, cols := make([]float64, n), make([]float64, n)
	for i := range n {
		for j := range n {
			rows[i] += math.Exp(logits[i*n+j])
			cols[j] += math.Exp(logits[i*n+j])
		}
	}
	for i := range n {
		loss -= (2*logits[i*n+i] - math.Log(rows[i]) - math.Log(cols[i])) / float64(2*n)
		for j := range n {
			e := math.Exp(logits[i*n+j])
			g := (e/rows[i] + e/cols[j]) / float64(2*n)
			if i == j {
				g -= 1 / float64(n)
			}
			dt += g * logits[i*n+j]
			for k := range d {
				dx[i*d+k] += float32(g * scale * float64(y[j*d+k]))
				dy[j*d+k] += float32(g * scale * float64(x[i*d+k]))
			}
		}
	}
	return loss, logits, dx, dy, dt
}
