package ref_test

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"sigla/backend"
	"sigla/backend/ref"
)

// A goldenLoss is a loss with its gradients by rows before they are made unit
// rows, in float64. Z and W hold labels and weights; without them, the pairs on
// the diagonal belong together.
type goldenLoss struct {
	X, Y, Z, W [][]float64
	TPrime     float64 `json:"t_prime"`
	Bias       float64

	Loss   float64
	DX, DY [][]float64
	DT     float64 `json:"dt_prime"`
	DBias  float64
}

func readGolden(t *testing.T, golden any) {
	t.Helper()
	data, err := os.ReadFile("../../model/testdata/golden/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, golden); err != nil {
		t.Fatal(err)
	}
}

func TestSigmoidLossGolden(t *testing.T) {
	var golden struct {
		Plain  []goldenLoss `json:"sigmoid_loss"`
		Masked []goldenLoss `json:"sigmoid_loss_multi_positive_masked"`
	}
	readGolden(t, &golden)
	if len(golden.Plain) == 0 || len(golden.Masked) == 0 {
		t.Fatal("no golden losses")
	}
	for _, g := range golden.Plain {
		g.expect(t, g.run(t, backend.Pairs{Default: -1, Diagonal: true}))
	}
	for _, g := range golden.Masked {
		// A pair of weight ½ is the mean of one that counts and one that does not:
		// the loss and its gradients are linear in the weights.
		with, without := g.run(t, g.pairs(0)), g.run(t, g.pairs(0.5))
		for i := range with {
			with[i] = (with[i] + without[i]) / 2
		}
		g.expect(t, with)
	}
}

func TestSoftmaxLossGolden(t *testing.T) {
	var golden struct {
		Losses []struct {
			goldenLoss
			LogScale  float64 `json:"logit_scale"`
			DLogScale float64 `json:"dlogit_scale"`
		} `json:"clip_infonce"`
	}
	readGolden(t, &golden)
	if len(golden.Losses) == 0 {
		t.Fatal("no golden losses")
	}
	for _, g := range golden.Losses {
		g.TPrime, g.DT = g.LogScale, g.DLogScale
		g.expect(t, g.through(t, backend.Pairs{Default: -1, Diagonal: true}, func(e backend.Backend, loss, dx, dy, dt, _, x, y, tPrime, _ backend.Buf, p backend.Pairs) {
			e.SoftmaxLoss(loss, dx, dy, dt, x, y, tPrime, p)
		}))
	}
}

// Pairs whose label is 0 are as if they were not there; several targets share;
// and what has no target is left out of the mean.
func TestSoftmaxLossOfSomePairs(t *testing.T) {
	e := ref.New()
	// With unit vectors of two directions every logit is 0 or 1.
	x, y, tPrime := load(e, 1, 0, 0, 1, 1, 0), load(e, 1, 0, 0, 1), load(e, 0)
	loss, dx, dy, dt := load(e, 0), load(e, make([]float32, 6)...), load(e, make([]float32, 4)...), load(e, 0)
	for _, c := range []struct {
		name string
		p    backend.Pairs
		want float64
	}{
		// Logits: 1 0, 0 1, 1 0.
		{"two targets share", backend.Pairs{Default: -1, Diagonal: true, Except: []backend.Pair{{Row: 0, Col: 1, Label: 1}, {Row: 2, Col: 0, Label: 0}, {Row: 2, Col: 1, Label: 0}}},
			// Row 0: lse(1, 0) − ½, row 1: lse − 1. Column 0: lse − 1, column 1: lse − ½.
			math.Log(math.E+1) - 0.75},
		{"no target", backend.Pairs{Default: -1}, 0},
		{"one target alone", backend.Pairs{Except: []backend.Pair{{Row: 2, Col: 1, Label: 1}}}, 0},
		{"a row without target", backend.Pairs{Default: -1, Diagonal: true},
			(math.Log(math.E+1)-1)/2 + (math.Log(2*math.E+1)-1+math.Log(math.E+2)-1)/4},
	} {
		c.p.Rows, c.p.Cols, c.p.Dim = 3, 2, 2
		e.SoftmaxLoss(loss, dx, dy, dt, x, y, tPrime, c.p)
		var got [1]float32
		if err := e.Read(got[:], loss); err != nil {
			t.Fatal(err)
		}
		if math.Abs(float64(got[0])-c.want) > 1e-6 {
			t.Errorf("%s: loss %g, want %g", c.name, got[0], c.want)
		}
	}
}

// pairs names every label; pairs that weigh no more than limit are left out.
func (g goldenLoss) pairs(limit float64) backend.Pairs {
	var p backend.Pairs
	for i, row := range g.Z {
		for j, z := range row {
			if g.W[i][j] <= limit {
				z = 0
			}
			p.Except = append(p.Except, backend.Pair{Row: int32(i), Col: int32(j), Label: int8(z)})
		}
	}
	return p
}

func (g goldenLoss) run(t *testing.T, p backend.Pairs) []float64 {
	return g.through(t, p, backend.Backend.SigmoidLoss)
}

// through returns the loss, dt, db, then dx and dy through the normalisation.
func (g goldenLoss) through(t *testing.T, p backend.Pairs, run func(e backend.Backend, loss, dx, dy, dt, db, x, y, t, b backend.Buf, p backend.Pairs)) []float64 {
	e := ref.New()
	p.Rows, p.Cols, p.Dim = len(g.X), len(g.Y), len(g.X[0])
	all := e.Alloc(3+(p.Rows+p.Cols)*p.Dim, backend.Scratch)
	loss, dt, db := all.Slice(0, 1), all.Slice(1, 1), all.Slice(2, 1)
	dx, dy := all.Slice(3, p.Rows*p.Dim), all.Slice(3+p.Rows*p.Dim, p.Cols*p.Dim)
	x, y := load(e, flat(g.X)...), load(e, flat(g.Y)...)
	normX, normY := e.Alloc(p.Rows, backend.Scratch), e.Alloc(p.Cols, backend.Scratch)
	e.Normalize(x, normX, x, p.Rows, p.Dim)
	e.Normalize(y, normY, y, p.Cols, p.Dim)
	run(e, loss, dx, dy, dt, db, x, y, load(e, float32(g.TPrime)), load(e, float32(g.Bias)), p)
	e.NormalizeGrad(dx, dx, x, normX, p.Rows, p.Dim)
	e.NormalizeGrad(dy, dy, y, normY, p.Cols, p.Dim)
	got := make([]float32, all.Len)
	if err := e.Read(got, all); err != nil {
		t.Fatal(err)
	}
	wide := make([]float64, len(got))
	for i, v := range got {
		wide[i] = float64(v)
	}
	return wide
}

// expect allows what unit rows in float32 cost: 6e-8 times exp(t') ≤ 117.
func (g goldenLoss) expect(t *testing.T, got []float64) {
	t.Helper()
	want := []float64{g.Loss, g.DT, g.DBias}
	for _, row := range append(g.DX, g.DY...) {
		want = append(want, row...)
	}
	for i, w := range want {
		if d := math.Abs(got[i] - w); !(d <= 1e-5*max(1, math.Abs(w))) {
			t.Errorf("value %d of loss, dt, db, dx, dy is %.8g, want %.8g", i, got[i], w)
		}
	}
}

func flat(rows [][]float64) []float32 {
	var x []float32
	for _, row := range rows {
		for _, v := range row {
			x = append(x, float32(v))
		}
	}
	return x
}
