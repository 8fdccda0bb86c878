//go:build gpu && cgo && (linux || windows)

package gpu

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"sigla/backend"
	"sigla/backend/ref"
	"sigla/internal/require"
)

// More weights than the budget has room for take turns: whatever is read and
// written, in whatever order, the values are those of an engine that has room.
func TestBudget(t *testing.T) {
	const n, weights = 1 << 16, 9 // 256 KiB each
	for _, s := range []Storage{F32, F16} {
		e, err := Open(Options{Software: true, Storage: s, Budget: 4 << 20})
		if err != nil {
			require.Missing(t, "gl", err.Error())
		}
		fast, slow := e.(*engine), ref.New()
		var w, v [weights]backend.Buf
		for i := range weights {
			w[i], v[i] = fast.Alloc(4*n, backend.Weight), slow.Alloc(4*n, backend.Weight)
		}
		fx, sx := fast.Alloc(n, backend.Scratch), slow.Alloc(n, backend.Scratch)
		rng := rand.New(rand.NewPCG(1, 2))
		halves := func(count int) []float32 { // exact in 16 bits
			x := make([]float32, count)
			for i := range x {
				x[i] = float32(rng.IntN(9)-4) / 2
			}
			return x
		}
		for range 60 {
			i, at := rng.IntN(weights), n*rng.IntN(4)
			switch rng.IntN(3) {
			case 0:
				x := halves(n)
				fast.Write(w[i].Slice(at, n), x)
				slow.Write(v[i].Slice(at, n), x)
			case 1:
				fast.Zero(w[i].Slice(at, n/2))
				slow.Zero(v[i].Slice(at, n/2))
			case 2:
				j := rng.IntN(weights)
				fast.Add(fx, w[i].Slice(at, n), w[j].Slice(0, n))
				slow.Add(sx, v[i].Slice(at, n), v[j].Slice(0, n))
				got, want := make([]float32, n), make([]float32, n)
				if err := fast.Read(got, fx); err != nil {
					t.Fatal(err)
				}
				_ = slow.Read(want, sx) // cannot fail
				for k := range want {
					if got[k] != want[k] {
						t.Fatalf("%v: weights %d and %d differ at %d: %g, want %g", s, i, j, k, got[k], want[k])
					}
				}
			}
			fast.wait(func(d *device) {
				if d.held > d.budget {
					t.Errorf("%d KiB are held, the budget is %d", d.held>>10, d.budget>>10)
				}
			})
		}
		if most := e.Memory(); most > 4<<20 || most < 3<<20 {
			t.Errorf("%d KiB were held at most", most>>10)
		}
		if err := fast.Close(); err != nil {
			t.Error(err)
		}
	}
}

// What a step of training changes is not lost when it has to go.
func TestBudgetTraining(t *testing.T) {
	e, err := Open(Options{Software: true, Budget: 4 << 20})
	if err != nil {
		require.Missing(t, "gl", err.Error())
	}
	const n, layers = 1 << 17, 7 // 512 KiB each
	var w [layers]backend.Buf
	g, m, v := e.Alloc(n, backend.Scratch), e.Alloc(n, backend.Scratch), e.Alloc(n, backend.Scratch)
	ones := make([]float32, n)
	for i := range ones {
		ones[i] = 1
	}
	e.Write(g, ones)
	for i := range w {
		w[i] = e.Alloc(n, backend.Weight)
	}
	const steps = 3
	for range steps {
		for i := range w {
			e.Zero(m)
			e.Zero(v)
			e.AdamW(w[i], g, m, v, backend.Adam{LR: 0.25, Beta1: 0.9, Beta2: 0.95, Scale: 1, Step: 1})
		}
	}
	got := make([]float32, n)
	for i := range w {
		if err := e.Read(got, w[i]); err != nil {
			t.Fatal(err)
		}
		for _, x := range got {
			if math.Abs(float64(x)+0.25*steps) > 1e-5 {
				t.Fatalf("layer %d has %g after %d steps, want %g", i, x, steps, -0.25*steps)
			}
		}
	}
	e.Close()
}

// What does not fit at once is an error that says how much it is.
func TestBudgetTooSmall(t *testing.T) {
	e, err := Open(Options{Software: true, Budget: 4 << 20})
	if err != nil {
		require.Missing(t, "gl", err.Error())
	}
	b := e.Alloc(2<<20, backend.Scratch)
	err = e.Read(make([]float32, 1), b.Slice(0, 1))
	if err == nil || !strings.Contains(err.Error(), "MiB are needed at once, its budget is 4 MiB") {
		t.Errorf("%v", err)
	}
	e.Close()
}

// Temporaries that are outgrown, and those of the trial of shapes, are given back, in
// the order of commands: what was issued before has them still.
func TestTemporariesAreGivenBack(t *testing.T) {
	e := open(t).(*engine)
	defer e.Close()
	held := func() (bytes, count int) {
		e.wait(func(d *device) { bytes, count = d.held, len(d.all) })
		return bytes, count
	}
	bytes, count := held()
	if bytes > 1<<20 {
		t.Errorf("%d KiB are held when it has been opened", bytes>>10)
	}
	const least, most = 1 << 10, 1 << 16
	sum := e.Alloc(least, backend.Scratch)
	ones := make([]float32, least)
	for i := range ones {
		ones[i] = 1
	}
	rounds := 0
	for n := least; n <= most; n *= 2 {
		x := e.temporary("growing", n).Slice(n-least, least)
		e.Write(x, ones)
		e.Add(sum, sum, x)
		rounds++
	}
	after, now := held()
	if want := bytes + 4*(most+least); after != want || now != count+2 {
		t.Errorf("%d bytes are held in %d buffers, want %d in %d", after, now, want, count+2)
	}
	got := make([]float32, least)
	if err := e.Read(got, sum); err != nil {
		t.Fatal(err)
	}
	for i, v := range got {
		if v != float32(rounds) {
			t.Fatalf("element %d is %g, want %d", i, v, rounds)
		}
	}
}

// What is left of the budget shrinks with what is allocated: weights make room in the
// end, the rest does not. Without a budget nobody knows.
func TestCapacity(t *testing.T) {
	const mib = 1 << 20 / 4
	e := open(t)
	if c := e.Capacity(); c.Memory != 0 || c.Buffer < 128*mib || c.FLOPS <= 0 {
		t.Errorf("%+v", c)
	}
	e.Close()
	e, err := Open(Options{Software: true, Budget: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for _, c := range []struct {
		use   backend.Use
		alloc int // MiB
		left  int
	}{{backend.Weight, 16, 24}, {backend.Scratch, 8, 20}, {backend.Weight, 100, 7}, {backend.Scratch, 28, 3}, {backend.Scratch, 100, 0}} {
		e.Alloc(c.alloc*mib, c.use)
		left := e.Capacity().Memory
		if left < 1 || left > (c.left+1)*mib || left < (c.left-1)*mib {
			t.Errorf("%d MiB are left after %d, want %d", left/mib, c.alloc, c.left)
		}
	}
}
