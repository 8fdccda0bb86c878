package model

import (
	"context"
	"slices"
	"time"

	"sigla/backend"
)

const (
	few  = 8  // more gain no speed on a processor
	many = 32 // keep a large GPU busy

	// moment is how long more than a few may take at the speed of a matrix product:
	// a search that is typed meanwhile waits for them.
	moment = 60 * time.Millisecond
	// modest is how many bytes of activations more than a few may have where nobody
	// knows how much memory there is.
	modest = 512 << 20
)

// inputs are how many photos and texts go through the towers at once.
type inputs struct{ photos, texts int }

// Batch is how many photos at once the model embeds; of more, some after the other.
func (m *Model) Batch() int { return m.atOnce.photos }

// chooseBatches says how many photos and texts the engine takes at once, now that
// the weights have been allocated.
func (m *Model) chooseBatches() error {
	var err error
	if m.atOnce.photos, err = m.mostPhotos(); err != nil {
		return err
	}
	m.atOnce.texts, err = m.most(m.cfg.textFLOPs(), func(dry *Model, n int) error {
		_, err := dry.embedIDs(context.Background(), slices.Repeat([][]int32{make([]int32, m.cfg.Tokens)}, n))
		return err
	})
	return err
}

// mostPhotos is how many photos the engine takes at once now.
func (m *Model) mostPhotos() (int, error) {
	zeros := make([]float32, m.window.Len())
	return m.most(m.cfg.imageFLOPs(), func(dry *Model, n int) error {
		dry.atOnce.photos = n
		_, err := dry.embedImages(context.Background(), slices.Repeat([]any{zeros}, n))
		return err
	})
}

// most is how many inputs, of so many operations each, the engine takes at once:
// few, or more if it does them in a moment, or less if it has no room for them. embed
// runs n on a model that counts.
func (m *Model) most(flops float64, embed func(dry *Model, n int) error) (int, error) {
	c, n := m.e.Capacity(), many
	for n > few && float64(n)*flops > moment.Seconds()*c.FLOPS {
		n /= 2
	}
	return fitting(c, n, func(n int) (*counting, error) {
		dry, e := weightless(m.cfg)
		*e = counting{} // what is allocated from here on
		return e, embed(dry, n)
	})
}

// fitting is the most inputs up to n, a half, a quarter, for whose activations there
// is room. run runs some on an engine that counts.
func fitting(c backend.Capacity, n int, run func(n int) (*counting, error)) (int, error) {
	for ; n > 1 && c != (backend.Capacity{}); n /= 2 {
		e, err := run(n)
		if err != nil {
			return 0, err
		}
		bytes, room := e.bytes[backend.Scratch], 4*int64(c.Memory)
		if c.Memory == 0 && n > few {
			room = modest
		}
		if (room == 0 || bytes <= room) && (c.Buffer == 0 || e.largest <= c.Buffer) {
			break
		}
	}
	return n, nil
}

// chooseMicro says how many photos and texts of a batch have activations at once, if
// the batch does not say it: a few, or what there is room for. It does not go by
// speed: sums of gradients must not depend on what was measured. And it says how many
// photos are embedded at once beside what the training has allocated.
func (t *Trainer) chooseMicro(prepare func(*Model) (*Trainer, error)) error {
	var err error
	if t.photos, err = t.m.mostPhotos(); err != nil {
		return err
	}
	c := t.m.e.Capacity()
	most := many
	if c.Memory == 0 {
		most = few
	}
	t.micro, err = fitting(c, most, func(n int) (*counting, error) {
		dry, e := weightless(t.m.cfg)
		need, err := e.training(dry, prepare, n, n, n)
		e.bytes[backend.Scratch] = need.Activations
		return e, err
	})
	return err
}

// stemBatch is how many photos go through the stem together: its maps are large (5 MB
// per photo behind the first expansion), and two at a time gain from a processor's
// cache.
func (m *Model) stemBatch() int {
	if m.atOnce.photos <= few {
		return 2
	}
	return m.atOnce.photos / 2
}
