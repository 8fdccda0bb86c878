package gallery

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"sigla/gallery/catalog"
	"sigla/gallery/query"
)

// peopled returns a gallery of n photos about which filters can ask.
func peopled(n int) *Gallery {
	r := rand.New(rand.NewPCG(7, uint64(n)))
	g := New()
	g.mu.Lock()
	defer g.mu.Unlock()
	words := []string{"beach", "animals|birds|Owl", "New York", "Café", "people"}
	for id := range n {
		g.slots = append(g.slots, slot{Photo: Photo{ID: id}})
		s := &g.slots[id]
		s.Name = fmt.Sprintf("%d/%s/IMG_%04d.jpg", 2020+r.IntN(5), []string{"Summer", "winter"}[r.IntN(2)], id)
		s.Size, s.Modified = r.Int64N(5e6), time.Date(2020+r.IntN(5), 3, 1, 0, 0, 0, 0, time.UTC)
		s.Content = catalog.Hash{byte(id), byte(id >> 8), byte(id >> 16), 1}
		switch r.IntN(8) {
		case 0:
			g.settle(id, errFake)
			continue
		case 1:
			g.lose(id)
			continue
		}
		s.Info.Format = []string{"JPEG", "PNG", "CR2"}[r.IntN(3)]
		s.Info.Width, s.Info.Height = 1+r.IntN(5000), 1+r.IntN(5000)
		if r.IntN(2) == 0 {
			s.Info.Taken = time.Date(2020+r.IntN(5), time.Month(1+r.IntN(12)), 5, 0, 0, 0, 0, time.UTC)
		}
		var names []tagName
		for _, w := range words {
			if r.IntN(4) == 0 {
				names = append(names, tagName{text: w, key: strings.ToLower(w)})
			}
		}
		s.tags.names, s.Tagged = g.tags.table.move(nil, names), len(names) > 0
		s.tags.rating, s.tags.rated = int8(r.IntN(6)), r.IntN(2) == 0
	}
	return g
}

// TestSelect compares Select with a look at one photo after the other.
func TestSelect(t *testing.T) {
	g := peopled(3000)
	answers := map[catalog.Hash][]catalog.Decision{
		g.slots[5].Content: {{Label: "dog", Verdict: catalog.Accept}},
		g.slots[9].Content: {{Label: "dog", Verdict: catalog.Reject}},
	}
	w := Witness{Answers: answers, Label: func(id int, name string) (float64, bool, bool) {
		p := float64(id%100) / 100
		return p, p >= 0.5, name == "dog" && id%7 != 0
	}}
	for line, want := range map[string]func(p Photo, tags []string) bool{
		"":          func(Photo, []string) bool { return true },
		"tag:birds": func(_ Photo, tags []string) bool { return slices.Contains(tags, "animals|birds|Owl") },
		"-tag:café,people": func(_ Photo, tags []string) bool {
			return !slices.Contains(tags, "Café") && !slices.Contains(tags, "people")
		},
		"folder:summer after:2022": func(p Photo, _ []string) bool {
			return path.Base(path.Dir(p.Name)) == "Summer" && taken(p).Year() >= 2022
		},
		"is:failed":                 func(p Photo, _ []string) bool { return p.State == Failed },
		"is:untagged":               func(_ Photo, tags []string) bool { return len(tags) == 0 },
		"format:raw":                func(p Photo, _ []string) bool { return p.Info.Format == "CR2" },
		"size:>2mb":                 func(p Photo, _ []string) bool { return p.Size > 2e6 },
		"label:dog>0.3":             func(p Photo, _ []string) bool { return p.ID%7 != 0 && p.ID%100 > 30 },
		"label:dog":                 func(p Photo, _ []string) bool { return p.ID%7 != 0 && p.ID%100 >= 50 },
		"is:accepted":               func(p Photo, _ []string) bool { return p.ID == 5 },
		"-is:accepted -is:rejected": func(p Photo, _ []string) bool { return p.ID != 5 && p.ID != 9 },
	} {
		q, err := query.Parse(line, nil)
		if err != nil {
			t.Fatal(err)
		}
		s, err := g.Select(context.Background(), q, w)
		if err != nil {
			t.Fatal(err)
		}
		var ids []int
		for _, p := range g.Photos() {
			var tags []string
			for _, number := range g.slots[p.ID].tags.names {
				tags = append(tags, g.tags.table.names[number].text)
			}
			if p.State != Gone && want(p, tags) {
				ids = append(ids, p.ID)
			}
		}
		if !slices.Equal(s.IDs(), ids) || s.Len() != len(ids) {
			t.Errorf("%q selects %d photos, want %d", line, s.Len(), len(ids))
		}
		for id := range g.Len() + 70 {
			if _, in := slices.BinarySearch(ids, id); s.Has(id) != in {
				t.Fatalf("%q: photo %d: %v", line, id, !in)
			}
		}
	}
}

func taken(p Photo) time.Time {
	if p.Info.Taken.IsZero() {
		return p.Modified
	}
	return p.Info.Taken
}

func TestSelectCalledOff(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := peopled(10).Select(ctx, query.Query{}, Witness{}); err == nil {
		t.Error("a selection that was called off succeeded")
	}
}

func TestBlend(t *testing.T) {
	x, y := []float32{1, 0}, []float32{0, 1}
	term := func(w float64) query.Term { return query.Term{Weight: w, Text: "a"} }
	for _, c := range []struct {
		weights []float64
		vectors [][]float32
		want    []float32 // nil: an error
	}{
		{[]float64{2}, [][]float32{x}, []float32{1, 0}},
		{[]float64{3, -4}, [][]float32{x, y}, []float32{0.6, -0.8}},
		{[]float64{1, -1}, [][]float32{x, x}, nil},
		{[]float64{1000, -500, -500}, [][]float32{y, y, y}, nil},
	} {
		var terms []query.Term
		for _, w := range c.weights {
			terms = append(terms, term(w))
		}
		got, err := Blend(terms, c.vectors)
		if (err != nil) != (c.want == nil) || err == nil && (!close32(got[0], c.want[0]) || !close32(got[1], c.want[1])) {
			t.Errorf("%v of %v: %v, %v; want %v", c.weights, c.vectors, got, err, c.want)
		}
	}
}

func close32(a, b float32) bool { return a-b < 1e-6 && b-a < 1e-6 }

func BenchmarkSelect(b *testing.B) {
	g := peopled(100_000)
	q, err := query.Parse("tag:birds -folder:winter after:2022", nil)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if s, err := g.Select(context.Background(), q, Witness{}); err != nil || s.Len() == 0 {
			b.Fatal(s.Len(), err)
		}
	}
}
