package ref

import (
	"math"

	"sigla/backend"
)

func (engine) GELU(dst, x backend.Buf, kind backend.Activation) {
	backend.CheckGELU(dst, x, kind)
	d := floats(dst)
	for i, v := range floats(x) {
		x := float64(v)
		p, _ := gate(x, kind)
		d[i] = float32(x * p)
	}
}

func (engine) GELUGrad(dx, dy, x backend.Buf, kind backend.Activation) {
	backend.CheckGELUGrad(dx, dy, x, kind)
	d, g := floats(dx), floats(dy)
	for i, v := range floats(x) {
		x := float64(v)
		p, dp := gate(x, kind)
		d[i] = float32(float64(g[i]) * (p + x*dp))
	}
}

// gate returns Φ(x) and Φ'(x): every kind of GELU is x·Φ(x), with the normal
// distribution itself (Hendrycks & Gimpel 2016) or something close to it.
//
// Far below zero 1 + tanh and 1 + erf would lose all digits, so the tanh form
// is written with ½(1 + tanh u) = σ(2u) and the erf form with erfc.
func gate(x float64, kind backend.Activation) (p, dp float64) {
	switch kind {
	case backend.GELUErf:
		return math.Erfc(-x/math.Sqrt2) / 2, math.Exp(-x*x/2) / math.Sqrt(2*math.Pi)
	case backend.GELUQuick:
		p = sigmoid(1.702 * x)
		return p, 1.702 * p * (1 - p)
	}
	const a, c = 0.044715, 2 * math.Sqrt2 / math.SqrtPi
	p = sigmoid(c * (x + a*x*x*x))
	return p, c * (1 + 3*a*x*x) * p * (1 - p)
}

// sigmoid is σ(x) = 1/(1 + e^-x).
func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

func (engine) ReLU6(dst, x backend.Buf) {
	backend.CheckReLU6(dst, x)
	d := floats(dst)
	for i, v := range floats(x) {
		d[i] = min(max(v, 0), 6)
	}
}
