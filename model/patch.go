package model

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strings"

	"sigla/backend"
	"sigla/model/safetensors"
)

// A Patch is what training made of a checkpoint: tensors that stand in the
// place of its own, and low-rank updates that are added to its matrices. Names
// are those of the published checkpoints.
type Patch struct {
	Tensors []Tensor
	LowRank []LowRank
}

// A Tensor is a named array of a checkpoint, row-major.
type Tensor struct {
	Name   string
	Shape  []int
	Values []float32
}

// LowRank is an update of the matrix Name [Out, In] of rank Rank (Hu et al.
// 2021, section 4.1): W + Alpha/Rank · B·A.
type LowRank struct {
	Name          string
	Out, In, Rank int
	Alpha         float64
	A             []float32 // [Rank, In]
	B             []float32 // [Out, Rank]
}

// Scale is what B·A is multiplied by: α/r.
func (l LowRank) Scale() float32 { return float32(l.Alpha / float64(l.Rank)) }

// Check says what keeps a patch from being used: sizes that disagree, values
// that are no numbers, a tensor named twice.
func (p Patch) Check() error {
	seen := map[string]bool{}
	check := func(name string, want int, values []float32) error {
		switch {
		case len(values) != want:
			return fmt.Errorf("tensor %q has %d values, its shape takes %d", name, len(values), want)
		case !finite(values):
			return fmt.Errorf("tensor %q holds values that are no numbers", name)
		case seen[name]:
			return fmt.Errorf("tensor %q is there twice", name)
		}
		seen[name] = true
		return nil
	}
	for _, t := range p.Tensors {
		if err := check(t.Name, product(t.Shape), t.Values); err != nil {
			return err
		}
	}
	for _, l := range p.LowRank {
		if l.Rank < 1 || l.Out < 1 || l.In < 1 || !(math.Abs(l.Alpha) <= math.MaxFloat32) {
			return fmt.Errorf("tensor %q is updated with rank %d and alpha %g of %d×%d values", l.Name, l.Rank, l.Alpha, l.Out, l.In)
		}
		if err := check(l.Name+" A", l.Rank*l.In, l.A); err != nil {
			return err
		}
		if err := check(l.Name+" B", l.Out*l.Rank, l.B); err != nil {
			return err
		}
	}
	return nil
}

// Apply takes a patch over. Nothing has changed if it returns an error, unless
// the engine fails. The digests become those of the checkpoint with the patch,
// so that vectors of the two are not mixed up.
func (m *Model) Apply(p Patch) error {
	if err := p.Check(); err != nil {
		return fmt.Errorf("apply to model %s: %w", m.info.Name, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	targets, err := m.targets(p)
	if err != nil {
		return fmt.Errorf("apply to model %s: %w", m.info.Name, err)
	}
	for _, t := range p.Tensors {
		if t.Name == tokenTable && m.w.tokens.Len == 0 {
			m.table = hostTable(t)
			continue
		}
		m.e.Write(targets[t.Name].all(), t.Values)
	}
	m.mem.release(mark{})
	for _, l := range p.LowRank {
		if err := m.update(targets[l.Name].all(), l); err != nil {
			return fmt.Errorf("apply to model %s: %w", m.info.Name, err)
		}
	}
	m.info.Digest, m.info.ImageDigest = p.digest(m.info.Digest), p.ofImages().digest(m.info.ImageDigest)
	return m.readScalars()
}

// update adds an update to a matrix, in float32: an engine may store weights in less,
// and computes into none of these.
func (m *Model) update(w buf, l LowRank) error {
	defer m.mem.release(m.mem.at)
	a, b, sum := m.mem.take(len(l.A)), m.mem.take(len(l.B)), m.mem.take(w.Len)
	m.e.Write(a, l.A)
	m.e.Write(b, scaled(l.B, l.Scale()))
	m.e.CopyRows(sum, w, 1, w.Len, w.Len, w.Len)
	m.e.MatMul(sum, b, a, backend.Mat{M: l.Out, N: l.In, K: l.Rank, Add: true})
	host := make([]float32, w.Len)
	if err := m.e.Read(host, sum); err != nil {
		return err
	}
	m.e.Write(w, host)
	return nil
}

// targets finds what a patch is for, by name.
func (m *Model) targets(p Patch) (map[string]tensor, error) {
	all := map[string]tensor{}
	for _, t := range m.w.list(m.cfg) {
		all[t.name] = t
	}
	for _, t := range p.Tensors {
		if have, ok := all[t.Name]; !ok {
			return nil, fmt.Errorf("it has no tensor %q", t.Name)
		} else if !slices.Equal(squeeze(have.shape), squeeze(t.Shape)) {
			return nil, fmt.Errorf("tensor %q is %v, in the model %v", t.Name, t.Shape, have.shape)
		}
	}
	for _, l := range p.LowRank {
		if have, ok := all[l.Name]; !ok || l.Name == tokenTable {
			return nil, fmt.Errorf("it has no matrix %q", l.Name)
		} else if !slices.Equal(have.shape, []int{l.Out, l.In}) {
			return nil, fmt.Errorf("matrix %q is updated by %d×%d values, in the model it is %v", l.Name, l.Out, l.In, have.shape)
		}
	}
	return all, nil
}

// hostTable is a token table that stays on the host, as one in a file does.
func hostTable(t Tensor) safetensors.Tensor {
	return safetensors.Tensor{Name: t.Name, Type: safetensors.F32, Shape: t.Shape, Data: littleEndian(t.Values)}
}

func littleEndian(values []float32) []byte {
	data := make([]byte, 0, 4*len(values))
	for _, v := range values {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
	}
	return data
}

func scaled(x []float32, by float32) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = v * by
	}
	return y
}

// ofImages is the part of a patch that changes the embeddings of photos.
func (p Patch) ofImages() (part Patch) {
	images := func(name string) bool {
		return strings.HasPrefix(name, "vision_model.") || name == "visual_projection.weight"
	}
	for _, t := range p.Tensors {
		if images(t.Name) {
			part.Tensors = append(part.Tensors, t)
		}
	}
	for _, l := range p.LowRank {
		if images(l.Name) {
			part.LowRank = append(part.LowRank, l)
		}
	}
	return part
}

// digest names the vectors of a checkpoint after the patch, by the digest of
// the checkpoint. What touches only t' and b leaves the vectors as they are.
func (p Patch) digest(base string) string {
	tensors := slices.Clone(p.Tensors)
	for _, l := range p.LowRank {
		tensors = append(tensors,
			Tensor{l.Name + " A", []int{l.Rank, l.In}, l.A},
			Tensor{fmt.Sprintf("%s B %g", l.Name, l.Alpha), []int{l.Out, l.Rank}, l.B})
	}
	tensors = slices.DeleteFunc(tensors, func(t Tensor) bool { return t.Name == scaleName || t.Name == biasName })
	if len(tensors) == 0 {
		return base
	}
	slices.SortFunc(tensors, func(a, b Tensor) int { return strings.Compare(a.Name, b.Name) })
	h := sha256.New()
	fmt.Fprintln(h, base)
	for _, t := range tensors {
		fmt.Fprintln(h, t.Name, t.Shape)
		h.Write(littleEndian(t.Values))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Scalars are the tensors of t' and b; a CLIP has no b.
func Scalars(logScale, bias float32) []Tensor {
	return []Tensor{{scaleName, []int{1}, []float32{logScale}}, {biasName, []int{1}, []float32{bias}}}
}
