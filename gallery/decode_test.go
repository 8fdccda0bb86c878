package gallery

import (
	"context"
	"testing"
	"testing/synctest"
)

func TestPixelBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		r := &run{g: New(), ctx: ctx}
		granted := make(chan int, 10)
		ask := func(pixels int) {
			go func() {
				if r.reserve(pixels) {
					granted <- pixels
				}
			}()
			synctest.Wait()
		}
		check := func(what string, want int) {
			t.Helper()
			synctest.Wait()
			if got := len(granted); got != want {
				t.Errorf("%s: %d photos decoded, want %d", what, got, want)
			}
			for range len(granted) {
				<-granted
			}
		}
		half := pixelBudget / 2
		ask(half)
		ask(half)
		check("two photos that fill the budget", 2)
		ask(3 * pixelBudget)
		ask(1)
		check("a photo too large for it and one behind it", 0)
		r.release(half)
		check("one of the first is done", 0)
		r.release(half)
		check("both are done: the large photo alone", 1)
		r.release(3 * pixelBudget)
		check("it is done: the one behind it", 1)
		ask(pixelBudget)
		check("no room", 0)
		cancel()
		r.g.mu.Lock()
		r.g.moved.Broadcast()
		r.g.mu.Unlock()
		check("cancelled", 0)
	})
}
