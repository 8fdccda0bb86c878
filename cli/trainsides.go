package cli

import (
	"cmp"
	"math"
	"slices"

	"sigla/ui"
)

// sides are logits of photos and labels, [photos, labels], before and after they
// learned.
type sides struct {
	ids           []int     // of the photos
	names         []string  // of the labels
	cuts          []float64 // logits of their thresholds
	before, after []float32
}

// mostSides is how many photos that changed sides are named: more than have
// room on a screen.
const mostSides = 32

// told finds the pairs that changed sides, those that moved furthest first.
func (s sides) told() (told ui.TrainSides) {
	type change struct {
		photo, label int
		up           bool
		by           float64
	}
	var changes []change
	n := len(s.cuts)
	for i := range s.before {
		cut := s.cuts[i%n]
		was, is := float64(s.before[i]) >= cut, float64(s.after[i]) >= cut
		if was == is {
			continue
		}
		if is {
			told.Up++
		} else {
			told.Down++
		}
		changes = append(changes, change{i / n, i % n, is, math.Abs(float64(s.after[i] - s.before[i]))})
	}
	slices.SortStableFunc(changes, func(a, b change) int { return cmp.Compare(b.by, a.by) })
	shown := make(map[int]bool)
	for _, c := range changes {
		id := s.ids[c.photo]
		if shown[id] || len(told.Photos) == mostSides {
			continue
		}
		shown[id] = true
		told.Photos = append(told.Photos, ui.SideChange{ID: id, Label: s.names[c.label], Up: c.up})
	}
	return told
}
