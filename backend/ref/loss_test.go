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

func TestSigmoidLossGolden(t *testing.T) {
	data, err := os.ReadFile("../../model/testdata/golden/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Plain  []goldenLoss `json:"sigmoid_loss"`
		Masked []goldenLoss `json:"sigmoid_loss_multi_positive_masked"`
	}
	if err := json.Unmarshal(data, &golden); err != nil {
		t.Fatal(err)
	}
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

// run returns loss, dt, db, then dx and dy through the normalisation.
func (g goldenLoss) run(t *testing.T, p backend.Pairs) []float64 {
	e := ref.New()
	p.Rows, p.Cols, p.Dim = len(g.X), len(g.Y), len(g.X[0])
	all := e.Alloc(3+(p.Rows+p.Cols)*p.Dim, backend.Scratch)
	loss, dt, db := all.Slice(0, 1), all.Slice(1, 1), all.Slice(2, 1)
	dx, dy := all.Slice(3, p.Rows*p.Dim), all.Slice(3+p.Rows*p.Dim, p.Cols*p.Dim)
	x, y := load(e, flat(g.X)...), load(e, flat(g.Y)...)
	normX, normY := e.Alloc(p.Rows, backend.Scratch), e.Alloc(p.Cols, backend.Scratch)
	e.Normalize(x, normX, x, p.Rows, p.Dim)
	e.Normalize(y, normY, y, p.Cols, p.Dim)
	e.SigmoidLoss(loss, dx, dy, dt, db, x, y, load(e, float32(g.TPrime)), load(e, float32(g.Bias)), p)
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
