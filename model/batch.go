package model

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"sigla/backend"
)

// Batch is what one gradient is computed from.
type Batch struct {
	Images []any     // from Prepare or Front, or an Embedding each if the tower is frozen
	IDs    [][]int32 // from Tokenize
	// Prompts is of how many texts, one behind the other, each column is the
	// average: as scores have it, of unit vectors, and of length 1 itself. nil:
	// each text is a column.
	Prompts []int
	Texts   []Embedding // columns in the place of IDs, if the text tower is frozen

	Pairs backend.Pairs // its rows are images, its columns texts; sizes are filled in
	Loss  Loss
	// Micro is the most photos or texts whose activations are held at once; 0 stands
	// for 8, or up to 32 where the engine has the memory. The gradient is that of
	// the whole batch whatever it is.
	Micro int
}

// An Embedding is a unit vector [Dim].
type Embedding []float32

// Loss is what is learned by.
type Loss uint8

const (
	Sigmoid Loss = iota // of every pair (Zhai et al. 2023)
	Softmax             // over the rows and the columns (Radford et al. 2021)
)

func (l Loss) String() string { return [...]string{"sigmoid", "softmax"}[l] }

// A front is what stands for a photo behind the part of the tower that is
// frozen: the input of a block, or, if that is -1, the map of the stem.
type front struct {
	block int
	rows  []float32
}

// Front takes photos through what is in front of the first layer that learns.
// The result stands for each in a Batch of this Trainer: what does not change is
// computed once, however often a photo is seen.
func (t *Trainer) Front(ctx context.Context, photos []any) ([]any, error) {
	m := t.m
	if !t.image.train {
		rows, err := m.Embed(ctx, photos)
		out := make([]any, len(rows))
		for i, row := range rows {
			out[i] = Embedding(row)
		}
		return out, err
	}
	if t.image.embed && m.cfg.Stem == nil {
		return photos, nil
	}
	var out []any
	for part := range slices.Chunk(photos, t.photos) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		rows, err := t.front(part)
		if err != nil {
			return nil, fmt.Errorf("train: %w", err)
		}
		out = append(out, rows...)
	}
	return out, nil
}

// Embed returns the unit embeddings of photos, from Prepare or Front, as the
// tower is now.
func (t *Trainer) Embed(ctx context.Context, photos []any) ([][]float32, error) {
	m := t.m
	return inBatches("photos", photos, t.photos, func(part []any) ([][]float32, error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.mem.release(mark{})
		n := len(part) * m.cfg.Dim
		s := &step{Trainer: t, ctx: ctx, p: pass{e: m.e, mem: &m.mem}, Batch: Batch{Images: part, Micro: len(part)}}
		s.x = s.p.mem.take(n)
		if err := s.embedImages(); err != nil {
			return nil, err
		}
		return m.readRows(s.x, len(part))
	})
}

// Size is how many bytes a photo from Prepare or Front takes.
func Size(photo any) int64 {
	switch x := photo.(type) {
	case []float32:
		return 4 * int64(len(x))
	case Embedding:
		return 4 * int64(len(x))
	case front:
		return 4 * int64(len(x.rows))
	}
	return 0
}

func (t *Trainer) front(photos []any) ([]any, error) {
	m := t.m
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mem.release(mark{})
	p := pass{e: m.e, mem: &m.mem}.to(t.image)
	x, err := m.patches(p, photos)
	if err != nil {
		return nil, err
	}
	block := -1
	if !t.image.embed {
		block, x = t.image.since, p.imageFront(m.cfg, &m.images, x, &m.w, len(photos))
	}
	rows := make([]float32, x.Len) // once: a device is waited for
	if err := m.e.Read(rows, x); err != nil {
		return nil, err
	}
	out, n := make([]any, len(photos)), x.Len/len(photos)
	for i := range out {
		out[i] = front{block, slices.Clone(rows[i*n : (i+1)*n])}
	}
	return out, nil
}

// Add adds the gradients of a batch's loss and returns the loss. A batch above
// b.Micro takes a forward pass more: embeddings first, without activations, then
// the loss of all, then each part once more with the gradients of its embeddings
// (Gao et al. 2021). If it fails, gradients may be left: see Clear.
func (t *Trainer) Add(ctx context.Context, b Batch) (loss float32, err error) {
	m := t.m
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mem.release(mark{})
	s := &step{Trainer: t, Batch: b, ctx: ctx, p: pass{e: m.e, mem: &m.mem}}
	if err := s.check(); err != nil {
		return 0, fmt.Errorf("train: %w", err)
	}
	if loss, err = s.run(); err != nil {
		return 0, fmt.Errorf("train: %w", err)
	}
	return loss, nil
}

// A step is one batch on its way.
type step struct {
	*Trainer
	Batch
	ctx   context.Context
	p     pass
	whole bool // all activations are held

	x, y, dx, dy buf // unit rows and their gradients: [photos, Dim], [columns, Dim]
	prompts      buf // [texts, Dim], unit rows; y if each is a column
	norm         buf // [columns], of the sums of prompts
}

func (s *step) check() error {
	c := s.m.cfg
	if s.Micro == 0 {
		s.Micro = s.micro
	}
	cols := len(s.IDs)
	if s.Prompts != nil {
		cols = len(s.Prompts)
		texts := 0
		for _, n := range s.Prompts {
			if n < 1 {
				return errors.New("a column without a text")
			}
			texts += n
		}
		if texts != len(s.IDs) {
			return fmt.Errorf("%d texts for columns of %d", len(s.IDs), texts)
		}
	}
	if s.Texts != nil {
		cols = len(s.Texts)
	}
	if len(s.Images) == 0 || cols == 0 {
		return errors.New("a batch without photos, or without texts")
	}
	switch _, embedded := s.Images[0].(Embedding); {
	case s.Loss == Sigmoid && c.Kind != SigLIP:
		return fmt.Errorf("the sigmoid loss needs a bias, and %s has none", c.Kind)
	case embedded && s.image.train || s.Texts != nil && s.text.train:
		return errors.New("an embedding stands for what is trained")
	}
	s.Pairs.Rows, s.Pairs.Cols, s.Pairs.Dim = len(s.Images), cols, c.Dim
	s.whole = len(s.Images) <= s.Micro && len(s.IDs) <= s.Micro
	return nil
}

func (s *step) run() (float32, error) {
	p, n := s.p, s.m.cfg.Dim
	s.x, s.dx = p.mem.take(s.Pairs.Rows*n), p.mem.take(s.Pairs.Rows*n)
	s.y, s.dy = p.mem.take(s.Pairs.Cols*n), p.mem.take(s.Pairs.Cols*n)
	out := p.mem.take(1)
	if err := errors.Join(s.embedImages(), s.embedTexts()); err != nil {
		return 0, err
	}
	w, dt, db := &s.m.w, s.orScratch(s.grads.t), s.orScratch(s.grads.b)
	if s.Loss == Softmax {
		p.e.SoftmaxLoss(out, s.dx, s.dy, dt, s.x, s.y, w.t, s.Pairs)
	} else {
		p.e.SigmoidLoss(out, s.dx, s.dy, dt, db, s.x, s.y, w.t, w.b, s.Pairs)
	}
	// Photos first: their activations take more than the gradients that come.
	if err := errors.Join(s.imagesGrad(), s.textsGrad()); err != nil {
		return 0, err
	}
	var host [1]float32
	err := p.e.Read(host[:], out)
	return host[0], err
}

// orScratch is a scalar's gradient, or where it may be written if it is frozen.
func (s *step) orScratch(b buf) buf {
	if b.Len > 0 {
		return b
	}
	return s.p.mem.take(1)
}

// parts calls f for k photos or texts from i on, at most Micro. If not all
// activations are held, each part takes the memory of the one before.
func (s *step) parts(n int, f func(i, k int) error) error {
	for i := 0; i < n; i += s.Micro {
		if err := s.ctx.Err(); err != nil {
			return err
		}
		at := s.p.mem.at
		if err := f(i, min(s.Micro, n-i)); err != nil {
			return err
		}
		if !s.whole {
			s.p.mem.release(at)
		}
	}
	return nil
}

// embedImages leaves the unit rows of the photos in s.x.
func (s *step) embedImages() error {
	n := s.m.cfg.Dim
	if _, ok := s.Images[0].(Embedding); ok {
		for i, x := range s.Images {
			e, ok := x.(Embedding)
			if !ok || len(e) != n {
				return errPrepared
			}
			s.p.e.Write(s.x.Slice(i*n, n), e)
		}
		return nil
	}
	return s.parts(len(s.Images), func(i, k int) error {
		err := s.forwardImages(s.Images[i:i+k], s.whole)
		if err == nil {
			s.p.e.CopyRows(s.x.Slice(i*n, k*n), s.m.images.out, k, n, n, n)
		}
		return err
	})
}

// forwardImages leaves the activations of photos in the model; keep says that
// they are for gradients.
func (s *step) forwardImages(part []any, keep bool) error {
	m, p := s.m, s.p.to(s.image)
	p.train = p.train && keep
	f, ok := part[0].(front)
	if !ok {
		patches, err := m.patches(p, part)
		if err == nil {
			p.image(m.cfg, &m.images, patches, &m.w, len(part))
		}
		return err
	}
	n := len(f.rows)
	x := p.mem.take(len(part) * n)
	for i, photo := range part {
		g, ok := photo.(front)
		if !ok || g.block != f.block || len(g.rows) != n {
			return errPrepared
		}
		p.e.Write(x.Slice(i*n, n), g.rows)
	}
	if f.block < 0 {
		p.image(m.cfg, &m.images, x, &m.w, len(part))
	} else {
		p.imageFrom(m.cfg, &m.images, f.block, x, &m.w, len(part))
	}
	return nil
}

func (s *step) imagesGrad() error {
	if !s.image.train {
		return nil
	}
	n, m := s.m.cfg.Dim, s.m
	return s.parts(len(s.Images), func(i, k int) error {
		if !s.whole {
			if err := s.forwardImages(s.Images[i:i+k], true); err != nil {
				return err
			}
		}
		s.p.to(s.image).imageGrad(m.cfg, &m.images, s.dx.Slice(i*n, k*n), &m.w, &s.grads, k)
		return nil
	})
}

// embedTexts leaves the unit rows of the columns in s.y.
func (s *step) embedTexts() error {
	n, p := s.m.cfg.Dim, s.p
	for i, e := range s.Texts {
		if len(e) != n {
			return fmt.Errorf("text %d has %d values, the model has %d", i, len(e), n)
		}
		p.e.Write(s.y.Slice(i*n, n), e)
	}
	if s.Texts != nil {
		return nil
	}
	s.prompts = s.y
	if s.Prompts != nil {
		s.prompts, s.norm = p.mem.take(len(s.IDs)*n), p.mem.take(s.Pairs.Cols)
	}
	err := s.parts(len(s.IDs), func(i, k int) error {
		err := s.forwardTexts(s.IDs[i:i+k], s.whole)
		if err == nil {
			p.e.CopyRows(s.prompts.Slice(i*n, k*n), s.m.texts.out, k, n, n, n)
		}
		return err
	})
	if err != nil || s.Prompts == nil {
		return err
	}
	p.e.Zero(s.y)
	s.eachColumn(func(col, at, k int) { p.e.SumRows(s.y.Slice(col*n, n), s.prompts.Slice(at*n, k*n), k, n) })
	p.e.Normalize(s.y, s.norm, s.y, s.Pairs.Cols, n)
	return nil
}

// eachColumn visits the columns of prompts: k of them from the one at on.
func (s *step) eachColumn(visit func(col, at, k int)) {
	at := 0
	for col, k := range s.Prompts {
		visit(col, at, k)
		at += k
	}
}

func (s *step) forwardTexts(ids [][]int32, keep bool) error {
	m, p := s.m, s.p.to(s.text)
	p.train = p.train && keep
	tokens, err := m.tokens(p, ids)
	if err == nil {
		p.text(m.cfg, &m.texts, tokens, ids, &m.w)
	}
	return err
}

func (s *step) textsGrad() error {
	if !s.text.train {
		return nil
	}
	n, m, p := s.m.cfg.Dim, s.m, s.p.to(s.text)
	d := s.dy
	if s.Prompts != nil {
		p.e.NormalizeGrad(s.dy, s.dy, s.y, s.norm, s.Pairs.Cols, n)
		d = p.mem.take(len(s.IDs) * n)
		s.eachColumn(func(col, at, k int) { p.e.CopyRows(d.Slice(at*n, k*n), s.dy.Slice(col*n, n), k, n, n, 0) })
	}
	return s.parts(len(s.IDs), func(i, k int) error {
		ids := s.IDs[i : i+k]
		if !s.whole {
			if err := s.forwardTexts(ids, true); err != nil {
				return err
			}
		}
		dtokens := p.textGrad(m.cfg, &m.texts, d.Slice(i*n, k*n), ids, &m.w, &s.grads)
		if s.grads.tokens.Len > 0 {
			s.tokensGrad(dtokens, ids)
		}
		return nil
	})
}

// tokensGrad adds the gradient of each token row to its row of the table's.
func (s *step) tokensGrad(d buf, ids [][]int32) {
	width := s.m.cfg.Text.Width
	for i, id := range slices.Concat(ids...) {
		row := s.grads.tokens.Slice(int(id)*width, width)
		s.p.e.Add(row, row, d.Slice(i*width, width))
	}
}
