package model

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"sigla/backend"
)

// A Trainer holds what learning needs besides the model: gradients and the
// moments of AdamW of what is trained, and the token table, which moves into the
// engine if it is. It locks the model for each call, so that searches go on
// between steps.
type Trainer struct {
	m       *Model
	grads   params   // what is frozen has none
	weights []tensor // what is trained
	slots   []slot   // beside weights
	sums    buf      // one for each of them

	image, text reach
	micro       int // see Batch
	photos      int // that Front and Embed take at once

	lora    LoRA
	adapted []adapted // nil: whole tensors are trained
}

// slot is what AdamW keeps for one tensor.
type slot struct{ g, m, v buf }

// NewTrainer prepares the tensors that the patterns select for training; none
// select all. A pattern is one of path.Match over the names of the published
// checkpoints, as "text_model.*" or "*.head.*"; one that begins with an
// exclamation mark takes out what it matches. t' and b are selected unless they
// are taken out so. A stem cannot be selected. What is selected takes three
// times its memory more, and the token table once more besides.
func (m *Model) NewTrainer(patterns ...string) (*Trainer, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	names, err := m.selected(patterns)
	if err != nil {
		return nil, fmt.Errorf("prepare training: %w", err)
	}
	t := &Trainer{m: m}
	var first, second params
	lists := [][]tensor{m.w.list(m.cfg), t.grads.list(m.cfg), first.list(m.cfg), second.list(m.cfg)}
	for i := range lists {
		lists[i] = slices.DeleteFunc(lists[i], func(t tensor) bool { return !names[t.name] })
	}
	t.weights = lists[0]
	t.image, t.text = reaches(t.weights, m.cfg)
	if names[tokenTable] && m.w.tokens.Len == 0 {
		if err := m.moveTable(); err != nil {
			return nil, fmt.Errorf("prepare training: %w", err)
		}
	}
	for _, list := range lists[1:] {
		carve(m.e, backend.Scratch, list)
	}
	for i := range t.weights {
		t.slots = append(t.slots, slot{lists[1][i].all(), lists[2][i].all(), lists[3][i].all()})
	}
	if err := t.chooseMicro(func(dry *Model) (*Trainer, error) { return dry.NewTrainer(patterns...) }); err != nil {
		return nil, fmt.Errorf("prepare training: %w", err)
	}
	return t, nil
}

// size is how many bytes of an engine's memory the gradients take.
func (t *Trainer) size() (bytes int64) {
	for _, s := range t.slots {
		bytes += 4 * int64(aligned(s.g.Len))
	}
	return bytes
}

// selected are the names that the patterns select.
func (m *Model) selected(patterns []string) (map[string]bool, error) {
	if len(patterns) == 0 {
		patterns = []string{"*"}
	}
	names, all := map[string]bool{}, m.w.list(m.cfg)
	for _, t := range m.w.scalars(m.cfg) {
		names[t.name] = true
	}
	for _, pattern := range patterns {
		glob, out := strings.CutPrefix(pattern, "!")
		hit := false
		for _, t := range all {
			ok, err := path.Match(glob, t.name)
			if err != nil {
				return nil, fmt.Errorf("pattern %q: %w", pattern, err)
			}
			if ok {
				hit, names[t.name] = true, !out
			}
		}
		if !hit {
			return nil, fmt.Errorf("no tensor that can be trained matches %q: their names are like %s and %s", pattern, all[0].name, all[len(all)-3].name)
		}
	}
	for _, on := range names {
		if on {
			return names, nil
		}
	}
	return nil, errors.New("the patterns select no tensor")
}

// reaches tells how far back in each tower the first of the tensors is.
func reaches(list []tensor, c Config) (image, text reach) {
	image.since, text.since = c.Vision.Layers, c.Text.Layers
	for _, t := range list {
		r := &image
		switch {
		case t.name == scaleName || t.name == biasName:
			continue
		case strings.HasPrefix(t.name, "text_"):
			r = &text
		}
		r.train = true
		if _, rest, ok := strings.Cut(t.name, ".layers."); ok {
			number, _, _ := strings.Cut(rest, ".")
			i, _ := strconv.Atoi(number)
			r.since = min(r.since, i)
		}
		if strings.Contains(t.name, ".embeddings.") || strings.Contains(t.name, ".pre_layrnorm.") {
			r.since, r.embed = 0, true
		}
	}
	return image, text
}

// moveTable brings the token table into the engine.
func (m *Model) moveTable() error {
	values, err := m.table.Floats(nil)
	if err != nil {
		return err
	}
	if !finite(values) {
		return m.damagedTable()
	}
	table := slices.DeleteFunc(m.w.list(m.cfg), func(t tensor) bool { return t.name != tokenTable })
	carve(m.e, backend.Weight, table)
	m.e.Write(m.w.tokens, values)
	m.table.Release()
	return nil
}

// SumSquares is the sum of the squares of all gradients. If it is not finite, at
// is the name of the first tensor of which it is not.
func (t *Trainer) SumSquares() (sum float64, at string, err error) {
	m := t.m
	m.mu.Lock()
	defer m.mu.Unlock()
	if t.sums.Len == 0 {
		t.sums = m.e.Alloc(len(t.slots), backend.Scratch)
	}
	m.e.Zero(t.sums)
	for i, s := range t.slots {
		m.e.SumSquares(t.sums.Slice(i, 1), s.g)
	}
	host := make([]float32, len(t.slots))
	if err := m.e.Read(host, t.sums); err != nil {
		return 0, "", fmt.Errorf("train: %w", err)
	}
	for i, v := range host {
		if at == "" && !finite(host[i:i+1]) {
			at = t.weights[i].name
		}
		sum += float64(v)
	}
	return sum, at, nil
}

// Step moves every tensor by the gradients added since the last Step, and
// clears them. a.Step is the caller's count, from 1. Unless decayAll, the decay
// is of tensors of more than one dimension alone.
func (t *Trainer) Step(a backend.Adam, decayAll bool) error {
	m := t.m
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, w := range t.weights {
		a := a
		if len(w.shape) < 2 && !decayAll {
			a.Decay = 0
		}
		s := t.slots[i]
		m.e.AdamW(w.all(), s.g, s.m, s.v, a)
	}
	t.clear()
	if err := m.readScalars(); err != nil {
		return fmt.Errorf("train: %w", err)
	}
	return nil
}

// Clear forgets the gradients added since the last Step.
func (t *Trainer) Clear() {
	t.m.mu.Lock()
	defer t.m.mu.Unlock()
	t.clear()
}

// clear goes by layers, which lie in one piece: an engine may lend whole pages.
func (t *Trainer) clear() {
	var all buf
	for _, s := range t.slots {
		if gap := s.g.Off - all.Off - all.Len; s.g.Mem == all.Mem && gap >= 0 && gap < aligned(1) {
			all.Len += gap + s.g.Len
			continue
		}
		if all.Len > 0 {
			t.m.e.Zero(all)
		}
		all = s.g
	}
	if all.Len > 0 {
		t.m.e.Zero(all)
	}
}

// Each visits what is trained: its name and shape in the file, its values, and
// the gradient added so far.
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

// State visits all that Step changes: what is trained, and behind the name of
// each tensor its moments under NAME.m and NAME.v. If visit says that it changed
// the values, they are taken over, and all gradients are cleared. The values are
// visit's until it returns.
func (t *Trainer) State(visit func(name string, shape []int, values []float32) (changed bool, err error)) error {
	m := t.m
	m.mu.Lock()
	defer m.mu.Unlock()
	var host []float32
	any := false
	for i, w := range t.weights {
		for _, part := range []struct {
			name string
			at   buf
		}{{w.name, w.all()}, {w.name + ".m", t.slots[i].m}, {w.name + ".v", t.slots[i].v}} {
			host = slices.Grow(host[:0], w.len())[:w.len()]
			if err := m.e.Read(host, part.at); err != nil {
				return fmt.Errorf("read %s: %w", part.name, err)
			}
			changed, err := visit(part.name, w.shape, host)
			if err != nil {
				return err
			}
			if changed {
				m.e.Write(part.at, host)
				any = true
			}
		}
	}
	if !any {
		return nil
	}
	t.clear()
	return m.readScalars()
}

// LearnsImages reports whether anything of the image tower is trained.
func (t *Trainer) LearnsImages() bool { return t.image.train }

// LearnsTexts reports whether anything of the text tower is trained.
func (t *Trainer) LearnsTexts() bool { return t.text.train }

// Parameters is how many numbers are trained.
func (t *Trainer) Parameters() int {
	n := 0
	for _, w := range t.weights {
		n += w.len()
	}
	return n
}
