package cpu

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
)

func TestPoolRunsEveryItemOnce(t *testing.T) {
	for threads := 1; threads <= 4; threads++ {
		p := newPool(threads)
		for n := range 40 {
			counts := make([]atomic.Int32, n)
			busy := make([]atomic.Bool, threads)
			p.run(n, func(worker, item int) {
				if busy[worker].Swap(true) {
					t.Errorf("two items at a time on worker %d", worker)
				}
				counts[item].Add(1)
				busy[worker].Store(false)
			})
			for i := range counts {
				if c := counts[i].Load(); c != 1 {
					t.Fatalf("%d threads, %d items: item %d ran %d times", threads, n, i, c)
				}
			}
		}
		p.close()
	}
}

// A panic of an item comes out of run on the caller's goroutine, and the pool
// goes on.
func TestPoolPanic(t *testing.T) {
	for _, threads := range []int{1, 3} {
		p := newPool(threads)
		for bad := range 5 {
			func() {
				defer func() {
					if v := recover(); v == nil || !strings.Contains(fmt.Sprint(v), "item is bad") {
						t.Errorf("%d threads, item %d: recovered %v", threads, bad, v)
					}
				}()
				p.run(5, func(_, item int) {
					if item == bad {
						panic("item is bad")
					}
				})
			}()
		}
		ran := atomic.Int32{}
		p.run(5, func(int, int) { ran.Add(1) })
		if ran.Load() != 5 {
			t.Errorf("%d items ran after a panic, want 5", ran.Load())
		}
		p.close()
	}
}
