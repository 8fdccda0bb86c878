//go:build gpu && cgo && (linux || windows)

package gpu

import (
	"fmt"
	"math"

	"sigla/backend"
)

// Attention implements backend.Backend.
func (e *engine) Attention(dst, lse, q, k, v backend.Buf, s backend.Attn) {
	s.Check(dst, lse, q, k, v)
	e.batches(s, func(s backend.Attn, cut attentionCut) {
		e.attention(cut.queries(dst), cut.rows(lse), cut.queries(q), cut.keys(k), cut.keys(v), s)
	})
}

// attention does a part of the batch. Keys are cut so that no invocation loops for
// long; the parts are joined by their log-sum-exps.
func (e *engine) attention(dst, lse, q, k, v backend.Buf, s backend.Attn) {
	t := e.attentionTile(s)
	defines := append(attentionDefines(s), fmt.Sprint("TX ", t.across), fmt.Sprint("TY ", t.down))
	if (s.Dim|dst.Off|q.Off|k.Off|v.Off)%4 == 0 {
		defines = append(defines, "VEC")
	}
	most := t.longest(s.Dim)
	if lse.Mem == nil && s.Keys > most {
		lse = e.temporary("lse", s.Batch*s.Heads*s.Queries)
	}
	if lse.Mem != nil {
		defines = append(defines, "KEEP_LSE")
	}
	bufs := []backend.Buf{dst, q, k, v, lse, e.lens(s)}
	blocks := (s.Queries + 4*t.down - 1) / (4 * t.down)
	for from := 0; from < s.Keys; from += most {
		if from == most {
			defines = append(defines, "MERGE")
		}
		e.run(kernel{file: "attention", defines: defines, bufs: bufs, writes: [12]bool{4: true},
			work:    pairWork(s, 2, blocks*max(8, 4*t.down), min(most, s.Keys-from), 4*t.across),
			sizes:   ints(s.Heads, s.Queries, s.Keys, s.Batch*s.Heads, blocks, from, from+most),
			numbers: []float32{float32(1 / math.Sqrt(float64(s.Dim)))}}.spread(s.Batch * s.Heads * blocks))
	}
}

// An attentionCut takes a part of the batch out of its buffers.
type attentionCut struct {
	whole        backend.Attn
	first, count int
}

func (c attentionCut) of(b backend.Buf, each int) backend.Buf {
	return part(b, c.first*each, c.count*each)
}

func (c attentionCut) queries(b backend.Buf) backend.Buf {
	return c.of(b, c.whole.Queries*c.whole.Heads*c.whole.Dim)
}

func (c attentionCut) keys(b backend.Buf) backend.Buf {
	return c.of(b, c.whole.Keys*c.whole.Heads*c.whole.Dim)
}

func (c attentionCut) rows(b backend.Buf) backend.Buf { return c.of(b, c.whole.Heads*c.whole.Queries) }

// batches calls f for parts of the batch whose queries and keys a binding may have.
func (e *engine) batches(s backend.Attn, f func(s backend.Attn, cut attentionCut)) {
	whole := s
	e.rows(s.Batch, max(s.Queries, s.Keys)*s.Heads*s.Dim, func(i, n int) {
		s.Batch = n
		if s.KeyLens != nil {
			s.KeyLens = whole.KeyLens[i : i+n]
		}
		f(s, attentionCut{whole, i, n})
	})
}

// An attentionTile is how many invocations a group of Attention has, each with 4
// queries and 4 keys of it.
type attentionTile struct{ across, down int }

// attentionTile takes 32 queries and 32 keys, or fewer where rows are long or there
// are fewer queries.
func (e *engine) attentionTile(s backend.Attn) attentionTile {
	side := 8
	for side > 1 && (attentionTile{side, side}).shared(s.Dim) > e.limits.Shared {
		side /= 2
	}
	t := attentionTile{side, 1}
	for t.down < side && 4*t.down < s.Queries {
		t.down *= 2
	}
	return t
}

// shared is how many bytes a group shares.
func (t attentionTile) shared(dim int) int {
	rows, pairs := 4*(t.across+t.down)*((dim+3)/4|1), 4*t.across*(t.down+1)
	return 16*(rows+pairs) + 4*4*t.down*(t.across+1)
}

// longest is how many keys an invocation may go over. It counts all loops, unrolled
// or not, for each 4·across keys: loads of keys and values, scores, the highest of
// them, the probabilities, and sums of values.
func (t attentionTile) longest(dim int) int {
	fours := (dim + 3) / 4
	per, loads := (fours+t.across-1)/t.across, 9*((fours+t.down-1)/t.down) // one of the outer loop, 4 and 4
	steps := 1 + 2*loads + 4 + fours*5 + 4 + 4*(2+t.across+per) + 4 + 4*t.across*(1+per)
	return max(1, (deepest-loads-4*(4+per+t.across+5*per))/steps) * 4 * t.across
}

// AttentionGrad implements backend.Backend.
func (e *engine) AttentionGrad(dq, dk, dv, dy, y, lse, q, k, v backend.Buf, s backend.Attn) {
	s.CheckGrad(dq, dk, dv, dy, y, lse, q, k, v)
	e.batches(s, func(s backend.Attn, cut attentionCut) {
		e.attentionGrad(cut.queries(dq), cut.keys(dk), cut.keys(dv), cut.queries(dy), cut.queries(y), cut.rows(lse),
			cut.queries(q), cut.keys(k), cut.keys(v), s)
	})
}

// attentionGrad does a part of the batch: dq by groups of queries, dk and dv by groups
// of keys, which find the probabilities again.
func (e *engine) attentionGrad(dq, dk, dv, dy, y, lse, q, k, v backend.Buf, s backend.Attn) {
	defines := attentionDefines(s)
	if (s.Dim|dq.Off|dk.Off|dv.Off|dy.Off|y.Off|q.Off|k.Off|v.Off)%4 == 0 {
		defines = append(defines, "VEC")
	}
	rows := s.Batch * s.Heads * s.Queries
	stats := e.temporary("attention rows", 2*rows)
	e.run(kernel{file: "attentiongrad", defines: append(defines, "DOTS"), bufs: []backend.Buf{stats, dy, y, lse},
		sizes: ints(s.Heads, s.Queries, s.Keys, s.Batch*s.Heads)}.each(rows))
	lens := e.lens(s)
	queries := gradPass{defines: []string{"DQ", "FIRST"}, bufs: []backend.Buf{dq, q, dy, k, v, lens, stats}, own: s.Queries, others: s.Keys}
	keys := gradPass{defines: []string{"FIRST", "SECOND"}, bufs: []backend.Buf{dk, k, v, q, dy, lens, stats, dv}, own: s.Keys, others: s.Queries}
	e.gradients(s, defines, queries)
	if t := e.gradTile(s.Dim, s.Keys); t.perRow(s.Dim) <= 3 {
		e.gradients(s, defines, keys)
		return
	}
	// Both sums of a wide head have no room in registers.
	for _, one := range keys.defines {
		keys.defines = []string{one}
		e.gradients(s, defines, keys)
	}
}

// A gradPass is what groups of attentiongrad.comp own and what they go over.
type gradPass struct {
	defines     []string
	bufs        []backend.Buf
	own, others int // of them a head
}

// gradients does a pass. What it goes over is cut so that no invocation loops for
// long.
func (e *engine) gradients(s backend.Attn, defines []string, p gradPass) {
	t := e.gradTile(s.Dim, p.own)
	defines = append(append(defines[:len(defines):len(defines)], p.defines...), t.defines()...)
	blocks := (p.own + 4*t.down - 1) / (4 * t.down)
	most := t.longest(s.Dim)
	for from := 0; from < p.others; from += most {
		if from == most {
			defines = append(defines, "ACCUMULATE")
		}
		e.run(kernel{file: "attentiongrad", defines: defines, bufs: p.bufs, writes: [12]bool{7: true},
			work:    pairWork(s, 4, blocks*4*t.down, min(most, p.others-from), 4*t.across),
			sizes:   ints(s.Heads, s.Queries, s.Keys, s.Batch*s.Heads, blocks, from, from+most),
			numbers: []float32{float32(1 / math.Sqrt(float64(s.Dim)))}}.spread(s.Batch * s.Heads * blocks))
	}
}

// A gradTile is how many invocations a group of the gradient has, each with 4 rows
// that the group owns and 4 that it goes over, and how many vectors of all these rows
// are multiplied at a time.
type gradTile struct{ across, down, deep int }

// gradTile takes 64 rows and goes over 32 at a time, or fewer where rows are long or
// few.
func (e *engine) gradTile(dim, own int) gradTile {
	fours := (dim + 3) / 4
	t := gradTile{across: 8, down: 16}
	parts := (fours + gradDeep - 1) / gradDeep
	t.deep = (fours + parts - 1) / parts
	for t.shared(dim) > e.limits.Shared && t.across > 1 {
		if t.down > t.across {
			t.down /= 2
		} else {
			t.across /= 2
		}
	}
	if own <= few {
		t.down = min(t.down, few/4)
	}
	return t
}

const (
	gradDeep = 8 // vectors of a row that are multiplied at a time, at most
	few      = 8 // rows for which there are groups of their own size: the queries of a pooling head
)

// shared is how many bytes a group shares.
func (t gradTile) shared(dim int) int {
	parts := 4 * (t.down + t.across) * (t.deep | 1)
	others := 4 * t.across * ((dim+3)/4 | 1)
	return 16 * (max(parts, others) + 4*t.down*(t.across|1))
}

// perRow is how many vectors of a row an invocation sums.
func (t gradTile) perRow(dim int) int { return ((dim+3)/4 + t.across - 1) / t.across }

func (t gradTile) defines() []string {
	return []string{fmt.Sprint("TX ", t.across), fmt.Sprint("TY ", t.down), fmt.Sprint("DEEP ", t.deep)}
}

// longest is how many rows an invocation may go over. It counts all loops, unrolled
// or not, for each 4·across rows and both sums: loads and products of the parts, the
// probabilities, loads of the others and sums.
func (t gradTile) longest(dim int) int {
	fours, group := (dim+3)/4, t.across*t.down
	parts := (fours + t.deep - 1) / t.deep
	loads := func(vectors int) int {
		some := min(max(vectors/group, 1), 4) // under way together
		return (vectors + some*group - 1) / (some * group) * (1 + some + some)
	}
	multiply := 4 + parts*(1+loads(4*t.down*t.deep)+loads(4*t.across*t.deep)+t.deep)
	add := 4 + loads(4*t.across*fours) + t.across*(1+t.perRow(dim))
	return max(1, (deepest-4*(3+10*t.perRow(dim)))/(1+4+2*multiply+2*4+2*add)) * 4 * t.across
}

func attentionDefines(s backend.Attn) []string {
	defines := []string{fmt.Sprint("DIM ", s.Dim)}
	if s.Causal {
		defines = append(defines, "CAUSAL")
	}
	if s.KeyLens != nil {
		defines = append(defines, "LENS")
	}
	return defines
}

// lens are the lengths of the keys; nothing without them.
func (e *engine) lens(s backend.Attn) backend.Buf {
	if s.KeyLens == nil {
		return backend.Buf{}
	}
	return e.integers(s.KeyLens)
}

// pairWork is what so many products of all pairs of rows and others count as, with the
// others padded to whole tiles. Four times their operations: on llvmpipe, padding
// counted, attention does half of what a matrix product does in a second, its gradients
// 0.7, and a pooling head, whose groups load more than they compute, 0.2.
func pairWork(s backend.Attn, products, rows, others, tile int) float64 {
	others = (others + tile - 1) / tile * tile
	return 4 * 2 * float64(products*s.Batch*s.Heads) * float64(rows*others) * float64(s.Dim)
}
