package model

import (
	"fmt"
	"slices"

	"sigla/backend"
)

// A Trainer holds what learning needs besides the model: gradients, the
// moments of AdamW, and the token table, which moves into the engine. It locks
// the model for each call, so that searches go on between steps.
type Trainer struct {
	m       *Model
	grads   params
	weights []tensor // the trainable tensors
	slots   []slot   // beside weights
	step    int

	image, text reach

	lora    LoRA
	adapted []adapted // nil: whole tensors are trained
	before  []float32 // t' and b when updates were attached
}

// reach is how far back gradients go in a tower.
type reach struct {
	train bool // else the tower is frozen
	since int  // see pass
}

func (p pass) to(r reach) pass {
	p.train, p.since = r.train, r.since
	return p
}

// slot is what AdamW keeps for one tensor.
type slot struct{ g, m, v buf }

// Batch is what one gradient is computed from.
type Batch struct {
	Images []any     // from Prepare
	IDs    [][]int32 // from Tokenize
	Pairs  backend.Pairs
}

// NewTrainer prepares every tensor but the stem's for training. It takes three
// times the memory of the weights, and the token table once more.
func (m *Model) NewTrainer() (*Trainer, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := &Trainer{m: m, weights: m.w.list(m.cfg), image: reach{train: true}, text: reach{train: true}}
	if m.w.tokens.Len == 0 {
		table := slices.DeleteFunc(slices.Clone(t.weights), func(t tensor) bool { return t.name != tokenTable })
		carve(m.e, backend.Weight, table)
		if err := m.files.load(m.e, table); err != nil {
			return nil, fmt.Errorf("prepare training: %w", err)
		}
	}
	var first, second params
	lists := [][]tensor{t.grads.list(m.cfg), first.list(m.cfg), second.list(m.cfg)}
	for _, list := range lists {
		carve(m.e, backend.Scratch, list)
	}
	for i := range t.weights {
		t.slots = append(t.slots, slot{lists[0][i].all(), lists[1][i].all(), lists[2][i].all()})
	}
	return t, nil
}

// Add adds the gradients of a batch's loss and returns the loss. Rows of
// b.Pairs are images, columns are texts.
func (t *Trainer) Add(b Batch) (loss float32, err error) {
	m := t.m
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cfg.Kind != SigLIP {
		return 0, fmt.Errorf("train: the sigmoid loss needs a bias, and %s has none", m.cfg.Kind)
	}
	p, err := t.forward(b)
	if err != nil {
		return 0, fmt.Errorf("train: %w", err)
	}
	b.Pairs.Rows, b.Pairs.Cols, b.Pairs.Dim = len(b.Images), len(b.IDs), m.cfg.Dim
	dx, dy, out := p.mem.take(m.images.out.Len), p.mem.take(m.texts.out.Len), p.mem.take(1)
	p.e.SigmoidLoss(out, dx, dy, t.grads.t, t.grads.b, m.images.out, m.texts.out, m.w.t, m.w.b, b.Pairs)
	t.backward(p, b, dx, dy)
	var host [1]float32
	if err := m.e.Read(host[:], out); err != nil {
		return 0, fmt.Errorf("train: %w", err)
	}
	return host[0], nil
}

// forward leaves the activations of both towers in the model.
func (t *Trainer) forward(b Batch) (pass, error) {
	m := t.m
	m.mem.release(mark{})
	p := pass{e: m.e, mem: &m.mem}
	patches, err := m.patches(p, b.Images)
	if err != nil {
		return p, err
	}
	tokens, err := m.tokens(p, b.IDs)
	if err != nil {
		return p, err
	}
	p.to(t.image).image(m.cfg, &m.images, patches, &m.w, len(b.Images))
	p.to(t.text).text(m.cfg, &m.texts, tokens, b.IDs, &m.w)
	return p, nil
}

// backward takes the gradients of the unit rows of images and texts.
func (t *Trainer) backward(p pass, b Batch, dx, dy buf) {
	m := t.m
	if t.text.train {
		d := p.to(t.text).textGrad(m.cfg, &m.texts, dy, b.IDs, &m.w, &t.grads)
		if t.grads.tokens.Len > 0 {
			t.tokensGrad(p, d, b.IDs)
		}
	}
	if t.image.train {
		p.to(t.image).imageGrad(m.cfg, &m.images, dx, &m.w, &t.grads, len(b.Images))
	}
}

// tokensGrad adds the gradient of each token row to its row of the table's.
func (t *Trainer) tokensGrad(p pass, d buf, ids [][]int32) {
	width := t.m.cfg.Text.Width
	for i, id := range slices.Concat(ids...) {
		row := t.grads.tokens.Slice(int(id)*width, width)
		p.e.Add(row, row, d.Slice(i*width, width))
	}
}

// Step moves every tensor by the gradients added since the last Step, and
// clears them. It counts a.Step itself.
func (t *Trainer) Step(a backend.Adam) error {
	m := t.m
	m.mu.Lock()
	defer m.mu.Unlock()
	t.step++
	a.Step = t.step
	for i, w := range t.weights {
		s := t.slots[i]
		m.e.AdamW(w.all(), s.g, s.m, s.v, a)
		m.e.Zero(s.g)
	}
	if err := m.readScalars(); err != nil {
		return fmt.Errorf("train: %w", err)
	}
	return nil
}

// Each visits every trainable tensor: its name and shape in the file, its
// values, and the gradient added so far.
func (t *Trainer) Each(visit func(name string, shape []int, values, grad []float32) error) error {
	m := t.m
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, w := range t.weights {
		values, grad := make([]float32, w.len()), make([]float32, w.len())
		if err := m.e.Read(values, w.all()); err != nil {
			return fmt.Errorf("read %s: %w", w.name, err)
		}
		if err := m.e.Read(grad, t.slots[i].g); err != nil {
			return fmt.Errorf("read %s: %w", w.name, err)
		}
		if err := visit(w.name, w.shape, values, grad); err != nil {
			return err
		}
	}
	return nil
}
