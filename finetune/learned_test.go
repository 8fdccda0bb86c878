package finetune

import (
	"context"
	"math"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"sigla/backend"
	"sigla/backend/ref"
	"sigla/model"
)

// updated is a learner of low-rank updates.
func updated(t *testing.T, m *model.Model, set Set, o TowersOptions, lora model.LoRA) *Towers {
	t.Helper()
	tr, err := m.NewLoRA(lora)
	if err != nil {
		t.Fatal(err)
	}
	l, err := NewTowers(m, tr, set, o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

var loras = map[string]model.LoRA{
	"both":  {Rank: 2, Alpha: 4, Targets: []string{"q", "v"}, Image: true, Text: true, Seed: 1},
	"image": {Rank: 3, Alpha: 3, Targets: model.LoRATargets, Layers: 1, Image: true, Seed: 2},
	"text":  {Rank: 1, Alpha: 1, Targets: []string{"out", "fc1"}, Text: true, Seed: 3},
}

// Labels and captions, in parts or at once, give the same gradients.
func TestLoRAInParts(t *testing.T) {
	for name, lora := range loras {
		for _, labels := range []bool{false, true} {
			var want map[string][]float32
			var wantLoss float64
			for _, micro := range []int{8, 1, 2, 3} {
				m, set, o := loadBicubic(t, ref.New())
				if labels {
					set = labelled(set)
					set.Complete = true
				}
				o.Micro = micro
				l := updated(t, m, set, o, lora)
				if err := l.Update(backend.Adam{LR: 1e-2, Eps: 1e-8, Scale: 1, Step: 1}); err != nil { // B is zero no more
					t.Fatal(err)
				}
				var loss float64
				for range 2 {
					var err error
					if loss, _, err = l.Gradient(context.Background(), []int{0, 1, 2, 3}); err != nil {
						t.Fatal(err)
					}
				}
				got := map[string][]float32{}
				if err := l.t.Each(func(name string, _ []int, _, grad []float32) error { got[name] = grad; return nil }); err != nil {
					t.Fatal(err)
				}
				if want == nil {
					want, wantLoss = got, loss
				}
				if math.Abs(loss-wantLoss) > 1e-5 {
					t.Errorf("%s, labels %v, %d at once: loss %g, want %g", name, labels, micro, loss, wantLoss)
				}
				for tensor, grad := range want {
					for i := range grad {
						if math.Abs(float64(got[tensor][i]-grad[i])) > 1e-5 {
							t.Fatalf("%s, labels %v, %d at once: gradient of %s[%d] is %g, want %g", name, labels, micro, tensor, i, got[tensor][i], grad[i])
						}
					}
				}
			}
		}
	}
}

// What the frozen part in front has computed once stands for the photo.
func TestLoRAFront(t *testing.T) {
	for name, lora := range loras {
		m, set, o := loadBicubic(t, ref.New())
		l := updated(t, m, set, o, lora)
		loss, _, err := l.Gradient(context.Background(), []int{0, 1, 2, 3})
		if err != nil {
			t.Fatal(err)
		}
		want := map[string][]float32{}
		if err := l.t.Each(func(name string, _ []int, _, grad []float32) error { want[name] = grad; return nil }); err != nil {
			t.Fatal(err)
		}
		l.t.Clear()
		b := model.Batch{Pairs: backend.Pairs{Default: -1, Diagonal: true}}
		for i, p := range set.Photos {
			photo, err := o.Photo(context.Background(), i)
			if err != nil {
				t.Fatal(err)
			}
			ids, _ := m.Tokenize(p.Caption)
			b.Images, b.IDs = append(b.Images, photo), append(b.IDs, ids)
		}
		if !lora.Image { // an embedding stands for the photo only if its tower is frozen
			if b.Images, err = l.t.Front(context.Background(), b.Images); err != nil {
				t.Fatal(err)
			}
		}
		direct, err := l.t.Add(context.Background(), b)
		if err != nil || math.Abs(float64(direct)-loss) > 1e-6 {
			t.Errorf("%s: loss %g, %v, want %g", name, direct, err, loss)
		}
		if err := l.t.Each(func(tensor string, _ []int, _, grad []float32) error {
			for i := range grad {
				if math.Abs(float64(grad[i]-want[tensor][i])) > 1e-6 {
					t.Fatalf("%s: gradient of %s[%d] is %g, want %g", name, tensor, i, grad[i], want[tensor][i])
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
}

// A run of updates lowers the loss, is taken up bit by bit, and its adapter
// gives the model as it was trained, from the file, too.
func TestLoRARun(t *testing.T) {
	for engine, e := range engines(t) {
		for name, lora := range loras {
			o := Options{Steps: 30, Batch: 4, LR: 2e-2, ValidateEvery: 10, Seed: 9}
			m, set, to := loadBicubic(t, e)
			set.Photos = append(set.Photos, set.Photos...)
			to.Held = []int{4, 5, 6, 7}
			base := m.Info()
			l := updated(t, m, set, to, lora)
			dir := filepath.Join(t.TempDir(), "run")
			r, err := New(dir, l, record(o))
			if err != nil {
				t.Fatal(err)
			}
			var events []Event
			if err := r.Train(context.Background(), Watch{Event: func(e Event) { events = append(events, e) }}); err != nil {
				t.Fatal(err)
			}
			r.Close()
			if first, last := events[0].Loss, events[len(events)-1].Loss; !(last < first-0.05) {
				t.Errorf("%s, %s: the loss went from %g to %g", engine, name, first, last)
			}
			other, _, _ := loadBicubic(t, e)
			again, err := Open(dir, updated(t, other, set, to, lora))
			if err != nil || again.Step() != o.Steps {
				t.Fatalf("%s, %s: taken up at step %d, %v", engine, name, again.Step(), err)
			}
			again.Close()
			photo, err := to.Photo(context.Background(), 0)
			if err != nil {
				t.Fatal(err)
			}
			want, taken := embedOne(t, m, photo), embedOne(t, other, photo)
			if !reflect.DeepEqual(want, taken) {
				t.Errorf("%s, %s: a run that was taken up gives another model", engine, name)
			}
			checkKept(t, l, r.Record(), base, set, photo, want)
		}
	}
}

// checkKept keeps what l has learned, reads it, and compares the vectors.
func checkKept(t *testing.T, l *Towers, r Record, base model.Info, set Set, photo any, want [][]float32) {
	t.Helper()
	r.Depth = string(DepthLoRA)
	card, err := NewCard(r, base, set, "v1")
	if err != nil {
		t.Fatal(err)
	}
	a, err := l.Adapter(card)
	if err != nil {
		t.Fatal(err)
	}
	k := Kept(t.TempDir())
	if err := k.Add("a", a); err != nil {
		t.Fatal(err)
	}
	if a, err = ReadAdapter(k.Path("a")); err != nil {
		t.Fatal(err)
	}
	if c := a.Card; c.Rank != a.LowRank[0].Rank || c.Alpha != a.LowRank[0].Alpha || len(c.Targets) == 0 || len(c.Targets) > 6 || !strings.HasSuffix(c.Targets[0], "_proj") {
		t.Errorf("the card has rank %d, alpha %g, targets %q", c.Rank, c.Alpha, c.Targets)
	}
	fresh, _, _ := loadBicubic(t, ref.New())
	if err := a.Fits(fresh.Info()); err != nil {
		t.Fatal(err)
	}
	if err := fresh.Apply(a.Patch()); err != nil {
		t.Fatal(err)
	}
	scale, bias := l.Scalars()
	if i := fresh.Info(); i.LogScale != scale || i.Bias != bias || i.Digest == base.Digest {
		t.Errorf("the kept model is %+v, learned were %g and %g", i, scale, bias)
	}
	for i, row := range embedOne(t, fresh, photo) {
		for j, v := range row {
			if math.Abs(float64(v-want[i][j])) > 5e-6 {
				t.Fatalf("row %d of the kept model: %g, trained %g", i, v, want[i][j])
			}
		}
	}
}

// embedOne embeds a photo and a text.
func embedOne(t *testing.T, m *model.Model, photo any) [][]float32 {
	t.Helper()
	rows, err := m.Embed(context.Background(), []any{photo})
	if err != nil {
		t.Fatal(err)
	}
	texts, err := m.EmbedTexts(context.Background(), []string{"a cat"})
	if err != nil {
		t.Fatal(err)
	}
	return append(rows, texts...)
}

// Heads that are kept score as they did, through an adapter that leaves t' and b
// as they were.
func TestTuned(t *testing.T) {
	x, y, z := []float32{1, 0}, []float32{0.6, 0.8}, []float32{0, 1}
	before := Heads{model.Score{LogScale: 2, Bias: -10}, []Head{{x, model.Adjust{Scale: 1}}, {y, model.Adjust{Scale: 1}}, {z, model.Adjust{Scale: 1}}}}
	learned := Heads{model.Score{LogScale: 2.5, Bias: -9}, []Head{{y, model.Adjust{Scale: 0.5, Delta: 1}}, {y, model.Adjust{Scale: 1, Delta: 2}}, {x, model.Adjust{Scale: 3}}}}
	kept := learned.Keep(before, func(i int) bool { return i < 2 })
	labels := []Label{{Name: "a"}, {Name: "b"}, {Name: "c"}}
	list := kept.Tuned(before, labels)
	if len(list) != 2 || list[0].Name != "a" || list[1].Name != "b" || list[1].Vector != nil {
		t.Fatalf("%+v", list)
	}
	for i, tuned := range list {
		vector := tuned.Vector
		if vector == nil {
			vector = before.Labels[i].Vector
		}
		for _, photo := range [][]float32{x, y, z} {
			p := func(s model.Score, v []float32, a model.Adjust) float64 {
				return s.Probability(s.Logit(float32(dot(photo, v))), a)
			}
			got := p(before.Score, vector, model.Adjust{Scale: tuned.Scale, Delta: tuned.Delta})
			want := p(learned.Score, learned.Labels[i].Vector, learned.Labels[i].Adjust)
			if math.Abs(got-want) > 1e-6 {
				t.Errorf("%s: p %g, learned %g", tuned.Name, got, want)
			}
		}
	}
}
