package ui

import (
	"context"
	"math"
	"testing"

	"sigla/model"
)

// choosing is an encoder of CLIP's kind.
type choosing struct{ colours }

func (*choosing) Info() model.Info {
	return model.Info{Name: "colours", Kind: model.CLIP.String(), LogScale: float32(math.Log(20))}
}

// TestCLIP: the probabilities of a model that chooses are those of a softmax over
// the label set, and the status line says so.
func TestCLIP(t *testing.T) {
	d := open(t, 120, 40, photos(t, 4), func(o *Options) {
		o.Load = func(context.Context) (Encoder, error) { return &choosing{}, nil }
	}).start()
	d.has("softmax")
	sum := 0.0
	for _, r := range d.m.rows() {
		sum += r.p
	}
	if len(d.m.rows()) != 4 || math.Abs(sum-1) > 1e-5 {
		t.Errorf("%d labels have probabilities that add up to %v", len(d.m.rows()), sum)
	}
}
