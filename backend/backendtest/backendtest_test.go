package backendtest

import (
	"errors"
	"math"
	"strings"
	"testing"

	"sigla/backend"
	"sigla/backend/ref"
)

// The suite must find what goes wrong in engines: each of these is the
// reference with one fault, and one complaint that it has to cause.
var faults = []struct {
	op, name string
	engine   func(e backend.Backend) backend.Backend
	says     string
}{
	{"Memory", "the device is lost", func(e backend.Backend) backend.Backend { return lost{e} }, "read: device lost"},
	{"Memory", "subnormal numbers become zero", func(e backend.Backend) backend.Backend { return flushing{e} }, "wrote 1e-45 and read 0"},
	{"Memory", "Zero clears too much", func(e backend.Backend) backend.Backend { return overzealous{e} }, "was written"},
	{"CopyRows", "x is taken as dense", func(e backend.Backend) backend.Backend { return dense{e} }, "dst: error"},
	{"Add", "b does not repeat", func(e backend.Backend) backend.Backend { return once{e} }, "= NaN"},
	{"SumRows", "overwrites", func(e backend.Backend) backend.Backend { return overwritingSums{e} }, "dst: error"},
	{"MatMul", "no bias", func(e backend.Backend) backend.Backend { return unbiased{e} }, "dst: error"},
	{"MatMul", "dst is cleared first", func(e backend.Backend) backend.Backend { return clearing{e} }, "gradient by w"},
	{"MatMul", "packed weights go stale", func(e backend.Backend) backend.Backend { return stale{e, map[backend.Buf]backend.Buf{}} }, "after: error"},
	{"MatMul", "writes past the end", func(e backend.Backend) backend.Backend { return overshooting{e} }, "was written"},
	{"MatMul", "writes before the start", func(e backend.Backend) backend.Backend { return undershooting{e} }, "dst[-1]"},
	{"MatMul", "changes a source", func(e backend.Backend) backend.Backend { return meddling{e} }, "is only read"},
	{"GELU", "0.0447 for 0.044715", func(e backend.Backend) backend.Backend { return inexact{e} }, "dst: error"},
	{"GELU", "one kind for all", func(e backend.Backend) backend.Backend { return oneKind{e} }, "dst: error"},
	{"GELU", "takes any shape", func(e backend.Backend) backend.Backend { return tolerant{e} }, "panic <nil>, want one that begins with backend: GELU"},
	{"GELUGrad", "gradient of another kind", func(e backend.Backend) backend.Backend { return oneKind{e} }, "gradient by x"},
	{"LayerNorm", "unbiased variance", func(e backend.Backend) backend.Backend { return bessel{e} }, "rstd: error"},
	{"LayerNormGrad", "dw is overwritten", func(e backend.Backend) backend.Backend { return overwriting{e} }, "gradient by w"},
	{"LayerNormGrad", "dx is added to", func(e backend.Backend) backend.Backend { return adding{e} }, "gradient by x"},
	{"Attention", "key lengths are ignored", func(e backend.Backend) backend.Backend { return seeing{e, false} }, "dst: error"},
	{"Attention", "the future is seen", func(e backend.Backend) backend.Backend { return seeing{e, true} }, "lse: error"},
	{"AttentionGrad", "dk is doubled", func(e backend.Backend) backend.Backend { return doubled{e} }, "gradient by k"},
	{"AttentionGrad", "hidden keys keep what dv held", func(e backend.Backend) backend.Backend { return forgetful{e} }, "dv: error"},
	{"Normalize", "no limit on the norm", func(e backend.Backend) backend.Backend { return unlimited{e} }, "norm: error"},
	{"NormalizeGrad", "no projection", func(e backend.Backend) backend.Backend { return straight{e} }, "gradient by x"},
	{"DepthwiseConv", "no bias", func(e backend.Backend) backend.Backend { return unbiased{e} }, "dst: error"},
	{"ReLU6", "no 6", func(e backend.Backend) backend.Backend { return relu{e} }, "dst: error"},
	{"SigmoidLoss", "exceptions are dropped", func(e backend.Backend) backend.Backend { return lossFault{e, dropExceptions} }, "loss: error"},
	{"SigmoidLoss", "dt is by exp(t)", func(e backend.Backend) backend.Backend { return byScale{e} }, "gradient by t"},
	{"SigmoidLoss", "db is overwritten", func(e backend.Backend) backend.Backend { return lossFault{e, overwriteBias} }, "gradient by b"},
	{"SigmoidLoss", "keeps all logits", func(e backend.Backend) backend.Backend { return lossFault{e, keepLogits} }, "pairs took"},
	{"SoftmaxLoss", "exceptions are dropped", func(e backend.Backend) backend.Backend { return lossFault{e, dropExceptions} }, "loss: error"},
	{"SoftmaxLoss", "dt is by exp(t)", func(e backend.Backend) backend.Backend { return byScale{e} }, "gradient by t"},
	{"SoftmaxLoss", "the last text is forgotten", func(e backend.Backend) backend.Backend { return forgettingText{e} }, "gradient by y"},
	{"SoftmaxLoss", "keeps all logits", func(e backend.Backend) backend.Backend { return lossFault{e, keepLogits} }, "pairs took"},
	{"SumSquares", "overwrites", func(e backend.Backend) backend.Backend { return overwritingSums{e} }, "dst: error"},
	{"AdamW", "decay through the gradient", func(e backend.Backend) backend.Backend { return adam{e, true} }, "m: error"},
	{"AdamW", "no bias correction", func(e backend.Backend) backend.Backend { return adam{e, false} }, "w: error"},
}

func TestFaultsAreFound(t *testing.T) {
	cases := map[string][]testCase{}
	for _, op := range operations() {
		cases[op.name] = op.cases
	}
	for _, f := range faults {
		t.Run(f.op+"/"+f.name, func(t *testing.T) {
			e := &arena{Backend: f.engine(ref.New())}
			found := 0
			for _, c := range cases[f.op] {
				if err := c.run(e); err != nil && strings.Contains(err.Error(), f.says) {
					found++
				}
			}
			if found == 0 {
				t.Errorf("none of %d cases says %q", len(cases[f.op]), f.says)
			}
		})
	}
}

// TestEveryOperationHasAFault keeps the list of faults complete.
func TestEveryOperationHasAFault(t *testing.T) {
	named := map[string]bool{}
	for _, f := range faults {
		named[f.op] = true
	}
	for _, op := range operations() {
		if !named[op.name] {
			t.Errorf("no fault for %s", op.name)
		}
	}
}

func TestNearRefusesNaNAndInf(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, c := range [][2]float32{{nan, 1}, {1, nan}, {inf, 1}, {1, inf}, {nan, nan}} {
		if near("x", []float32{c[0]}, []float32{c[1]}, tol{1, 1}) == nil {
			t.Errorf("%g passes for %g", c[0], c[1])
		}
	}
}

type lost struct{ backend.Backend }

func (lost) Read([]float32, backend.Buf) error { return errors.New("device lost") }

type flushing struct{ backend.Backend }

func (e flushing) Read(dst []float32, src backend.Buf) error {
	err := e.Backend.Read(dst, src)
	for i, v := range dst {
		if math.Abs(float64(v)) < 1e-38 {
			dst[i] = float32(math.Copysign(0, float64(v)))
		}
	}
	return err
}

// wider is b with more elements before and after it.
func wider(b backend.Buf, before, after int) backend.Buf {
	return backend.Buf{Mem: b.Mem, Off: b.Off - before, Len: b.Len + before + after}
}

type overzealous struct{ backend.Backend }

func (e overzealous) Zero(dst backend.Buf) {
	if dst.Off > 0 {
		dst = wider(dst, 1, 0)
	}
	e.Backend.Zero(dst)
}

type dense struct{ backend.Backend }

func (e dense) CopyRows(dst, x backend.Buf, rows, cols, dstStride, xStride int) {
	e.Backend.CopyRows(dst, x, rows, cols, dstStride, min(xStride, cols))
}

type once struct{ backend.Backend }

func (e once) Add(dst, a, b backend.Buf) {
	backend.CheckAdd(dst, a, b)
	e.Backend.Add(dst.Slice(0, b.Len), a.Slice(0, b.Len), b)
}

type overwritingSums struct{ backend.Backend }

func (e overwritingSums) SumRows(dst, x backend.Buf, rows, cols int) {
	e.Zero(dst)
	e.Backend.SumRows(dst, x, rows, cols)
}

func (e overwritingSums) SumSquares(dst, x backend.Buf) {
	e.Zero(dst)
	e.Backend.SumSquares(dst, x)
}

type unbiased struct{ backend.Backend }

func (e unbiased) MatMul(dst, a, b backend.Buf, s backend.Mat) {
	s.Bias = backend.Buf{}
	e.Backend.MatMul(dst, a, b, s)
}

func (e unbiased) DepthwiseConv(dst, x, w, bias backend.Buf, s backend.Conv) {
	s.Check(dst, x, w, bias)
	e.Backend.DepthwiseConv(dst, x, w, e.Alloc(bias.Len, backend.Weight), s)
}

type clearing struct{ backend.Backend }

func (e clearing) MatMul(dst, a, b backend.Buf, s backend.Mat) {
	s.Add = false
	e.Backend.MatMul(dst, a, b, s)
}

type stale struct {
	backend.Backend
	packed map[backend.Buf]backend.Buf
}

func (e stale) MatMul(dst, a, b backend.Buf, s backend.Mat) {
	s.Check(dst, a, b)
	if _, ok := e.packed[b]; !ok {
		e.packed[b] = e.Alloc(b.Len, backend.Weight)
		e.CopyRows(e.packed[b], b, 1, b.Len, b.Len, b.Len)
	}
	e.Backend.MatMul(dst, a, e.packed[b], s)
}

type overshooting struct{ backend.Backend }

func (e overshooting) MatMul(dst, a, b backend.Buf, s backend.Mat) {
	e.Backend.MatMul(dst, a, b, s)
	if s.M == 65 {
		e.Zero(wider(dst, 0, 1).Slice(dst.Len, 1))
	}
}

type undershooting struct{ backend.Backend }

func (e undershooting) MatMul(dst, a, b backend.Buf, s backend.Mat) {
	e.Backend.MatMul(dst, a, b, s)
	if s.M == 65 {
		e.Zero(wider(dst, 1, 0).Slice(0, 1))
	}
}

type meddling struct{ backend.Backend }

func (e meddling) MatMul(dst, a, b backend.Buf, s backend.Mat) {
	e.Backend.MatMul(dst, a, b, s)
	e.Zero(a.Slice(0, 1))
}

type inexact struct{ backend.Backend }

func (e inexact) GELU(dst, x backend.Buf, kind backend.Activation) {
	e.Backend.GELU(dst, x, kind)
	if kind != backend.GELUTanh {
		return
	}
	values, _ := read(e, x)
	for i, v := range values {
		x := float64(v)
		values[i] = float32(x / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.0447*x*x*x))))
	}
	e.Write(dst, values)
}

type oneKind struct{ backend.Backend }

func (e oneKind) GELU(dst, x backend.Buf, kind backend.Activation) {
	e.Backend.GELU(dst, x, kind*0)
}

func (e oneKind) GELUGrad(dx, dy, x backend.Buf, kind backend.Activation) {
	e.Backend.GELUGrad(dx, dy, x, kind*0)
}

type tolerant struct{ backend.Backend }

func (e tolerant) GELU(dst, x backend.Buf, kind backend.Activation) {
	defer func() { _ = recover() }()
	e.Backend.GELU(dst, x, kind)
}

type bessel struct{ backend.Backend }

func (e bessel) LayerNorm(dst, mean, rstd, x, w, b backend.Buf, rows, cols int, eps float32) {
	e.Backend.LayerNorm(dst, mean, rstd, x, w, b, rows, cols, eps)
	if rstd.Mem == nil || cols == 1 {
		return
	}
	values, _ := read(e, rstd)
	for i := range values {
		values[i] *= float32(math.Sqrt(float64(cols-1) / float64(cols)))
	}
	e.Write(rstd, values)
}

type overwriting struct{ backend.Backend }

func (e overwriting) LayerNormGrad(dx, dw, db, dy, x, w, mean, rstd backend.Buf, rows, cols int) {
	e.Zero(dw)
	e.Backend.LayerNormGrad(dx, dw, db, dy, x, w, mean, rstd, rows, cols)
}

type adding struct{ backend.Backend }

func (e adding) LayerNormGrad(dx, dw, db, dy, x, w, mean, rstd backend.Buf, rows, cols int) {
	before, _ := read(e, dx)
	e.Backend.LayerNormGrad(dx, dw, db, dy, x, w, mean, rstd, rows, cols)
	e.Add(dx, dx, load(e, before))
}

type seeing struct {
	backend.Backend
	future bool
}

func (e seeing) Attention(dst, lse, q, k, v backend.Buf, s backend.Attn) {
	s.Check(dst, lse, q, k, v)
	if e.future {
		s.Causal = false
	} else {
		s.KeyLens = nil
	}
	e.Backend.Attention(dst, lse, q, k, v, s)
}

type doubled struct{ backend.Backend }

func (e doubled) AttentionGrad(dq, dk, dv, dy, y, lse, q, k, v backend.Buf, s backend.Attn) {
	e.Backend.AttentionGrad(dq, dk, dv, dy, y, lse, q, k, v, s)
	e.Add(dk, dk, dk)
}

type forgetful struct{ backend.Backend }

// AttentionGrad puts back the last row of dv where its key is hidden.
func (e forgetful) AttentionGrad(dq, dk, dv, dy, y, lse, q, k, v backend.Buf, s backend.Attn) {
	s.CheckGrad(dq, dk, dv, dy, y, lse, q, k, v)
	last := dv.Slice(dv.Len-s.Heads*s.Dim, s.Heads*s.Dim)
	before, _ := read(e, last)
	e.Backend.AttentionGrad(dq, dk, dv, dy, y, lse, q, k, v, s)
	if s.KeyLens != nil && int(s.KeyLens[s.Batch-1]) < s.Keys {
		e.Write(last, before)
	}
}

type unlimited struct{ backend.Backend }

func (e unlimited) Normalize(dst, norm, x backend.Buf, rows, cols int) {
	e.Backend.Normalize(dst, norm, x, rows, cols)
	if norm.Mem == nil {
		return
	}
	values, _ := read(e, norm)
	for i, v := range values {
		if v <= 1e-12 {
			values[i] = 0
		}
	}
	e.Write(norm, values)
}

type straight struct{ backend.Backend }

func (e straight) NormalizeGrad(dx, dy, y, norm backend.Buf, rows, cols int) {
	backend.CheckNormalizeGrad(dx, dy, y, norm, rows, cols)
	e.Backend.NormalizeGrad(dx, dy, e.Alloc(y.Len, backend.Scratch), norm, rows, cols)
}

type relu struct{ backend.Backend }

func (e relu) ReLU6(dst, x backend.Buf) {
	values, _ := read(e, x)
	e.Backend.ReLU6(dst, x)
	for i, v := range values {
		values[i] = max(v, 0)
	}
	e.Write(dst, values)
}

type lossFault struct {
	backend.Backend
	fault func(e backend.Backend, db backend.Buf, p *backend.Pairs)
}

func (e lossFault) SigmoidLoss(loss, dx, dy, dt, db, x, y, t, b backend.Buf, p backend.Pairs) {
	p.Check(loss, dx, dy, dt, db, x, y, t, b)
	e.fault(e, db, &p)
	e.Backend.SigmoidLoss(loss, dx, dy, dt, db, x, y, t, b, p)
}

func (e lossFault) SoftmaxLoss(loss, dx, dy, dt, x, y, t backend.Buf, p backend.Pairs) {
	p.CheckSoftmax(loss, dx, dy, dt, x, y, t)
	e.fault(e, backend.Buf{}, &p)
	e.Backend.SoftmaxLoss(loss, dx, dy, dt, x, y, t, p)
}

func dropExceptions(_ backend.Backend, _ backend.Buf, p *backend.Pairs) { p.Except = nil }

func overwriteBias(e backend.Backend, db backend.Buf, _ *backend.Pairs) { e.Zero(db) }

var logits []float32

func keepLogits(_ backend.Backend, _ backend.Buf, p *backend.Pairs) {
	logits = make([]float32, p.Rows*p.Cols)
}

type byScale struct{ backend.Backend }

func (e byScale) SigmoidLoss(loss, dx, dy, dt, db, x, y, t, b backend.Buf, p backend.Pairs) {
	p.Check(loss, dx, dy, dt, db, x, y, t, b)
	e.unscale(dt, t, func() { e.Backend.SigmoidLoss(loss, dx, dy, dt, db, x, y, t, b, p) })
}

func (e byScale) SoftmaxLoss(loss, dx, dy, dt, x, y, t backend.Buf, p backend.Pairs) {
	p.CheckSoftmax(loss, dx, dy, dt, x, y, t)
	e.unscale(dt, t, func() { e.Backend.SoftmaxLoss(loss, dx, dy, dt, x, y, t, p) })
}

// unscale leaves the chain rule's exp(t) out of what run adds to dt.
func (e byScale) unscale(dt, t backend.Buf, run func()) {
	before, _ := read(e, dt)
	run()
	after, _ := read(e, dt)
	logScale, _ := read(e, t)
	e.Write(dt, []float32{before[0] + (after[0]-before[0])/float32(math.Exp(float64(logScale[0])))})
}

type forgettingText struct{ backend.Backend }

// SoftmaxLoss has no gradient for the last text.
func (e forgettingText) SoftmaxLoss(loss, dx, dy, dt, x, y, t backend.Buf, p backend.Pairs) {
	e.Backend.SoftmaxLoss(loss, dx, dy, dt, x, y, t, p)
	e.Zero(dy.Slice(dy.Len-p.Dim, p.Dim))
}

type adam struct {
	backend.Backend
	l2 bool // weights decay through the gradient (Kingma & Ba 2015)
}

func (e adam) AdamW(w, g, m, v backend.Buf, a backend.Adam) {
	a.Check(w, g, m, v)
	if !e.l2 {
		a.Step = 1_000_000
		e.Backend.AdamW(w, g, m, v, a)
		return
	}
	weights, _ := read(e, w)
	grads, _ := read(e, g)
	for i := range grads {
		grads[i] += a.Decay * weights[i]
	}
	a.Decay = 0
	e.Backend.AdamW(w, load(e, grads), m, v, a)
}
