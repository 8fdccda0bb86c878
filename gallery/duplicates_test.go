package gallery

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"
)

// nearTo returns v, moved a little: size is the length of the step.
func nearTo(r *rand.Rand, v []float32, size float64) []float32 {
	step := make([]float32, len(v))
	for k := range step {
		step[k] = float32(r.NormFloat64())
	}
	scale := float32(size / norm(step))
	out := make([]float32, len(v))
	for k := range out {
		out[k] = v[k] + scale*step[k]
	}
	return addUnit(make([]float32, len(v)), out)
}

// withCopies returns n random photos and, after each tenth, a copy and a near one.
func withCopies(n, dim int) (vectors [][]float32, groups [][]int) {
	r := rand.New(rand.NewPCG(4, uint64(n)))
	for i, v := range randomUnits(n, dim) {
		vectors = append(vectors, v)
		if i%10 == 0 {
			id := len(vectors) - 1
			groups = append(groups, []int{id, id + 1, id + 2})
			vectors = append(vectors, v, nearTo(r, v, 0.1))
		}
	}
	return vectors, groups
}

func groupsOf(t *testing.T, g *Gallery) [][]int {
	t.Helper()
	p, err := NewPictures(context.Background(), g)
	if err != nil {
		t.Fatal(err)
	}
	groups, err := p.Groups(context.Background(), DefaultAlike)
	if err != nil {
		t.Fatal(err)
	}
	return groups
}

func TestGroups(t *testing.T) {
	for _, n := range []int{10, 300, 1500} {
		vectors, want := withCopies(n, 40)
		if got := groupsOf(t, filled(vectors)); !reflect.DeepEqual(got, want) {
			t.Errorf("%d photos: groups %v, want %v", n, got, want)
		}
	}
	for _, n := range []int{0, 1} {
		if got := groupsOf(t, filled(randomUnits(n, 40))); len(got) != 0 {
			t.Errorf("%d photos have groups %v", n, got)
		}
	}
	same := slices.Repeat(randomUnits(1, 40), 3)
	if got := groupsOf(t, filled(same)); !reflect.DeepEqual(got, [][]int{{0, 1, 2}}) {
		t.Errorf("three copies of one photo: groups %v", got)
	}
	if got := groupsOf(t, filled(randomUnits(2, 40))); len(got) != 0 {
		t.Errorf("two different photos are a group: %v", got)
	}
}

// The bound passes over nothing: every cosine is compared by hand.
func TestGroupsAreExact(t *testing.T) {
	vectors, _ := withCopies(200, 24)
	p, err := NewPictures(context.Background(), filled(vectors))
	if err != nil {
		t.Fatal(err)
	}
	for _, alike := range []float32{-0.5, 0.05, 0.3, 0.6} {
		var want [][]int
		var stand []int
		for row := range p.ids {
			best := likeness{-1, alike}
			for i, other := range stand {
				c := dot(p.heads[row], p.heads[other]) + p.tailProduct(row, other)
				if c > best.cosine || c == best.cosine && best.row < 0 {
					best = likeness{i, c}
				}
			}
			if best.row < 0 {
				best.row = len(stand)
				stand, want = append(stand, row), append(want, nil)
			}
			want[best.row] = append(want[best.row], p.ids[row])
		}
		want = slices.DeleteFunc(want, func(group []int) bool { return len(group) < 2 })
		got, err := p.Groups(context.Background(), alike)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("alike %v: %v, %v; want %v", alike, got, err, want)
		}
	}
}

// The best photo comes first, and the order in which vectors came is no matter.
func TestGroupsBestFirst(t *testing.T) {
	vectors := randomUnits(30, 40)
	vectors = append(vectors, vectors[3], vectors[3], vectors[3])
	fillAs := func(order []int) *Gallery {
		g := New()
		fill(g, make([][]float32, len(vectors)))
		g.rows, g.failed = rows{dim: 40}, 0
		for _, id := range order {
			g.rows.add(id, vectors[id])
		}
		day := time.Date(2024, 5, 1, 0, 0, 0, 0, time.UTC)
		for id, days := range map[int]int{3: 0, 30: 9, 31: 5, 32: 7} {
			g.slots[id].Info.Width, g.slots[id].Info.Height = 10, 10
			g.slots[id].Info.Taken = day.AddDate(0, 0, days)
		}
		g.slots[32].Info.Width = 20
		return g
	}
	order := make([]int, len(vectors))
	for i := range order {
		order[i] = i
	}
	for range 3 {
		if got := groupsOf(t, fillAs(order)); !reflect.DeepEqual(got, [][]int{{32, 3, 31, 30}}) {
			t.Errorf("groups %v, want 32 (most pixels), then 3 31 30 (by age)", got)
		}
		rand.New(rand.NewPCG(1, 1)).Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	}
}

func TestGroupsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	g := filled(randomUnits(700, 40))
	p, err := NewPictures(ctx, g)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := p.Groups(ctx, DefaultAlike); !errors.Is(err, context.Canceled) {
		t.Errorf("groups when cancelled: %v", err)
	}
	if _, err := NewPictures(ctx, g); !errors.Is(err, context.Canceled) {
		t.Errorf("pictures when cancelled: %v", err)
	}
}

func TestDistinct(t *testing.T) {
	vectors, _ := withCopies(60, 40)
	g := filled(vectors)
	p, err := NewPictures(context.Background(), g)
	if err != nil {
		t.Fatal(err)
	}
	hits := []Hit{{1, 0.9}, {5, 0.8}, {0, 0.7}, {1000, 0.6}, {2, 0.5}, {7, 0.4}, {9, 0.3}}
	want := []Stack{{hits[0], []Hit{hits[2], hits[4]}}, {hits[1], nil}, {hits[3], nil}, {hits[5], nil}}
	if got := p.Distinct(hits, 4, DefaultAlike); !reflect.DeepEqual(got, want) {
		t.Errorf("distinct %v, want %v", got, want)
	}
}

// BenchmarkPictures has photos of 300 kinds, and a near-duplicate for one in ten.
func BenchmarkPictures(b *testing.B) {
	const n, dim = 100_000, 384
	ctx := context.Background()
	r := rand.New(rand.NewPCG(3, 3))
	kinds := randomUnits(300, dim)
	vectors := make([][]float32, n)
	for i := range vectors {
		if vectors[i] = nearTo(r, kinds[r.IntN(len(kinds))], 0.8); i%10 == 9 {
			vectors[i] = nearTo(r, vectors[i-5], 0.15)
		}
	}
	g := filled(vectors)
	benchScanner(b, g)
	p, err := NewPictures(ctx, g)
	if err != nil {
		b.Fatal(err)
	}
	b.Run(fmt.Sprintf("New/%dx%d", n, dim), func(b *testing.B) {
		for b.Loop() {
			if _, err := NewPictures(ctx, g); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run(fmt.Sprintf("Groups/%dx%d", n, dim), func(b *testing.B) {
		for b.Loop() {
			groups, err := p.Groups(ctx, DefaultAlike)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(len(groups)), "groups")
		}
	})
}
