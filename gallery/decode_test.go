package gallery

import (
	"context"
	"testing"
	"testing/synctest"
)

func TestMemoryBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		r := &run{g: New(), ctx: ctx}
		granted := make(chan int64, 10)
		ask := func(bytes int64) {
			go func() {
				if r.reserve(bytes) {
					granted <- bytes
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
		half := int64(memoryBudget / 2)
		ask(half)
		ask(half)
		check("two photos that fill the budget", 2)
		ask(3 * memoryBudget)
		ask(1)
		check("a photo too large for it and one behind it", 0)
		r.release(half)
		check("one of the first is done", 0)
		r.release(half)
		check("both are done: the large photo alone", 1)
		r.release(3 * memoryBudget)
		check("it is done: the one behind it", 1)
		ask(memoryBudget)
		check("no room", 0)
		cancel()
		r.g.mu.Lock()
		r.g.moved.Broadcast()
		r.g.mu.Unlock()
		check("cancelled", 0)
	})
}
