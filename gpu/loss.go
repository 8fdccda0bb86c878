//go:build gpu && cgo && (linux || windows)

package gpu

import (
	"fmt"

	"sigla/backend"
)

// A pairTile is a rectangle of pairs.
type pairTile struct {
	backend.Pairs
	i, j, m, n int     // first row and column, and how many
	list       []int32 // its exceptions, see header.glsl; nil: none
}

// pairSide is the side of the squares of pairs that the losses go through: 1,024
// tiles of 128 × 128 keep a large device busy. Their logits are one binding, and
// take an eighth of the memory at most.
func pairSide(software bool, binding, budget int) int {
	side := 4096
	if software {
		side = 1024
	}
	for side > 256 && (4*side*side > binding || budget > 0 && 4*side*side > budget/8) {
		side /= 2
	}
	return side
}

// tiles calls visit for all pairs.
func (e *engine) tiles(p backend.Pairs, visit func(l pairTile)) {
	side := e.pairSide
	for side*side > e.room() {
		side /= 2
	}
	first := 0 // exception of the rows from i on
	for i := 0; i < p.Rows; i += side {
		m, last := min(side, p.Rows-i), first
		for last < len(p.Except) && int(p.Except[last].Row) < i+m {
			last++
		}
		for j := 0; j < p.Cols; j += side {
			l := pairTile{Pairs: p, i: i, j: j, m: m, n: min(side, p.Cols-j)}
			l.list = l.exceptions(p.Except[first:last])
			visit(l)
		}
		first = last
	}
}

// exceptions lists those of its rows that are in its columns.
func (l pairTile) exceptions(all []backend.Pair) []int32 {
	list := make([]int32, l.m+1)
	for _, x := range all {
		if c := int(x.Col) - l.j; c >= 0 && c < l.n {
			list = append(list, int32(4*c+int(x.Label)+1))
			list[int(x.Row)-l.i+1]++
		}
	}
	if len(list) == l.m+1 {
		return nil
	}
	for r := range l.m {
		list[r+1] += list[r]
	}
	return list
}

func (l pairTile) rows(x backend.Buf) backend.Buf { return x.Slice(l.i*l.Dim, l.m*l.Dim) }
func (l pairTile) cols(y backend.Buf) backend.Buf { return y.Slice(l.j*l.Dim, l.n*l.Dim) }

// runPairs queues a kernel that asks for the labels of a tile.
func (e *engine) runPairs(l pairTile, k kernel) {
	diagonal, exceptions := 0, 0
	if l.Diagonal {
		diagonal = 1
	}
	if l.list != nil {
		exceptions = len(l.list) - l.m - 1
		k.bufs = append(k.bufs, make([]backend.Buf, 5-len(k.bufs))...)
		k.bufs = append(k.bufs, e.integers(l.list))
	}
	k.defines = append([]string{"PAIRS"}, k.defines...)
	k.sizes = ints(l.m, l.n, l.i, l.j, int(l.Default), diagonal, exceptions)
	e.run(k)
}

// cosines computes those of a tile.
func (e *engine) cosines(l pairTile, x, y backend.Buf) backend.Buf {
	tile := e.temporary("pairs", l.m*l.n)
	e.MatMul(tile, l.rows(x), l.cols(y), backend.Mat{M: l.m, N: l.n, K: l.Dim, TransB: true})
	return tile
}

// pairGradients makes gradients by the cosines of a tile in place of them; a group of the
// kernel leaves its sums for each of dst.
func (e *engine) pairGradients(l pairTile, k kernel, sums string, dst ...backend.Buf) {
	const per = 16 // pairs an invocation
	groups := (l.m*l.n + 256*per - 1) / (256 * per)
	parts := e.temporary(sums, len(dst)*groups)
	k.defines, k.bufs = []string{fmt.Sprint("PER ", per)}, append(k.bufs, parts)
	k.writes[len(k.bufs)-1] = true
	e.runPairs(l, k.spread(groups))
	e.total(parts, groups, dst...)
}

// spreadGradients adds what the gradients by the cosines of a tile are by the rows.
// Both products go over all pairs of a row, and are cut like those of weights.
func (e *engine) spreadGradients(l pairTile, g, dx, dy, x, y backend.Buf) {
	e.multiply(l.rows(dx), g, l.cols(y), backend.Mat{M: l.m, N: l.Dim, K: l.n, Add: true}, true)
	e.multiply(l.cols(dy), g, l.rows(x), backend.Mat{M: l.n, N: l.Dim, K: l.m, TransA: true, Add: true}, true)
}

// SigmoidLoss implements backend.Backend, a square of pairs at a time: cosines by
// MatMul, then their gradients in place with sums for each work group, then the
// two products that add to dx and dy.
func (e *engine) SigmoidLoss(loss, dx, dy, dt, db, x, y, t, b backend.Buf, p backend.Pairs) {
	p.Check(loss, dx, dy, dt, db, x, y, t, b)
	for _, dst := range []backend.Buf{loss, dx, dy} {
		e.Zero(dst)
	}
	e.tiles(p, func(l pairTile) {
		g := e.cosines(l, x, y)
		e.pairGradients(l, kernel{file: "pairs", bufs: []backend.Buf{g, t, b}, numbers: []float32{1 / float32(l.Rows)}}, "pair sums", loss, dt, db)
		e.spreadGradients(l, g, dx, dy, x, y)
	})
}

// SoftmaxLoss implements backend.Backend. The tiles are gone over twice, for the
// log-sum-exps of the rows and columns and for the gradients.
func (e *engine) SoftmaxLoss(loss, dx, dy, dt, x, y, t backend.Buf, p backend.Pairs) {
	p.CheckSoftmax(loss, dx, dy, dt, x, y, t)
	rows, cols := e.temporary("row lines", 4*p.Rows), e.temporary("column lines", 4*p.Cols)
	for _, dst := range []backend.Buf{loss, dx, dy, rows, cols} {
		e.Zero(dst)
	}
	e.tiles(p, func(l pairTile) {
		tile := e.cosines(l, x, y)
		e.runPairs(l, kernel{file: "softmax", defines: []string{"LINES"}, bufs: []backend.Buf{rows, tile, t}}.spread(l.m))
		e.runPairs(l, kernel{file: "softmax", defines: []string{"LINES", "COLUMNS"}, bufs: []backend.Buf{cols, tile, t}}.spread(l.n))
	})
	for _, lines := range []backend.Buf{rows, cols} {
		e.run(kernel{file: "softmax", defines: []string{"WEIGH"}, bufs: []backend.Buf{lines, loss}, writes: [12]bool{1: true}, sizes: ints(lines.Len / 4), x: 1, y: 1})
	}
	e.tiles(p, func(l pairTile) {
		g := e.cosines(l, x, y)
		e.pairGradients(l, kernel{file: "softmax", bufs: []backend.Buf{g, t, rows, cols}}, "line sums", dt)
		e.spreadGradients(l, g, dx, dy, x, y)
	})
}
