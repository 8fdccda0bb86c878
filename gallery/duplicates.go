package gallery

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// DefaultAlike is how alike two photos must be to count as one picture.
const DefaultAlike = 0.8

const (
	pictureSample = 4096 // photos from which the folder's variation is taken
	pictureRidge  = 0.1  // of its mean variance, plus values over photos
	pictureBatch  = 512  // photos that are compared with all before them at once
	pictureShare  = 32   // of them, for one processor: each block of others serves so many
	pictureRows   = 128  // others in a block
)

// Pictures are the ready photos of a gallery, of one moment, by what sets each
// apart in its folder: unit vectors, centred and whitened. Two photos of one kind
// are close in the model's space because that kind of thing is common here; what
// remains is what makes each photo itself. (Whitening for retrieval: Jégou and
// Chum, "Negative evidences and co-occurences in image retrieval", 2012.)
//
// They lie best photo first: most pixels, then oldest, then first found. They
// take as much memory as the vectors take in f32.
type Pictures struct {
	scanner Scanner
	ids     []int // by row
	dim     int
	head    int         // values of a row that are compared first
	heads   [][]float32 // by row
	tails   [][]float32 // the values after those
	rest    []float32   // by row: length of its tail
}

// Groups returns groups of photos that are the same picture: resized, compressed
// again, cropped a little, or one of a burst. alike is a cosine, see
// DefaultAlike; all pairs are compared exactly.
//
// Photos are taken best first. Each joins the one that it is most alike of those
// that stand for a group, or stands for itself: a group cannot grow along a chain
// of photos of which the ends have nothing in common. A group has the IDs of two
// photos or more, the best first, and groups come in the order of their best.
// They depend on nothing but the photos. The error is that of ctx.
func (p *Pictures) Groups(ctx context.Context, alike float32) ([][]int, error) {
	n := len(p.ids)
	groups := make([][]int, n) // by the row that stands for them; nil: it joined another
	closest := slices.Repeat([]likeness{{-1, alike}}, n)
	stands := func(row int) bool { return groups[row] != nil }
	for start := 0; start < n; start += pictureBatch {
		end := min(start+pictureBatch, n)
		// With those before the batch all at once, then within it in turn.
		err := eachOf(ctx, (end-start+pictureShare-1)/pictureShare, func(i int) {
			first := start + i*pictureShare
			p.compare(first, min(first+pictureShare, end), 0, start, stands, closest)
		})
		if err != nil {
			return nil, err
		}
		for row := start; row < end; row++ {
			p.compare(row, row+1, start, row, stands, closest)
			at := row
			if closest[row].row >= 0 {
				at = closest[row].row
			}
			groups[at] = append(groups[at], p.ids[row])
		}
	}
	return slices.DeleteFunc(groups, func(group []int) bool { return len(group) < 2 }), nil
}

// A likeness is a row and its cosine with another.
type likeness struct {
	row    int // −1: none
	cosine float32
}

// rounding is more than products of unit vectors in f32 are off.
const rounding = 1e-5

// compare finds, for the rows first to last, those of the rows from to to that
// stand for a group and are most alike, of equals the first. The product of the
// heads and the lengths of the tails bound the cosine (Cauchy and Schwarz): most
// pairs cost a third, and the result is still exact.
func (p *Pictures) compare(first, last, from, to int, stands func(row int) bool, closest []likeness) {
	queries := p.heads[first:last]
	products := make([]float32, min(pictureRows, max(to-from, 0))*len(queries))
	for ; from < to; from += pictureRows {
		end := min(from+pictureRows, to)
		dst := products[:(end-from)*len(queries)]
		p.scanner.Scan(dst, queries, p.heads[from:end])
		for other := from; other < end; other++ {
			if !stands(other) {
				continue
			}
			for q, product := range dst[(other-from)*len(queries):][:len(queries)] {
				row := first + q
				best := &closest[row]
				if product+p.rest[row]*p.rest[other]+rounding < best.cosine {
					continue
				}
				if c := product + p.tailProduct(row, other); c > best.cosine || c == best.cosine && best.row < 0 {
					*best = likeness{other, c}
				}
			}
		}
	}
}

func (p *Pictures) tailProduct(a, b int) float32 {
	var product [1]float32
	p.scanner.Scan(product[:], p.tails[a:a+1], p.tails[b:b+1])
	return product[0]
}

// A Stack is a hit with those after it that are the same picture.
type Stack struct {
	Hit
	Alike []Hit
}

// Distinct folds hits that are the same picture as a better one, see Groups, and
// returns the first limit that remain. Photos that were not ready when the
// pictures were made are like no other.
func (p *Pictures) Distinct(hits []Hit, limit int, alike float32) []Stack {
	rows := make(map[int]int, len(p.ids))
	for row, id := range p.ids {
		rows[id] = row
	}
	var stacks []Stack
	stack := map[int]int{} // by row
	stands := func(row int) bool { _, ok := stack[row]; return ok }
	closest := make([]likeness, len(p.ids))
	for _, h := range hits {
		row, known := rows[h.ID]
		if known {
			closest[row] = likeness{-1, alike}
			for other := range stack {
				p.compare(row, row+1, other, other+1, stands, closest)
			}
			if best := closest[row].row; best >= 0 {
				s := &stacks[stack[best]]
				s.Alike = append(s.Alike, h)
				continue
			}
		}
		if len(stacks) == limit {
			break
		}
		if known {
			stack[row] = len(stacks)
		}
		stacks = append(stacks, Stack{Hit: h})
	}
	return stacks
}

// NewPictures prepares the photos of g that are ready. The error is that of ctx.
func NewPictures(ctx context.Context, g *Gallery) (*Pictures, error) {
	v := g.view(0)
	defer v.release()
	p := &Pictures{scanner: v.scanner, dim: v.dim}
	rows := make(map[int]int) // of the view, by ID
	for i, id := range v.ids {
		if v.live(i) {
			rows[id] = i
			p.ids = append(p.ids, id)
		}
	}
	n := len(p.ids)
	if n == 0 {
		return p, ctx.Err()
	}
	g.bestFirst(p.ids)
	at := make([]int, n) // rows of the view
	for i, id := range p.ids {
		at[i] = rows[id]
	}
	w, err := newWhitening(ctx, v, at)
	if err != nil {
		return nil, err
	}
	p.head = (p.dim + 2) / 3
	p.heads, p.tails, p.rest = make([][]float32, n), make([][]float32, n), make([]float32, n)
	err = eachOf(ctx, (n+pictureRows-1)/pictureRows, func(part int) {
		for row := part * pictureRows; row < min(n, (part+1)*pictureRows); row++ {
			y := make([]float32, p.dim)
			w.apply(v.scanner, y, v.vector(at[row]))
			p.heads[row], p.tails[row] = y[:p.head:p.head], y[p.head:]
			p.rest[row] = float32(norm(p.tails[row]))
		}
	})
	return p, err
}

// bestFirst sorts IDs, best photo first.
func (g *Gallery) bestFirst(ids []int) {
	type quality struct {
		pixels int
		taken  time.Time
	}
	of := make(map[int]quality, len(ids))
	g.mu.RLock()
	for _, id := range ids {
		s := &g.slots[id]
		q := quality{s.Info.Width * s.Info.Height, s.Info.Taken}
		if q.taken.IsZero() {
			q.taken = s.Modified
		}
		of[id] = q
	}
	g.mu.RUnlock()
	slices.SortFunc(ids, func(a, b int) int {
		p, q := of[a], of[b]
		return cmp.Or(cmp.Compare(q.pixels, p.pixels), p.taken.Compare(q.taken), cmp.Compare(a, b))
	})
}

// A whitening is x ↦ L⁻¹(x − mean), of length 1, where LLᵀ is the covariance of
// the photos plus a ridge. The ridge grows where photos are few: of n photos no
// more than n − 1 directions are known.
type whitening struct {
	mean    []float32
	inverse [][]float32 // L⁻¹, by row
}

// newWhitening takes the variation from up to pictureSample of the rows of a
// view, spread evenly over them.
func newWhitening(ctx context.Context, v view, at []int) (*whitening, error) {
	dim, size := v.dim, min(len(at), pictureSample)
	columns := make([][]float32, dim) // [dim][size]
	for k := range columns {
		columns[k] = make([]float32, size)
	}
	err := eachOf(ctx, size, func(i int) {
		for k, x := range v.vector(at[i*len(at)/size]) {
			columns[k][i] = x
		}
	})
	if err != nil {
		return nil, err
	}
	w := &whitening{mean: make([]float32, dim)}
	for k, column := range columns {
		var sum float64
		for _, x := range column {
			sum += float64(x)
		}
		// As if there were one photo more, at zero: copies of a single photo
		// remain alike.
		w.mean[k] = float32(sum / float64(size+1))
		for i := range column {
			column[i] -= w.mean[k]
		}
	}
	cov := make([][]float64, dim)
	products := make([]float32, dim)
	var variance float64
	for i := range cov {
		v.scanner.Scan(products[:i+1], columns[i:i+1], columns[:i+1])
		cov[i] = make([]float64, i+1)
		for j, x := range products[:i+1] {
			cov[i][j] = float64(x) / float64(size)
		}
		variance += cov[i][i] / float64(dim)
	}
	ridge := (pictureRidge + float64(dim)/float64(len(at))) * variance
	for i := range cov {
		cov[i][i] += ridge
	}
	w.invert(cholesky(cov))
	return w, ctx.Err()
}

// invert keeps the inverse of the lower triangle l.
func (w *whitening) invert(l [][]float64) {
	dim := len(l)
	w.inverse = make([][]float32, dim)
	for i := range w.inverse {
		w.inverse[i] = make([]float32, dim)
	}
	x := make([]float64, dim)
	for column := range dim {
		clear(x)
		for i := column; i < dim; i++ {
			sum := 0.0
			if i == column {
				sum = 1
			}
			x[i] = (sum - dot64(l[i][column:i], x[column:i])) / l[i][i]
			w.inverse[i][column] = float32(x[i])
		}
	}
}

// apply sets y to x, whitened.
func (w *whitening) apply(s Scanner, y, x []float32) {
	centred := make([]float32, len(x))
	for k, v := range x {
		centred[k] = v - w.mean[k]
	}
	s.Scan(y, [][]float32{centred}, w.inverse)
	if n := norm(y); n > 0 {
		for k := range y {
			y[k] /= float32(n)
		}
	}
}
