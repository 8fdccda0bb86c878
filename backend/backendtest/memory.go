package backendtest

import (
	"fmt"
	"math"

	"sigla/backend"
)

func memoryCases() []testCase {
	return []testCase{
		{"fresh memory is zero", freshIsZero},
		{"round trip keeps every bit", roundTrip},
		{"src is the caller's again", srcIsFree},
		{"part of a buffer", partial},
		{"Zero", compare(func(t *trial) {
			for _, n := range []int{1, 3, 17, 130} {
				t.Zero(t.out(fmt.Sprintf("dst of %d", n), n, exact))
			}
		})},
		{"Zero a weight", compare(func(t *trial) { t.Zero(t.updateWeight("dst", 33, exact)) })},
	}
}

func freshIsZero(e *arena) error {
	for _, use := range []backend.Use{backend.Weight, backend.Scratch} {
		for _, n := range []int{1, 7, 65, 1029} {
			x, err := read(e, e.Alloc(n, use))
			if err != nil {
				return err
			}
			if err := near("fresh memory", x, make([]float32, n), exact); err != nil {
				return err
			}
		}
	}
	return nil
}

func roundTrip(e *arena) error {
	want := []float32{0, float32(math.Copysign(0, -1)), 1, -1.5, math.MaxFloat32, math.SmallestNonzeroFloat32,
		float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN())}
	for _, use := range []backend.Use{backend.Weight, backend.Scratch} {
		b := e.Alloc(len(want), use)
		e.Write(b, want)
		got, err := read(e, b)
		if err != nil {
			return err
		}
		for i, w := range want {
			if math.Float32bits(got[i]) != math.Float32bits(w) {
				return fmt.Errorf("wrote %g and read %g", w, got[i])
			}
		}
	}
	return nil
}

func srcIsFree(e *arena) error {
	src := []float32{1, 2, 3}
	b := e.Alloc(len(src), backend.Scratch)
	e.Write(b, src)
	clear(src)
	got, err := read(e, b)
	if err != nil {
		return err
	}
	return near("dst", got, []float32{1, 2, 3}, exact)
}

// partial writes, clears and reads slices of slices.
func partial(e *arena) error {
	b := e.Alloc(9, backend.Scratch)
	e.Write(b, []float32{0, 1, 2, 3, 4, 5, 6, 7, 8})
	middle := b.Slice(2, 5)
	e.Write(middle.Slice(1, 2), []float32{30, 40})
	e.Zero(middle.Slice(4, 1))
	got, err := read(e, b)
	if err != nil {
		return err
	}
	if err := near("whole", got, []float32{0, 1, 2, 30, 40, 5, 0, 7, 8}, exact); err != nil {
		return err
	}
	if got, err = read(e, middle); err != nil {
		return err
	}
	return near("slice", got, []float32{2, 30, 40, 5, 0}, exact)
}

func copyRowsCases() []testCase {
	copies := func(gap int, xStride func(cols int) int) func(t *trial, rows, cols int) {
		return func(t *trial, rows, cols int) {
			from, to := xStride(cols), cols+gap
			dst := t.update("dst", t.normal((rows-1)*to+cols), exact)
			t.CopyRows(dst, t.in("x", (rows-1)*from+cols), rows, cols, to, from)
		}
	}
	dense := func(cols int) int { return cols }
	apart := func(cols int) int { return cols + 5 }
	still := func(int) int { return 0 }
	cases := sized("dense", odd, copies(0, dense))
	cases = append(cases, sized("spread", odd, copies(3, dense))...)
	cases = append(cases, sized("gathered", odd, copies(0, apart))...)
	cases = append(cases, sized("both strides", odd, copies(16, apart))...)
	return append(cases, sized("repeated", odd, copies(1, still))...)
}
