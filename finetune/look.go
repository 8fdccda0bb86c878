package finetune

import "context"

// Look measures heads on the photos that a Linear does not learn from, as
// Validate measures those that it has learned so far.
func (l *Linear) Look(ctx context.Context, h Heads) (Validation, error) {
	scores, err := h.scores(l.work, l.images(l.held))
	if err != nil {
		return Validation{}, err
	}
	return l.d.validate(scores, l.held), ctx.Err()
}

// Learned is the number of labels that learn: those of which both sides are known.
func (l *Linear) Learned() int { return len(l.columns) }
