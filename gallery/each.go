package gallery

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
)

// readyRows returns how many photos have vectors. They are numbered in the
// order in which they became ready, and keep their numbers.
func (g *Gallery) readyRows() int {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return len(g.rows.ids)
}

// eachRows calls do, on all processors at once, with the vectors of the photos
// of numbers start to end, some hundred at a time: the number of the first,
// their IDs, and their vectors [len(ids), dim], which do may not keep. The error
// is that of ctx.
func (g *Gallery) eachRows(ctx context.Context, start, end int, do func(first int, ids []int, vectors []float32)) error {
	g.mu.RLock()
	blocks, dim := g.rows.blocks(start), g.rows.dim
	g.mu.RUnlock()
	firsts := make([]int, len(blocks))
	for i, b := range blocks {
		firsts[i] = start
		blocks[i].ids = b.ids[:min(len(b.ids), max(end-start, 0))]
		start += len(b.ids)
	}
	return eachOf(ctx, len(blocks), func(i int) {
		if b := blocks[i]; len(b.ids) > 0 {
			do(firsts[i], b.ids, b.vectors[:len(b.ids)*dim])
		}
	})
}

// eachOf calls do with 0 to n-1, on all processors at once, until ctx ends.
func eachOf(ctx context.Context, n int, do func(i int)) error {
	var next atomic.Int64
	var wait sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		wait.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				do(i)
			}
		})
	}
	wait.Wait()
	return ctx.Err()
}
