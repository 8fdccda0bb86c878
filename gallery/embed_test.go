package gallery

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func embed(t *testing.T, g *Gallery, e Embedder) {
	t.Helper()
	if err := g.Embed(context.Background(), e, nil); err != nil {
		t.Fatal(err)
	}
}

func TestEmbed(t *testing.T) {
	for _, n := range []int{0, 1, 5, 100} {
		g := scanned(t, n)
		e := new(fake)
		embed(t, g, e)
		checkReady(t, g)
		if got := e.embedded(); len(got) != n {
			t.Errorf("%d of %d photos were embedded", len(got), n)
		}
		for _, b := range e.batches {
			if len(b) > batchSize {
				t.Errorf("a batch of %d", len(b))
			}
		}
		if p := g.Progress(); p.Embedding || p.Left != 0 {
			t.Errorf("progress at the end %+v", p)
		}
		embed(t, g, e) // nothing is left to do
		if got := e.embedded(); len(got) != n {
			t.Errorf("%d photos were embedded again", len(got)-n)
		}
	}
}

func TestEmbedBadPhotos(t *testing.T) {
	dir := photoFolder(t, 10)
	at := func(id int) string { return filepath.Join(dir, fmt.Sprintf("%d.png", id)) }
	g := New()
	scan(t, g, dir)
	whole, err := os.ReadFile(at(2))
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, at(1), nil)
	writeFile(t, at(2), whole[:len(whole)/2])
	writeFile(t, at(3), []byte("this is no photo"))
	if err := os.Remove(at(4)); err != nil {
		t.Fatal(err)
	}
	e := &fake{onPrepare: func(n int) error {
		switch n {
		case 5:
			return errFake
		case 6:
			panic("a model's mistake")
		}
		return nil
	}}
	embed(t, g, e)
	checkReady(t, g, 1, 2, 3, 4, 5, 6)
	for id := 1; id <= 6; id++ {
		if text := g.Photo(id).Err.Error(); strings.Count(text, at(id)) != 1 || strings.Contains(text, "\n") {
			t.Errorf("photo %d: error %q is not one line that names it once", id, text)
		}
	}
	if !errors.Is(g.Photo(5).Err, errFake) || !strings.Contains(g.Photo(6).Err.Error(), "a model's mistake") {
		t.Errorf("errors %v and %v", g.Photo(5).Err, g.Photo(6).Err)
	}
}

// refuser refuses batches that have one of the numbers.
func refuser(numbers ...int) *fake {
	return &fake{onEmbed: func(_ context.Context, batch []int) error {
		for _, n := range batch {
			if slices.Contains(numbers, n) {
				return errFake
			}
		}
		return nil
	}}
}

func TestEmbedRefusesOnePhoto(t *testing.T) {
	g := scanned(t, 60)
	embed(t, g, refuser(7, 31, 32))
	checkReady(t, g, 7, 31, 32)
	if err := g.Photo(7).Err; !errors.Is(err, errFake) || !strings.Contains(err.Error(), g.Photo(7).Path) {
		t.Errorf("error %v", err)
	}
}

// Many photos that fail, but never all, are no broken embedder.
func TestEmbedRefusesEverySecondPhoto(t *testing.T) {
	var odd []int
	for n := 1; n < 4*brokenAfter; n += 2 {
		odd = append(odd, n)
	}
	g := scanned(t, 4*brokenAfter)
	one(t)
	embed(t, g, refuser(odd...))
	checkReady(t, g, odd...)
}

func TestEmbedderIsBroken(t *testing.T) {
	g := scanned(t, 100)
	e := &fake{onEmbed: func(context.Context, []int) error { return errFake }}
	if err := g.Embed(context.Background(), e, nil); !errors.Is(err, errFake) {
		t.Errorf("error %v, want that of the embedder", err)
	}
	p := g.Progress()
	if p.Failed >= brokenAfter || p.Done != 0 || p.Embedding {
		t.Errorf("progress %+v", p)
	}
	embed(t, g, new(fake))
	if p := g.Progress(); p.Done+p.Failed != 100 {
		t.Errorf("a working embedder left %+v", p)
	}
}

// oddEmbedder returns what it is told to.
type oddEmbedder struct {
	fake
	vectors func(n int) [][]float32
}

func (e *oddEmbedder) Embed(_ context.Context, batch []any) ([][]float32, error) {
	return e.vectors(len(batch)), nil
}

func TestEmbedBadVectors(t *testing.T) {
	nan := fakeVector(0)
	nan[3] /= 0 * nan[3]
	for name, v := range map[string][]float32{"nan": nan, "long": {3, 4}, "zero": {0, 0}, "nothing": nil} {
		g := scanned(t, 3)
		embed(t, g, &oddEmbedder{vectors: func(n int) [][]float32 { return slices.Repeat([][]float32{v}, n) }})
		if p := g.Progress(); p.Failed != 3 {
			t.Errorf("%s: progress %+v, want 3 failed", name, p)
		}
	}
	g := scanned(t, 3)
	embed(t, g, &oddEmbedder{vectors: func(int) [][]float32 { return nil }})
	if p := g.Progress(); p.Failed != 3 {
		t.Errorf("no vectors: progress %+v, want 3 failed", p)
	}
}

func TestEmbedOtherModel(t *testing.T) {
	dir := photoFolder(t, 3)
	g := New()
	scan(t, g, filepath.Join(dir, "0.png"))
	embed(t, g, new(fake))
	scan(t, g, dir)
	other := &oddEmbedder{vectors: func(n int) [][]float32 { return slices.Repeat([][]float32{{0.6, 0.8}}, n) }}
	if err := g.Embed(context.Background(), other, nil); err == nil || !strings.Contains(err.Error(), "do not fit") {
		t.Errorf("error %v", err)
	}
	embed(t, g, new(fake))
	checkReady(t, g)
}

func TestEmbedCancelled(t *testing.T) {
	// Inside synctest a goroutine that is left behind fails the test.
	synctest.Test(t, func(t *testing.T) {
		g := scanned(t, 100)
		ctx, cancel := context.WithCancel(context.Background())
		e := &fake{onEmbed: func(ctx context.Context, numbers []int) error {
			if slices.Contains(numbers, 20) {
				cancel()
				return ctx.Err()
			}
			return nil
		}}
		if err := g.Embed(ctx, e, func() {}); err != context.Canceled {
			t.Errorf("error %v, want %v", err, context.Canceled)
		}
		p := g.Progress()
		if p.Failed != 0 || p.Done == 0 || p.Done == 100 || p.Embedding {
			t.Errorf("progress %+v", p)
		}
		if err := g.Embed(ctx, e, nil); err != context.Canceled {
			t.Errorf("with an ended context: error %v", err)
		}
		embed(t, g, new(fake))
		checkReady(t, g)
	})
}

// A photo that is given up because ctx has ended has not failed.
func TestEmbedCancelledWhileDecoding(t *testing.T) {
	g := scanned(t, 20)
	ctx, cancel := context.WithCancel(context.Background())
	e := &fake{onPrepare: func(int) error {
		cancel()
		return errFake
	}}
	if err := g.Embed(ctx, e, nil); err != context.Canceled {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
	if p := g.Progress(); p.Failed != 0 {
		t.Errorf("progress %+v", p)
	}
	embed(t, g, new(fake))
	checkReady(t, g)
}

func TestEmbedLeavesNoGoroutine(t *testing.T) {
	g := scanned(t, 30)
	before := runtime.NumGoroutine()
	ctx, cancel := context.WithCancel(context.Background())
	err := g.Embed(ctx, &fake{onEmbed: func(context.Context, []int) error { cancel(); return nil }}, func() {})
	if err != context.Canceled {
		t.Errorf("error %v", err)
	}
	// A goroutine that has done its last work is counted until it is gone.
	for tries := 0; runtime.NumGoroutine() > before; tries++ {
		if tries == 5000 {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestEmbedWaitsForScan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := photoFolder(t, 50)
		g := New()
		g.countScans(+1)
		ended := false
		var err error
		go func() {
			err = g.Embed(context.Background(), new(fake), nil)
			ended = true
		}()
		synctest.Wait()
		if p := g.Progress(); ended || !p.Embedding || !p.Scanning {
			t.Errorf("Embed did not wait: %v %+v", ended, p)
		}
		scan(t, g, dir)
		synctest.Wait()
		if p := g.Progress(); ended || p.Done != 50 {
			t.Errorf("before the scan's end: ended %v, %+v", ended, p)
		}
		g.countScans(-1)
		synctest.Wait()
		if !ended || err != nil {
			t.Errorf("after the scan's end: ended %v, error %v", ended, err)
		}
		checkReady(t, g)
	})
}

func TestEmbedTwice(t *testing.T) {
	g := scanned(t, 60)
	e := new(fake)
	var wait sync.WaitGroup
	for range 3 {
		wait.Go(func() {
			if err := g.Embed(context.Background(), e, nil); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	checkReady(t, g)
	if got := e.embedded(); len(got) != 60 {
		t.Errorf("%d embeddings of 60 photos", len(got))
	}
}

// Readers see whole photos while everything runs; for the race detector.
func TestReadersWhileEmbedding(t *testing.T) {
	dir := photoFolder(t, 120)
	g := New()
	g.countScans(+1) // until Scan has begun
	ctx, cancel := context.WithCancel(context.Background())
	var readers, writers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for ctx.Err() == nil {
				n := g.Len()
				for id := range n {
					if p := g.Photo(id); p.ID != id || p.State == Ready && !slices.Equal(g.Vector(id), fakeVector(id)) {
						t.Errorf("photo %d is %+v", id, p)
					}
				}
				g.Want([]int{n - 1, n - 2})
				g.Progress()
				g.Skipped()
				g.Rank(fakeVector(0), 3, nil)
				runtime.Gosched()
			}
		})
	}
	writers.Go(func() { embed(t, g, new(fake)) })
	scan(t, g, dir)
	g.countScans(-1)
	writers.Wait()
	cancel()
	readers.Wait()
	checkReady(t, g)
}
