package model

import (
	"context"
	"slices"

	"sigla/backend"
	"sigla/model/preprocess"
	"sigla/model/safetensors"
)

// Need is what a training takes of an engine's memory, in bytes.
type Need struct {
	Weights     int64 // the token table only if it is trained
	Gradients   int64
	Moments     int64
	Activations int64 // of the towers and the loss, of a batch
	Photo       int64 // of one photo, as Front returns it; not part of Total
}

// Total is what the engine has to have.
func (n Need) Total() int64 { return n.Weights + n.Gradients + n.Moments + n.Activations }

// Foresee tells what the training of a model of this shape takes, before there
// is any memory: the training is gone through on an engine that only counts.
// prepare selects what is trained, by NewTrainer or NewLoRA of the model that it
// is given. micro is that of Batch.
func Foresee(c Config, prepare func(*Model) (*Trainer, error), photos, texts, micro int) (Need, error) {
	m, e := weightless(c)
	return e.training(m, prepare, photos, texts, micro)
}

// weightless is a model without memory, of zeros: it counts what would be allocated.
func weightless(c Config) (*Model, *counting) {
	e := new(counting)
	m := &Model{cfg: c, e: e, mem: arena{e: e}, window: c.window(), atOnce: inputs{few, few}}
	m.table = safetensors.Tensor{Type: safetensors.F32, Shape: []int{1, c.Text.Width}, Data: make([]byte, 4*c.Text.Width)}
	list := withoutTable(m.w.list(c))
	if c.Stem != nil {
		list = append(list, m.stem.list(c.Stem)...)
	}
	place(e, list)
	return m, e
}

// training counts what Foresee tells. largest is of what depends on the batch.
func (e *counting) training(m *Model, prepare func(*Model) (*Trainer, error), photos, texts, micro int) (Need, error) {
	c := m.cfg
	t, err := prepare(m)
	if err != nil {
		return Need{}, err
	}
	n := Need{Gradients: t.size()}
	n.Moments = 2 * n.Gradients
	n.Weights = e.bytes[backend.Weight] + e.bytes[backend.Scratch] - n.Gradients - n.Moments
	e.largest = 0
	prepared := make([]float32, m.window.Len())
	images, err := t.Front(context.Background(), slices.Repeat([]any{prepared}, photos))
	if err != nil {
		return Need{}, err
	}
	b := Batch{Images: images, Micro: micro, Pairs: backend.Pairs{Default: -1}}
	if c.Kind == CLIP {
		b.Loss = Softmax
	}
	if t.text.train {
		b.IDs, b.Prompts = slices.Repeat([][]int32{make([]int32, c.Tokens)}, texts), slices.Repeat([]int{1}, texts)
	} else {
		b.Texts = slices.Repeat([]Embedding{make([]float32, c.Dim)}, texts)
	}
	if _, err := t.Add(context.Background(), b); err != nil {
		return Need{}, err
	}
	n.Activations = e.bytes[backend.Weight] + e.bytes[backend.Scratch] - n.Weights - n.Gradients - n.Moments
	n.Photo = Size(images[0])
	return n, nil
}

// window is what Prepare cuts of a photo.
func (c Config) window() preprocess.Window {
	if c.Stem != nil {
		return preprocess.Same(c.ImageSize, c.ImageSize, firstKernel, firstStride)
	}
	return preprocess.Valid(c.ImageSize, c.ImageSize, c.Patch)
}

// counting is an engine without memory: it counts what is asked for.
type counting struct {
	bytes   [backend.Scratch + 1]int64
	largest int // elements of a buffer
}

func (e *counting) Alloc(n int, use backend.Use) buf {
	e.bytes[use] += 4 * int64(n)
	e.largest = max(e.largest, n)
	return buf{Len: n}
}

func (*counting) Capacity() backend.Capacity                                  { return backend.Capacity{} }
func (*counting) Write(buf, []float32)                                        {}
func (*counting) Read([]float32, buf) error                                   { return nil }
func (*counting) Zero(buf)                                                    {}
func (*counting) Discard(buf)                                                 {}
func (*counting) Close() error                                                { return nil }
func (*counting) CopyRows(_, _ buf, _, _, _, _ int)                           {}
func (*counting) Add(_, _, _ buf)                                             {}
func (*counting) SumRows(_, _ buf, _, _ int)                                  {}
func (*counting) MatMul(_, _, _ buf, _ backend.Mat)                           {}
func (*counting) GELU(_, _ buf, _ backend.Activation)                         {}
func (*counting) GELUGrad(_, _, _ buf, _ backend.Activation)                  {}
func (*counting) LayerNorm(_, _, _, _, _, _ buf, _, _ int, _ float32)         {}
func (*counting) LayerNormGrad(_, _, _, _, _, _, _, _ buf, _, _ int)          {}
func (*counting) Attention(_, _, _, _, _ buf, _ backend.Attn)                 {}
func (*counting) AttentionGrad(_, _, _, _, _, _, _, _, _ buf, _ backend.Attn) {}
func (*counting) Normalize(_, _, _ buf, _, _ int)                             {}
func (*counting) NormalizeGrad(_, _, _, _ buf, _, _ int)                      {}
func (*counting) DepthwiseConv(_, _, _, _ buf, _ backend.Conv)                {}
func (*counting) ReLU6(_, _ buf)                                              {}
func (*counting) SigmoidLoss(_, _, _, _, _, _, _, _, _ buf, _ backend.Pairs)  {}
func (*counting) SoftmaxLoss(_, _, _, _, _, _, _ buf, _ backend.Pairs)        {}
func (*counting) SumSquares(_, _ buf)                                         {}
func (*counting) AdamW(_, _, _, _ buf, _ backend.Adam)                        {}
