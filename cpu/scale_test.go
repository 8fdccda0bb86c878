package cpu

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"sigla/backend"
)

// scaleRows makes another process compute the loss of so many pairs.
const scaleRows = "SIGLA_LOSS_ROWS"

// A batch of 32,768 photos and texts of width 768 fits into 600 MB with the
// program, forward and backward. It takes 5 TFLOP, so only the long form has
// it; the short one has a batch whose pairs alone would take it over its limit.
func TestLossAtScale(t *testing.T) {
	if n, err := strconv.Atoi(os.Getenv(scaleRows)); err == nil {
		lossAtScale(t, n)
		return
	}
	if peakResident(t) == 0 {
		t.Skip("the system does not tell the most memory that was resident")
	}
	n, dim, limit := 4096, 768, int64(90e6)
	if os.Getenv("SIGLA_LONG") != "" {
		n, limit = 32768, 600e6
	} else if testing.Short() {
		t.Skip("0.08 TFLOP")
	}
	c := exec.Command(os.Args[0], "-test.run=^TestLossAtScale$", "-test.v")
	c.Env = append(os.Environ(), scaleRows+"="+strconv.Itoa(n))
	out, err := c.CombinedOutput()
	t.Logf("%s", bytes.TrimSpace(out))
	if err != nil {
		t.Fatal(err)
	}
	var peak int64
	if _, after, ok := bytes.Cut(out, []byte("resident: ")); ok {
		fmt.Sscan(string(after), &peak)
	}
	if peak == 0 || peak > limit {
		t.Errorf("%d×%d pairs of width %d took %d MB, want at most %d", n, n, dim, peak/1e6, limit/1e6)
	}
}

// lossAtScale computes the loss of n pairs whose photo and text are the same
// vector, so that what must come out is known.
func lossAtScale(t *testing.T, n int) {
	const dim = 768
	e := open(t, Options{})
	alloc := func(n int) backend.Buf { return e.Alloc(n, backend.Scratch) }
	x, y, dx, dy := alloc(n*dim), alloc(n*dim), alloc(n*dim), alloc(n*dim)
	r, row := rand.New(rand.NewPCG(1, 1)), make([]float32, dim)
	for i := range n {
		for j := range row {
			row[j] = float32(r.NormFloat64())
		}
		e.Write(x.Slice(i*dim, dim), row)
	}
	e.Normalize(x, backend.Buf{}, x, n, dim)
	e.CopyRows(y, x, 1, n*dim, n*dim, n*dim)
	scalars := alloc(5)
	s := func(i int) backend.Buf { return scalars.Slice(i, 1) }
	e.Write(s(0), []float32{float32(math.Log(10))})
	e.Write(s(1), []float32{-10})
	peak := e.Peak()
	start := time.Now()
	e.SigmoidLoss(s(2), dx, dy, s(3), s(4), x, y, s(0), s(1), backend.Pairs{Rows: n, Cols: n, Dim: dim, Default: -1, Diagonal: true})
	took := time.Since(start)
	got := read(e, scalars)
	// Logits are 0 on the diagonal and 10·N(0, 1/768) − 10 beside it; the mean of
	// the exponential of a normal number is exp(variance/2).
	want := math.Ln2 + float64(n-1)*math.Exp(-10+50.0/dim)
	if math.Abs(float64(got[2])-want) > 2e-3*want {
		t.Errorf("loss %g, want %g", got[2], want)
	}
	a, b := read(e, dx.Slice(0, dim)), read(e, dy.Slice(0, dim))
	for j, v := range a {
		if math.Abs(float64(v-b[j])) > 1e-6*10/float64(n)+1e-5*math.Abs(float64(v)) {
			t.Fatalf("dx and dy of equal rows differ: [%d] %g, %g", j, v, b[j])
		}
	}
	flops := 6 * float64(n) * float64(n) * dim / took.Seconds()
	t.Logf("%d×%d pairs of width %d on %s: %.2f s, %.0f GFLOP/s, %.0f %% of the peak of %.0f", n, n, dim, e,
		took.Seconds(), flops/1e9, 100*flops/max(peak, e.Peak()), peak/1e9)
	t.Logf("resident: %d bytes at most", peakResident(t))
}

// peakResident is the most memory that was resident, in bytes; 0 if the system
// does not tell.
func peakResident(t *testing.T) int64 {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, after, _ := bytes.Cut(status, []byte("VmHWM:"))
	var kib int64
	fmt.Sscan(string(after), &kib)
	return kib << 10
}
