//go:build gpu && cgo && (linux || windows)

package gpu

import "sigla/backend"

// lossTile is the side of the squares of pairs that the losses go through.
const lossTile = 1024

// A pairTile is a rectangle of pairs.
type pairTile struct {
	backend.Pairs
	i, j, m, n int     // first row and column, and how many
	except     []int32 // row, column and label of exceptions in its rows
}

// tiles calls visit for all pairs.
func (e *engine) tiles(p backend.Pairs, visit func(l pairTile)) {
	list := make([]int32, 0, 3*len(p.Except))
	for _, x := range p.Except {
		list = append(list, x.Row, x.Col, int32(x.Label))
	}
	side := lossTile
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
			visit(pairTile{Pairs: p, i: i, j: j, m: m, n: min(side, p.Cols-j), except: list[3*first : 3*last]})
		}
		first = last
	}
}

func (l pairTile) rows(x backend.Buf) backend.Buf { return x.Slice(l.i*l.Dim, l.m*l.Dim) }
func (l pairTile) cols(y backend.Buf) backend.Buf { return y.Slice(l.j*l.Dim, l.n*l.Dim) }

func (l pairTile) sizes() []int32 {
	diagonal := 0
	if l.Diagonal {
		diagonal = 1
	}
	return ints(l.m, l.n, l.i, l.j, int(l.Default), diagonal, len(l.except)/3, 0)
}

// cosines computes the labels and cosines of a tile.
func (e *engine) cosines(l pairTile, x, y backend.Buf) (labels, tile backend.Buf) {
	pairs := l.m * l.n
	labels, tile = e.temporary("labels", pairs), e.temporary("pairs", pairs)
	e.run(kernel{file: "pairs", defines: []string{"LABELS"}, bufs: []backend.Buf{labels}, sizes: l.sizes()}.each(pairs))
	if len(l.except) > 0 {
		e.run(kernel{file: "pairs", defines: []string{"EXCEPT"}, bufs: []backend.Buf{labels}, sizes: l.sizes(),
			list: l.except, listAt: 1}.each(len(l.except) / 3))
	}
	e.MatMul(tile, l.rows(x), l.cols(y), backend.Mat{M: l.m, N: l.n, K: l.Dim, TransB: true})
	return labels, tile
}

// spreadGradients adds what the gradients by the cosines of a tile are by the rows.
func (e *engine) spreadGradients(l pairTile, g, dx, dy, x, y backend.Buf) {
	e.MatMul(l.rows(dx), g, l.cols(y), backend.Mat{M: l.m, N: l.Dim, K: l.n, Add: true})
	e.MatMul(l.cols(dy), g, l.rows(x), backend.Mat{M: l.n, N: l.Dim, K: l.m, TransA: true, Add: true})
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
		labels, g := e.cosines(l, x, y)
		groups := (l.m*l.n + 255) / 256
		parts := e.temporary("pair sums", 3*groups)
		e.run(kernel{file: "pairs", bufs: []backend.Buf{labels, g, t, b, parts}, writes: [12]bool{1: true, 4: true}, sizes: l.sizes(),
			numbers: []float32{1 / float32(l.Rows)}}.each(l.m * l.n))
		e.total(parts, groups, loss, dt, db)
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
		labels, tile := e.cosines(l, x, y)
		line := kernel{file: "softmax", defines: []string{"LINES"}, bufs: []backend.Buf{rows, labels, tile, t}, sizes: ints(l.m, l.n, l.i)}
		e.run(line.spread(l.m))
		line.defines, line.bufs = []string{"LINES", "COLUMNS"}, []backend.Buf{cols, labels, tile, t}
		line.sizes = ints(l.m, l.n, l.j)
		e.run(line.spread(l.n))
	})
	for _, lines := range []backend.Buf{rows, cols} {
		e.run(kernel{file: "softmax", defines: []string{"WEIGH"}, bufs: []backend.Buf{lines, loss}, writes: [12]bool{1: true}, sizes: ints(lines.Len / 4), x: 1, y: 1})
	}
	e.tiles(p, func(l pairTile) {
		labels, g := e.cosines(l, x, y)
		groups := (l.m*l.n + 255) / 256
		parts := e.temporary("pair sums", groups)
		e.run(kernel{file: "softmax", bufs: []backend.Buf{labels, g, t, rows, cols, parts}, writes: [12]bool{1: true, 5: true}, sizes: l.sizes()}.each(l.m * l.n))
		e.total(parts, groups, dt)
		e.spreadGradients(l, g, dx, dy, x, y)
	})
}
