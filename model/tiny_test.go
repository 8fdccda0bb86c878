package model

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"hash/fnv"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"sigla/backend"
	"sigla/backend/ref"
	"sigla/model/preprocess"
	"sigla/model/safetensors"
)

// hashed fills a tensor by the closed formula of testdata/golden/gen_golden.py.
func hashed(name string, n int, amp, base float64) []float32 {
	h := fnv.New32a()
	h.Write([]byte(name))
	out := make([]float32, n)
	for i := range out {
		x := h.Sum32() + uint32(i)*2654435761
		x ^= x >> 16
		x *= 0x85ebca6b
		x ^= x >> 13
		x *= 0xc2b2ae35
		x ^= x >> 16
		out[i] = float32(base + amp*(2*float64(x)/(1<<32)-1))
	}
	return out
}

func hashedWeight(name string, n int) []float32 {
	parent, leaf := filepath.Split(strings.ReplaceAll(name, ".", "/"))
	switch {
	case name == "logit_scale":
		return []float32{float32(math.Log(10))} // CLIP's is set by its test
	case name == "logit_bias":
		return []float32{-3}
	case strings.Contains(parent, "norm") && leaf == "weight":
		return hashed(name, n, 0.2, 1)
	case strings.Contains(parent, "norm"):
		return hashed(name, n, 0.1, 0)
	}
	return hashed(name, n, 0.5, 0)
}

// tinyConfig is the shape of the specification's tiny models.
func tinyConfig() Config {
	tower := Tower{Width: 12, MLP: 20, Heads: 2, Layers: 2, Eps: 1e-6}
	c := Config{Vision: tower, Text: tower, ImageSize: 10, Patch: 4, Vocab: 23, Tokens: 5, Dim: 12}
	c.Text.Width, c.Text.MLP = 8, 14
	return c
}

// tinyModel fills a model by formula: no file is needed.
func tinyModel(t *testing.T, c Config) *Model {
	t.Helper()
	e := ref.New()
	m := &Model{cfg: c, e: e, mem: arena{e: e}, window: preprocess.Valid(c.ImageSize, c.ImageSize, c.Patch)}
	var p params
	var tensors []safetensors.Tensor
	for _, w := range p.list(c) {
		values := hashedWeight(w.name, w.len())
		data := make([]byte, 0, 4*len(values))
		for _, v := range values {
			data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
		}
		tensors = append(tensors, safetensors.Tensor{Name: w.name, Type: "F32", Shape: w.shape, Data: data})
	}
	path := filepath.Join(t.TempDir(), singleFile)
	if err := safetensors.Write(path, tensors, nil); err != nil {
		t.Fatal(err)
	}
	src, err := Dir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	if err := m.loadWeights(src); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// cutTiny cuts channel-first pixels [3, side, side] into 2×2 patches of 4
// pixels; rows and columns from the ninth on belong to none.
func cutTiny(pixels []float32, side int) []float32 {
	var rows []float32
	for _, corner := range [][2]int{{0, 0}, {0, 4}, {4, 0}, {4, 4}} {
		for c := range 3 {
			for y := range 4 {
				at := (c*side+corner[0]+y)*side + corner[1]
				rows = append(rows, pixels[at:at+4]...)
			}
		}
	}
	return rows
}

// flat reads nested lists of numbers of any depth.
type flat []float64

func (f *flat) UnmarshalJSON(data []byte) error {
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		return err
	}
	*f = appendFlat(nil, v)
	return nil
}

func appendFlat(f flat, v any) flat {
	if n, ok := v.(float64); ok {
		return append(f, n)
	}
	for _, x := range v.([]any) {
		f = appendFlat(f, x)
	}
	return f
}

func readBuf(t *testing.T, m *Model, b buf) []float32 {
	t.Helper()
	out := make([]float32, b.Len)
	if err := m.e.Read(out, b); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestTiny(t *testing.T) {
	var want struct {
		IDs    [][]int32              `json:"input_ids"`
		Embed  flat                   `json:"embeddings"`
		Hidden flat                   `json:"last_hidden_state"`
		Image  flat                   `json:"image_pooled"`
		Text   flat                   `json:"text_pooled"`
		X      flat                   `json:"image_embeds"`
		Y      flat                   `json:"text_embeds"`
		Logits flat                   `json:"logits_per_image"`
		Probs  flat                   `json:"probs"`
		Loss   float64                `json:"loss"`
		Grads  map[string]fingerprint `json:"grads"`
	}
	readJSON(t, "testdata/golden/siglip_tiny.json", &want)
	m := tinyModel(t, tinyConfig())
	tr, err := m.NewTrainer()
	if err != nil {
		t.Fatal(err)
	}
	pixels := hashed("pixel_values", 3*300, 1, 0)
	b := Batch{IDs: want.IDs, Pairs: backend.Pairs{Default: -1, Diagonal: true}}
	for i := range 3 {
		b.Images = append(b.Images, cutTiny(pixels[i*300:(i+1)*300], 10))
	}
	loss, err := tr.Add(context.Background(), b)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "loss", []float32{loss}, []float64{want.Loss}, 1e-5)
	read := func(b buf) []float32 { return readBuf(t, m, b) }
	x, y := read(m.images.out), read(m.texts.out)
	near(t, "embeddings", read(m.images.embed), want.Embed, 5e-6)
	near(t, "last hidden state", read(m.images.ln.out), want.Hidden, 5e-6)
	near(t, "image pooled", read(m.images.pooled), want.Image, 5e-6)
	near(t, "text pooled", read(m.texts.pooled), want.Text, 5e-6)
	near(t, "image embeds", x, want.X, 5e-6)
	near(t, "text embeds", y, want.Y, 5e-6)
	score := Score{LogScale: float32(math.Log(10)), Bias: -3}
	var logits, probs []float64
	for i := range 3 {
		for j := range 3 {
			l := score.Logit(dot(x[i*12:(i+1)*12], y[j*12:(j+1)*12]))
			logits, probs = append(logits, float64(l)), append(probs, score.Probability(l, Adjust{}))
		}
	}
	near(t, "logits", logits, want.Logits, 2e-5)
	near(t, "probabilities", probs, want.Probs, 1e-5)

	checkGradients(t, tr, want.Grads)
}

// A missing text head is the identity, forward and backward.
func TestTinyWithoutTextHead(t *testing.T) {
	c := tinyConfig()
	c.Text.Width = c.Dim
	with := tinyModel(t, c)
	identity := make([]float32, c.Dim*c.Dim)
	for i := range c.Dim {
		identity[i*c.Dim+i] = 1
	}
	with.e.Write(with.w.proj.w, identity)
	with.e.Zero(with.w.proj.b)
	c.NoHead = true
	without := tinyModel(t, c)
	b := Batch{IDs: [][]int32{{5, 7, 1, 1, 1}, {3, 9, 12, 2, 1}}, Pairs: backend.Pairs{Default: -1, Diagonal: true}}
	for i := range 2 {
		b.Images = append(b.Images, cutTiny(hashed("pixel_values", 600, 1, 0)[i*300:], 10))
	}
	grads := map[string][]float32{}
	for _, m := range []*Model{with, without} {
		tr, err := m.NewTrainer()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tr.Add(context.Background(), b); err != nil {
			t.Fatal(err)
		}
		tr.Each(func(name string, _ []int, _, grad []float32) error {
			if want, ok := grads[name]; ok {
				near(t, name, grad, want, 1e-6)
			}
			grads[name] = grad
			return nil
		})
	}
	near(t, "text embeddings", readBuf(t, without, without.texts.out), readBuf(t, with, with.texts.out), 1e-7)
	if !without.cfg.NoHead || with.cfg.NoHead {
		t.Error("the head was not looked for in the file")
	}
}
