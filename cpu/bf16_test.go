package cpu

import (
	"fmt"
	"math"
	"testing"

	"sigla/backend"
)

// rounded is x as a bfloat16, ties to even.
func rounded(x float32) float64 {
	b := math.Float32bits(x)
	b += 0x7fff + b>>16&1
	return float64(math.Float32frombits(b &^ 0xffff))
}

func openBF16(t *testing.T, threads int) *Engine {
	e := open(t, Options{BF16: true, Threads: threads})
	if e.Precision() != "bf16" {
		t.Skipf("%s multiplies bfloat16 no faster than float32", e)
	}
	return e
}

// The products are those of the rounded factors, as exact as float32 sums are:
// every stride, sizes off all edges, and nothing else is written.
func TestMatMulBF16(t *testing.T) {
	for _, threads := range []int{1, 3} {
		e := openBF16(t, threads)
		for _, d := range [][3]int{{1, 16, 16}, {1, 40, 33}, {13, 17, 19}, {14, 32, 64}, {15, 33, 31}, {29, 100, 77}, {200, 70, 130}, {65, 200, 1111}, {16, 16, 4000}} {
			for flags := range 16 {
				s := backend.Mat{M: d[0], N: d[1], K: d[2], TransA: flags&1 > 0, TransB: flags&2 > 0, Add: flags&4 > 0}
				t.Run(fmt.Sprintf("%d threads/%dx%dx%d/%04b", threads, s.M, s.N, s.K, flags), func(t *testing.T) {
					const guard = 40
					a, b, all := random(e, s.M*s.K), random(e, s.K*s.N), random(e, s.M*s.N+2*guard)
					if flags&8 > 0 {
						s.Bias = random(e, s.N)
					}
					before := read(e, all)
					e.MatMul(all.Slice(guard, s.M*s.N), a, b, s)
					checkBF16(t, s, read(e, a), read(e, b), read(e, s.Bias), before, read(e, all), guard)
				})
			}
		}
	}
}

func checkBF16(t *testing.T, s backend.Mat, a, b, bias, before, got []float32, guard int) {
	for i := range got {
		want, size, r := float64(before[i]), 0.0, i-guard
		if r >= 0 && r < s.M*s.N {
			want, size = expectBF16(s, a, b, bias, r/s.N, r%s.N)
			if s.Add {
				want += float64(before[i])
			}
		}
		if diff := math.Abs(float64(got[i]) - want); !(diff <= 1e-5*size) {
			t.Fatalf("element %d is %g, want %g", r, got[i], want)
		}
	}
}

// expectBF16 returns the element (i, j) of the product and the sum of the terms' sizes.
func expectBF16(s backend.Mat, a, b, bias []float32, i, j int) (sum, size float64) {
	for k := range s.K {
		at, bt := i*s.K+k, k*s.N+j
		if s.TransA {
			at = k*s.M + i
		}
		if s.TransB {
			bt = j*s.K + k
		}
		term := rounded(a[at]) * rounded(b[bt])
		sum, size = sum+term, size+math.Abs(term)
	}
	if len(bias) > 0 {
		sum += float64(bias[j])
	}
	return sum, size + math.Abs(sum)
}

// Of a few columns or of little depth nothing is rounded.
func TestSmallProductsStayFloat32(t *testing.T) {
	e, f := openBF16(t, 1), open(t, Options{Threads: 1})
	for _, s := range []backend.Mat{{M: 50, N: 8, K: 70, TransB: true}, {M: 50, N: 70, K: 8}} {
		var got [2][]float32
		for i, e := range []*Engine{e, f} {
			a, b, c := e.Alloc(s.M*s.K, backend.Scratch), e.Alloc(s.K*s.N, backend.Scratch), e.Alloc(s.M*s.N, backend.Scratch)
			e.Write(a, read(f, random(f, s.M*s.K)))
			e.Write(b, read(f, random(f, s.K*s.N)))
			e.MatMul(c, a, b, s)
			got[i] = read(e, c)
		}
		for i, v := range got[0] {
			if v != got[1][i] {
				t.Fatalf("%d×%d×%d: element %d is %g, want %g", s.M, s.N, s.K, i, v, got[1][i])
			}
		}
	}
}

// A row has the same result alone, among others and with any number of threads;
// a NaN in it shows there and nowhere else.
func TestRowsBF16(t *testing.T) {
	const rows, in, out = 61, 99, 83
	nan := float32(math.NaN())
	run := func(threads int, x []float32) []float32 {
		e := openBF16(t, threads)
		s := backend.Mat{M: len(x) / in, N: out, K: in, TransB: true}
		a, c := e.Alloc(len(x), backend.Scratch), e.Alloc(s.M*out, backend.Scratch)
		e.Write(a, x)
		e.MatMul(c, a, random(e, out*in), s)
		return read(e, c)
	}
	e := openBF16(t, 1)
	x := read(e, random(e, rows*in))
	x[7*in+in-1] = nan
	all := run(1, x)
	for name, got := range map[string][]float32{"three threads": run(3, x), "first rows": run(1, x[:20*in])} {
		for i, v := range got {
			if math.Float32bits(v) != math.Float32bits(all[i]) && i/out != 7 {
				t.Fatalf("%s: element %d is %g, want %g", name, i, v, all[i])
			}
			if (v != v) != (i/out == 7) {
				t.Fatalf("%s: element %d is %g with NaN in row 7", name, i, v)
			}
		}
	}
}
