package model

import (
	"context"
	"slices"
	"testing"

	"sigla/backend"
	"sigla/backend/ref"
)

// able is an engine of another capacity.
type able struct {
	backend.Backend
	c backend.Capacity
}

func (e able) Capacity() backend.Capacity { return e.c }

const mib = 1 << 20 / 4 // elements

var (
	baseTower = Tower{Width: 768, MLP: 3072, Heads: 12, Layers: 12, Eps: 1e-6}
	base      = Config{Vision: baseTower, Text: baseTower, ImageSize: 224, Patch: 16, Vocab: 32000, Tokens: 64, Dim: 768}
	so400mOf  = Tower{Width: 1152, MLP: 4304, Heads: 16, Layers: 27, Eps: 1e-6}
	so400m    = Config{Vision: so400mOf, Text: so400mOf, ImageSize: 384, Patch: 14, Vocab: 32000, Tokens: 64, Dim: 1152}
)

// As many inputs go at once as keep an engine busy and have room.
func TestChooseBatches(t *testing.T) {
	for _, c := range []struct {
		name          string
		config        Config
		engine        backend.Capacity
		photos, texts int
	}{
		{"a processor", base, backend.Capacity{}, 8, 8},
		{"the software driver", base, backend.Capacity{FLOPS: 7e9, Buffer: 128 * mib}, 8, 8},
		{"a small GPU", base, backend.Capacity{FLOPS: 4e12, Buffer: 128 * mib}, 8, 16},
		{"a middling GPU", base, backend.Capacity{FLOPS: 12e12, Buffer: 128 * mib, Memory: 3000 * mib}, 16, 32},
		{"a large GPU", base, backend.Capacity{FLOPS: 27e12, Buffer: 128 * mib, Memory: 30000 * mib}, 32, 32},
		{"a large GPU that does not tell its memory", base, backend.Capacity{FLOPS: 27e12, Buffer: 128 * mib}, 32, 32},
		{"a large GPU without room", base, backend.Capacity{FLOPS: 27e12, Buffer: 128 * mib, Memory: 128 * mib}, 8, 32},
		{"hardly any room", base, backend.Capacity{FLOPS: 27e12, Buffer: 128 * mib, Memory: 16 * mib}, 1, 4},
		{"none", base, backend.Capacity{FLOPS: 27e12, Buffer: 128 * mib, Memory: 1}, 1, 1},
		{"a large model", so400m, backend.Capacity{FLOPS: 500e12, Buffer: 2048 * mib, Memory: 30000 * mib}, 32, 32},
		{"a large model, small buffers", so400m, backend.Capacity{FLOPS: 500e12, Buffer: 128 * mib, Memory: 30000 * mib}, 8, 32},
		{"a large model, memory unknown", so400m, backend.Capacity{FLOPS: 500e12, Buffer: 2048 * mib}, 8, 32},
		{"a large model on the software driver", so400m, backend.Capacity{FLOPS: 7e9, Buffer: 64 * mib}, 4, 8},
	} {
		m, e := weightless(c.config)
		m.e = able{e, c.engine}
		if err := m.chooseBatches(); err != nil {
			t.Fatal(err)
		}
		if m.atOnce != (inputs{c.photos, c.texts}) {
			t.Errorf("%s: %+v, want %d and %d", c.name, m.atOnce, c.photos, c.texts)
		}
	}
}

// Parts of a training batch are as large as there is room for, whatever the speed.
func TestChooseMicro(t *testing.T) {
	full := func(m *Model) (*Trainer, error) { return m.NewTrainer() }
	low := func(m *Model) (*Trainer, error) {
		return m.NewLoRA(LoRA{Rank: 8, Alpha: 16, Targets: []string{"q", "v"}, Image: true, Text: true})
	}
	for _, c := range []struct {
		name    string
		engine  backend.Capacity
		prepare func(m *Model) (*Trainer, error)
		want    int
	}{
		{"a processor", backend.Capacity{}, full, 8},
		{"unknown memory", backend.Capacity{FLOPS: 27e12, Buffer: 128 * mib}, full, 8},
		{"slow", backend.Capacity{FLOPS: 1e9, Buffer: 128 * mib, Memory: 30000 * mib}, full, 32},
		{"fast", backend.Capacity{FLOPS: 27e12, Buffer: 128 * mib, Memory: 30000 * mib}, full, 32},
		{"fast, low rank", backend.Capacity{FLOPS: 27e12, Buffer: 128 * mib, Memory: 30000 * mib}, low, 32},
		{"3 GiB", backend.Capacity{FLOPS: 27e12, Buffer: 128 * mib, Memory: 3000 * mib}, full, 16},
		{"little", backend.Capacity{FLOPS: 27e12, Buffer: 128 * mib, Memory: 600 * mib}, full, 4},
		{"none", backend.Capacity{FLOPS: 27e12, Buffer: 128 * mib, Memory: 1}, full, 1},
	} {
		m, e := weightless(base)
		m.e = able{e, c.engine}
		tr, err := c.prepare(m)
		if err != nil {
			t.Fatal(err)
		}
		if tr.micro != c.want {
			t.Errorf("%s: %d, want %d", c.name, tr.micro, c.want)
		}
	}
}

// What there is room for by the count is what an engine is asked for.
func TestBatchesAreCounted(t *testing.T) {
	for _, folder := range []string{bicubic, starterFolder} {
		e := &counter{Backend: ref.New()}
		m := loadOn(t, able{e, backend.Capacity{FLOPS: 1e18}}, folder)
		n := m.Batch()
		if n != many {
			t.Fatalf("%s: %d photos at once", folder, n)
		}
		if folder == starterFolder {
			n = 3 // the reference is slow
			m.atOnce.photos = 6
		}
		before := e.elements
		zeros := make([]float32, m.window.Len())
		if _, err := m.Embed(context.Background(), slices.Repeat([]any{zeros}, n)); err != nil {
			t.Fatal(err)
		}
		dry, counted := weightless(m.cfg)
		*counted = counting{}
		dry.atOnce = m.atOnce
		if _, err := dry.embedImages(context.Background(), slices.Repeat([]any{zeros}, n)); err != nil {
			t.Fatal(err)
		}
		if got, want := e.elements-before, int(counted.bytes[backend.Scratch]/4); got != want || got == 0 {
			t.Errorf("%s: %d photos take %d elements, counted were %d", folder, n, got, want)
		}
	}
}

// limited is an engine with so much memory left, in elements.
type limited struct {
	backend.Backend
	left int
}

func (e *limited) Alloc(n int, use backend.Use) buf {
	e.left -= n
	return e.Backend.Alloc(n, use)
}

func (e *limited) Capacity() backend.Capacity {
	return backend.Capacity{FLOPS: 27e12, Buffer: 128 * mib, Memory: max(1, e.left/2)}
}

// Gradients and moments leave less room than there was for the model alone: photos that
// are embedded between steps have no more than that.
func TestTrainerEmbedsInWhatIsLeft(t *testing.T) {
	m, counted := weightless(base)
	e := &limited{counted, 2600 * mib}
	m.e, m.mem.e = e, e
	if err := m.chooseBatches(); err != nil {
		t.Fatal(err)
	}
	tr, err := m.NewTrainer()
	if err != nil {
		t.Fatal(err)
	}
	if m.Batch() != many || tr.photos < 1 || tr.photos >= many {
		t.Errorf("the model takes %d photos at once, the training %d", m.Batch(), tr.photos)
	}
	if _, err := tr.Embed(context.Background(), slices.Repeat([]any{make([]float32, m.window.Len())}, 2*many)); err != nil {
		t.Fatal(err)
	}
	if e.left < 0 {
		t.Errorf("%d MiB too much were allocated", -e.left/mib)
	}
}
