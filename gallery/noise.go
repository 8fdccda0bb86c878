package gallery

import (
	"context"
	_ "embed"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

//go:embed nulls.txt
var nullPrompts string

// NullPrompts returns the texts whose embeddings NewFloor takes: invented words,
// phrases that fit any picture, and words of which there are no pictures.
func NullPrompts() []string { return strings.Split(strings.TrimSpace(nullPrompts), "\n") }

// A Floor tells photos that fit a query from photos that fit it no better than
// null prompts fit them: it is what makes a search able to say that nothing
// here matches. It follows a gallery and knows no model; embeddings of another
// model need another Floor.
//
// The noise has two sides. Some directions of the space are taken by any text
// without a picture: a query is first stripped of them (contrast). And some
// photos are close to any text: what is left is divided, photo by photo, by the
// root mean square of what the null prompts reach there. The result is z. The
// null prompts, each judged by the others, then show how high z gets by chance
// somewhere in this folder. Two in a hundred of them are above the level: they
// are harder than nonsense, of which fewer than one in a hundred are.
type Floor struct {
	g *Gallery

	mu      sync.Mutex
	all     *contrast
	nulls   [][]float32 // each as a direction, contrasted with the others
	seen    int         // rows of the gallery that are taken in
	spread  []float32   // by row: root mean square of the nulls' products with it
	highest []float32   // by null: its highest z
	level   float32
}

const (
	nullFolds = 8   // the nulls are judged in so many parts, each by the others
	nullRidge = 3.0 // of their mean variance: how far directions count that they do not take
)

// NewFloor returns the floor of g for these embeddings of null prompts, at
// least 16 unit vectors of as many values as the photos' vectors.
func NewFloor(g *Gallery, nulls [][]float32) *Floor {
	if len(nulls) < 2*nullFolds {
		panic("gallery: a noise floor needs 16 null prompts or more")
	}
	f := &Floor{g: g, all: newContrast(nulls), nulls: make([][]float32, len(nulls)), level: inf}
	for fold := range nullFolds {
		var others [][]float32
		for i, v := range nulls {
			if i%nullFolds != fold {
				others = append(others, v)
			}
		}
		c := newContrast(others)
		for i := fold; i < len(nulls); i += nullFolds {
			f.nulls[i] = c.direction(nulls[i])
		}
	}
	f.highest = slices.Repeat([]float32{-inf}, len(nulls))
	return f
}

var inf = float32(math.Inf(1))

// Update takes in the photos that became ready since the last time. Judge does
// it, too; done earlier, it is not waited for then. The error is that of ctx.
func (f *Floor) Update(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.update(ctx)
}

func (f *Floor) update(ctx context.Context) error {
	v := f.g.view(f.seen)
	defer v.release()
	if len(v.ids) == 0 {
		return nil
	}
	spread := append(f.spread[:f.seen:f.seen], make([]float32, len(v.ids))...)
	var merge sync.Mutex
	err := v.each(ctx, func(lo, hi int) {
		highest := f.take(spread[f.seen+lo:f.seen+hi], v, lo)
		merge.Lock()
		defer merge.Unlock()
		for i, z := range highest {
			f.highest[i] = max(f.highest[i], z)
		}
	})
	if err != nil {
		return err // what was merged will be the same again
	}
	f.seen, f.spread = f.seen+len(v.ids), spread
	sorted := slices.Sorted(slices.Values(f.highest))
	f.level = sorted[len(sorted)*98/100]
	return nil
}

// take fills in the spread of the rows of a view from lo on and returns the
// nulls' highest z there.
func (f *Floor) take(spread []float32, v view, lo int) (highest []float32) {
	n := len(f.nulls)
	products := make([]float32, len(spread)*n)
	v.cosines(v.part(lo, lo+len(spread)), products, f.nulls)
	highest = slices.Repeat([]float32{-inf}, n)
	for k := range spread {
		row := products[k*n : (k+1)*n]
		var sum float64
		for _, x := range row {
			sum += float64(x) * float64(x)
		}
		spread[k] = float32(math.Sqrt(sum / float64(n)))
		if !v.live(lo + k) {
			continue
		}
		for i, x := range row {
			highest[i] = max(highest[i], ratio(x, spread[k]))
		}
	}
	return highest
}

// ratio is x / spread; nothing stands out where nothing spreads.
func ratio(x, spread float32) float32 {
	if spread == 0 {
		return 0
	}
	return x / spread
}

// A Verdict is what a Floor makes of a query.
type Verdict struct {
	Count int     // photos that fit it better than noise; 0: nothing here matches
	Level float32 // the z from which on they do
	z     []float32
}

// Z returns how far the photo of that ID stands out for the query, in root mean
// squares of the null prompts; 0 if it was not ready.
func (v *Verdict) Z(id int) float32 {
	if id >= len(v.z) {
		return 0
	}
	return v.z[id]
}

// Confident reports whether the photo of that ID fits the query better than noise.
func (v *Verdict) Confident(id int) bool { return v.Z(id) >= v.Level }

// Judge compares every ready photo with the embedding of a text. (A photo as
// query is no text: what null prompts reach says nothing of it.) The error is
// that of ctx.
func (f *Floor) Judge(ctx context.Context, query []float32) (*Verdict, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.update(ctx); err != nil {
		return nil, err
	}
	verdict := &Verdict{Level: f.level, z: make([]float32, f.g.Len())}
	direction := [][]float32{f.all.direction(query)}
	v := f.g.view(0)
	defer v.release()
	v.rows = v.part(0, min(f.seen, len(v.ids))) // the gallery may be closed, or have grown
	var count atomic.Int64
	err := v.each(ctx, func(lo, hi int) {
		products := make([]float32, hi-lo)
		v.cosines(v.part(lo, hi), products, direction)
		for k, x := range products {
			if !v.live(lo + k) {
				continue
			}
			z := ratio(x, f.spread[lo+k])
			verdict.z[v.ids[lo+k]] = z
			if z >= verdict.Level {
				count.Add(1)
			}
		}
	})
	verdict.Count = int(count.Load())
	return verdict, err
}

// A contrast turns a text's vector into what sets it apart from others: the
// difference to their mean under the inverse of their covariance C, regularised
// as (C + τ)⁻¹. With A [n, dim] the centred others, Woodbury's identity needs
// the inverse of an n × n matrix only:
// (AᵀA/n + τ)⁻¹ q = (q − Aᵀ(AAᵀ + nτ)⁻¹Aq) / τ.
type contrast struct {
	mean    []float64
	centred [][]float64 // A
	root    [][]float64 // Cholesky factor of AAᵀ + nτ
	tau     float64
}

func newContrast(others [][]float32) *contrast {
	n, dim := len(others), len(others[0])
	c := &contrast{mean: make([]float64, dim)}
	for _, v := range others {
		for k, x := range v {
			c.mean[k] += float64(x) / float64(n)
		}
	}
	gram := make([][]float64, n)
	var variance float64
	for i, v := range others {
		c.centred = append(c.centred, c.centre(v))
		gram[i] = make([]float64, i+1)
		for j := range gram[i] {
			gram[i][j] = dot64(c.centred[i], c.centred[j])
		}
		variance += gram[i][i] / float64(n*dim)
	}
	c.tau = nullRidge * variance
	if c.tau == 0 {
		c.tau = 1 // they are all the same: there is only a mean to take off
	}
	for i := range gram {
		gram[i][i] += float64(n) * c.tau
	}
	c.root = cholesky(gram)
	return c
}

// centre returns v without the mean.
func (c *contrast) centre(v []float32) []float64 {
	out := make([]float64, len(v))
	for k, x := range v {
		out[k] = float64(x) - c.mean[k]
	}
	return out
}

// direction returns what v's product with a photo is to be computed with.
func (c *contrast) direction(v []float32) []float32 {
	q := c.centre(v)
	shares := make([]float64, len(c.centred))
	for i, row := range c.centred {
		shares[i] = dot64(row, q)
	}
	solve(c.root, shares)
	for i, row := range c.centred {
		for k, x := range row {
			q[k] -= shares[i] * x
		}
	}
	out := make([]float32, len(q))
	for k, x := range q {
		out[k] = float32(x / c.tau)
	}
	return out
}

// cholesky turns the lower triangle of a positive definite matrix, in place,
// into L with LLᵀ equal to it.
func cholesky(a [][]float64) [][]float64 {
	for i := range a {
		for j := range i + 1 {
			rest := a[i][j] - dot64(a[i][:j], a[j][:j])
			if i == j {
				a[i][i] = math.Sqrt(rest)
			} else {
				a[i][j] = rest / a[j][j]
			}
		}
	}
	return a
}

// solve replaces b by the solution x of LLᵀx = b.
func solve(l [][]float64, b []float64) {
	for i, row := range l {
		b[i] = (b[i] - dot64(row[:i], b[:i])) / row[i]
	}
	for i := len(l) - 1; i >= 0; i-- {
		b[i] /= l[i][i]
		for j := range i {
			b[j] -= l[i][j] * b[i]
		}
	}
}

func dot64(a, b []float64) (sum float64) {
	for i, x := range a {
		sum += x * b[i]
	}
	return sum
}
