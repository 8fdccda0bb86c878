package cpu

import (
	"fmt"
	"runtime"
)

// Scan sets dst[i] to the dot product of query [dim] and row i of vectors
// [len(dst), dim]: the exact search of a gallery. Unlike the operations it may
// be called at any time and by several goroutines at once; it computes on the
// caller's and touches no memory of the engine.
func (e *Engine) Scan(dst, query, vectors []float32, dim int) {
	if dim < 1 || len(query) != dim || len(vectors) != len(dst)*dim {
		panic(fmt.Sprintf("cpu: Scan: query has %d elements, vectors %d, dst %d, dim is %d", len(query), len(vectors), len(dst), dim))
	}
	k := e.kern
	adds := 0
	for i := range dst {
		dst[i] = k.dot(&query[0], &vectors[i*dim], dim)
		// A dot product waits for memory: it takes longer than its additions.
		if adds += 8 * dim; adds >= k.slice {
			adds = 0
			runtime.Gosched()
		}
	}
}
