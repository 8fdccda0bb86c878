package finetune

import (
	"fmt"
	"math"
	"time"

	"sigla/backend"
)

// Options are the numbers of a run. The zero value of a field that has a
// default stands for the default.
type Options struct {
	// Steps is how many there are; or Epochs is how often every photo is seen, at
	// least.
	Steps  int `json:"steps,omitempty"`
	Epochs int `json:"epochs,omitempty"`
	// Batch is the most photos of a step. Those of an epoch are dealt out
	// evenly: no batch is smaller than another by more than one photo.
	Batch int `json:"batch"`

	LR     float64 `json:"lr"`     // at its highest
	Warmup int     `json:"warmup"` // steps until then
	Decay  float64 `json:"decay"`  // of AdamW: p ← p·(1 − lr·decay)
	Beta1  float64 `json:"beta1"`  // default 0.9
	Beta2  float64 `json:"beta2"`  // default 0.95
	Eps    float64 `json:"eps"`    // default 1e-8
	// Clip is the highest norm of all gradients together; longer ones are
	// shortened to it. Default 1; a negative one shortens nothing.
	Clip float64 `json:"clip"`

	Seed uint64 `json:"seed"` // of the order of the photos
	// Balance is below how many times the mean frequency of labels one is rare:
	// photos that show it are drawn more often, see Set.Repeats. 0: every photo once
	// an epoch.
	Balance float64 `json:"balance,omitempty"`
	// ValidateEvery is the number of steps from a validation to the next; the
	// last step always has one. Zero: only the last; negative: not even it.
	ValidateEvery int `json:"validate_every"`
	// CheckpointEvery is the time from a checkpoint to the next; default 5 min.
	CheckpointEvery time.Duration `json:"checkpoint_every"`
	// Checkpoints is how many are kept of a run, at least 4; default 8.
	Checkpoints int `json:"checkpoints"`
}

// MostBalance is the highest balance of a run. From some number on all labels are
// rare, and nothing changes any more.
const MostBalance = 10

// check fills in the defaults, with the number of steps for so many rows, and
// says which number is out of range.
func (o Options) check(rows int) (Options, error) {
	if rows < 1 {
		return o, fmt.Errorf("train: there is no photo to learn from")
	}
	orElse := func(v *float64, d float64) {
		if *v == 0 {
			*v = d
		}
	}
	orElse(&o.Beta1, 0.9)
	orElse(&o.Beta2, 0.95)
	orElse(&o.Eps, 1e-8)
	orElse(&o.Clip, 1)
	if o.CheckpointEvery == 0 {
		o.CheckpointEvery = 5 * time.Minute
	}
	if o.Checkpoints == 0 {
		o.Checkpoints = 8
	}
	positive := func(v float64) bool { return v > 0 && v <= math.MaxFloat32 }
	for _, c := range []struct {
		ok   bool
		what string
		got  any
		want string
	}{
		{o.Batch > 0, "batch", o.Batch, "at least 1"},
		{(o.Steps > 0) != (o.Epochs > 0) && o.Steps >= 0 && o.Epochs >= 0, "steps and epochs", fmt.Sprint(o.Steps, " and ", o.Epochs), "one of them above 0"},
		{positive(o.LR), "learning rate", o.LR, "above 0"},
		{o.Warmup >= 0, "warm-up", o.Warmup, "0 steps or more"},
		{o.Decay == 0 || positive(o.Decay) && o.LR*o.Decay < 1, "decay", o.Decay, "0 or more, and below 1 times the learning rate"},
		{o.Beta1 >= 0 && o.Beta1 < 1, "beta1", o.Beta1, "from 0 to below 1"},
		{o.Beta2 >= 0 && o.Beta2 < 1, "beta2", o.Beta2, "from 0 to below 1"},
		{o.Balance >= 0 && o.Balance <= MostBalance, "balance", o.Balance, fmt.Sprintf("from 0 to %d", MostBalance)},
		{positive(o.Eps), "eps", o.Eps, "above 0"},
		{!math.IsNaN(o.Clip), "clip", o.Clip, "a norm"},
		{o.CheckpointEvery > 0, "time between checkpoints", o.CheckpointEvery, "above 0"},
		{o.Checkpoints >= 4, "checkpoints", o.Checkpoints, "at least 4"},
	} {
		if !c.ok {
			return o, fmt.Errorf("train: %s is %v; it must be %s", c.what, c.got, c.want)
		}
	}
	return o, nil
}

// total is the number of steps where an epoch has so many photos.
func (o Options) total(photos int) int {
	if o.Steps > 0 {
		return o.Steps
	}
	return o.Epochs * batches(photos, o.Batch)
}

// rate is the learning rate of a step, which counts from 1: it rises in equal
// parts through the warm-up, then falls to 0 by a half cosine
// (Loshchilov & Hutter 2017, without restarts).
func (o Options) rate(step, steps int) float64 {
	s, warm := step-1, min(o.Warmup, steps)
	if s < warm {
		return o.LR * float64(s+1) / float64(warm)
	}
	return o.LR / 2 * (1 + math.Cos(math.Pi*float64(s-warm)/float64(steps-warm)))
}

// adam has the numbers of a step whose gradients have a norm.
func (o Options) adam(step, steps int, norm float64) backend.Adam {
	a := backend.Adam{
		LR: float32(o.rate(step, steps)), Beta1: float32(o.Beta1), Beta2: float32(o.Beta2), Eps: float32(o.Eps),
		Decay: float32(o.Decay), Scale: 1, Step: step,
	}
	if o.Clip > 0 && norm > o.Clip {
		a.Scale = float32(o.Clip / norm)
	}
	return a
}
