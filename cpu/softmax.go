package cpu

import (
	"math"

	"sigla/backend"
)

// SoftmaxLoss implements backend.Backend. The tiles are gone over twice: for
// the log-sum-exps of the rows and columns, then for the gradients, with the
// products computed again. That is a third more work than SigmoidLoss has.
func (e *Engine) SoftmaxLoss(loss, dx, dy, dt, x, y, t backend.Buf, p backend.Pairs) {
	p.CheckSoftmax(loss, dx, dy, dt, x, y, t)
	l := &softmaxLoss{pairTiles: e.pairTiles(p, dx, dy, x, y, t), rowLines: newLines(p.Rows), colLines: newLines(p.Cols)}
	l.count()
	l.each(l.add)
	cost := l.rowLines.weigh() + l.colLines.weigh()
	l.gradients(l.scale, l.tile)
	sums := l.sums()
	e.data(loss)[0] = float32(cost - sums[0]*float64(l.scale))
	e.data(dt)[0] += float32(sums[1] * float64(l.scale))
}

type softmaxLoss struct {
	pairTiles
	rowLines, colLines lines
}

// lines are the rows or the columns of the logits.
type lines struct {
	all   []line
	shift []float32 // exp(logit − shift) is a probability times the line's weight in the mean
}

type line struct {
	top     float32 // the sum of the exponentials is sum·exp(top)
	targets int32   // pairs that belong together
	sum     float64
	share   float64 // weight of each target in the mean
}

func newLines(n int) lines {
	l := lines{make([]line, n), make([]float32, n)}
	for i := range l.all {
		l.all[i].top = hidden
	}
	return l
}

// hidden is the logit of a pair that is left out.
var hidden = float32(math.Inf(-1))

// count finds the pairs that belong together.
func (l *softmaxLoss) count() {
	add := func(row, col int) {
		l.rowLines.all[row].targets++
		l.colLines.all[col].targets++
	}
	for _, e := range l.Except {
		if e.Label == 1 && !(l.Diagonal && e.Row == e.Col) {
			add(int(e.Row), int(e.Col))
		}
	}
	if !l.Diagonal {
		return
	}
	var z [1]int8
	for i := range min(l.Rows, l.Cols) {
		if l.Labels(z[:], i, i); z[0] == 1 {
			add(i, i)
		}
	}
}

// labels returns those of a row of a tile, in z, or nil if all are −1.
func (l *softmaxLoss) labels(z []int8, row, from int) []int8 {
	if l.Default == -1 && len(l.Except) == 0 && !(l.Diagonal && row >= from && row < from+len(z)) {
		return nil
	}
	l.Labels(z, row, from)
	return z
}

// add takes the pairs of a tile into the sums of their rows and columns. The
// kernels sum along rows, so the tile is transposed for its columns.
func (l *softmaxLoss) add(s *scratch, t pairTile) {
	x := l.products(s, t)
	var buf [256]int8
	for r := range t.m {
		for c, z := range l.labels(buf[:t.n], t.i+r, t.j) {
			if z == 0 {
				x[r*t.n+c] = hidden
			}
		}
	}
	width := ceil(t.m, l.e.kern.lanes) * l.e.kern.lanes
	across := s.take(t.n*width + slack)
	if t.n > 1 {
		l.e.pack(s, across, view{x, t.n, 1}, t.m, t.n, width)
	} else {
		copy(across, x) // pack would take the column for a row
	}
	for r := range t.m {
		l.rowLines.all[t.i+r].add(l.e.kern, x[r*t.n:][:t.n], l.scale)
		s.yield(expAdds*t.n, l.e.kern.slice)
	}
	for c := range t.n {
		l.colLines.all[t.j+c].add(l.e.kern, across[c*width:][:t.m], l.scale)
		s.yield(expAdds*t.m, l.e.kern.slice)
	}
}

// add takes the logits scale·x into the sum; x is lost.
func (l *line) add(k *kernels, x []float32, scale float32) {
	top := scale * k.largest(&x[0], len(x))
	if top == hidden {
		return
	}
	if top > l.top {
		l.sum *= math.Exp(float64(l.top) - float64(top))
		l.top = top
	}
	l.sum += float64(k.expSum(&x[0], len(x), scale, l.top))
}

// weigh gives all lines with a target the same weight, ½ in all, and the others
// none. It returns the weighted sum of the log-sum-exps.
func (l *lines) weigh() (cost float64) {
	n := 0
	for _, k := range l.all {
		n += int(min(1, k.targets))
	}
	weight := 0.5 / float64(n)
	for i := range l.all {
		k := &l.all[i]
		if k.targets == 0 {
			l.shift[i] = float32(math.Inf(1))
			continue
		}
		lse := float64(k.top) + math.Log(k.sum)
		cost += weight * lse
		l.shift[i] = float32(lse - math.Log(weight))
		k.share = weight / float64(k.targets)
	}
	return cost
}

// tile adds what its pairs give to dx and dy, without the factor scale, and
// sets sums to Σ share·⟨x, y⟩ over the targets and to Σ g·⟨x, y⟩, where g is
// the derivative of the loss by a logit.
func (l *softmaxLoss) tile(s *scratch, t pairTile) {
	x, g := l.products(s, t), s.take(t.m*t.n)
	var buf [256]int8
	for r := range t.m {
		i, row, slope := t.i+r, x[r*t.n:][:t.n], g[r*t.n:][:t.n]
		l.e.kern.softmaxes(&slope[0], &row[0], &l.colLines.shift[t.j], t.n, l.scale, l.rowLines.shift[i])
		for c, z := range l.labels(buf[:t.n], i, t.j) {
			switch z {
			case 0:
				slope[c] = 0
			case 1:
				share := l.rowLines.all[i].share + l.colLines.all[t.j+c].share
				slope[c] -= float32(share)
				t.sums[0] += share * float64(row[c])
			}
		}
		t.sums[1] += float64(l.e.kern.dot(&slope[0], &row[0], t.n))
		s.yield(2*expAdds*t.n, l.e.kern.slice)
	}
	l.spread(s, t, g)
}
