package finetune

import (
	"cmp"
	"slices"
)

// A Doubt is a tag that the model doubts.
type Doubt struct {
	Photo, Label int
	Value        int8    // what is known: +1 or −1
	P            float64 // probability that the photo shows the label, learned from other photos
	By           Origin
}

// Doubts returns what is known and may be wrong, what is doubted most first. The
// scores are those of cross-validation: a model that has learned a wrong tag
// would not doubt it. A tag is doubted where the photo is at least as sure on the
// other side as photos of that side are on average (confident learning:
// Northcutt et al. 2021, section 3). Of a label of few photos nothing is said.
func (s Set) Doubts(scores Scores) []Doubt {
	photos := s.Rest(nil)
	groups := s.Groups()
	var doubts []Doubt
	for label := range s.Labels {
		c := s.column(scores, label, photos)
		var sum, n [2]float64 // of those not shown, shown
		for i, y := range c.truth {
			side := (int(y) + 1) / 2
			sum[side] += c.p[i]
			n[side]++
		}
		if s.few(c, groups) != "" {
			continue
		}
		for i, y := range c.truth {
			if y > 0 && c.p[i] <= sum[0]/n[0] || y < 0 && c.p[i] >= max(0.5, sum[1]/n[1]) {
				doubts = append(doubts, Doubt{c.rows[i], label, y, c.p[i], s.origin(c.rows[i], label)})
			}
		}
	}
	wrong := func(d Doubt) float64 {
		if d.Value > 0 {
			return 1 - d.P
		}
		return d.P
	}
	slices.SortStableFunc(doubts, func(a, b Doubt) int {
		return cmp.Or(cmp.Compare(wrong(b), wrong(a)), cmp.Compare(a.Photo, b.Photo))
	})
	return doubts
}

// origin returns where knowledge of a photo and a label comes from; a set that is
// complete says by its list what it does not name.
func (s Set) origin(photo, label int) Origin {
	for _, k := range s.Photos[photo].Known {
		if k.Label == label {
			return k.By
		}
	}
	return ByList
}
