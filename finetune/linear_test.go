package finetune

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"sigla/backend"
	"sigla/backend/ref"
	"sigla/cpu"
)

// gaussians makes a set of photos around one place for each label, in a space
// where texts are near to it. A share of the pairs is not known.
func gaussians(seed uint64, photos, labels, dim int, unknown float64) Embedded {
	rng := rand.New(rand.NewPCG(seed, 1))
	unit := func(mean []float32, noise float64) []float32 {
		v := make([]float32, dim)
		for k := range v {
			v[k] = float32(rng.NormFloat64() * noise / math.Sqrt(float64(dim)))
			if mean != nil {
				v[k] += mean[k]
			}
		}
		n := float32(math.Sqrt(dot(v, v)))
		for k := range v {
			v[k] /= n
		}
		return v
	}
	d := Embedded{LogScale: 3, Bias: -6}
	for i := range labels {
		d.Labels = append(d.Labels, Label{Name: fmt.Sprint("label ", i), Texts: []string{"text"}})
		d.Texts = append(d.Texts, unit(nil, 1))
	}
	places := make([][]float32, labels)
	for i := range places {
		places[i] = unit(d.Texts[i], 1.5)
	}
	for i := range photos {
		p := Photo{Path: fmt.Sprint(i, ".jpg")}
		of := rng.IntN(labels)
		for j := range labels {
			if rng.Float64() >= unknown {
				v := int8(-1)
				if j == of {
					v = 1
				}
				p.Known = append(p.Known, Known{Label: j, Value: v})
			}
		}
		d.Photos = append(d.Photos, p)
		d.Images = append(d.Images, unit(places[of], 1))
	}
	return d
}

func upTo(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// objective is what a Linear makes small, written down once more: the loss of
// the heads that it says it has, and the prior on its parameters.
func objective(t *testing.T, l *Linear) float64 {
	t.Helper()
	h, err := l.Heads()
	if err != nil {
		t.Fatal(err)
	}
	scale, square := math.Exp(float64(h.Score.LogScale)), func(x float64) float64 { return x * x }
	before := math.Exp(float64(l.d.LogScale))
	sum := 0.0
	for _, i := range l.rows {
		for _, j := range l.columns {
			if z := float64(l.d.Value(i, j)); z != 0 {
				head := h.Labels[j]
				sum += math.Log1p(math.Exp(-z * (head.Scale*scale*dot(head.Vector, l.d.Images[i]) + float64(h.Score.Bias) + head.Delta)))
			}
		}
	}
	for k, j := range l.columns {
		head := h.Labels[j]
		if l.method == LinearHead {
			for i, x := range head.Vector {
				sum += square(before/l.prior.Vector*(head.Scale*float64(x)-float64(l.start[k][i]))) / 2
			}
		} else {
			long := math.Sqrt(dot(l.start[k], l.start[k]))
			sum += square(math.Log(head.Scale/long)/l.prior.Scale) / 2
		}
		sum += square(head.Delta/l.prior.Delta*before/scale) / 2
	}
	sum += square((float64(h.Score.LogScale)-float64(l.d.LogScale))*l.reach/l.prior.Global) / 2
	sum += square((float64(h.Score.Bias)-float64(l.d.Bias))/l.prior.Global) / 2
	return sum / float64(len(l.rows))
}

var testPrior = Prior{Vector: 4, Scale: 0.5, Delta: 2, Global: 3}

// Gradients agree with differences of the objective, after some steps away from
// the start.
func TestLinearGradient(t *testing.T) {
	d := gaussians(3, 40, 5, 6, 0.3)
	for _, method := range []Method{Calibrate, LinearHead, Prototype} {
		l, err := NewLinear(ref.New(), d, method, testPrior, upTo(30), nil)
		if err != nil {
			t.Fatal(err)
		}
		all := upTo(30)
		ctx := context.Background()
		for step := 1; step <= 3; step++ {
			if _, _, err := l.Gradient(ctx, all); err != nil {
				t.Fatal(err)
			}
			if err := l.Update(backend.Adam{LR: 0.3, Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, Scale: 1, Step: step}); err != nil {
				t.Fatal(err)
			}
		}
		if _, _, err := l.Gradient(ctx, all); err != nil {
			t.Fatal(err)
		}
		for _, p := range []struct {
			name string
			w, g backend.Buf
		}{{"labels", l.w, l.g}, {"t", l.t.w, l.t.g}, {"b", l.b.w, l.b.g}} {
			w, _ := l.read(p.w)
			g, _ := l.read(p.g)
			for i := range w {
				at := func(x float32) float64 {
					moved := slices.Clone(w)
					moved[i] = x
					l.e.Write(p.w, moved)
					defer l.e.Write(p.w, w)
					return objective(t, l)
				}
				const h = 1.0 / 256
				want := (at(w[i]+h) - at(w[i]-h)) / (2 * h)
				if math.Abs(float64(g[i])-want) > 2e-3*max(1, math.Abs(want)) {
					t.Errorf("%s: gradient %d of %s is %v, by differences %v", method, i, p.name, g[i], want)
				}
			}
		}
	}
}

func TestLinearSpeed(t *testing.T) {
	e, _ := cpu.New(cpu.Options{})
	d := gaussians(3, 2000, 50, 768, 0)
	for _, m := range []Method{Calibrate, LinearHead} {
		l, err := NewLinear(e, d, m, testPrior, upTo(2000), nil)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		first := objective(t, l)
		l.Gradient(context.Background(), upTo(2000))
		t.Log(m, "first", time.Since(start), "objective", first)
		start = time.Now()
		l.restart(upTo(2000), nil)
		if err := l.fit(context.Background()); err != nil {
			t.Fatal(err)
		}
		t.Log(time.Since(start))
		t.Log("objective", objective(t, l))
	}
}
