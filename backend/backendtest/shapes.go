package backendtest

import (
	"fmt"
	"strings"

	"sigla/backend"
)

// A wrongCall is a call that every engine must refuse. b returns a buffer of n
// elements of its own.
type wrongCall struct {
	op, name string
	call     func(e backend.Backend, b func(n int) backend.Buf)
}

var none backend.Buf

var wrongCalls = []wrongCall{
	{"Write", "src is short", func(e backend.Backend, b func(int) backend.Buf) { e.Write(b(3), make([]float32, 2)) }},
	{"Read", "dst is short", func(e backend.Backend, b func(int) backend.Buf) { _ = e.Read(make([]float32, 2), b(3)) }},
	{"CopyRows", "dst is short", func(e backend.Backend, b func(int) backend.Buf) { e.CopyRows(b(7), b(6), 2, 3, 5, 3) }},
	{"CopyRows", "x is short", func(e backend.Backend, b func(int) backend.Buf) { e.CopyRows(b(6), b(6), 2, 3, 3, 4) }},
	{"CopyRows", "rows of dst overlap", func(e backend.Backend, b func(int) backend.Buf) { e.CopyRows(b(6), b(6), 2, 3, 2, 3) }},
	{"CopyRows", "dst overlaps x", func(e backend.Backend, b func(int) backend.Buf) {
		x := b(9)
		e.CopyRows(x.Slice(3, 6), x.Slice(0, 6), 2, 3, 3, 3)
	}},
	{"Add", "a is short", func(e backend.Backend, b func(int) backend.Buf) { e.Add(b(4), b(3), b(4)) }},
	{"Add", "b leaves a rest", func(e backend.Backend, b func(int) backend.Buf) { e.Add(b(4), b(4), b(3)) }},
	{"Add", "b is missing", func(e backend.Backend, b func(int) backend.Buf) { e.Add(b(4), b(4), none) }},
	{"Add", "dst overlaps a", func(e backend.Backend, b func(int) backend.Buf) {
		x := b(5)
		e.Add(x.Slice(0, 4), x.Slice(1, 4), b(4))
	}},
	{"SumRows", "dst is long", func(e backend.Backend, b func(int) backend.Buf) { e.SumRows(b(4), b(6), 2, 3) }},
	{"SumRows", "no rows", func(e backend.Backend, b func(int) backend.Buf) { e.SumRows(b(3), b(3), 0, 3) }},
	{"MatMul", "dst is short", func(e backend.Backend, b func(int) backend.Buf) {
		e.MatMul(b(12), b(6), b(10), backend.Mat{M: 3, N: 5, K: 2})
	}},
	{"MatMul", "a is long", func(e backend.Backend, b func(int) backend.Buf) {
		e.MatMul(b(15), b(7), b(10), backend.Mat{M: 3, N: 5, K: 2, TransA: true})
	}},
	{"MatMul", "b is short", func(e backend.Backend, b func(int) backend.Buf) {
		e.MatMul(b(15), b(6), b(9), backend.Mat{M: 3, N: 5, K: 2, TransB: true})
	}},
	{"MatMul", "bias of the wrong side", func(e backend.Backend, b func(int) backend.Buf) {
		e.MatMul(b(15), b(6), b(10), backend.Mat{M: 3, N: 5, K: 2, Bias: b(3)})
	}},
	{"MatMul", "no K", func(e backend.Backend, b func(int) backend.Buf) {
		e.MatMul(b(15), b(6), b(10), backend.Mat{M: 3, N: 5})
	}},
	{"MatMul", "dst is a", func(e backend.Backend, b func(int) backend.Buf) {
		x := b(4)
		e.MatMul(x, x, b(4), backend.Mat{M: 2, N: 2, K: 2})
	}},
	{"GELU", "x is short", func(e backend.Backend, b func(int) backend.Buf) { e.GELU(b(4), b(3), backend.GELUTanh) }},
	{"GELU", "unknown kind", func(e backend.Backend, b func(int) backend.Buf) { e.GELU(b(4), b(4), 3) }},
	{"GELUGrad", "dy is short", func(e backend.Backend, b func(int) backend.Buf) { e.GELUGrad(b(4), b(3), b(4), backend.GELUErf) }},
	{"GELUGrad", "x is long", func(e backend.Backend, b func(int) backend.Buf) { e.GELUGrad(b(4), b(4), b(5), backend.GELUErf) }},
	{"GELUGrad", "dx is x", func(e backend.Backend, b func(int) backend.Buf) {
		x := b(4)
		e.GELUGrad(x, b(4), x, backend.GELUErf)
	}},
	{"LayerNorm", "mean of columns", func(e backend.Backend, b func(int) backend.Buf) {
		e.LayerNorm(b(6), b(3), b(2), b(6), b(3), b(3), 2, 3, epsilon)
	}},
	{"LayerNorm", "w of rows", func(e backend.Backend, b func(int) backend.Buf) {
		e.LayerNorm(b(6), none, none, b(6), b(2), b(3), 2, 3, epsilon)
	}},
	{"LayerNormGrad", "dw of rows", func(e backend.Backend, b func(int) backend.Buf) {
		e.LayerNormGrad(b(6), b(2), b(3), b(6), b(6), b(3), b(2), b(2), 2, 3)
	}},
	{"LayerNormGrad", "mean is missing", func(e backend.Backend, b func(int) backend.Buf) {
		e.LayerNormGrad(b(6), b(3), b(3), b(6), b(6), b(3), none, b(2), 2, 3)
	}},
	{"Attention", "k is short", func(e backend.Backend, b func(int) backend.Buf) {
		e.Attention(b(12), none, b(12), b(17), b(18), backend.Attn{Batch: 1, Heads: 2, Queries: 2, Keys: 3, Dim: 3})
	}},
	{"Attention", "lse of one head", func(e backend.Backend, b func(int) backend.Buf) {
		e.Attention(b(12), b(2), b(12), b(18), b(18), backend.Attn{Batch: 1, Heads: 2, Queries: 2, Keys: 3, Dim: 3})
	}},
	{"Attention", "causal without a square", func(e backend.Backend, b func(int) backend.Buf) {
		e.Attention(b(12), none, b(12), b(18), b(18), backend.Attn{Batch: 1, Heads: 2, Queries: 2, Keys: 3, Dim: 3, Causal: true})
	}},
	{"Attention", "too few key lengths", func(e backend.Backend, b func(int) backend.Buf) {
		e.Attention(b(4), none, b(4), b(4), b(4), backend.Attn{Batch: 2, Heads: 1, Queries: 1, Keys: 1, Dim: 2, KeyLens: []int32{1}})
	}},
	{"Attention", "a key length of 0", func(e backend.Backend, b func(int) backend.Buf) {
		e.Attention(b(4), none, b(4), b(4), b(4), backend.Attn{Batch: 2, Heads: 1, Queries: 1, Keys: 1, Dim: 2, KeyLens: []int32{1, 0}})
	}},
	{"Attention", "a key length beyond the keys", func(e backend.Backend, b func(int) backend.Buf) {
		e.Attention(b(4), none, b(4), b(4), b(4), backend.Attn{Batch: 2, Heads: 1, Queries: 1, Keys: 1, Dim: 2, KeyLens: []int32{1, 2}})
	}},
	{"AttentionGrad", "lse is missing", func(e backend.Backend, b func(int) backend.Buf) {
		e.AttentionGrad(b(2), b(2), b(2), b(2), b(2), none, b(2), b(2), b(2), backend.Attn{Batch: 1, Heads: 1, Queries: 1, Keys: 1, Dim: 2})
	}},
	{"AttentionGrad", "dk of queries", func(e backend.Backend, b func(int) backend.Buf) {
		e.AttentionGrad(b(2), b(2), b(6), b(2), b(2), b(1), b(2), b(6), b(6), backend.Attn{Batch: 1, Heads: 1, Queries: 1, Keys: 3, Dim: 2})
	}},
	{"Normalize", "norm of columns", func(e backend.Backend, b func(int) backend.Buf) { e.Normalize(b(6), b(3), b(6), 2, 3) }},
	{"Normalize", "x is short", func(e backend.Backend, b func(int) backend.Buf) { e.Normalize(b(6), none, b(5), 2, 3) }},
	{"NormalizeGrad", "norm is missing", func(e backend.Backend, b func(int) backend.Buf) { e.NormalizeGrad(b(6), b(6), b(6), none, 2, 3) }},
	{"NormalizeGrad", "dy is short", func(e backend.Backend, b func(int) backend.Buf) { e.NormalizeGrad(b(6), b(5), b(6), b(2), 2, 3) }},
	{"DepthwiseConv", "dst without stride", func(e backend.Backend, b func(int) backend.Buf) {
		e.DepthwiseConv(b(25), b(25), b(9), b(1), backend.Conv{Batch: 1, Height: 5, Width: 5, Channels: 1, Kernel: 3, Stride: 2})
	}},
	{"DepthwiseConv", "w without channels", func(e backend.Backend, b func(int) backend.Buf) {
		e.DepthwiseConv(b(8), b(8), b(9), b(2), backend.Conv{Batch: 1, Height: 2, Width: 2, Channels: 2, Kernel: 3, Stride: 1})
	}},
	{"DepthwiseConv", "no stride", func(e backend.Backend, b func(int) backend.Buf) {
		e.DepthwiseConv(b(8), b(8), b(18), b(2), backend.Conv{Batch: 1, Height: 2, Width: 2, Channels: 2, Kernel: 3})
	}},
	{"ReLU6", "x is long", func(e backend.Backend, b func(int) backend.Buf) { e.ReLU6(b(4), b(5)) }},
	{"SigmoidLoss", "dy of rows", func(e backend.Backend, b func(int) backend.Buf) {
		e.SigmoidLoss(b(1), b(4), b(4), b(1), b(1), b(4), b(6), b(1), b(1), backend.Pairs{Rows: 2, Cols: 3, Dim: 2})
	}},
	{"SigmoidLoss", "loss of rows", func(e backend.Backend, b func(int) backend.Buf) {
		e.SigmoidLoss(b(2), b(4), b(6), b(1), b(1), b(4), b(6), b(1), b(1), backend.Pairs{Rows: 2, Cols: 3, Dim: 2})
	}},
	{"SigmoidLoss", "default of 1", wrongPairs(backend.Pairs{Default: 1})},
	{"SigmoidLoss", "label of 2", wrongPairs(backend.Pairs{Except: []backend.Pair{{Label: 2}}})},
	{"SigmoidLoss", "row outside", wrongPairs(backend.Pairs{Except: []backend.Pair{{Row: 2}}})},
	{"SigmoidLoss", "column outside", wrongPairs(backend.Pairs{Except: []backend.Pair{{Col: 3}}})},
	{"SigmoidLoss", "pair listed twice", wrongPairs(backend.Pairs{Except: []backend.Pair{{Col: 1}, {Col: 1}}})},
	{"SigmoidLoss", "pairs out of order", wrongPairs(backend.Pairs{Except: []backend.Pair{{Row: 1}, {Col: 2}}})},
	{"SoftmaxLoss", "dy of rows", func(e backend.Backend, b func(int) backend.Buf) {
		e.SoftmaxLoss(b(1), b(4), b(4), b(1), b(4), b(6), b(1), backend.Pairs{Rows: 2, Cols: 3, Dim: 2})
	}},
	{"SoftmaxLoss", "dt is missing", func(e backend.Backend, b func(int) backend.Buf) {
		e.SoftmaxLoss(b(1), b(4), b(6), none, b(4), b(6), b(1), backend.Pairs{Rows: 2, Cols: 3, Dim: 2})
	}},
	{"SoftmaxLoss", "dx is x", func(e backend.Backend, b func(int) backend.Buf) {
		x := b(4)
		e.SoftmaxLoss(b(1), x, b(6), b(1), x, b(6), b(1), backend.Pairs{Rows: 2, Cols: 3, Dim: 2})
	}},
	{"SoftmaxLoss", "row outside", func(e backend.Backend, b func(int) backend.Buf) {
		e.SoftmaxLoss(b(1), b(4), b(6), b(1), b(4), b(6), b(1), backend.Pairs{Rows: 2, Cols: 3, Dim: 2, Except: []backend.Pair{{Row: 2}}})
	}},
	{"SumSquares", "dst is long", func(e backend.Backend, b func(int) backend.Buf) { e.SumSquares(b(2), b(4)) }},
	{"SumSquares", "x is missing", func(e backend.Backend, b func(int) backend.Buf) { e.SumSquares(b(1), none) }},
	{"AdamW", "v is short", func(e backend.Backend, b func(int) backend.Buf) {
		e.AdamW(b(4), b(4), b(4), b(3), backend.Adam{Step: 1})
	}},
	{"AdamW", "step 0", func(e backend.Backend, b func(int) backend.Buf) { e.AdamW(b(4), b(4), b(4), b(4), backend.Adam{}) }},
}

func wrongPairs(p backend.Pairs) func(e backend.Backend, b func(int) backend.Buf) {
	p.Rows, p.Cols, p.Dim = 2, 3, 2
	return func(e backend.Backend, b func(int) backend.Buf) {
		e.SigmoidLoss(b(1), b(4), b(6), b(1), b(1), b(4), b(6), b(1), b(1), p)
	}
}

// shapeCases returns the wrong calls of an operation; Write and Read belong to
// Memory.
func shapeCases(op string) []testCase {
	var cases []testCase
	for _, w := range wrongCalls {
		if w.op == op || op == "Memory" && (w.op == "Write" || w.op == "Read") {
			cases = append(cases, testCase{"refused/" + w.name, w.check})
		}
	}
	return cases
}

// check wants a panic that names the operation.
func (w wrongCall) check(e *arena) (err error) {
	e.reset()
	defer func() {
		if said := fmt.Sprint(recover()); !strings.HasPrefix(said, "backend: "+w.op+": ") {
			err = fmt.Errorf("%s, %s: panic %s, want one that begins with backend: %s", w.op, w.name, said, w.op)
		}
	}()
	w.call(e, func(n int) backend.Buf { return e.alloc(n, backend.Scratch) })
	return nil
}
