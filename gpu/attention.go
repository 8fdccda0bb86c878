//go:build gpu && cgo && linux

package gpu

import (
	"fmt"
	"math"

	"sigla/backend"
)

// Attention implements backend.Backend.
func (e *engine) Attention(dst, lse, q, k, v backend.Buf, s backend.Attn) {
	s.Check(dst, lse, q, k, v)
	t := e.attentionTile(s.Dim, 2, 4)
	defines := attentionDefines(s, t)
	if lse.Mem != nil {
		defines = append(defines, "KEEP_LSE")
	}
	blocks := (s.Queries + t - 1) / t
	e.masked(s, kernel{file: "attention", defines: defines, bufs: []backend.Buf{dst, q, k, v, lse},
		sizes:   ints(s.Heads, s.Queries, s.Keys, s.Batch*s.Heads, blocks),
		numbers: []float32{float32(1 / math.Sqrt(float64(s.Dim)))}}.spread(s.Batch*s.Heads*blocks))
}

// AttentionGrad implements backend.Backend.
func (e *engine) AttentionGrad(dq, dk, dv, dy, y, lse, q, k, v backend.Buf, s backend.Attn) {
	s.CheckGrad(dq, dk, dv, dy, y, lse, q, k, v)
	rows := s.Batch * s.Queries * s.Heads
	along := e.temporary("along", rows)
	e.run(kernel{file: "rows", defines: []string{"DOTS"}, bufs: []backend.Buf{along, dy, y}, sizes: ints(rows, s.Dim)}.spread(rows))
	t := e.attentionTile(s.Dim, 4, 8)
	scale := []float32{float32(1 / math.Sqrt(float64(s.Dim)))}
	for _, pass := range []struct {
		name  string
		out   [2]backend.Buf
		count int // of queries or keys, spread over work groups
	}{{"DQ", [2]backend.Buf{dq}, s.Queries}, {"DKV", [2]backend.Buf{dk, dv}, s.Keys}} {
		blocks := (pass.count + t - 1) / t
		e.masked(s, kernel{file: "attentiongrad", defines: append(attentionDefines(s, t), pass.name),
			bufs:  []backend.Buf{pass.out[0], q, k, v, lse, {}, dy, along, pass.out[1]},
			sizes: ints(s.Heads, s.Queries, s.Keys, s.Batch*s.Heads, blocks), numbers: scale}.spread(s.Batch*s.Heads*blocks))
	}
}

// masked runs a kernel of attention, whose binding 5 are the key lengths.
func (e *engine) masked(s backend.Attn, k kernel) {
	lens := append([]int32(nil), s.KeyLens...)
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
