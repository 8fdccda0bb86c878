package preprocess

import (
	"fmt"
	"math"
)

// Filter is a resampling filter; the values are Pillow's codes, the `resample`
// of a preprocessor_config.json.
type Filter uint8

const (
	Nearest Filter = iota
	Lanczos
	Bilinear
	Bicubic
	Box
	Hamming
)

var kernels = [...]struct {
	name    string
	support float64 // reach in input pixels when enlarging
	weight  func(x float64) float64
}{
	Nearest:  {"nearest", 0, nil},
	Lanczos:  {"lanczos", 3, lanczos},
	Bilinear: {"bilinear", 1, bilinear},
	Bicubic:  {"bicubic", 2, bicubic},
	Box:      {"box", 0.5, box},
	Hamming:  {"hamming", 1, hamming},
}

func (f Filter) String() string {
	if int(f) < len(kernels) {
		return kernels[f].name
	}
	return fmt.Sprintf("Filter(%d)", uint8(f))
}

// The kernels of Pillow's Resample.c. The conversions to float64 around
// products forbid the fused multiply-add of other architectures, which would
// round differently.

func box(x float64) float64 {
	if x > -0.5 && x <= 0.5 {
		return 1
	}
	return 0
}

func bilinear(x float64) float64 {
	return max(0, 1-math.Abs(x))
}

// hamming is the window of that name around a sinc; Pillow writes its two
// constants in single precision.
func hamming(x float64) float64 {
	x = math.Abs(x)
	switch {
	case x == 0:
		return 1
	case x >= 1:
		return 0
	}
	x *= math.Pi
	return math.Sin(x) / x * (float64(float32(0.54)) + float64(float64(float32(0.46))*math.Cos(x)))
}

// bicubic is Keys' kernel with a = −1/2.
func bicubic(x float64) float64 {
	const a = -0.5
	x = math.Abs(x)
	switch {
	case x < 1:
		return float64(float64(float64(float64((a+2)*x)-(a+3))*x)*x) + 1
	case x < 2:
		return (float64(float64(float64((x-5)*x)+8)*x) - 4) * a
	}
	return 0
}

func lanczos(x float64) float64 {
	if x < -3 || x >= 3 {
		return 0
	}
	return sinc(x) * sinc(x/3)
}

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	x *= math.Pi
	return math.Sin(x) / x
}

// An axis is the filter along one direction: output i is the sum of inputs
// lo[i], lo[i]+1, … times weights[i·taps : i·taps+n[i]], 22 bits behind the
// point.
type axis struct {
	lo, n   []int
	weights []int32
	taps    int
}

// point is the number of fraction bits of a weight. A sum of 8-bit samples
// times weights then fits 32 bits: filters with negative lobes stay between −1
// and 2 times 255.
const point = 22

// newAxis returns the filter of outputs from … to−1 when in samples become out.
func newAxis(in, out, from, to int, f Filter) axis {
	if f == Nearest {
		return nearest(in, out, from, to)
	}
	k := kernels[f]
	scale := float64(in) / float64(out)
	stretch := max(scale, 1)
	support := float64(k.support * stretch)
	a := axis{make([]int, to-from), make([]int, to-from), nil, min(in, 2*int(math.Ceil(support))+1)}
	a.weights = make([]int32, (to-from)*a.taps)
	w := make([]float64, a.taps)
	for i := range a.lo {
		center := float64((float64(from+i) + 0.5) * scale)
		lo := max(0, int(center-support+0.5))
		hi := min(in, int(center+support+0.5))
		sum := 0.0
		for j := range hi - lo {
			w[j] = k.weight((float64(j+lo) - center + 0.5) * (1 / stretch))
			sum += w[j]
		}
		a.lo[i], a.n[i] = lo, hi-lo
		for j, v := range w[:hi-lo] {
			if sum != 0 {
				v /= sum
			}
			a.weights[i*a.taps+j] = int32(v*(1<<point) + math.Copysign(0.5, v))
		}
	}
	return a
}

// nearest is Pillow's affine transform: the position is accumulated, and so is
// its rounding error.
func nearest(in, out, from, to int) axis {
	a := axis{make([]int, to-from), make([]int, to-from), make([]int32, to-from), 1}
	step := float64(in) / float64(out)
	at := float64(step * 0.5)
	for i := range to {
		if i >= from {
			a.lo[i-from], a.n[i-from], a.weights[i-from] = min(int(at), in-1), 1, 1<<point
		}
		at += step
	}
	return a
}
