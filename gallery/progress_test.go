package gallery

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 300
		g := scanned(t, n)
		calls, last := 0, Progress{}
		start := time.Now()
		e := &fake{onEmbed: func(_ context.Context, numbers []int) error {
			time.Sleep(time.Duration(len(numbers)) * 10 * time.Millisecond)
			return nil
		}}
		err := g.Embed(context.Background(), e, func() {
			calls++
			last = g.Progress()
		})
		if err != nil {
			t.Fatal(err)
		}
		took := time.Since(start)
		if most := int(took/changeInterval) + 2; calls > most || calls < most/8 {
			t.Errorf("%d calls in %v, want at most %d and not many less", calls, took, most)
		}
		if last.Done != n || last.Embedding {
			t.Errorf("the last call saw %+v", last)
		}
		if last.Rate < 95 || last.Rate > 105 {
			t.Errorf("rate %v, want 100 photos/s", last.Rate)
		}
	})
}

// While nothing happens nothing runs: not for an hour.
func TestIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := scanned(t, 3)
		g.countScans(+1)
		calls := 0
		done := make(chan error)
		go func() { done <- g.Embed(context.Background(), new(fake), func() { calls++ }) }()
		time.Sleep(time.Second)
		synctest.Wait()
		before := calls
		time.Sleep(time.Hour)
		synctest.Wait()
		if calls != before {
			t.Errorf("%d calls in an idle hour", calls-before)
		}
		if p := g.Progress(); p.Done != 3 || p.Left != 0 {
			t.Errorf("progress %+v", p)
		}
		g.countScans(-1)
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestProgressLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := scanned(t, 100)
		gate := make(chan bool)
		e := &fake{onEmbed: func(_ context.Context, numbers []int) error {
			time.Sleep(time.Duration(len(numbers)) * 50 * time.Millisecond)
			gate <- true
			return nil
		}}
		done := make(chan error)
		go func() { done <- g.Embed(context.Background(), e, nil) }()
		for p := g.Progress(); p.Done < 50; p = g.Progress() {
			<-gate
			synctest.Wait()
		}
		p := g.Progress()
		if want := time.Duration(p.Found-p.Done) * 50 * time.Millisecond; p.Left < want*9/10 || p.Left > want*11/10 {
			t.Errorf("%+v: %v left, want %v", p, p.Left, want)
		}
		go func() {
			for range gate {
			}
		}()
		if err := <-done; err != nil {
			t.Error(err)
		}
		close(gate)
	})
}
