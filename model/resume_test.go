package model

import (
	"math/rand/v2"
	"slices"
	"testing"

	"sigla/backend"
	"sigla/cpu"
)

// A training that goes on from the state of another, on another engine, has its
// bits: whichever memory was lent to which tensor, and however the steps before
// left it. The model is large enough for gradients and activations to take turns.
func TestStateGoesOnToTheBit(t *testing.T) {
	dir := t.TempDir()
	tower := Tower{Width: 320, MLP: 1280, Heads: 5, Layers: 2, Eps: 1e-6}
	c := Config{Vision: tower, Text: tower, ImageSize: 160, Patch: 16, Vocab: 4000, Tokens: 16, Dim: 320}
	if err := WriteRandom(dir, c, 1); err != nil {
		t.Fatal(err)
	}
	for _, bf16 := range []bool{false, true} {
		start := func() *Trainer {
			e, err := cpu.New(cpu.Options{BF16: bf16})
			if err != nil {
				t.Fatal(err)
			}
			tr, err := loadOn(t, e, dir).NewTrainer()
			if err != nil {
				t.Fatal(err)
			}
			return tr
		}
		through, first, then := start(), start(), start()
		for i := range 3 {
			learnNoise(t, through, i)
			if i < 1 {
				learnNoise(t, first, i)
			}
		}
		stored := state(t, first)
		i := 0
		err := then.State(func(_ string, _ []int, values []float32) (bool, error) {
			copy(values, stored[i])
			i++
			return true, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for i := 1; i < 3; i++ {
			learnNoise(t, then, i)
		}
		want := state(t, through)
		for i, got := range state(t, then) {
			if !slices.Equal(got, want[i]) {
				t.Errorf("bf16=%t: part %d of the state differs", bf16, i)
			}
		}
		if slices.Equal(stored[0], want[0]) {
			t.Error("nothing was learned")
		}
	}
}

func state(t *testing.T, tr *Trainer) (all [][]float32) {
	t.Helper()
	err := tr.State(func(_ string, _ []int, values []float32) (bool, error) {
		all = append(all, slices.Clone(values))
		return false, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// learnNoise takes a step with a batch of noise.
func learnNoise(t *testing.T, tr *Trainer, i int) {
	t.Helper()
	rng, c := rand.New(rand.NewPCG(uint64(i), 7)), tr.m.cfg
	b := Batch{Pairs: backend.Pairs{Default: -1, Diagonal: true}}
	for range 8 {
		photo := make([]float32, c.Patches()*c.PatchLen())
		for k := range photo {
			photo[k] = rng.Float32()*2 - 1
		}
		ids := make([]int32, c.Tokens)
		for k := range ids {
			ids[k] = rng.Int32N(int32(c.Vocab))
		}
		b.Images, b.IDs = append(b.Images, photo), append(b.IDs, ids)
	}
	if _, err := tr.Add(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if _, _, err := tr.SumSquares(); err != nil {
		t.Fatal(err)
	}
	if err := tr.Step(backend.Adam{LR: 1e-4, Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, Scale: 1, Step: i + 1}, false); err != nil {
		t.Fatal(err)
	}
}
