package ui

import (
	"context"
	"testing"
)

// held opens an explorer whose model waits for the gate at every batch, and
// brings it to embedding.
func held(t *testing.T, n int) (*driver, chan struct{}) {
	gate := make(chan struct{})
	d := open(t, 120, 40, photos(t, n), func(o *Options) {
		o.Load = func(context.Context) (Encoder, error) { return &colours{gate: gate}, nil }
	})
	d.launch(d.m.start())
	d.until(func() bool {
		return d.m.embedding && d.m.progress.Embedding && !d.m.scanning && d.m.progress.Found == n
	})
	return d, gate
}

func TestPause(t *testing.T) {
	d, gate := held(t, 40)
	gate <- struct{}{}
	d.until(func() bool { return d.m.progress.Done > 0 })
	d.send(keyPress("p"))
	d.has("paused")
	d.until(func() bool { return d.m.o.Gallery.Progress().Paused })
	select { // the batch that was in hand
	case gate <- struct{}{}:
	default:
	}
	d.send(keyPress("J"))
	d.has("‖ embedding", "p goes on with embedding", "paused")
	// Thumbnails come all the same: from the explorer itself.
	if d.m.decoding() {
		t.Error("pictures are left to a gallery that is paused")
	}
	d.send(keyPress("p"))
	d.hasNot("paused")
	close(gate)
	d.rest().has("✓ embedding", "40/40", "40 embedded").press("esc").hasNot("jobs")
	d.press("p").has("nothing is being embedded")
	if d.m.paused {
		t.Error("paused without work")
	}
}

func TestStop(t *testing.T) {
	d, gate := held(t, 40)
	gate <- struct{}{}
	d.until(func() bool { return d.m.progress.Done > 0 })
	d.send(keyPress("J"))
	d.send(keyPress("x"))
	d.has("■ embedding", "x starts it", "stopped")
	d.rest().has("■ embedding", "/40 embedded · stopped")
	if d.m.embedding || d.m.unwatch != nil {
		t.Error("something is still going on")
	}
	done := d.m.progress.Done
	// A scan that finds more does not start it; the user does.
	d.launch(d.m.scan())
	if d.rest(); d.m.progress.Done != done || d.m.embedding {
		t.Error("a scan has started it again")
	}
	close(gate)
	d.press("x").has("✓ embedding", "40 embedded")
	if d.m.labels.set.Labels[0].Name != "red" {
		t.Error("x has removed a label")
	}
}

// TestStopWhilePaused: it ends, and starting it again ends the pause, too.
func TestStopWhilePaused(t *testing.T) {
	d, gate := held(t, 20)
	d.send(keyPress("p"))
	d.until(func() bool { return d.m.o.Gallery.Progress().Paused })
	d.send(keyPress("J"))
	d.send(keyPress("x"))
	close(gate)
	d.rest().has("■ embedding").press("x").has("✓ embedding", "20/20").hasNot("paused", "stopped")
}
