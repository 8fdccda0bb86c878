//go:build gpu && cgo && (linux || windows)

package gpu

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"sigla/backend"
	"sigla/backend/ref"
	"sigla/internal/require"
)

func openStorage(t *testing.T, s Storage) *engine {
	t.Helper()
	e, err := Open(Options{Software: true, Storage: s})
	if err != nil {
		require.Missing(t, "gl", err.Error())
	}
	return e.(*engine)
}

// step is the distance of a value to the next that the storage has, over the
// value: half of it is the most that rounding changes.
var step = map[Storage]float64{F16: 1.0 / 1024, BF16: 1.0 / 128}

// What is written at odd places comes back rounded to nearest, and the values
// beside it stay.
func TestPackedRoundTrip(t *testing.T) {
	for _, s := range []Storage{F16, BF16} {
		e := openStorage(t, s)
		b := e.Alloc(41, backend.Weight)
		want := make([]float32, b.Len)
		for _, part := range [][2]int{{0, 41}, {1, 1}, {2, 3}, {7, 4}, {40, 1}, {10, 30}} {
			x := wave(part[1], float64(part[0]+1))
			copy(want[part[0]:], x)
			e.Write(b.Slice(part[0], part[1]), x)
		}
		e.Zero(b.Slice(5, 3))
		clear(want[5:8])
		got := make([]float32, b.Len)
		if err := e.Read(got, b); err != nil {
			t.Fatal(err)
		}
		for i, w := range want {
			if math.Abs(float64(got[i]-w)) > step[s]/2*math.Abs(float64(w)) {
				t.Errorf("%v: element %d is %g, wrote %g", s, i, got[i], w)
			}
		}
		special := []float32{float32(math.Inf(1)), float32(math.NaN()), 0, -1.5, 1 + 1.0/256} // the last is a tie in bf16: to even
		e.Write(b.Slice(0, 5), special)
		if err := e.Read(got[:5], b.Slice(0, 5)); err != nil {
			t.Fatal(err)
		}
		if !math.IsInf(float64(got[0]), 1) || got[1] == got[1] || got[2] != 0 || got[3] != -1.5 || s == BF16 && got[4] != 1 {
			t.Errorf("%v: %v came back as %v", s, special, got[:5])
		}
		e.Close()
	}
}

// Operations on packed weights give what the reference gives on rounded ones, at once
// and in parts.
func TestPackedOperations(t *testing.T) {
	for i, s := range []Storage{F16, BF16, F16, BF16} {
		e := openStorage(t, s)
		if i >= 2 {
			narrow(e, 2<<10, 1e5)
		}
		const m, n, k = 33, 65, 30
		rounded := func(count int, by float64) (backend.Buf, []float32) {
			b := e.Alloc(count+3, backend.Weight).Slice(3, count)
			e.Write(b, wave(count, by))
			x := make([]float32, count)
			if err := e.Read(x, b); err != nil {
				t.Fatal(err)
			}
			return b, x
		}
		weight, w := rounded(n*k, 1)
		bias, v := rounded(n, 2)
		slow := ref.New()
		load := func(e backend.Backend, x []float32) backend.Buf {
			b := e.Alloc(len(x), backend.Scratch)
			e.Write(b, x)
			return b
		}
		x := wave(m*k, 3)
		for _, form := range []backend.Mat{{TransB: true}, {}, {TransA: true}, {TransA: true, TransB: true}} {
			form.M, form.N, form.K = m, n, k
			fast, want := form, form
			fast.Bias, want.Bias = bias, load(slow, v)
			got, right := e.Alloc(m*n, backend.Scratch), slow.Alloc(m*n, backend.Scratch)
			e.MatMul(got, load(e, x), weight, fast)
			slow.MatMul(right, load(slow, x), load(slow, w), want)
			same(t, fmt.Sprintf("%v MatMul %v %v", s, form.TransA, form.TransB), e, got, slow, right)
			// The weight on the left, as in the gradient by the input.
			form.N, form.M = m, n
			e.MatMul(got, weight, load(e, x), form)
			slow.MatMul(right, load(slow, w), load(slow, x), form)
			same(t, fmt.Sprintf("%v MatMul left %v %v", s, form.TransA, form.TransB), e, got, slow, right)
		}
		rows := wave(7*n, 4)
		got, right := e.Alloc(7*n, backend.Scratch), slow.Alloc(7*n, backend.Scratch)
		none := backend.Buf{}
		e.LayerNorm(got, none, none, load(e, rows), bias, bias, 7, n, 1e-6)
		slow.LayerNorm(right, none, none, load(slow, rows), load(slow, v), load(slow, v), 7, n, 1e-6)
		same(t, fmt.Sprint(s, " LayerNorm"), e, got, slow, right)
		e.Add(got, got, bias)
		slow.Add(right, right, load(slow, v))
		same(t, fmt.Sprint(s, " Add"), e, got, slow, right)

		e.Add(bias, bias, bias)
		if err := e.Read(make([]float32, n), bias); err == nil || !strings.Contains(err.Error(), "train with f32") {
			t.Errorf("%v: an operation that writes weights: %v", s, err)
		}
		e.Close()
	}
}

func same(t *testing.T, what string, e backend.Backend, got backend.Buf, slow backend.Backend, right backend.Buf) {
	t.Helper()
	g, w := make([]float32, got.Len), make([]float32, right.Len)
	if err := e.Read(g, got); err != nil {
		t.Fatal(err)
	}
	if err := slow.Read(w, right); err != nil {
		t.Fatal(err)
	}
	for i := range w {
		if math.Abs(float64(g[i]-w[i])) > 1e-5 {
			t.Errorf("%s: element %d is %g, want %g", what, i, g[i], w[i])
			return
		}
	}
}
