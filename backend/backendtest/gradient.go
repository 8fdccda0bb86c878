package backendtest

import (
	"errors"

	"sigla/backend"
	"sigla/backend/ref"
)

// A derivative is a gradient operation beside the forward operation it belongs
// to.
type derivative struct {
	inputs  func(r numbers) []input
	out     int       // elements of the result y
	dy      []float32 // gradient of the loss by y; nil: any
	forward func(e backend.Backend, in []backend.Buf, y backend.Buf)
	// grad computes what it needs of the forward operation itself, then the
	// gradient din of each input from dy.
	grad func(e backend.Backend, in, din []backend.Buf, dy backend.Buf)
}

// An input is something to differentiate by. The gradient of a parameter is
// added to what is there, that of an activation overwrites it.
type input struct {
	name   string
	values []float32
	param  bool
}

// differences is how well finite differences of a float32 result agree with the
// gradient: a rounding of 6e-8 over a step of 1/32 and the fifth derivative
// times (1/32)⁴ both are about 1e-5, (1e-5)² = 1e-10; the rest is for sums.
var differences = tol{3e-9, 0.1}

// check compares grad on e with central differences of forward on the
// reference, where the loss is a random combination of the result's elements.
func (d derivative) check(e *arena) error {
	r := newNumbers()
	inputs, dy := d.inputs(r), d.dy
	if dy == nil {
		dy = r.normal(d.out)
	}
	var in, din []backend.Buf
	var before [][]float32
	for i, x := range inputs {
		before = append(before, r.normal(len(x.values)))
		in, din = append(in, load(e, x.values)), append(din, load(e, before[i]))
	}
	d.grad(e, in, din, load(e, dy))
	want := d.numeric(inputs, dy)
	var errs []error
	for i, x := range inputs {
		got, err := read(e, din[i])
		if err != nil {
			return err
		}
		if x.param {
			for j, v := range before[i] {
				want[i][j] += v
			}
		}
		errs = append(errs, near("gradient by "+x.name, got, want[i], differences))
	}
	return errors.Join(errs...)
}

// numeric returns the gradient of ⟨dy, forward(inputs)⟩ by each input from four
// values on a line (Abramowitz & Stegun 25.3.6).
func (d derivative) numeric(inputs []input, dy []float32) [][]float32 {
	const h = 1.0 / 32
	e := ref.New()
	y := e.Alloc(d.out, backend.Scratch)
	var in []backend.Buf
	for _, x := range inputs {
		in = append(in, load(e, x.values))
	}
	loss := func(at backend.Buf, x float32) float64 {
		e.Write(at, []float32{x})
		d.forward(e, in, y)
		values, _ := read(e, y) // the reference cannot fail
		sum := 0.0
		for i, v := range values {
			sum += float64(v) * float64(dy[i])
		}
		return sum
	}
	var grads [][]float32
	for i, x := range inputs {
		g := make([]float32, len(x.values))
		for j, v := range x.values {
			at := in[i].Slice(j, 1)
			inner := loss(at, v+h) - loss(at, v-h)
			outer := loss(at, v+2*h) - loss(at, v-2*h)
			g[j] = float32((8*inner - outer) / (12 * h))
			e.Write(at, []float32{v})
		}
		grads = append(grads, g)
	}
	return grads
}
