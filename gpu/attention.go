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
	blocks := (s.Queries + 4*t.down - 1) / (4 * t.down)
	for from := 0; from < s.Keys; from += most {
		if from == most {
			defines = append(defines, "MERGE")
		}
		e.masked(s, kernel{file: "attention", defines: defines, bufs: []backend.Buf{dst, q, k, v, lse}, writes: [12]bool{4: true},
			sizes:   ints(s.Heads, s.Queries, s.Keys, s.Batch*s.Heads, blocks, from, from+most),
			numbers: []float32{float32(1 / math.Sqrt(float64(s.Dim)))}}.spread(s.Batch*s.Heads*blocks))
	}
}

// An attentionTile is how many invocations a group of Attention has, each with 4
// queries and 4 keys of it.
type attentionTile struct{ across, down int }

// attentionTile takes 32 queries and 32 keys, or fewer where rows are long or there
// are fewer queries.
func (e *engine) attentionTile(s backend.Attn) attentionTile {
	side := 8
	for side > 1 && 16*(8*side)*((s.Dim+3)/4|1)+20*(4*side)*(side+1) > e.limits.Shared {
		side /= 2
	}
	t := attentionTile{side, 1}
	for t.down < side && 4*t.down < s.Queries {
		t.down *= 2
	}
	return t
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
	rows := s.Batch * s.Queries * s.Heads
	along := e.temporary("along", rows)
	e.run(kernel{file: "rows", defines: []string{"DOTS"}, bufs: []backend.Buf{along, dy, y}, sizes: ints(rows, s.Dim)}.spread(rows))
	t := e.gradTile(s.Dim)
	for _, pass := range []struct {
		name        string
		out         [2]backend.Buf
		count, over int // of queries and keys, or of keys and queries
	}{{"DQ", [2]backend.Buf{dq}, s.Queries, s.Keys}, {"DKV", [2]backend.Buf{dk, dv}, s.Keys, s.Queries}} {
		blocks := (pass.count + t - 1) / t
		defines := append(attentionDefines(s), fmt.Sprint("T ", t), pass.name)
		most := longestGrad(s.Dim, t)
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

// longestGrad is how many keys or queries an invocation of the gradient may go over,
// t at a time: it takes the steps of two dots and of two sums for each t of them, and
// loads.
func longestGrad(dim, t int) int {
	per := (dim + t - 1) / t
	return max(1, deepest/(2*dim+2*t*per+4*per+3*t)) * t
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

// gradTile is how many queries meet how many keys in a work group of the gradient,
// which shares rows of q, k, v and dy and two values for each pair.
func (e *engine) gradTile(dim int) int {
	for t := 16; t > 1; t /= 2 {
		if 16*t*(dim+1)+8*t*(t+1) <= e.limits.Shared {
			return t
		}
	}
	return 1
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
