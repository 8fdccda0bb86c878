package model

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"sigla/backend"
)

// LoRA says which matrices of the blocks get an update of low rank (Hu et al.
// 2021, section 4.1): y = x·Wᵀ + α/r·x·Aᵀ·Bᵀ with W frozen, A [r, in] at first
// normal with variance 1/r and B [out, r] zero. The pooling head, embeddings
// and norms are frozen; t' and b are trained.
type LoRA struct {
	Rank    int      `json:"rank"`
	Alpha   float64  `json:"alpha"`
	Targets []string `json:"targets"` // of LoRATargets
	Layers  int      `json:"layers"`  // the last so many of each tower; 0: all
	Image   bool     `json:"image"`   // towers
	Text    bool     `json:"text"`
	Seed    uint64   `json:"seed"` // of A
}

// LoRATargets are the matrices of a block that can be named.
var LoRATargets = []string{"q", "k", "v", "out", "fc1", "fc2"}

// Check says what cannot be done with a model of this shape.
func (o LoRA) Check(c Config) error {
	for _, t := range o.Targets {
		if !slices.Contains(LoRATargets, t) {
			return fmt.Errorf("low-rank updates of %q: a block has %s", t, strings.Join(LoRATargets, ", "))
		}
	}
	layers, rank := 0, limit
	if o.Image {
		layers, rank = c.Vision.Layers, min(c.Vision.Width, c.Vision.MLP)
	}
	if o.Text {
		layers, rank = max(layers, c.Text.Layers), min(rank, c.Text.Width, c.Text.MLP)
	}
	switch {
	case !o.Image && !o.Text:
		return errors.New("low-rank updates of no tower: want image, text or both")
	case len(o.Targets) == 0:
		return errors.New("low-rank updates of no matrix: want some of " + strings.Join(LoRATargets, ", "))
	case o.Rank < 1 || o.Rank > rank: // no matrix of a block has a higher one
		return fmt.Errorf("low-rank updates of rank %d: want 1 to %d, the narrowest side of a matrix", o.Rank, rank)
	case !(o.Alpha > 0 && o.Alpha <= math.MaxFloat32):
		return fmt.Errorf("low-rank updates with alpha %g: want a number above 0", o.Alpha)
	case o.Layers < 0 || o.Layers > layers:
		return fmt.Errorf("low-rank updates of %d layers: the towers have %d and %d", o.Layers, c.Vision.Layers, c.Text.Layers)
	}
	return nil
}

// low is a low-rank update: α/r·B·A. Its gradient is one, too, without scale.
type low struct {
	a, b  buf // [rank, in], [out, rank]
	rank  int
	scale buf // [rank, rank], α/r on the diagonal: engines have no other product with a number
}

// lowRank adds the update of a linear map to its result.
func (p pass) lowRank(dst, x buf, l *low, rows, out, in int) {
	at := p.mem.at
	s := p.squeezed(x, l, rows, in)
	p.e.MatMul(dst, s, l.b, backend.Mat{M: rows, N: out, K: l.rank, TransB: true, Add: true})
	p.mem.release(at)
}

// squeezed is α/r·x·Aᵀ [rows, rank].
func (p pass) squeezed(x buf, l *low, rows, in int) buf {
	h, s := p.mem.take(rows*l.rank), p.mem.take(rows*l.rank)
	p.e.MatMul(h, x, l.a, backend.Mat{M: rows, N: l.rank, K: in, TransB: true})
	p.e.MatMul(s, h, l.scale, backend.Mat{M: rows, N: l.rank, K: l.rank})
	return s
}

// lowRankGrad adds to dx, unless that is the zero Buf, and to the gradients of
// A and B. α/r·x·Aᵀ is computed once more: it costs less than its memory in
// every layer would.
func (p pass) lowRankGrad(dx, dy, x buf, l, dl *low, rows, out, in int) {
	at, r := p.mem.at, l.rank
	s := p.squeezed(x, l, rows, in)
	p.e.MatMul(dl.b, dy, s, backend.Mat{M: out, N: r, K: rows, TransA: true, Add: true})
	ds, dh := p.mem.take(rows*r), p.mem.take(rows*r)
	p.e.MatMul(ds, dy, l.b, backend.Mat{M: rows, N: r, K: out})
	p.e.MatMul(dh, ds, l.scale, backend.Mat{M: rows, N: r, K: r})
	p.e.MatMul(dl.a, dh, x, backend.Mat{M: r, N: in, K: rows, TransA: true, Add: true})
	if dx.Len > 0 {
		p.e.MatMul(dx, dh, l.a, backend.Mat{M: rows, N: in, K: r, Add: true})
	}
	p.mem.release(at)
}

// adapted is a matrix of a block with its update.
type adapted struct {
	name    string // the matrix's
	out, in int
	w, dw   *linear // of the model, of the gradients
}

// adapted lists the matrices that o names.
func (o LoRA) adapted(c Config, w, dw *params) (list []adapted) {
	for _, tower := range []struct {
		on    bool
		name  string
		shape Tower
		w, dw []block
	}{{o.Image, "vision_model", c.Vision, w.image, dw.image}, {o.Text, "text_model", c.Text, w.text, dw.text}} {
		if !tower.on {
			continue
		}
		for i := o.first(tower.w); i < len(tower.w); i++ {
			for _, target := range LoRATargets {
				if slices.Contains(o.Targets, target) {
					a := adapted{w: tower.w[i].matrix(target), dw: tower.dw[i].matrix(target)}
					a.name, a.out, a.in = matrixName(tower.name, i, target, tower.shape)
					list = append(list, a)
				}
			}
		}
	}
	return list
}

// first is the first block of a tower that gets updates.
func (o LoRA) first(tower []block) int {
	if o.Layers == 0 {
		return 0
	}
	return max(len(tower)-o.Layers, 0)
}

// matrix is the linear map of a block by its name in LoRATargets.
func (b *block) matrix(target string) *linear {
	return map[string]*linear{
		"q": &b.attn.q, "k": &b.attn.k, "v": &b.attn.v, "out": &b.attn.o, "fc1": &b.mlp.fc1, "fc2": &b.mlp.fc2,
	}[target]
}

// matrixName is the published name and the shape of a matrix of block i.
func matrixName(tower string, i int, target string, t Tower) (name string, out, in int) {
	name = fmt.Sprintf("%s.encoder.layers.%d.", tower, i)
	switch target {
	case "fc1":
		return name + "mlp.fc1.weight", t.MLP, t.Width
	case "fc2":
		return name + "mlp.fc2.weight", t.Width, t.MLP
	}
	return name + "self_attn." + target + "_proj.weight", t.Width, t.Width
}

// NewLoRA prepares low-rank updates for training. Nothing else but t' and b
// learns: the other weights have no gradients and no moments, and what stands
// in front of the first updated block is not gone through backwards. The
// updates stay apart from W, which an engine may therefore store in less than
// float32: they do not. Detach ends it.
func (m *Model) NewLoRA(o LoRA) (*Trainer, error) {
	if err := o.Check(m.cfg); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	t := &Trainer{m: m, lora: o}
	if o.Image {
		t.image = reach{train: true, since: o.first(m.w.image)}
	}
	if o.Text {
		t.text = reach{train: true, since: o.first(m.w.text)}
	}
	t.grads.image, t.grads.text = make([]block, len(m.w.image)), make([]block, len(m.w.text))
	t.adapted = o.adapted(m.cfg, &m.w, &t.grads)
	if slices.ContainsFunc(t.adapted, func(a adapted) bool { return a.w.low != nil }) {
		return nil, errors.New("prepare training: low-rank updates of this model are being trained already")
	}
	var grads, first, second []tensor
	scale := m.diagonal(o.Rank, float32(o.Alpha/float64(o.Rank)))
	for _, a := range t.adapted {
		w, g, u, v := &low{rank: o.Rank, scale: scale}, &low{rank: o.Rank}, &low{rank: o.Rank}, &low{rank: o.Rank}
		t.weights = append(t.weights, a.tensors(w)...)
		grads, first, second = append(grads, a.tensors(g)...), append(first, a.tensors(u)...), append(second, a.tensors(v)...)
		a.w.low, a.dw.low = w, g
	}
	carve(m.e, backend.Scratch, t.weights)
	var u, v params
	t.weights = append(t.weights, m.w.scalars(m.cfg)...)
	grads, first, second = append(grads, t.grads.scalars(m.cfg)...), append(first, u.scalars(m.cfg)...), append(second, v.scalars(m.cfg)...)
	for _, list := range [][]tensor{grads, first, second} {
		carve(m.e, backend.Scratch, list)
	}
	for i := range t.weights {
		t.slots = append(t.slots, slot{grads[i].all(), first[i].all(), second[i].all()})
	}
	t.initialise()
	if err := t.chooseMicro(func(dry *Model) (*Trainer, error) { return dry.NewLoRA(o) }); err != nil {
		return nil, fmt.Errorf("prepare training: %w", err)
	}
	return t, nil
}

// tensors names A and B as the PEFT library does, less its prefix.
func (a adapted) tensors(l *low) []tensor {
	name, rank := strings.TrimSuffix(a.name, ".weight"), l.rank
	return []tensor{
		{name + ".lora_A.weight", []int{rank, a.in}, []*buf{&l.a}},
		{name + ".lora_B.weight", []int{a.out, rank}, []*buf{&l.b}},
	}
}

// diagonal is a matrix [n, n] with v on its diagonal.
func (m *Model) diagonal(n int, v float32) buf {
	host, b := make([]float32, n*n), m.e.Alloc(n*n, backend.Scratch)
	for i := range n {
		host[i*n+i] = v
	}
	m.e.Write(b, host)
	return b
}

// initialise draws every A; every B is zero.
func (t *Trainer) initialise() {
	rng := rand.New(rand.NewPCG(t.lora.Seed, 2))
	spread := 1 / math.Sqrt(float64(t.lora.Rank))
	for _, a := range t.adapted {
		values := make([]float32, t.lora.Rank*a.in)
		for i := range values {
			values[i] = float32(rng.NormFloat64() * spread)
		}
		t.m.e.Write(a.w.low.a, values)
	}
}

// Patch reads what was trained so far: updates, and whole tensors.
func (t *Trainer) Patch() (Patch, error) {
	m := t.m
	m.mu.Lock()
	defer m.mu.Unlock()
	var p Patch
	for _, a := range t.adapted {
		l := LowRank{Name: a.name, Out: a.out, In: a.in, Rank: t.lora.Rank, Alpha: t.lora.Alpha}
		l.A, l.B = make([]float32, l.Rank*l.In), make([]float32, l.Out*l.Rank)
		if err := errors.Join(m.e.Read(l.A, a.w.low.a), m.e.Read(l.B, a.w.low.b)); err != nil {
			return Patch{}, fmt.Errorf("read %s: %w", a.name, err)
		}
		p.LowRank = append(p.LowRank, l)
	}
	for _, w := range t.weights[2*len(t.adapted):] { // behind A and B of each
		values := make([]float32, w.len())
		if err := m.e.Read(values, w.all()); err != nil {
			return Patch{}, fmt.Errorf("read %s: %w", w.name, err)
		}
		p.Tensors = append(p.Tensors, Tensor{w.name, w.shape, values})
	}
	return p, p.Check()
}

// Detach ends the training: the model is as it was loaded again, and the Trainer
// is of no use any more.
func (t *Trainer) Detach() error {
	m := t.m
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, a := range t.adapted {
		a.w.low = nil
	}
	if err := m.files.load(m.e, t.weights[2*len(t.adapted):]); err != nil {
		return fmt.Errorf("take back what was trained: %w", err)
	}
	return m.readScalars()
}
