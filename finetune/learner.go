package finetune

import (
	"context"
	"errors"

	"sigla/backend"
)

// ErrUnread says that no photo of a batch can be read, but perhaps others.
var ErrUnread = errors.New("no photo of the batch can be read")

// A Learner is what is trained at one depth: it knows its data, its parameters
// and their gradients, and nothing of schedules, files and screens. A Run drives
// it from one goroutine.
type Learner interface {
	// Rows is the number of photos that are learned from; batches are of them.
	Rows() int
	// Repeats is how often an epoch has each row, once or more, for
	// Options.Balance; nil stands for once each.
	Repeats(balance float64) []float64
	// Gradient adds the gradients of the loss of a batch of rows. It returns the
	// loss, and the number of pairs that it is of. If it fails, no gradient is
	// left; it is ErrUnread as long as photos of other batches may be readable.
	Gradient(ctx context.Context, batch []int) (loss float64, pairs int, err error)
	// SumSquares is the sum of the squares of all gradients added so far. If it
	// is not finite, at is the name of a tensor whose gradient is not.
	SumSquares() (sum float64, at string, err error)
	// Update takes a step of AdamW by the gradients, and clears them. The decay
	// is of weight matrices alone. a.Step counts from 1.
	Update(a backend.Adam) error
	// Scalars returns t' and b.
	Scalars() (logScale, bias float32)
	// Validate looks at the photos that are not learned from.
	Validate(ctx context.Context) (Validation, error)
	// Each visits all that a step changes, weights and the moments of AdamW
	// beside them, in an order that is always the same. If visit says that it
	// changed the values, they are taken over: a checkpoint is restored so.
	// The values are visit's until it returns, and gradients of values taken over
	// are cleared.
	Each(visit func(name string, shape []int, values []float32) (changed bool, err error)) error
}

// untilRead tries batches until photos of one can be read: the others, a photo
// alone perhaps, teach nothing.
func untilRead(s *sampler, try func(batch []int) error) error {
	for {
		if err := try(s.next()); !errors.Is(err, ErrUnread) {
			return err
		}
	}
}
