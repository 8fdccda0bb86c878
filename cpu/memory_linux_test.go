// The race detector takes memory of its own.

//go:build !race

package cpu

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"sigla/backend"
)

// What was discarded makes room for what is written next: the process takes no
// more of the system.
func TestLentPagesAreNotTaken(t *testing.T) {
	e := open(t, Options{})
	const n = 16 * pageSize
	values := make([]float32, n)
	for i := range values {
		values[i] = float32(i)
	}
	var bufs [5]backend.Buf
	for i := range bufs {
		bufs[i] = e.Alloc(n, backend.Scratch)
	}
	e.Write(bufs[0], values)
	begin := resident(t)
	for round := range 20 {
		from, to := bufs[round%len(bufs)], bufs[(round+1)%len(bufs)]
		if round%2 == 0 {
			e.Discard(from)
		} else {
			e.Zero(from)
		}
		e.Write(to, values)
		if got := read(e, to.Slice(n-1, 1)); got[0] != n-1 {
			t.Fatalf("round %d: the last is %g", round, got[0])
		}
	}
	if more := resident(t) - begin; more > n {
		t.Errorf("%d MB more are resident, of %d MB in use", more>>20, 4*n>>20)
	}
}

// resident is how many bytes of memory the process has.
func resident(t *testing.T) int {
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skip(err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(data))[1])
	if err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}
