package gallery

import (
	"context"
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"strings"
	"testing"

	"sigla/gallery/label"
)

// fakeTexts gives every text a vector of its own, of any length but 1: whoever
// averages them must make them unit vectors first.
type fakeTexts struct {
	calls [][]string
	alter func(vectors [][]float32) ([][]float32, error)
}

func (f *fakeTexts) EmbedTexts(_ context.Context, texts []string) ([][]float32, error) {
	f.calls = append(f.calls, slices.Clone(texts))
	var vectors [][]float32
	for _, text := range texts {
		vectors = append(vectors, textVector(text))
	}
	if f.alter != nil {
		return f.alter(vectors)
	}
	return vectors, nil
}

func textVector(text string) []float32 {
	h := fnv.New32a()
	h.Write([]byte(text))
	v := fakeVector(int(h.Sum32()))
	for i := range v {
		v[i] *= float32(1 + len(text)%3)
	}
	return v
}

// fakeLogit is a model's own: steep, and below zero for most cosines.
func fakeLogit(cosine float32) float32 { return fakeScale*cosine - 2 }

const fakeScale = 32

var fakeSet = label.Set{
	Name:      "fake",
	Templates: []string{"a photo of {}", "{}"},
	Labels: []label.Label{
		{Name: "cat"},
		{Name: "animals|dog", Negatives: []string{"wolf", "a {} of wood", "fox"}},
		{Name: "bird", Prompts: []string{"a {} in flight", "feathers", "a nest"}, Negatives: []string{"plane"}},
		{Name: "plane", Prompts: []string{"plane"}},
	},
}

// naive computes a label's logit in double precision from its definition.
func naive(l label.Label, templates []string, vector []float32) float64 {
	unit := func(v []float64) []float64 {
		var n float64
		for _, x := range v {
			n += x * x
		}
		for i := range v {
			v[i] /= math.Sqrt(n)
		}
		return v
	}
	wide := func(v []float32) []float64 {
		w := make([]float64, len(v))
		for i := range v {
			w[i] = float64(v[i])
		}
		return unit(w)
	}
	logit := func(v []float64) float64 {
		var cosine float64
		for i := range v {
			cosine += v[i] * float64(vector[i])
		}
		return 32*cosine - 2
	}
	mean := make([]float64, len(vector))
	for _, text := range l.Texts(templates) {
		for i, x := range wide(textVector(text)) {
			mean[i] += x
		}
	}
	against := 0.0
	for _, text := range l.NegativeTexts() {
		against = math.Max(against, logit(wide(textVector(text))))
	}
	return logit(unit(mean)) - against
}

func classifier(t testing.TB, set label.Set, e TextEmbedder) *Classifier {
	t.Helper()
	c, err := NewClassifier(context.Background(), set, e)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestLogits(t *testing.T) {
	e := new(fakeTexts)
	c := classifier(t, fakeSet, e)
	against := 0
	for n := range 200 {
		v := fakeVector(n)
		got := c.Logits(v, fakeLogit)
		if len(got) != len(fakeSet.Labels) {
			t.Fatalf("%d logits for %d labels", len(got), len(fakeSet.Labels))
		}
		for i, l := range fakeSet.Labels {
			want := naive(l, fakeSet.Templates, v)
			if math.Abs(float64(got[i])-want) > 2e-5 {
				t.Errorf("photo %d, label %s: logit %v, want %v", n, l.Name, got[i], want)
			}
			l.Negatives = nil
			if want < naive(l, fakeSet.Templates, v) {
				against++
			}
		}
	}
	if against == 0 {
		t.Error("no negative ever counted")
	}
}

func TestClassifierEmbedsEachTextOnce(t *testing.T) {
	e := new(fakeTexts)
	classifier(t, fakeSet, e)
	want := []string{
		"a photo of cat", "cat", "a photo of dog", "dog", "wolf", "a dog of wood", "fox",
		"a bird in flight", "feathers", "a nest", "plane",
	}
	if len(e.calls) != 1 || !slices.Equal(e.calls[0], want) {
		t.Errorf("embedded %q\nwant one call with %q", e.calls, want)
	}

	var large label.Set
	for i := range 150 {
		large.Labels = append(large.Labels, label.Label{Name: fmt.Sprint("label ", i)})
	}
	e = new(fakeTexts)
	classifier(t, large, e)
	if len(e.calls) != 3 {
		t.Errorf("%d calls for 150 texts, want 3", len(e.calls))
	}
}

// sameLogits says that two classifiers are the same, bit for bit.
func sameLogits(t *testing.T, got, want *Classifier) {
	t.Helper()
	if g, w := fmt.Sprintf("%+v", got.Set()), fmt.Sprintf("%+v", want.Set()); g != w {
		t.Errorf("set %s\nwant %s", g, w)
	}
	for n := range 20 {
		if g, w := got.Logits(fakeVector(n), fakeLogit), want.Logits(fakeVector(n), fakeLogit); !slices.Equal(g, w) {
			t.Errorf("photo %d: logits %v, want %v", n, g, w)
		}
	}
}

func TestWithAndWithout(t *testing.T) {
	ctx := context.Background()
	none := classifier(t, label.Set{Name: "fake", Templates: fakeSet.Templates}, new(fakeTexts))
	if got := none.Logits(fakeVector(1), fakeLogit); len(got) != 0 {
		t.Errorf("logits of no labels: %v", got)
	}
	whole := classifier(t, fakeSet, new(fakeTexts))
	c, e := none, new(fakeTexts)
	for _, l := range fakeSet.Labels {
		var err error
		if c, err = c.With(ctx, l, e); err != nil {
			t.Fatal(err)
		}
	}
	sameLogits(t, c, whole)

	calls := len(e.calls)
	changed := label.Label{Name: "BIRD", Prompts: []string{"a chick"}}
	c, err := c.With(ctx, changed, e)
	if err != nil {
		t.Fatal(err)
	}
	if got := e.calls[calls:]; len(got) != 1 || !slices.Equal(got[0], []string{"a chick"}) {
		t.Errorf("With embedded %q", got)
	}
	set := whole.Set()
	set.Labels[2] = changed
	sameLogits(t, c, classifier(t, set, new(fakeTexts)))
	sameLogits(t, whole, classifier(t, fakeSet, new(fakeTexts))) // unchanged by all this

	set.Labels = slices.Delete(set.Labels, 1, 2)
	sameLogits(t, c.Without("Animals|Dog"), classifier(t, set, new(fakeTexts)))
	if c.Without("unknown") != c {
		t.Error("a label that is not there was taken out")
	}
	for _, l := range c.Set().Labels {
		c = c.Without(l.Name)
	}
	sameLogits(t, c, none)
}

func TestClassifierErrors(t *testing.T) {
	ctx := context.Background()
	whole := classifier(t, fakeSet, new(fakeTexts))
	for name, alter := range map[string]func([][]float32) ([][]float32, error){
		"fails":  func([][]float32) ([][]float32, error) { return nil, errFake },
		"fewer":  func(v [][]float32) ([][]float32, error) { return v[1:], nil },
		"zero":   func(v [][]float32) ([][]float32, error) { v[0] = make([]float32, fakeDim); return v, nil },
		"nan":    func(v [][]float32) ([][]float32, error) { v[0][0] = float32(math.NaN()); return v, nil },
		"uneven": func(v [][]float32) ([][]float32, error) { v[1] = v[1][1:]; return v, nil },
		"empty":  func(v [][]float32) ([][]float32, error) { v[0] = nil; return v, nil },
	} {
		if _, err := NewClassifier(ctx, fakeSet, &fakeTexts{alter: alter}); err == nil || !strings.HasPrefix(err.Error(), "embed label texts: ") {
			t.Errorf("%s: error %v", name, err)
		}
	}
	opposite := &fakeTexts{alter: func(v [][]float32) ([][]float32, error) {
		v[1] = make([]float32, fakeDim)
		for i, x := range v[0] {
			v[1][i] = -x
		}
		return v, nil
	}}
	if _, err := whole.With(ctx, label.Label{Name: "x", Prompts: []string{"a", "b"}}, opposite); err == nil || !strings.Contains(err.Error(), "cancel each other out") {
		t.Errorf("opposite prompts: error %v", err)
	}
	shorter := &fakeTexts{alter: func(v [][]float32) ([][]float32, error) { return [][]float32{v[0][1:]}, nil }}
	if _, err := whole.With(ctx, label.Label{Name: "x", Prompts: []string{"a"}}, shorter); err == nil || !strings.Contains(err.Error(), "do not fit") {
		t.Errorf("another model's vector: error %v", err)
	}
	if _, err := whole.With(ctx, label.Label{Name: " "}, new(fakeTexts)); err == nil {
		t.Error("a label without a name was accepted")
	}
	if _, err := NewClassifier(ctx, label.Set{Labels: []label.Label{{Name: "a"}, {Name: "A"}}}, new(fakeTexts)); err == nil {
		t.Error("equal labels were accepted")
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := NewClassifier(ended, fakeSet, new(fakeTexts)); err != context.Canceled {
		t.Errorf("an ended context: error %v", err)
	}
}

func TestLogitsWrongLength(t *testing.T) {
	c := classifier(t, fakeSet, new(fakeTexts))
	defer func() {
		if recover() == nil {
			t.Error("a photo of another model was scored")
		}
	}()
	c.Logits(make([]float32, fakeDim-1), fakeLogit)
}

// A rewriting classifier stays one when labels come and go, and scores are
// rewritten too.
func TestRewrite(t *testing.T) {
	negate := func(logits []float32) {
		for i := range logits {
			logits[i] = -logits[i]
		}
	}
	e := new(fakeTexts)
	plain := classifier(t, fakeSet, e)
	c, err := plain.Rewrite(negate).Without("cat").With(context.Background(), label.Label{Name: "cat"}, e)
	if err != nil {
		t.Fatal(err)
	}
	v := fakeVector(1)
	want, got := plain.Logits(v, fakeLogit), c.Logits(v, fakeLogit)
	if got[len(got)-1] != -want[0] || got[0] != -want[1] {
		t.Errorf("logits %v, want those of %v negated", got, want)
	}
	if again := plain.Logits(v, fakeLogit); !slices.Equal(again, want) {
		t.Error("the classifier that was rewritten has changed")
	}
}

// tunedTexts knows a label by a vector of its own.
type tunedTexts struct {
	fakeTexts
	own map[string][]float32
}

func (f *tunedTexts) LabelVector(name string) []float32 { return f.own[name] }

func TestOwnVectors(t *testing.T) {
	e := &tunedTexts{own: map[string][]float32{"cat": fakeVector(1), "animals|dog": fakeVector(2)}}
	c, err := NewClassifier(context.Background(), fakeSet, e)
	if err != nil {
		t.Fatal(err)
	}
	for _, texts := range e.calls {
		if slices.Contains(texts, "a photo of cat") || slices.Contains(texts, "a photo of dog") || !slices.Contains(texts, "wolf") {
			t.Errorf("embedded %q", texts)
		}
	}
	photo := fakeVector(7)
	plain, err := NewClassifier(context.Background(), fakeSet, &fakeTexts{})
	if err != nil {
		t.Fatal(err)
	}
	got, want := c.Logits(photo, fakeLogit), plain.Logits(photo, fakeLogit)
	cosine := float32(0)
	for i, x := range fakeVector(1) {
		cosine += x * photo[i]
	}
	want[0] = fakeLogit(cosine)
	for i, same := range []bool{true, false, true, true} {
		if near := math.Abs(float64(got[i]-want[i])) < 1e-4; near != same {
			t.Errorf("label %d: logit %g, with its texts or its vector %g", i, got[i], want[i])
		}
	}
	only := label.Set{Labels: []label.Label{{Name: "cat"}}}
	if c, err = NewClassifier(context.Background(), only, e); err != nil {
		t.Fatal(err)
	}
	if c, err = c.With(context.Background(), label.Label{Name: "animals|dog"}, e); err != nil || len(c.Logits(photo, fakeLogit)) != 2 {
		t.Fatalf("without any text: %v", err)
	}
	for name, v := range map[string][]float32{"short": {1}, "zero": make([]float32, len(photo)), "NaN": slices.Repeat([]float32{float32(math.NaN())}, len(photo))} {
		e.own["cat"] = v
		if _, err := NewClassifier(context.Background(), fakeSet, e); err == nil || !strings.Contains(err.Error(), `label "cat": no usable vector`) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
