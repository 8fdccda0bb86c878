package cli

import (
	"context"
	"math"
	"reflect"
	"slices"
	"testing"

	"sigla/finetune"
	"sigla/ui"
)

func TestSides(t *testing.T) {
	s := sides{
		ids: []int{7, 8, 9}, names: []string{"dog", "sea"}, cuts: []float64{0, 1},
		before: []float32{-1, 3, 2, 0.5, 0, 0},
		after:  []float32{0, 0.9, 3, 4, -0.1, 0.9},
	}
	want := ui.TrainSides{Up: 2, Down: 2, Photos: []ui.SideChange{{ID: 8, Label: "sea", Up: true}, {ID: 7, Label: "sea"}, {ID: 9, Label: "dog"}}}
	if got := s.told(); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// Depths that change the towers tell the photos held back that changed sides, as
// of the last validation.
func TestTrainerTowersTellSides(t *testing.T) {
	u := classroom(t, twoKinds)
	ctx := context.Background()
	run, err := u.Begin(ctx, ui.TrainWish{Depth: finetune.DepthLoRA, Complete: true})
	if err != nil {
		t.Fatal(err)
	}
	defer run.Close()
	if s, err := run.Sides(ctx); err != nil || s.Up+s.Down != 0 || !s.Held {
		t.Errorf("before: %+v, %v", s, err)
	}
	steps(t, run, nil)
	m := run.(*trainRun).method.(*towerMethod)
	first, last := m.Looks()
	if !slices.Equal(last.Photos, m.l.held) || len(last.Labels) != 2 || slices.Equal(first.Logits, last.Logits) {
		t.Fatalf("looks %+v and %+v", first, last)
	}
	// A threshold between what a photo scored and scores is one that it has passed.
	m.l.known.labels[0].Threshold = 1 / (1 + math.Exp(-float64(first.Logits[0]+last.Logits[0])/2))
	s, err := run.Sides(ctx)
	if err != nil || s.Up+s.Down == 0 || len(s.Photos) == 0 {
		t.Errorf("after: %+v, %v", s, err)
	}
}
