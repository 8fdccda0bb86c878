package gallery

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
)

// each calls do, on all processors at once, with parts of the view's rows, lo to
// hi, until all have been or ctx ends, whose error it returns.
func (v view) each(ctx context.Context, do func(lo, hi int)) error {
	n := len(v.ids)
	return eachOf(ctx, (n+chunkRows-1)/chunkRows, func(i int) {
		do(i*chunkRows, min(n, (i+1)*chunkRows))
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
