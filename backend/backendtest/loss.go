package backendtest

import (
	"fmt"
	"math"
	"runtime"

	"sigla/backend"
)

// A lossCase is how a loss is set up: which pairs, and how steep it is.
type lossCase struct {
	name        string
	pairs       func(r numbers, p backend.Pairs) backend.Pairs
	scale, bias float64 // exp(t) and b
	nmse        float64
}

// A float32 logit of size scale is off by about scale·1e-7, which is the
// relative error of the probability: squared 1e-12 at the 10 where training
// begins, 1e-10 at the 117 where it ended for SigLIP, 1e-6 at 10,000. Besides,
// the sums over pairs must not lose more: 8,450 pairs in one float32 sum are off
// by 2e-5, which is 4e-10, so an engine sums by rows or tiles first.
const steep = 10_000

var lossCases = []lossCase{
	{"diagonal", diagonal, 10, -10, 5e-11},
	{"diagonal at 117", diagonal, 117, -13, 1e-9},
	{"none belong together", func(_ numbers, p backend.Pairs) backend.Pairs { p.Default = -1; return p }, 10, -5, 5e-11},
	{"nothing is known", func(_ numbers, p backend.Pairs) backend.Pairs { return p }, 10, -10, 5e-11},
	{"diagonal alone", func(_ numbers, p backend.Pairs) backend.Pairs { p.Diagonal = true; return p }, 10, -5, 5e-11},
	{"exceptions alone", exceptions(0, false, 3), 10, -5, 5e-11},
	{"exceptions to -1", exceptions(-1, false, 5), 10, -5, 5e-11},
	{"exceptions to the diagonal", exceptions(-1, true, 2), 10, -5, 5e-11},
	{"every pair an exception", exceptions(-1, true, 1), 10, -5, 5e-11},
	{"logits up to 1e4", diagonal, steep, 0, 1e-5},
	{"logits down to -1e4", exceptions(0, true, 2), steep, -steep, 1e-5},
}

// lossSizes are Rows, Cols, Dim.
var lossSizes = [][3]int{{1, 1, 1}, {3, 7, 5}, {7, 3, 8}, {17, 17, 33}, {1, 65, 6}, {65, 1, 72}, {65, 130, 64}, {130, 33, 17}, {257, 129, 8}}

func diagonal(_ numbers, p backend.Pairs) backend.Pairs {
	p.Default, p.Diagonal = -1, true
	return p
}

// exceptions names about one pair of every n, with any of the three labels, the
// first pair and the last among them.
func exceptions(def int8, diagonal bool, n int) func(r numbers, p backend.Pairs) backend.Pairs {
	return func(r numbers, p backend.Pairs) backend.Pairs {
		p.Default, p.Diagonal = def, diagonal
		last := p.Rows*p.Cols - 1
		for i := range last + 1 {
			if r.IntN(n) == 0 || i == 0 || i == last {
				p.Except = append(p.Except, backend.Pair{Row: int32(i / p.Cols), Col: int32(i % p.Cols), Label: int8(r.IntN(3) - 1)})
			}
		}
		return p
	}
}

func sigmoidLossCases() []testCase { return pairLossCases(lossCase.sigmoid, sigmoidLoss) }

func softmaxLossCases() []testCase { return pairLossCases(lossCase.softmax, softmaxLoss) }

// pairLossCases are the cases of a loss; play calls it with the tensors of a
// case, loss calls it with no more than what both have.
func pairLossCases(play func(c lossCase, t *trial, p backend.Pairs), loss pairLoss) []testCase {
	var cases []testCase
	for _, c := range lossCases {
		for _, d := range lossSizes {
			name := fmt.Sprintf("%s/%dx%dx%d", c.name, d[0], d[1], d[2])
			cases = append(cases, testCase{name, compare(func(t *trial) {
				play(c, t, c.pairs(t.numbers, backend.Pairs{Rows: d[0], Cols: d[1], Dim: d[2]}))
			})})
		}
	}
	large := lossCase{"large", exceptions(-1, true, 50), 10, -5, 1e-10}
	cases = append(cases, testCase{"exceptions over many tiles/600x1030x6", compare(func(t *trial) {
		play(large, t, large.pairs(t.numbers, backend.Pairs{Rows: 600, Cols: 1030, Dim: 6}))
	})})
	cases = append(cases, lossGradients(loss)...)
	return append(cases, testCase{"memory for 3000x3000", func(e *arena) error { return linearMemory(e, loss) }})
}

func (c lossCase) sigmoid(t *trial, p backend.Pairs) {
	x, y := unitRows(t.numbers, p.Rows, p.Dim), unitRows(t.numbers, p.Cols, p.Dim)
	row := tol{c.nmse, c.scale / float64(p.Rows)}
	t.SigmoidLoss(t.out("loss", 1, tol{c.nmse, 1}), t.out("dx", len(x), row), t.out("dy", len(y), row),
		t.update("dt", t.normal(1), tol{c.nmse, c.scale}), t.update("db", t.normal(1), tol{c.nmse, 1}),
		t.data("x", x), t.data("y", y), t.data("t", []float32{float32(math.Log(c.scale))}), t.data("b", []float32{float32(c.bias)}), p)
}

// softmax has no bias.
func (c lossCase) softmax(t *trial, p backend.Pairs) {
	x, y := unitRows(t.numbers, p.Rows, p.Dim), unitRows(t.numbers, p.Cols, p.Dim)
	row := tol{c.nmse, c.scale / float64(p.Rows)}
	t.SoftmaxLoss(t.out("loss", 1, tol{c.nmse, 1}), t.out("dx", len(x), row), t.out("dy", len(y), row),
		t.update("dt", t.normal(1), tol{c.nmse, c.scale}),
		t.data("x", x), t.data("y", y), t.data("t", []float32{float32(math.Log(c.scale))}), p)
}

// A pairLoss calls a loss on an engine; in are x, y, t and, if it has one, b,
// and din their gradients.
type pairLoss struct {
	inputs []input // besides x and y
	call   func(e backend.Backend, loss backend.Buf, din, in []backend.Buf, p backend.Pairs)
	equal  func(n int) float64 // the loss of n×n equal logits of 0 with the diagonal as targets
}

// t and b are such that a step of 1/32 stays small.
var (
	sigmoidLoss = pairLoss{
		[]input{{"t", []float32{float32(math.Log(3))}, true}, {"b", []float32{-1}, true}},
		func(e backend.Backend, loss backend.Buf, din, in []backend.Buf, p backend.Pairs) {
			e.SigmoidLoss(loss, din[0], din[1], din[2], din[3], in[0], in[1], in[2], in[3], p)
		},
		func(n int) float64 { return float64(n) * math.Ln2 },
	}
	softmaxLoss = pairLoss{
		[]input{{"t", []float32{float32(math.Log(3))}, true}},
		func(e backend.Backend, loss backend.Buf, din, in []backend.Buf, p backend.Pairs) {
			e.SoftmaxLoss(loss, din[0], din[1], din[2], in[0], in[1], in[2], p)
		},
		func(n int) float64 { return math.Log(float64(n)) },
	}
)

func unitRows(r numbers, rows, dim int) []float32 {
	x := r.normal(rows * dim)
	for i := range rows {
		unit(x[i*dim:][:dim])
	}
	return x
}

func lossGradients(loss pairLoss) []testCase {
	var cases []testCase
	for _, c := range []lossCase{lossCases[0], lossCases[5], lossCases[7]} {
		for _, d := range [][2]int{{4, 4}, {3, 6}, {5, 2}} {
			p := c.pairs(newNumbers(), backend.Pairs{Rows: d[0], Cols: d[1], Dim: 5})
			cases = append(cases, testCase{fmt.Sprintf("gradient/%s/%dx%d", c.name, d[0], d[1]), loss.derivative(p).check})
		}
	}
	return cases
}

func (l pairLoss) derivative(p backend.Pairs) derivative {
	one := func(e backend.Backend) backend.Buf { return e.Alloc(1, backend.Scratch) }
	return derivative{
		inputs: func(r numbers) []input {
			return append([]input{{"x", unitRows(r, p.Rows, p.Dim), false}, {"y", unitRows(r, p.Cols, p.Dim), false}}, l.inputs...)
		},
		out: 1, dy: []float32{1},
		forward: func(e backend.Backend, in []backend.Buf, loss backend.Buf) {
			var din []backend.Buf
			for _, x := range in {
				din = append(din, e.Alloc(x.Len, backend.Scratch))
			}
			l.call(e, loss, din, in, p)
		},
		grad: func(e backend.Backend, in, din []backend.Buf, _ backend.Buf) { l.call(e, one(e), din, in, p) }}
}

// linearMemory fails an engine that keeps even one byte for each pair.
func linearMemory(e *arena, l pairLoss) error {
	const n, dim = 3000, 8
	x := load(e, make([]float32, n*dim))
	in, din := []backend.Buf{x, x}, []backend.Buf{e.Alloc(n*dim, backend.Scratch), e.Alloc(n*dim, backend.Scratch)}
	for range l.inputs {
		in, din = append(in, e.Alloc(1, backend.Scratch)), append(din, e.Alloc(1, backend.Scratch))
	}
	loss := e.Alloc(1, backend.Scratch)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	l.call(e, loss, din, in, backend.Pairs{Rows: n, Cols: n, Dim: dim, Default: -1, Diagonal: true})
	got, err := read(e, loss)
	if err != nil {
		return err
	}
	runtime.ReadMemStats(&after)
	if taken := after.TotalAlloc - before.TotalAlloc; taken > n*n {
		return fmt.Errorf("%d×%d pairs took %d MB", n, n, taken>>20)
	}
	return near("loss", got, []float32{float32(l.equal(n))}, tol{1e-8, 0})
}
