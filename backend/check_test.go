package backend

import (
	"slices"
	"testing"
)

func TestLabelsOfAnyTile(t *testing.T) {
	p := Pairs{Rows: 4, Cols: 9, Dim: 1, Default: -1, Diagonal: true, Except: []Pair{
		{0, 0, 0}, {0, 8, 1}, {1, 0, 1}, {1, 4, 0}, {1, 5, 1}, {3, 3, -1}, {3, 8, 0}}}
	whole := [][]int8{
		{0, -1, -1, -1, -1, -1, -1, -1, 1},
		{1, 1, -1, -1, 0, 1, -1, -1, -1},
		{-1, -1, 1, -1, -1, -1, -1, -1, -1},
		{-1, -1, -1, -1, -1, -1, -1, -1, 0},
	}
	for row, want := range whole {
		for from := range p.Cols {
			for to := from; to <= p.Cols; to++ {
				z := make([]int8, to-from)
				p.Labels(z, row, from)
				if !slices.Equal(z, want[from:to]) {
					t.Errorf("row %d, columns %d to %d: %v, want %v", row, from, to, z, want[from:to])
				}
			}
		}
	}
}

// What a caller who errs gets to read.
func TestCheckMessages(t *testing.T) {
	memory := new(int)
	b := func(n int) Buf { return Buf{memory, 1000 * n, n} }
	for _, c := range []struct {
		call func()
		want string
	}{
		{func() { Mat{M: 3, N: 5, K: 2}.Check(b(12), b(6), b(10)) },
			"backend: MatMul: dst has 12 elements, want 3×5"},
		{func() { Mat{M: 3, N: 5}.Check(b(15), b(6), b(10)) },
			"backend: MatMul: M×N×K is 3×5×0, want at least 1"},
		{func() { CheckGELU(b(4), Buf{}, GELUErf) },
			"backend: GELU: x is missing"},
		{func() { CheckNormalizeGrad(b(4), b(4).Slice(0, 4), Buf{memory, 4001, 4}, b(2), 2, 2) },
			"backend: NormalizeGrad: dx overlaps y"},
		{func() { CheckCopyRows(b(7), b(6), 2, 3, 5, 3) },
			"backend: CopyRows: dst has 7 elements, want at least 8 for 2×3 with stride 5"},
		{func() { CheckWrite(b(3), make([]float32, 2)) },
			"backend: Write: dst has 3 elements, src 2"},
	} {
		func() {
			defer func() {
				if got := recover(); got != c.want {
					t.Errorf("panic %v, want %s", got, c.want)
				}
			}()
			c.call()
		}()
	}
}

func TestChecksAllocateNothing(t *testing.T) {
	memory := new(int)
	b := func(n int) Buf { return Buf{memory, 1000 * n, n} }
	dst, a, w := b(15), b(6), b(10)
	allocs := testing.AllocsPerRun(100, func() {
		Mat{M: 3, N: 5, K: 2, Bias: b(5)}.Check(dst, a, w)
		Attn{Batch: 1, Heads: 1, Queries: 2, Keys: 3, Dim: 2}.Check(b(4), b(2), Buf{memory, 0, 4}, a, a)
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}
