package gallery

import (
	"fmt"

	"sigla/gallery/catalog"
)

// A Scanner computes dot products: dst[i·len(queries)+j] = rows[i] · queries[j],
// whose lengths are equal. The product of a row and a query must not depend on
// what else is in a call. Scan and ScanHalf are called by several goroutines at
// once and compute on the caller's: ScanHalf reads mapped memory, which may be
// gone. An engine may bring a faster one than the gallery's own.
type Scanner interface {
	Scan(dst []float32, queries, rows [][]float32)
	// ScanHalf takes rows of finite IEEE 754 binary16 numbers.
	ScanHalf(dst []float32, queries [][]float32, rows [][]uint16)
}

// UseScanner makes Rank and Scores use s.
func (g *Gallery) UseScanner(s Scanner) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.scanner = s
}

// plainScanner is the Scanner that runs everywhere, and the definition of what
// others compute.
type plainScanner struct{}

func (plainScanner) Scan(dst []float32, queries, rows [][]float32) {
	for i, row := range rows {
		for j, q := range queries {
			dst[i*len(queries)+j] = dot(q, row)
		}
	}
}

func (plainScanner) ScanHalf(dst []float32, queries [][]float32, rows [][]uint16) {
	if len(queries) == 0 {
		return
	}
	wide := make([]float32, len(queries[0]))
	for i, row := range rows {
		catalog.Widen(wide, row)
		for j, q := range queries {
			dst[i*len(queries)+j] = dot(q, wide)
		}
	}
}

// dot returns a · b. Eight sums keep the adder busy: each waits four cycles for
// its last addition. The order of additions is fixed, so equal vectors have
// equal products wherever they are compared.
func dot(a, b []float32) float32 {
	if len(a) != len(b) {
		panic(fmt.Sprintf("gallery: multiply %d values with %d", len(a), len(b)))
	}
	var s [8]float32
	for len(a) >= 8 && len(b) >= 8 { // the second keeps out bounds checks
		s[0] += a[0] * b[0]
		s[1] += a[1] * b[1]
		s[2] += a[2] * b[2]
		s[3] += a[3] * b[3]
		s[4] += a[4] * b[4]
		s[5] += a[5] * b[5]
		s[6] += a[6] * b[6]
		s[7] += a[7] * b[7]
		a, b = a[8:], b[8:]
	}
	for i := range a {
		s[i] += a[i] * b[i]
	}
	return ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]))
}
