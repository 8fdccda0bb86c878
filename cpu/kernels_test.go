package cpu

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"sigla/backend"
)

// A vectorCase runs one kernel on vectors of n numbers. The vectors x are
// sources or destinations as it likes, each with a guard behind it.
type vectorCase struct {
	name string
	run  func(k *kernels, x [7]*float32, n int) float32
}

var vectorCases = []vectorCase{
	{"add", func(k *kernels, x [7]*float32, n int) float32 { k.add(x[0], x[1], x[2], n); return 0 }},
	{"add in place", func(k *kernels, x [7]*float32, n int) float32 { k.add(x[0], x[0], x[1], n); return 0 }},
	{"relu6", func(k *kernels, x [7]*float32, n int) float32 { k.relu6(x[0], x[1], n); return 0 }},
	{"scale", func(k *kernels, x [7]*float32, n int) float32 { k.scale(x[0], x[1], n, 1.7); return 0 }},
	{"blend", func(k *kernels, x [7]*float32, n int) float32 { k.blend(x[0], x[1], x[2], n, 1.7, -0.3); return 0 }},
	{"gate", func(k *kernels, x [7]*float32, n int) float32 { k.gate(x[0], x[1], n, 1.6, 0.07); return 0 }},
	{"gateGrad", func(k *kernels, x [7]*float32, n int) float32 { k.gateGrad(x[0], x[1], x[2], n, 1.6, 0.07); return 0 }},
	{"dot", func(k *kernels, x [7]*float32, n int) float32 { return k.dot(x[0], x[1], n) }},
	{"largest", func(k *kernels, x [7]*float32, n int) float32 { return k.largest(x[0], n) }},
	{"largest of negative", func(k *kernels, x [7]*float32, n int) float32 {
		k.add(x[0], x[0], x[far], n)
		return k.largest(x[0], n)
	}},
	{"expSum", func(k *kernels, x [7]*float32, n int) float32 { return k.expSum(x[0], n, 2, 3) }},
	{"scoreGrad", func(k *kernels, x [7]*float32, n int) float32 { k.scoreGrad(x[0], x[1], n, 0.4, 0.125); return 0 }},
	{"layerNorm", func(k *kernels, x [7]*float32, n int) float32 {
		var mean, rstd float32
		k.layerNorm(x[0], x[0], x[1], x[2], n, 0.1, &mean, &rstd)
		return mean + rstd
	}},
	{"layerNorm far from 0", func(k *kernels, x [7]*float32, n int) float32 {
		var mean, rstd float32
		k.layerNorm(x[0], x[far], x[1], x[2], n, 0.1, &mean, &rstd)
		k.scale(x[0], x[0], n, 0.1) // the mean is a float32, as the sources are
		return rstd
	}},
	{"layerNormGrad", func(k *kernels, x [7]*float32, n int) float32 {
		k.layerNormGrad(x[0], x[1], x[2], x[3], x[4], x[5], n, 0.1, 1.5)
		return 0
	}},
	{"pairLoss", func(k *kernels, x [7]*float32, n int) float32 {
		z := vector(x[2], n)
		for i := range z {
			z[i] = float32(i%3 - 1)
		}
		var sums [3]float32
		k.pairLoss(x[0], x[1], x[2], n, 10, -1, &sums)
		return sums[0] + 2*sums[1] + 3*sums[2]
	}},
	{"adamW", func(k *kernels, x [7]*float32, n int) float32 {
		k.relu6(x[3], x[3], n) // second moments are not negative
		k.adamW(x[0], x[1], x[2], x[3], n, 0.5, 0.9, 0.1, 0.999, 0.001, 0.99, 0.01, 1.1, 1e-6)
		return 0
	}},
}

// TestVectorKernels compares every level with plain Go at lengths around the
// multiples of a vector, and looks at what lies behind.
func TestVectorKernels(t *testing.T) {
	lengths := []int{97, 128, 500}
	for n := 1; n <= 70; n++ {
		lengths = append(lengths, n)
	}
	for _, k := range levels() {
		for _, c := range vectorCases {
			t.Run(k.level+"/"+c.name, func(t *testing.T) {
				for _, n := range lengths {
					got, sum := runVector(c, k, n)
					want, wantSum := runVector(c, &generic, n)
					for i := range want {
						if !near(got[i], want[i], 3e-6) {
							t.Fatalf("%d elements: vector %d element %d is %g, want %g", n, i/(n+guard), i%(n+guard), got[i], want[i])
						}
					}
					if !near(sum, wantSum, 2e-6*math.Sqrt(float64(n))) {
						t.Fatalf("%d elements: result %g, want %g", n, sum, wantSum)
					}
				}
			})
		}
	}
}

const (
	guard = 17
	far   = 6 // the vector whose numbers lie around −100
)

// near allows an error of limit, relative for numbers above 1; NaN is near NaN.
func near(a, b float32, limit float64) bool {
	x, y := float64(a), float64(b)
	return x == y || x != x && y != y || math.Abs(x-y) <= limit*max(1, math.Abs(y))
}

func runVector(c vectorCase, k *kernels, n int) (all []float32, result float32) {
	r := rand.New(rand.NewPCG(3, uint64(n)))
	var x [7]*float32
	all = make([]float32, 1+len(x)*(n+guard))[1:] // off any alignment
	for v := range x {
		part := all[v*(n+guard):][:n+guard]
		for i := range part {
			part[i] = float32(r.NormFloat64())
			if v == far && i < n {
				part[i] -= 100
			}
			if i >= n {
				part[i] = float32(math.NaN())
			}
		}
		x[v] = &part[0]
	}
	result = c.run(k, x, n)
	return all, result
}

// GELU by a polynomial must be as good as float32 is: 2e-7 of x, or of the
// result where that is larger.
func TestGELUError(t *testing.T) {
	var x []float32
	for v := -14.0; v < 14; v += 1.0 / 1024 {
		x = append(x, float32(v))
	}
	for _, level := range Levels() {
		e := open(t, Options{Level: level})
		in, out := e.Alloc(len(x), backend.Scratch), e.Alloc(len(x), backend.Scratch)
		e.Write(in, x)
		e.GELU(out, in, backend.GELUTanh)
		worst := 0.0
		for i, y := range read(e, out) {
			v := float64(x[i])
			want := v / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(v+0.044715*v*v*v)))
			if v != 0 {
				worst = max(worst, math.Abs(float64(y)-want)/math.Abs(v))
			}
		}
		t.Logf("%s: %.2g of x", level, worst)
		if worst > 2e-7 {
			t.Errorf("%s: error %.2g of x, want at most 2e-7", level, worst)
		}
	}
}

// Tiles at the edges of what they store, all of them, not only those that a
// product of that size would take.
func TestTiles(t *testing.T) {
	for _, k := range levels() {
		for _, tile := range k.tiles {
			t.Run(fmt.Sprintf("%s/%dx%d", k.level, tile.rows, tile.cols), func(t *testing.T) {
				for _, depth := range []int{1, 3, 4, 7, 64} {
					for n := 1; n <= tile.cols; n++ {
						checkTile(t, tile, 2, tile.rows, n, depth)
						for m := 1; m < tile.rows; m++ {
							checkTile(t, tile, 1, m, n, depth)
						}
					}
				}
			})
		}
	}
}

// checkTile multiplies tiles of whole numbers, whose product is exact.
func checkTile(t *testing.T, tile tile, tiles, m, n, depth int) {
	r := rand.New(rand.NewPCG(uint64(m), uint64(n)))
	whole := func(n int) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(r.IntN(9) - 4)
		}
		return x
	}
	a, b, bias := whole(tiles*tile.rows*depth), whole(tile.cols*depth), whole(tile.cols)
	ldc := n + 2
	c := whole(tiles * tile.rows * ldc)
	add, clamp := depth%2 == 1, m%2 == 1
	want := slices.Clone(c)
	for i := range (tiles-1)*tile.rows + m {
		for j := range n {
			sum := bias[j]
			if add {
				sum += c[i*ldc+j]
			}
			for p := range depth {
				sum += a[i*depth+p] * b[p*tile.cols+j]
			}
			if clamp {
				sum = min(max(sum, 0), 6)
			}
			want[i*ldc+j] = sum
		}
	}
	tile.run(&a[0], &b[0], &c[0], &bias[0], depth, 1, tile.rows*depth, tile.cols, ldc, depth, tiles, m, n, add, clamp)
	for i := range c {
		if c[i] != want[i] {
			t.Fatalf("%d×%d of depth %d: row %d column %d is %g, want %g", m, n, depth, i/ldc, i%ldc, c[i], want[i])
		}
	}
}
