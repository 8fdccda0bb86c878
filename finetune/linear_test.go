package finetune

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
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

func square(x float64) float64 { return x * x }

// loss is the published one, over pairs of learned labels, of the heads h.
func plainLoss(l *Linear, h Heads) float64 {
	scale, sum := math.Exp(float64(h.Score.LogScale)), 0.0
	for _, i := range l.rows {
		for _, j := range l.columns {
			if z := float64(l.d.Value(i, j)); z != 0 {
				head := h.Labels[j]
				sum += math.Log1p(math.Exp(-z * (head.Scale*scale*dot(head.Vector, l.d.Images[i]) + float64(h.Score.Bias) + head.Delta)))
			}
		}
	}
	return sum / float64(len(l.rows))
}

// objective is what a Linear makes small by its labels, written down once more:
// the loss of the heads that it says it has, and the prior.
func objective(t *testing.T, l *Linear) float64 {
	t.Helper()
	h, err := l.Heads()
	if err != nil {
		t.Fatal(err)
	}
	scale, prior := math.Exp(float64(h.Score.LogScale)), 0.0
	for k, j := range l.columns {
		head := h.Labels[j]
		if l.method == LinearHead {
			for i, x := range head.Vector {
				prior += square(scale/l.prior.Vector*(head.Scale*float64(x)-float64(l.start[k][i]))) / 2
			}
		} else {
			prior += square(math.Log(head.Scale/math.Sqrt(dot(l.start[k], l.start[k])))/l.prior.Scale) / 2
		}
		moved := head.Delta + scale*(head.Scale*dot(head.Vector, l.mean)-dot(l.start[k], l.mean)) // of a photo in the middle
		prior += square(moved/l.prior.Delta) / 2
	}
	return plainLoss(l, h) + prior/float64(len(l.rows))
}

// global is what it makes small by t' and b: the loss of the texts, and the prior.
func global(t *testing.T, l *Linear) float64 {
	t.Helper()
	h := l.d.ZeroShot()
	h.Score.LogScale, h.Score.Bias = l.Scalars()
	prior := square(float64(h.Score.LogScale-l.d.LogScale)*l.reach/l.prior.Global) + square(float64(h.Score.Bias-l.d.Bias)/l.prior.Global)
	return plainLoss(l, h) + prior/2/float64(len(l.rows))
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
		if loss, pairs, err := l.Gradient(ctx, nil); err != nil || loss != 0 || pairs != 0 {
			t.Errorf("%s: of no photos %v, %d, %v", method, loss, pairs, err)
		}
		l.e.Zero(l.g)
		l.e.Zero(l.t.g)
		l.e.Zero(l.b.g)
		if _, _, err := l.Gradient(ctx, all); err != nil {
			t.Fatal(err)
		}
		for _, p := range []struct {
			name string
			w, g backend.Buf
			of   func(*testing.T, *Linear) float64
		}{{"labels", l.w, l.g, objective}, {"t", l.t.w, l.t.g, global}, {"b", l.b.w, l.b.g, global}} {
			w, _ := l.read(p.w)
			g, _ := l.read(p.g)
			for i := range w {
				at := func(x float32) float64 {
					moved := slices.Clone(w)
					moved[i] = x
					l.e.Write(p.w, moved)
					defer l.e.Write(p.w, w)
					return p.of(t, l)
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

// What is learned is where plain descent in float64 comes to rest.
func TestLinearConverges(t *testing.T) {
	d := gaussians(5, 60, 3, 8, 0.2)
	for _, method := range []Method{Calibrate, LinearHead, Prototype} {
		l, err := NewLinear(ref.New(), d, method, testPrior, upTo(60), nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.fit(context.Background()); err != nil {
			t.Fatal(err)
		}
		globalThere, there := global(t, l), objective(t, l)
		rest := func(p backend.Buf, of func(*testing.T, *Linear) float64, rate float64) float64 {
			at, _ := l.read(p)
			best := of(t, l)
			for range 400 {
				grad := make([]float64, len(at))
				for i := range at {
					moved := slices.Clone(at)
					moved[i] += 1.0 / 512
					l.e.Write(p, moved)
					grad[i] = of(t, l)
					moved[i] -= 2.0 / 512
					l.e.Write(p, moved)
					grad[i] = (grad[i] - of(t, l)) * 256
				}
				next := slices.Clone(at)
				for i := range next {
					next[i] -= float32(rate * grad[i])
				}
				l.e.Write(p, next)
				if now := of(t, l); now < best {
					at, best = next, now
				} else {
					rate /= 2
				}
			}
			l.e.Write(p, at)
			return best
		}
		if best := rest(l.w, objective, 0.02); there > 1.01*best {
			t.Errorf("%s: the objective is %v, and %v where descent ends", method, there, best)
		}
		if best := min(rest(l.t.w, global, 0.1), rest(l.b.w, global, 1), rest(l.t.w, global, 0.1)); globalThere > 1.001*best {
			t.Errorf("%s: t' and b are at %v, and %v where descent ends", method, globalThere, best)
		}
	}
}

// Labels of which one side only is known score exactly as before, whatever
// happens to t' and b.
func TestUndecidedLabelsStay(t *testing.T) {
	d := gaussians(7, 60, 4, 8, 0)
	for i := range d.Photos { // nothing says that a photo does not show label 2
		d.Photos[i].Known = slices.DeleteFunc(d.Photos[i].Known, func(k Known) bool { return k.Label == 2 && k.Value < 0 })
	}
	l, err := NewLinear(ref.New(), d, LinearHead, testPrior, upTo(60), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.fit(context.Background()); err != nil {
		t.Fatal(err)
	}
	h, err := l.Heads()
	if err != nil {
		t.Fatal(err)
	}
	if h.Score.Bias == d.Bias {
		t.Fatal("nothing was learned")
	}
	before, _ := d.ZeroShot().Scores(ref.New(), d.Images)
	after, _ := h.Scores(ref.New(), d.Images)
	for i := range d.Images {
		if math.Abs(before.At(i, 2)-after.At(i, 2)) > 1e-4 {
			t.Fatalf("photo %d scores %v, before %v", i, after.At(i, 2), before.At(i, 2))
		}
		if before.At(i, 1) == after.At(i, 1) {
			t.Errorf("photo %d scores as before by a label that was learned", i)
		}
	}
	if _, err := NewLinear(ref.New(), d, LinearHead, Prior{}, upTo(60), nil); err == nil {
		t.Error("a prior of no deviation is taken")
	}
	for i := range d.Photos {
		d.Photos[i].Known = slices.DeleteFunc(d.Photos[i].Known, func(k Known) bool { return k.Value < 0 })
	}
	if _, err := NewLinear(ref.New(), d, LinearHead, testPrior, upTo(60), nil); err != ErrNothingToLearn {
		t.Errorf("with one side only: %v", err)
	}
}

// Scores of heads are the probabilities that model.Score makes of their cosines.
func TestHeadsScoreAsModel(t *testing.T) {
	d := gaussians(9, 20, 3, 8, 0)
	l, _ := NewLinear(ref.New(), d, LinearHead, testPrior, upTo(20), nil)
	if err := l.fit(context.Background()); err != nil {
		t.Fatal(err)
	}
	h, err := l.Heads()
	if err != nil {
		t.Fatal(err)
	}
	scores, err := h.Scores(ref.New(), d.Images)
	if err != nil {
		t.Fatal(err)
	}
	for i, x := range d.Images {
		for j, head := range h.Labels {
			if n := dot(head.Vector, head.Vector); math.Abs(n-1) > 1e-5 {
				t.Errorf("label %d: length² %v", j, n)
			}
			want := h.Score.Probability(h.Score.Logit(float32(dot(head.Vector, x))), head.Adjust)
			if got := sigmoid(scores.At(i, j)); math.Abs(got-want) > 1e-5 {
				t.Errorf("photo %d, label %d: probability %v, want %v", i, j, got, want)
			}
		}
	}
}

// A Linear that is restored by Each goes on as the one that was saved.
func TestLinearEach(t *testing.T) {
	d := gaussians(11, 40, 4, 8, 0.1)
	fresh := func() *Linear {
		l, err := NewLinear(ref.New(), d, LinearHead, testPrior, upTo(40), nil)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	step := func(l *Linear, n int) {
		t.Helper()
		if _, _, err := l.Gradient(context.Background(), upTo(40)); err != nil {
			t.Fatal(err)
		}
		if err := l.Update(backend.Adam{LR: 0.5, Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, Scale: 1, Step: n}); err != nil {
			t.Fatal(err)
		}
	}
	first, second := fresh(), fresh()
	saved := map[string][]float32{}
	step(first, 1)
	step(first, 2)
	err := first.Each(func(name string, shape []int, values []float32) (bool, error) {
		n := 1
		for _, s := range shape {
			n *= s
		}
		if n != len(values) || saved[name] != nil {
			t.Errorf("%s: shape %v of %d values", name, shape, len(values))
		}
		saved[name] = slices.Clone(values)
		return false, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	err = second.Each(func(name string, _ []int, values []float32) (bool, error) {
		copy(values, saved[name])
		return true, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	step(first, 3)
	step(second, 3)
	a, _ := first.Heads()
	b, _ := second.Heads()
	if !reflect.DeepEqual(a, b) {
		t.Error("it went on elsewhere")
	}
}

// BenchmarkHead learns 2,000 photos × 50 labels of width 768 to convergence; the
// first figure is that from the start to the first event, the last is what the
// products alone would take at the machine's peak.
func BenchmarkHead(b *testing.B) {
	engine, err := cpu.New(cpu.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer engine.Close()
	d := gaussians(3, 2000, 50, 768, 0)
	var first, all time.Duration
	for b.Loop() {
		start := time.Now()
		l, err := NewLinear(engine, d, LinearHead, DefaultPrior, upTo(2000), nil)
		if err != nil {
			b.Fatal(err)
		}
		if _, _, err := l.Gradient(context.Background(), upTo(2000)); err != nil {
			b.Fatal(err)
		}
		first += time.Since(start)
		if err := l.restart(upTo(2000), nil); err != nil {
			b.Fatal(err)
		}
		if err := l.fit(context.Background()); err != nil {
			b.Fatal(err)
		}
		all += time.Since(start)
	}
	b.ReportMetric(first.Seconds()*1000/float64(b.N), "ms-to-first")
	b.ReportMetric(all.Seconds()/float64(b.N), "s-in-all")
	// The loss of a step is three products.
	flops := float64(LinearOptions().Steps+1) * 3 * 2 * 2000 * 50 * 769
	b.ReportMetric(100*flops*float64(b.N)/all.Seconds()/engine.Peak(), "%-of-peak")
}
