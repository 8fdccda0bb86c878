package model

import (
	"context"
	"slices"
	"testing"

	"sigla/backend"
	"sigla/backend/ref"
)

// What is foreseen is what an engine is asked for, to the byte.
func TestForesee(t *testing.T) {
	for _, s := range selections {
		for _, micro := range []int{0, 2} {
			e := &counter{Backend: ref.New()}
			m := loadOn(t, e, bicubic)
			b := goldenBatch(t, m, bicubic)
			b.Micro, b.Prompts = micro, []int{1, 1, 1, 1}
			tr, err := m.NewTrainer(s.patterns...)
			if err != nil {
				t.Fatal(err)
			}
			if b.Images, err = tr.Front(context.Background(), b.Images); err != nil {
				t.Fatal(err)
			}
			if !tr.text.train {
				b.IDs, b.Prompts, b.Texts = nil, nil, slices.Repeat([]Embedding{make([]float32, m.cfg.Dim)}, 4)
			}
			add(t, tr, b)
			need, err := Foresee(m.cfg, func(m *Model) (*Trainer, error) { return m.NewTrainer(s.patterns...) }, 4, 4, micro)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := need.Total(), int64(4*e.elements); got != want {
				t.Errorf("%q, parts of %d: %+v are %d bytes, want %d", s.patterns, micro, need, got, want)
			}
			if need.Photo != Size(b.Images[0]) || need.Photo == 0 {
				t.Errorf("%q: %d bytes a photo, want %d", s.patterns, need.Photo, Size(b.Images[0]))
			}
		}
	}
}

// The published sizes are foreseen at once, without their memory.
func TestForeseeBase(t *testing.T) {
	tower := Tower{Width: 768, MLP: 3072, Heads: 12, Layers: 12, Eps: 1e-6}
	c := Config{Vision: tower, Text: tower, ImageSize: 224, Patch: 16, Vocab: 32000, Tokens: 64, Dim: 768}
	all, err := Foresee(c, func(m *Model) (*Trainer, error) { return m.NewTrainer() }, 8, 8, 8)
	if err != nil {
		t.Fatal(err)
	}
	// 203,155,970 parameters are published for it.
	if n := all.Gradients / 4; n < 203155970 || n > 203155970+64*400 || all.Weights != all.Gradients {
		t.Errorf("%+v", all)
	}
	lora, err := Foresee(c, func(m *Model) (*Trainer, error) {
		return m.NewLoRA(LoRA{Rank: 8, Alpha: 16, Targets: []string{"q", "v"}, Image: true, Text: true})
	}, 8, 8, 8)
	if err != nil {
		t.Fatal(err)
	}
	if lora.Gradients > all.Gradients/100 || lora.Activations > all.Activations*11/10 {
		t.Errorf("low rank %+v, all %+v", lora, all)
	}
	last, err := Foresee(c, func(m *Model) (*Trainer, error) { return m.NewTrainer("*.layers.11.*") }, 8, 8, 8)
	if err != nil {
		t.Fatal(err)
	}
	if last.Activations > all.Activations/3 || last.Gradients > all.Gradients/8 {
		t.Errorf("the last blocks %+v, all %+v", last, all)
	}
	many, err := Foresee(c, func(m *Model) (*Trainer, error) { return m.NewTrainer() }, 256, 256, 8)
	if err != nil {
		t.Fatal(err)
	}
	if many.Activations > all.Activations*11/10 {
		t.Errorf("a batch of 256 in parts of 8 takes %d, one of 8 %d", many.Activations, all.Activations)
	}
}

var _ backend.Backend = (*counting)(nil)
