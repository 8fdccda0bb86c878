//go:build gpu && cgo && (linux || windows)

package gpu

import (
	"fmt"
	"math"

	"sigla/backend"
)

// Attention implements backend.Backend. Keys are cut so that no invocation loops
// for long; the parts are joined by their log-sum-exps.
func (e *engine) Attention(dst, lse, q, k, v backend.Buf, s backend.Attn) {
	s.Check(dst, lse, q, k, v)
	t := e.attentionTile(s.Dim, 2, 4)
	defines := attentionDefines(s, t)
	most := longest(s.Dim, t)
	if lse.Mem == nil && s.Keys > most {
		lse = e.temporary("lse", s.Batch*s.Heads*s.Queries)
	}
	if lse.Mem != nil {
		defines = append(defines, "KEEP_LSE")
	}
	blocks := (s.Queries + t - 1) / t
	for from := 0; from < s.Keys; from += most {
		if from == most {
			defines = append(defines, "MERGE")
		}
		e.masked(s, kernel{file: "attention", defines: defines, bufs: []backend.Buf{dst, q, k, v, lse}, writes: [12]bool{4: true},
			sizes:   ints(s.Heads, s.Queries, s.Keys, s.Batch*s.Heads, blocks, from, from+most),
			numbers: []float32{float32(1 / math.Sqrt(float64(s.Dim)))}}.spread(s.Batch*s.Heads*blocks))
	}
}

// longest is how many keys an invocation may go over, t at a time, or queries: it
// takes the steps of two dots and of two sums for each t of them, and loads.
func longest(dim, t int) int {
	per := (dim + t - 1) / t
	return max(1, deepest/(2*dim+2*t*per+4*per+3*t)) * t
}

// AttentionGrad implements backend.Backend.
func (e *engine) AttentionGrad(dq, dk, dv, dy, y, lse, q, k, v backend.Buf, s backend.Attn) {
	s.CheckGrad(dq, dk, dv, dy, y, lse, q, k, v)
	rows := s.Batch * s.Queries * s.Heads
	along := e.temporary("along", rows)
	e.run(kernel{file: "rows", defines: []string{"DOTS"}, bufs: []backend.Buf{along, dy, y}, sizes: ints(rows, s.Dim)}.spread(rows))
	t := e.attentionTile(s.Dim, 4, 8)
	for _, pass := range []struct {
		name        string
		out         [2]backend.Buf
		count, over int // of queries and keys, or of keys and queries
	}{{"DQ", [2]backend.Buf{dq}, s.Queries, s.Keys}, {"DKV", [2]backend.Buf{dk, dv}, s.Keys, s.Queries}} {
		blocks := (pass.count + t - 1) / t
		defines := append(attentionDefines(s, t), pass.name)
		most := longest(s.Dim, t)
		for from := 0; from < pass.over; from += most {
			if from == most {
				defines = append(defines, "ACCUMULATE")
			}
			e.masked(s, kernel{file: "attentiongrad", defines: defines,
				bufs: []backend.Buf{pass.out[0], q, k, v, lse, {}, dy, along, pass.out[1]}, writes: [12]bool{8: true},
				sizes:   ints(s.Heads, s.Queries, s.Keys, s.Batch*s.Heads, blocks, from, from+most),
				numbers: []float32{float32(1 / math.Sqrt(float64(s.Dim)))}}.spread(s.Batch*s.Heads*blocks))
		}
	}
}

// masked runs a kernel of attention, whose binding 5 are the key lengths.
func (e *engine) masked(s backend.Attn, k kernel) {
	lens := append([]int32(nil), s.KeyLens...)
	e.dispatches++
	e.add(func(d *device) {
		if lens != nil {
			d.listed(5, lens)
		}
		d.run(k)
	})
}

// attentionTile is how many queries meet how many keys in a work group that
// shares rows of them and so many values for each pair.
func (e *engine) attentionTile(dim, rows, perPair int) int {
	for t := 16; t > 1; t /= 2 {
		if 4*rows*t*(dim+1)+perPair*t*(t+1) <= e.limits.Shared {
			return t
		}
	}
	return 1
}

func attentionDefines(s backend.Attn, t int) []string {
	defines := []string{fmt.Sprint("DIM ", s.Dim), fmt.Sprint("T ", t)}
	if s.Causal {
		defines = append(defines, "CAUSAL")
	}
	if s.KeyLens != nil {
		defines = append(defines, "LENS")
	}
	return defines
}
