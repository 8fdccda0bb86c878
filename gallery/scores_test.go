package gallery

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"sigla/gallery/label"
)

// checkScores compares scores with the photos they are of, one by one.
func checkScores(t *testing.T, s *Scores, g *Gallery) {
	t.Helper()
	c := s.Classifier()
	columns := make([][]float32, len(c.Set().Labels))
	for _, p := range g.Photos() {
		row, ok := s.Row(p.ID)
		if ok != (p.State == Ready) {
			t.Fatalf("photo %d of state %d: scored %v", p.ID, p.State, ok)
		}
		if !ok {
			continue
		}
		want := c.Logits(g.Vector(p.ID), fakeLogit)
		for k, x := range row {
			if math.Abs(float64(x-want[k])) > 1e-6*fakeScale {
				t.Fatalf("photo %d: logits %v, want %v", p.ID, row, want)
			}
			columns[k] = append(columns[k], x)
		}
	}
	for k, column := range columns {
		if len(column) != s.Len() {
			t.Fatalf("%d photos are scored, %d ready", s.Len(), len(column))
		}
		cuts := []float32{float32(math.Inf(-1)), float32(math.Inf(1)), 0}
		for _, x := range column[:min(len(column), 50)] {
			cuts = append(cuts, x, math.Nextafter32(x, -100), math.Nextafter32(x, 100))
		}
		for _, cut := range cuts {
			want := 0
			for _, x := range column {
				if x >= cut {
					want++
				}
			}
			if got := s.Count(k, cut); got != want {
				t.Fatalf("label %d from %v: %d photos, want %d", k, cut, got, want)
			}
		}
	}
}

func TestScores(t *testing.T) {
	c := classifier(t, fakeSet, new(fakeTexts))
	g := New()
	s := g.Scores(c, fakeLogit)
	checkScores(t, s, g)
	if s.Update() {
		t.Error("an empty gallery had something new")
	}
	r := rand.New(rand.NewPCG(4, 4))
	for _, n := range []int{1, 1, 2, 300, 1, 255, 256, 257, 1500, 3, 700} {
		vectors := vectorsOf(n)
		r.Shuffle(n, func(i, j int) { vectors[i], vectors[j] = vectors[j], vectors[i] })
		fill(g, vectors)
		s.Update()
		if s.Update() {
			t.Error("a second update found something new")
		}
		checkScores(t, s, g)
	}
	checkScores(t, g.Scores(c, fakeLogit), g)
	for _, id := range []int{-1, g.Len()} {
		if _, ok := s.Row(id); ok {
			t.Errorf("photo %d, which is not there, has scores", id)
		}
	}
}

// A photo has the same logits however many are scored at once.
func TestScoresInParts(t *testing.T) {
	c := classifier(t, fakeSet, new(fakeTexts))
	vectors := vectorsOf(3*scoreRows + 7)
	precisions(t, vectors, func(t *testing.T, g *Gallery) {
		all := g.Scores(c, fakeLogit)
		checkScores(t, all, g)
		parts := New()
		parts.rows.halved = g.rows.halved
		parts.UseScanner(g.scanner)
		s := parts.Scores(c, fakeLogit)
		for at, step := 0, 1; at < len(vectors); at, step = at+step, step%9+1 {
			fill(parts, vectors[at:min(at+step, len(vectors))])
			s.Update()
		}
		for id := range vectors {
			got, _ := s.Row(id)
			if want, _ := all.Row(id); !slices.Equal(got, want) {
				t.Fatalf("photo %d: logits %v in parts, %v at once", id, got, want)
			}
		}
	})
}

func TestScoresWithoutLabels(t *testing.T) {
	g := filled(vectorsOf(10))
	s := g.Scores(classifier(t, label.Set{}, new(fakeTexts)), fakeLogit)
	checkScores(t, s, g)
}

func TestScoresWhileEmbedding(t *testing.T) {
	g := scanned(t, 150)
	c := classifier(t, fakeSet, new(fakeTexts))
	s := g.Scores(c, fakeLogit)
	var wait sync.WaitGroup
	wait.Go(func() {
		if err := g.Embed(context.Background(), new(fake), func() { s.Update() }); err != nil {
			t.Error(err)
		}
	})
	all := float32(math.Inf(-1))
	for n := 0; n < 150; n = s.Count(0, all) {
		s.Update()
		for id := range g.Len() {
			if row, ok := s.Row(id); ok && !slices.Equal(row, c.Logits(fakeVector(id), fakeLogit)) {
				t.Fatalf("photo %d has logits %v", id, row)
			}
		}
	}
	wait.Wait()
	checkScores(t, s, g)
}

func BenchmarkScores(b *testing.B) {
	const n, dim, labels = 100_000, 768, 60
	units := randomUnits(n+100, dim)
	texts := &fakeTexts{alter: func(v [][]float32) ([][]float32, error) { return units[:len(v)], nil }}
	var set label.Set
	for i := range labels {
		set.Labels = append(set.Labels, label.Label{Name: fmt.Sprint(i)})
	}
	c := classifier(b, set, texts)
	g := New()
	g.rows.halved = true
	g.UseScanner(engine(b))
	fill(g, units[:n])
	var s *Scores
	b.Run("all", func(b *testing.B) {
		for b.Loop() {
			s = g.Scores(c, fakeLogit)
		}
	})
	b.Run("update/16-new", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			fill(g, units[n:n+16])
			b.StartTimer()
			s.Update()
		}
	})
	b.Run("update/none-new", func(b *testing.B) {
		for b.Loop() {
			s.Update()
		}
	})
	b.Run("count/all-labels", func(b *testing.B) {
		for b.Loop() {
			for k := range labels {
				s.Count(k, 0)
			}
		}
	})
	b.Run("photo", func(b *testing.B) {
		for b.Loop() {
			g.Photo(n / 2)
		}
	})
}
