package finetune

import "math/rand/v2"

// A sampler deals rows out in batches: in each epoch every row once, in an
// order that the seed and the number of the epoch decide alone.
type sampler struct {
	rows, batch int
	seed        uint64

	at    place
	order []int // of the epoch at.Epoch; nil until it is asked for
}

// A place is where a sampler is: how many epochs and batches are behind it.
type place struct {
	Epoch int `json:"epoch"`
	Batch int `json:"batch"`
}

// batches is the number of batches of an epoch.
func batches(rows, batch int) int { return (rows + batch - 1) / batch }

// next returns a batch, which is the caller's until the next one.
func (s *sampler) next() []int {
	n := batches(s.rows, s.batch)
	if s.order == nil {
		s.order = rand.New(rand.NewPCG(s.seed, uint64(s.at.Epoch))).Perm(s.rows)
	}
	b := s.order[s.rows*s.at.Batch/n : s.rows*(s.at.Batch+1)/n]
	if s.at.Batch++; s.at.Batch == n {
		s.at, s.order = place{Epoch: s.at.Epoch + 1}, nil
	}
	return b
}

// seek goes to a place.
func (s *sampler) seek(p place) { s.at, s.order = p, nil }
