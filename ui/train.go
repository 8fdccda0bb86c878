package ui

import (
	"context"
	"errors"
	"time"

	"sigla/finetune"
	"sigla/gallery/label"
)

// Trainer learns from what is known of the photos. Its methods may take long:
// they are called by commands.
type Trainer interface {
	// Plan says what trainings of the depths would learn from, and what they take:
	// tell is called for each, with an error where there is nothing to learn. The
	// depth of the wish does not matter.
	Plan(ctx context.Context, wish TrainWish, depths []finetune.Depth, tell func(finetune.Depth, TrainPlan, error))
	// Begin prepares a training. Nothing is learned yet.
	Begin(ctx context.Context, wish TrainWish) (Training, error)
}

// TrainWish is what a person wants to be learned.
type TrainWish struct {
	Labels    label.Set // of the explorer: they explain the names that tags have
	Depth     finetune.Depth
	Complete  bool         // a tag that a photo does not have is known to be wrong
	Aim       finetune.Aim // of thresholds
	Prototype bool         // of DepthHead: vectors are means, not learned
}

// TrainPlan is what a training learns from, and what it takes.
type TrainPlan struct {
	Depth   finetune.Depth
	Data    finetune.Summary
	From    string // where it is said what photos show: "tags in files"
	Learned int    // labels of which both sides are known
	Held    int    // photos that are looked at and not learned from
	Seed    uint64
	Steps   int
	Time    time.Duration // expected; 0: not known
	Bytes   int64         // of memory, beside what is in use
	Device  string        // what trains: "cpu avx512 · bf16"; "": not known
	Notes   []string      // what a person should know before it begins

	Recorded bool // a run of the past is shown: nothing can be done to it
}

// Training is one run of a Trainer. Train is called by one goroutine at a time,
// the others at any time; Result, Keep and Discard only when Train has returned.
type Training interface {
	Plan() TrainPlan
	// Before is how the model does on the photos held back before it learns.
	Before() finetune.Validation
	// Train takes the steps that are left, as finetune.Run does.
	Train(ctx context.Context, w finetune.Watch) error
	Pause()
	Resume()
	Stop()

	Checkpoints() ([]int, error)
	Rewind(step int) error // forgets what came after
	Branch(step int) error // goes on from there, and leaves what came after on disk

	// Sides says which photos have changed sides since the start.
	Sides(ctx context.Context) (TrainSides, error)
	// Result measures what was learned.
	Result(ctx context.Context) (TrainResult, error)
	// Keep keeps what the gate lets through, for use from now on.
	Keep(ctx context.Context) (Learned, error)
	// Discard removes everything that the run wrote.
	Discard() error
	Close() error
}

// TrainSides are tags that came and went since the start of a training.
type TrainSides struct {
	Up, Down int          // pairs of a photo and a label
	Held     bool         // only photos held back are looked at
	Photos   []SideChange // some of them, those that changed most first
}

// SideChange is a photo that is above the threshold of a label now and was not,
// or the other way round.
type SideChange struct {
	ID    int
	Label string
	Up    bool
}

// TrainResult is how good what was learned is.
type TrainResult struct {
	Before, After finetune.Validation // on the photos held back
	Labels        []finetune.Verdict
	Kept          int // labels that are better and would be kept
	Whole         bool
	Thresholds    []finetune.Threshold // that were fitted, by label; nil: none was asked for
	Notes         []string
}

// Moved is how many thresholds have moved.
func (r TrainResult) Moved() (n int) {
	for _, t := range r.Thresholds {
		if t.Reason == "" {
			n++
		}
	}
	return n
}

// Learned is what was kept.
type Learned struct {
	Name   string        // of the adapter
	Labels []label.Label // that have learned
	// Encoder stands in the place of the former, with which it is closed. It is
	// nil if all photos must be embedded anew: the explorer ends with ErrReopen.
	Encoder Encoder
}

// ErrReopen is why Run returned when a training has changed the model so that
// nothing of what the explorer knows holds any more.
var ErrReopen = errors.New("the model has changed")
