package gallery

import (
	"context"
	"errors"
	"image"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// While a gallery is paused nothing is decoded, embedded or counted, for
// however long; the pause counts for no rate, and afterwards all goes on.
func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 200
		g := scanned(t, n)
		var decoded, embedded, calls atomic.Int64
		g.Decoded(func(int, image.Image) { decoded.Add(1) })
		e := &fake{onEmbed: func(_ context.Context, numbers []int) error {
			time.Sleep(time.Duration(len(numbers)) * 10 * time.Millisecond)
			embedded.Add(int64(len(numbers)))
			return nil
		}}
		done := make(chan error)
		go func() { done <- g.Embed(context.Background(), e, func() { calls.Add(1) }) }()
		time.Sleep(500 * time.Millisecond)
		g.Pause(true)
		time.Sleep(time.Second) // the batch in hand
		synctest.Wait()
		p := g.Progress()
		if !p.Paused || !p.Embedding || p.Done == 0 || p.Done == n || p.Done != int(embedded.Load()) {
			t.Fatalf("paused: %+v, %d embedded", p, embedded.Load())
		}
		d, c := decoded.Load(), calls.Load()
		time.Sleep(time.Hour)
		synctest.Wait()
		if now := g.Progress(); now.Done != p.Done || decoded.Load() != d || calls.Load() != c {
			t.Errorf("in a paused hour %d photos were embedded, %d decoded, %d changes told", now.Done-p.Done, decoded.Load()-d, calls.Load()-c)
		}
		// What comes onto the screen waits, too.
		g.Want([]int{n - 1})
		synctest.Wait()
		if decoded.Load() != d {
			t.Error("a wish has begun to be decoded")
		}
		g.Pause(false)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		checkReady(t, g)
		if p := g.Progress(); p.Paused || p.Rate < 90 || p.Rate > 110 {
			t.Errorf("after the pause: %+v, want 100 photos/s", p)
		}
	})
}

// A pause does not keep Embed from ending, and outlasts it.
func TestPausedEmbedEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := scanned(t, 5)
		g.Pause(true)
		ctx, stop := context.WithCancel(context.Background())
		done := make(chan error)
		e := new(fake)
		go func() { done <- g.Embed(ctx, e, nil) }()
		synctest.Wait()
		stop()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("it ended with %v", err)
		}
		if p := g.Progress(); p.Done != 0 || !p.Paused || p.Embedding {
			t.Errorf("%+v", p)
		}
		g.Pause(false)
		embed(t, g, e)
		checkReady(t, g)
	})
}
