package gallery

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"sigla/cpu"
	"sigla/gallery/catalog"
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

// precisions calls test with galleries of these vectors in full and in half
// precision, on the plain scanner and on the engine's.
func precisions(t *testing.T, vectors [][]float32, test func(t *testing.T, g *Gallery)) {
	for _, halved := range []bool{false, true} {
		for name, s := range map[string]Scanner{"plain": plainScanner{}, "cpu": engine(t)} {
			t.Run(fmt.Sprintf("%d/halved=%v/%s", len(vectors), halved, name), func(t *testing.T) {
				g := New()
				g.rows.halved = halved
				g.UseScanner(s)
				fill(g, vectors)
				test(t, g)
			})
		}
	}
}

func engine(t testing.TB) *cpu.Engine {
	t.Helper()
	e, err := cpu.New(cpu.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

func TestRank(t *testing.T) {
	query := fakeVector(-1)
	filters := map[string]func(id int) bool{
		"all":    nil,
		"none":   func(int) bool { return false },
		"third":  func(id int) bool { return id%3 == 1 },
		"second": func(id int) bool { return id >= chunkRows && id < chunkRows+5 },
	}
	for _, n := range []int{0, 1, 2, 7, chunkRows - 1, chunkRows, chunkRows + 1, 3000} {
		vectors := vectorsOf(n)
		precisions(t, vectors, func(t *testing.T, g *Gallery) {
			for name, keep := range filters {
				var want []Hit
				for id, v := range vectors {
					if v != nil && (keep == nil || keep(id)) {
						want = append(want, Hit{id, cosine(g, query, id)})
					}
				}
				slices.SortFunc(want, compareHits)
				for _, limit := range []int{0, -3, 1, 2, 3, 10, n - 1, n, n + 5} {
					expect := want
					if limit > 0 && limit < len(want) {
						expect = want[:limit]
					}
					if got := g.Rank(query, limit, keep); !slices.Equal(got, expect) {
						t.Errorf("%s, limit %d:\n got %v\nwant %v", name, limit, got, expect)
					}
				}
			}
		})
	}
}

// cosine is that of one photo, computed by itself, and held to what its vector
// says.
func cosine(g *Gallery, query []float32, id int) float32 {
	var got [1]float32
	row := g.slots[id].row
	v := g.view(row)
	v.cosines(v.part(0, 1), got[:], [][]float32{query})
	v.release()
	if want := dot(query, g.Vector(id)); math.Abs(float64(got[0]-want)) > 1e-6 {
		panic(fmt.Sprintf("photo %d has cosine %v, want %v", id, got[0], want))
	}
	return got[0]
}

// Only what is kept is read, and everybody is asked once.
func TestRankReadsWhatIsKept(t *testing.T) {
	g := filled(vectorsOf(5 * chunkRows))
	s := new(countingScanner)
	g.UseScanner(s)
	var mu sync.Mutex
	asked := make(map[int]int)
	hits := g.Rank(fakeVector(0), 0, func(id int) bool {
		mu.Lock()
		defer mu.Unlock()
		asked[id]++
		return id < 10 || id >= 4*chunkRows
	})
	if s.rows != len(hits) || s.calls >= 5 {
		t.Errorf("%d rows were read in %d parts for %d hits", s.rows, s.calls, len(hits))
	}
	for id, n := range asked {
		if n != 1 {
			t.Errorf("photo %d was asked for %d times", id, n)
		}
	}
	if len(asked) != g.Progress().Done {
		t.Errorf("%d photos of %d were asked for", len(asked), g.Progress().Done)
	}
}

// Close waits for those who read mapped memory; later there is nothing to read.
func TestCloseWhileRanking(t *testing.T) {
	dir, data := photoFolder(t, 40), t.TempDir()
	session(t, data, new(fake), dir)
	g := New()
	g.UseCatalog(func(ctx context.Context) (*catalog.Catalog, error) { return catalog.Open(ctx, data) })
	g.UseModel(fakeModel)
	g.UseScanner(engine(t))
	scan(t, g, dir)
	embed(t, g, new(fake))
	c := classifier(t, fakeSet, new(fakeTexts))
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for len(g.Rank(fakeVector(0), 0, nil)) == 40 {
				g.Scores(c, fakeLogit)
				g.Vector(7)
			}
		})
	}
	if err := g.Close(); err != nil {
		t.Error(err)
	}
	wait.Wait()
	if s := g.Scores(c, fakeLogit); s.Len() != 0 || s.Update() {
		t.Errorf("%d photos were scored after the end", s.Len())
	}
}

func TestRankTies(t *testing.T) {
	v := fakeVector(1)
	g := filled([][]float32{fakeVector(2), v, fakeVector(3), v, v})
	var ids []int
	for _, h := range g.Rank(v, 3, nil) {
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
	g.Rank(make([]float32, fakeDim+1), 0, nil)
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
		hits := g.Rank(fakeVector(0), 0, nil)
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
type countingScanner struct {
	plainScanner
	mu          sync.Mutex
	calls, rows int
}

func (s *countingScanner) Scan(dst []float32, queries, rows [][]float32) {
	s.mu.Lock()
	s.calls++
	s.rows += len(rows)
	s.mu.Unlock()
	s.plainScanner.Scan(dst, queries, rows)
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
	const n, dim = 100_000, 768
	units := randomUnits(n+1, dim)
	for _, halved := range []bool{false, true} {
		g := New()
		g.rows.halved = halved
		g.UseScanner(engine(b))
		fill(g, units[:n])
		for _, limit := range []int{100, 0} {
			b.Run(fmt.Sprintf("%dx%d/halved=%v/limit%d", n, dim, halved, limit), func(b *testing.B) {
				for b.Loop() {
					g.Rank(units[n], limit, nil)
				}
			})
		}
	}
}
