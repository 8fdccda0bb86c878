package gallery

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
)

// vectorsOf returns vectors of which many are equal, and some missing.
func vectorsOf(n int) [][]float32 {
	r := rand.New(rand.NewPCG(uint64(n), 9))
	vectors := make([][]float32, n)
	for i := range vectors {
		if r.IntN(10) > 0 {
			vectors[i] = fakeVector(r.IntN(n/3 + 1))
		}
	}
	return vectors
}

func TestRank(t *testing.T) {
	query := fakeVector(-1)
	for _, n := range []int{0, 1, 2, 7, 255, 256, 257, 1000} {
		vectors := vectorsOf(n)
		g := filled(vectors)
		var want []Hit
		for id, v := range vectors {
			if v != nil {
				want = append(want, Hit{id, dot(query, v)})
			}
		}
		slices.SortFunc(want, compareHits)
		for _, limit := range []int{0, -3, 1, 2, 3, 10, n - 1, n, n + 5} {
			expect := want
			if limit > 0 && limit < len(want) {
				expect = want[:limit]
			}
			if got := g.Rank(query, limit); !slices.Equal(got, expect) {
				t.Errorf("%d photos, limit %d:\n got %v\nwant %v", n, limit, got, expect)
			}
		}
	}
}

func TestRankTies(t *testing.T) {
	v := fakeVector(1)
	g := filled([][]float32{fakeVector(2), v, fakeVector(3), v, v})
	var ids []int
	for _, h := range g.Rank(v, 3) {
		ids = append(ids, h.ID)
	}
	if !slices.Equal(ids, []int{1, 3, 4}) {
		t.Errorf("equal photos are ranked %v, want 1 3 4", ids)
	}
}

func TestRankWrongLength(t *testing.T) {
	g := filled([][]float32{fakeVector(0)})
	defer func() {
		if recover() == nil {
			t.Error("a query of another length was ranked")
		}
	}()
	g.Rank(make([]float32, fakeDim+1), 0)
}

func TestRankWhileFilling(t *testing.T) {
	g := New()
	var wait sync.WaitGroup
	wait.Go(func() {
		for i := range 600 {
			fill(g, [][]float32{fakeVector(i)})
		}
	})
	for last := 0; last < 600; {
		hits := g.Rank(fakeVector(0), 0)
		if len(hits) < last {
			t.Fatalf("%d hits after %d", len(hits), last)
		}
		last = len(hits)
		for _, h := range hits {
			if h.Cosine != dot(fakeVector(0), fakeVector(h.ID)) {
				t.Fatalf("photo %d has cosine %v", h.ID, h.Cosine)
			}
		}
	}
	wait.Wait()
}

// countingScanner is the plain one and counts its rows.
type countingScanner struct{ rows int }

func (s *countingScanner) Scan(dst, query, vectors []float32, dim int) {
	s.rows += len(dst)
	plainScanner{}.Scan(dst, query, vectors, dim)
}

func TestUseScanner(t *testing.T) {
	g := filled(vectorsOf(300))
	s := new(countingScanner)
	g.UseScanner(s)
	if hits := g.Rank(fakeVector(0), 0); s.rows != len(hits) {
		t.Errorf("the scanner saw %d rows of %d", s.rows, len(hits))
	}
}

func TestDot(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	for n := range 70 {
		a, b := make([]float32, n), make([]float32, n)
		var want, size float64
		for i := range a {
			a[i], b[i] = float32(r.NormFloat64()), float32(r.NormFloat64())
			want += float64(a[i]) * float64(b[i])
			size += math.Abs(float64(a[i]) * float64(b[i]))
		}
		if got := float64(dot(a, b)); math.Abs(got-want) > 1e-6*size {
			t.Errorf("dot of %d values = %v, want %v", n, got, want)
		}
	}
}

// randomUnits returns n unit vectors of dim values.
func randomUnits(n, dim int) [][]float32 {
	r := rand.New(rand.NewPCG(uint64(n), uint64(dim)))
	vectors := make([][]float32, n)
	for i := range vectors {
		v := make([]float32, dim)
		for k := range v {
			v[k] = float32(r.NormFloat64())
		}
		vectors[i] = addUnit(make([]float32, dim), v)
	}
	return vectors
}

func BenchmarkRank(b *testing.B) {
	const n, dim = 100_000, 384
	g := filled(randomUnits(n, dim))
	query := randomUnits(1, dim)[0]
	for _, limit := range []int{20, 0} {
		b.Run(fmt.Sprintf("%dx%d/limit%d", n, dim, limit), func(b *testing.B) {
			b.SetBytes(n * dim * 4)
			for b.Loop() {
				g.Rank(query, limit)
			}
		})
	}
}
