package finetune

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"strings"

	"sigla/model"
	"sigla/model/safetensors"
)

// An Adapter is the kept result of a training: what must be changed in a base
// model, and in the reading of its labels, to have it.
type Adapter struct {
	Card    Card
	Labels  []Tuned
	Tensors []model.Tensor  // t' and b; whole tensors of a DepthFull
	LowRank []model.LowRank // of a DepthLoRA
}

// Tuned is the own reading of a label.
type Tuned struct {
	Name      string  `json:"name"`
	Scale     float64 `json:"scale,omitempty"`     // s; 0 leaves the model's temperature
	Delta     float64 `json:"delta,omitempty"`     // δ
	Threshold float64 `json:"threshold,omitempty"` // 0 leaves the label set's

	// Vector [Dim], of length 1, stands in the place of the label's texts; nil
	// leaves them.
	Vector []float32 `json:"-"`
	Row    int       `json:"row,omitempty"` // of Vector in the file, from 1; 0: none
}

// Patch is what changes the model.
func (a *Adapter) Patch() model.Patch { return model.Patch{Tensors: a.Tensors, LowRank: a.LowRank} }

// Fits says why an adapter is not for the model. Its digest is to be that of
// before any Apply.
func (a *Adapter) Fits(info model.Info) error {
	if b := a.Card.Base; b.Digest != info.Digest {
		return fmt.Errorf("the adapter is for model %s (%s), this is %s (%s)", b.Name, short(b.Digest), info.Name, short(info.Digest))
	}
	for _, l := range a.Labels {
		if l.Vector != nil && len(l.Vector) != info.Width {
			return fmt.Errorf("label %s of the adapter has %d values, the model has %d", l.Name, len(l.Vector), info.Width)
		}
	}
	return nil
}

// The keys of the file's metadata, and the names of its tensors. Those of a
// DepthLoRA are the names of the PEFT library, so that it can read them.
const (
	versionKey = "sigla.adapter"
	cardKey    = "sigla.card"
	labelsKey  = "sigla.labels"
	version    = "1"

	vectorTensor = "label.vector" // [labels with a vector, Dim]
	peftPrefix   = "base_model.model."
	peftA, peftB = ".lora_A.weight", ".lora_B.weight"
)

// WriteAdapter stores an adapter at path, whole or not at all.
func WriteAdapter(path string, a *Adapter) error {
	if err := a.check(); err != nil {
		return fmt.Errorf("write adapter %s: %w", path, err)
	}
	var labels []Tuned
	var vectors []float32
	rows := 0
	for _, l := range a.Labels {
		if l.Row = 0; l.Vector != nil {
			rows++
			l.Row = rows
			vectors = append(vectors, l.Vector...)
		}
		labels = append(labels, l)
	}
	tensors := a.tensors()
	if rows > 0 {
		tensors = append(tensors, floats(vectorTensor, []int{rows, len(vectors) / rows}, vectors))
	}
	card, err := json.Marshal(a.Card)
	if err != nil {
		return fmt.Errorf("write adapter %s: its card: %w", path, err)
	}
	names, err := json.Marshal(labels)
	if err != nil {
		return fmt.Errorf("write adapter %s: its labels: %w", path, err)
	}
	meta := map[string]string{"format": "pt", versionKey: version, cardKey: string(card), labelsKey: string(names)}
	if err := safetensors.Write(path, tensors, meta); err != nil {
		return fmt.Errorf("write adapter: %w", err)
	}
	return nil
}

// tensors are the file's but that of the labels.
func (a *Adapter) tensors() []safetensors.Tensor {
	prefix := ""
	if a.Card.Depth == DepthLoRA {
		prefix = peftPrefix
	}
	var list []safetensors.Tensor
	for _, t := range a.Tensors {
		list = append(list, floats(prefix+t.Name, t.Shape, t.Values))
	}
	for _, l := range a.LowRank {
		name := prefix + strings.TrimSuffix(l.Name, ".weight")
		list = append(list, floats(name+peftA, []int{l.Rank, l.In}, l.A), floats(name+peftB, []int{l.Out, l.Rank}, l.B))
	}
	return list
}

func floats(name string, shape []int, values []float32) safetensors.Tensor {
	data := make([]byte, 0, 4*len(values))
	for _, v := range values {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
	}
	return safetensors.Tensor{Name: name, Type: safetensors.F32, Shape: shape, Data: data}
}

// check says what an adapter must not be, whether it is to be written or was
// read.
func (a *Adapter) check() error {
	switch a.Card.Depth {
	case DepthCalibrate, DepthHead, DepthLoRA, DepthFull:
	default:
		return fmt.Errorf("its depth is %q", a.Card.Depth)
	}
	if a.Card.Base.Digest == "" {
		return errors.New("it names no base model")
	}
	if len(a.LowRank) > 0 && a.Card.Depth != DepthLoRA {
		return fmt.Errorf("its depth is %s and it has low-rank updates", a.Card.Depth)
	}
	for _, l := range a.LowRank {
		if l.Alpha != a.Card.Alpha {
			return fmt.Errorf("tensor %q has alpha %g, the card %g", l.Name, l.Alpha, a.Card.Alpha)
		}
	}
	seen, dim := map[string]bool{}, 0
	for _, l := range a.Labels {
		if l.Name == "" || seen[l.Name] {
			return fmt.Errorf("label %q is there twice or has no name", l.Name)
		}
		seen[l.Name] = true
		if l.Scale < 0 || l.Threshold < 0 || l.Threshold >= 1 || math.IsNaN(l.Scale+l.Delta+l.Threshold) || math.IsInf(l.Scale+l.Delta, 0) {
			return fmt.Errorf("label %s has scale %g, delta %g, threshold %g", l.Name, l.Scale, l.Delta, l.Threshold)
		}
		if l.Vector == nil {
			continue
		}
		if dim == 0 {
			dim = len(l.Vector)
		}
		if n := length(l.Vector); len(l.Vector) != dim || !(math.Abs(n-1) < 1e-3) {
			return fmt.Errorf("label %s has a vector of %d values and length %g", l.Name, len(l.Vector), n)
		}
	}
	return a.Patch().Check()
}

func length(x []float32) float64 {
	sum := 0.0
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return math.Sqrt(sum)
}

// ReadAdapter reads an adapter. An absent file is fs.ErrNotExist.
func ReadAdapter(path string) (*Adapter, error) {
	f, err := openAdapter(path)
	if err != nil {
		return nil, fmt.Errorf("read adapter %s: %w", path, err)
	}
	defer f.Close() // a file that is mapped can be replaced or removed on few systems
	a, err := newAdapter(f)
	if err != nil {
		return nil, fmt.Errorf("read adapter %s: %w", path, err)
	}
	return a, nil
}

// ReadCard reads the card of an adapter, and no more of the file than its
// header.
func ReadCard(path string) (Card, error) {
	f, err := openAdapter(path)
	if err != nil {
		return Card{}, fmt.Errorf("read adapter %s: %w", path, err)
	}
	defer f.Close()
	c, err := card(f.Metadata())
	if err != nil {
		return Card{}, fmt.Errorf("read adapter %s: %w", path, err)
	}
	return c, nil
}

// card is the card in the metadata of a file.
func card(meta map[string]string) (c Card, err error) {
	switch v, ok := meta[versionKey]; {
	case !ok:
		return c, errors.New("it is a file of tensors, but no adapter of sigla")
	case v != version:
		return c, fmt.Errorf("its format is %s, this program knows %s: it was written by another version", v, version)
	}
	if err := json.Unmarshal([]byte(meta[cardKey]), &c); err != nil {
		return c, fmt.Errorf("its card is damaged: %w", err)
	}
	return c, nil
}

func openAdapter(path string) (*safetensors.File, error) {
	f, err := safetensors.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fs.ErrNotExist
	} else if err != nil {
		return nil, fmt.Errorf("it is damaged, or no adapter: %w", errors.Unwrap(err))
	}
	return f, nil
}

// newAdapter reads the content of a file; the result aliases nothing of it.
func newAdapter(f *safetensors.File) (a *Adapter, err error) {
	a = &Adapter{}
	meta := f.Metadata()
	if a.Card, err = card(meta); err != nil {
		return nil, err
	}
	if err := json.Unmarshal([]byte(meta[labelsKey]), &a.Labels); err != nil {
		return nil, fmt.Errorf("its labels are damaged: %w", err)
	}
	if err := a.take(f); err != nil {
		return nil, err
	}
	return a, a.check()
}

// take sorts the tensors of a file into the adapter.
func (a *Adapter) take(f *safetensors.File) error {
	prefix := ""
	if a.Card.Depth == DepthLoRA {
		prefix = peftPrefix
	}
	for _, name := range f.Names() {
		t, _ := f.Tensor(name)
		values, err := t.Floats(nil)
		if err != nil {
			return err
		}
		t.Release()
		rest, ok := strings.CutPrefix(name, prefix)
		module, isA := strings.CutSuffix(rest, peftA)
		_, isB := strings.CutSuffix(rest, peftB)
		switch {
		case name == vectorTensor:
			if err := a.takeVectors(t.Shape, values); err != nil {
				return err
			}
		case !ok:
			return fmt.Errorf("it has a tensor %q, which no adapter has", name)
		case isA:
			if err := a.takeLowRank(f, module, t, values); err != nil {
				return err
			}
		case isB: // with its A
			if _, ok := f.Tensor(strings.TrimSuffix(name, peftB) + peftA); !ok {
				return fmt.Errorf("tensor %q has no A beside it", name)
			}
		default:
			a.Tensors = append(a.Tensors, model.Tensor{Name: rest, Shape: t.Shape, Values: values})
		}
	}
	for _, l := range a.Labels {
		if l.Row != 0 && l.Vector == nil {
			return fmt.Errorf("label %s lacks its vector", l.Name)
		}
	}
	return nil
}

func (a *Adapter) takeVectors(shape []int, values []float32) error {
	if len(shape) != 2 {
		return fmt.Errorf("tensor %q is %v", vectorTensor, shape)
	}
	for i := range a.Labels {
		l := &a.Labels[i]
		if l.Row < 0 || l.Row > shape[0] {
			return fmt.Errorf("label %s has vector %d of %d", l.Name, l.Row, shape[0])
		}
		if l.Row > 0 {
			l.Vector = values[(l.Row-1)*shape[1] : l.Row*shape[1] : l.Row*shape[1]]
		}
	}
	return nil
}

func (a *Adapter) takeLowRank(f *safetensors.File, module string, at safetensors.Tensor, values []float32) error {
	bt, ok := f.Tensor(strings.TrimSuffix(at.Name, peftA) + peftB)
	if !ok || len(at.Shape) != 2 || len(bt.Shape) != 2 || bt.Shape[1] != at.Shape[0] {
		return fmt.Errorf("tensors A %v and B %v of %q do not fit", at.Shape, bt.Shape, module)
	}
	b, err := bt.Floats(nil)
	if err != nil {
		return err
	}
	a.LowRank = append(a.LowRank, model.LowRank{
		Name: module + ".weight", Out: bt.Shape[0], In: at.Shape[1], Rank: at.Shape[0], Alpha: a.Card.Alpha, A: values, B: b,
	})
	return nil
}
