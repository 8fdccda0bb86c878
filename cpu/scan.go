package cpu

import (
	"fmt"
	"runtime"
	"unsafe"
)

// Scan sets dst[i·len(queries)+j] to the dot product of rows[i] and queries[j],
// which all have as many elements: the exact search of a gallery. The product
// of a row and a query is the same whatever else is in the call.
//
// Unlike the operations it may be called at any time and by several goroutines
// at once; it computes on the caller's and touches no memory of the engine.
func (e *Engine) Scan(dst []float32, queries, rows [][]float32) {
	scan("Scan", e.kern, &e.kern.scan, dst, queries, rows)
}

// ScanHalf is Scan for rows of IEEE 754 binary16 numbers, all of them finite,
// as they are, in memory that may be mapped.
func (e *Engine) ScanHalf(dst []float32, queries [][]float32, rows [][]uint16) {
	scan("ScanHalf", e.kern, &e.kern.scanHalf, dst, queries, rows)
}

// scanBlock is how many rows all queries are multiplied with before the next:
// with four queries of 768 values they fit into the first cache.
const scanBlock = 4 * scanRows

// A block is the rows that are multiplied now and the first that come next; at
// the end the last row is repeated.
type block[T float32 | uint16] struct {
	s       *scanner[T]
	n       int // elements of a vector
	rows    [scanBlock + scanRows]*T
	queries []*float32
	out     [scanRows * scanQueries]float32 // of the last rows, if they are fewer
}

func scan[T float32 | uint16](name string, k *kernels, s *scanner[T], dst []float32, queries [][]float32, rows [][]T) {
	if len(dst) != len(rows)*len(queries) {
		panic(fmt.Sprintf("cpu: %s: dst has %d elements for %d rows and %d queries", name, len(dst), len(rows), len(queries)))
	}
	if len(dst) == 0 {
		return
	}
	b := &block[T]{s: s, n: len(queries[0]), queries: make([]*float32, len(queries))}
	for j, q := range queries {
		b.queries[j] = first(name, q, b.n)
	}
	adds := 0
	for at := 0; at < len(rows); at += scanBlock {
		for i := range b.rows {
			b.rows[i] = first(name, rows[min(at+i, len(rows)-1)], b.n)
		}
		b.multiply(dst[at*len(queries):], min(scanBlock, len(rows)-at))
		// A row waits for memory: it takes longer than its additions.
		if adds += scanBlock * b.n * (len(queries) + 4); adds >= k.slice {
			adds = 0
			runtime.Gosched()
		}
	}
}

// first returns the address of a vector of n elements.
func first[T any](name string, x []T, n int) *T {
	if len(x) != n || n == 0 {
		panic(fmt.Sprintf("cpu: %s: a vector has %d elements, the first query %d", name, len(x), n))
	}
	return &x[0]
}

// multiply writes the products of the first m rows.
func (b *block[T]) multiply(dst []float32, m int) {
	ld := len(b.queries)
	width := b.s.queries
	for j := 0; j < ld; j += width {
		if width > ld-j {
			width = 1
		}
		for i := 0; i < m; i += scanRows {
			if m-i >= scanRows {
				b.tile(&dst[i*ld+j], i, j, width, ld)
				continue
			}
			b.tile(&b.out[0], i, j, width, width)
			for r := range m - i {
				copy(dst[(i+r)*ld+j:], b.out[r*width:(r+1)*width])
			}
		}
	}
}

// tile multiplies scanRows rows from i on with width queries from j on.
func (b *block[T]) tile(dst *float32, i, j, width, ld int) {
	if width == 1 {
		b.s.dots(dst, &b.rows[i], &b.rows[i+scanRows], b.queries[j], b.n, ld)
	} else {
		b.s.products(dst, &b.rows[i], &b.queries[j], b.n, ld)
	}
}

// Touch reads memory and does nothing with it, on the caller's goroutine, up to
// some bytes at the end: what the speed of a scan is compared with.
func (e *Engine) Touch(rows []uint16) {
	const part = 1 << 17 // bytes, some microseconds
	for len(rows) > 0 {
		n := min(len(rows), part/2)
		e.kern.touch((*byte)(unsafe.Pointer(&rows[0])), 2*n)
		rows = rows[n:]
		runtime.Gosched()
	}
}
