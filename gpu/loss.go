//go:build gpu && cgo && linux

package gpu

import (
	"sigla/backend"
)

// lossTile is the side of the squares of pairs that SigmoidLoss goes through.
const lossTile = 1024

// SigmoidLoss implements backend.Backend, a square of pairs at a time: cosines by
// MatMul, then their gradients in place with sums for each work group, then the
// two products that add to dx and dy.
func (e *engine) SigmoidLoss(loss, dx, dy, dt, db, x, y, t, b backend.Buf, p backend.Pairs) {
	p.Check(loss, dx, dy, dt, db, x, y, t, b)
	e.Zero(loss)
	e.Zero(dx)
	e.Zero(dy)
	list := make([]int32, 0, 3*len(p.Except))
	for _, x := range p.Except {
		list = append(list, x.Row, x.Col, int32(x.Label))
	}
	first := 0 // exception of the rows from i on
	for i := 0; i < p.Rows; i += lossTile {
		m := min(lossTile, p.Rows-i)
		last := first
		for last < len(p.Except) && int(p.Except[last].Row) < i+m {
			last++
		}
		for j := 0; j < p.Cols; j += lossTile {
			l := pairTile{Pairs: p, i: i, j: j, m: m, n: min(lossTile, p.Cols-j), except: list[3*first : 3*last]}
			e.pairTile(l, [3]backend.Buf{loss, dt, db}, dx, dy, x, y, t, b)
		}
		first = last
	}
}

// A pairTile is a rectangle of pairs.
type pairTile struct {
	backend.Pairs
	i, j, m, n int     // first row and column, and how many
	except     []int32 // row, column and label of exceptions in its rows
}

func (e *engine) pairTile(l pairTile, sums [3]backend.Buf, dx, dy, x, y, t, b backend.Buf) {
	pairs := l.m * l.n
	labels, g := e.temporary("labels", pairs), e.temporary("pairs", pairs)
	diagonal := 0
	if l.Diagonal {
		diagonal = 1
	}
	sizes := ints(l.m, l.n, l.i, l.j, int(l.Default), diagonal, len(l.except)/3, 0)
	e.run(kernel{file: "pairs", defines: []string{"LABELS"}, bufs: []backend.Buf{labels}, sizes: sizes}.each(pairs))
	if len(l.except) > 0 {
		k := kernel{file: "pairs", defines: []string{"EXCEPT"}, bufs: []backend.Buf{labels}, sizes: sizes}.each(len(l.except) / 3)
		e.add(func(d *device) {
			d.listed(1, l.except)
			d.run(k)
		})
	}
	rows, cols := x.Slice(l.i*l.Dim, l.m*l.Dim), y.Slice(l.j*l.Dim, l.n*l.Dim)
	e.MatMul(g, rows, cols, backend.Mat{M: l.m, N: l.n, K: l.Dim, TransB: true})
	groups := (pairs + 255) / 256
	parts := e.temporary("pair sums", 3*groups)
	e.run(kernel{file: "pairs", bufs: []backend.Buf{labels, g, t, b, parts}, sizes: sizes,
		numbers: []float32{1 / float32(l.Rows)}}.each(pairs))
	e.total(parts, groups, sums[:]...)
	e.MatMul(dx.Slice(l.i*l.Dim, l.m*l.Dim), g, cols, backend.Mat{M: l.m, N: l.Dim, K: l.n, Add: true})
	e.MatMul(dy.Slice(l.j*l.Dim, l.n*l.Dim), g, rows, backend.Mat{M: l.n, N: l.Dim, K: l.m, TransA: true, Add: true})
}
