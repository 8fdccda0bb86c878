package ref

import (
	"math"

	"sigla/backend"
)

// heads finds the rows of packed heads.
type heads struct{ backend.Attn }

// query returns the vector of query i in q, dst or their gradients.
func (s heads) query(x []float32, batch, head, i int) []float32 {
	return x[((batch*s.Queries+i)*s.Heads+head)*s.Dim:][:s.Dim]
}

// key returns the vector of key j in k, v or their gradients.
func (s heads) key(x []float32, batch, head, j int) []float32 {
	return x[((batch*s.Keys+j)*s.Heads+head)*s.Dim:][:s.Dim]
}

// visible returns how many keys query i sees.
func (s heads) visible(batch, i int) int {
	n := s.Keys
	if s.KeyLens != nil {
		n = int(s.KeyLens[batch])
	}
	if s.Causal {
		n = min(n, i+1)
	}
	return n
}

func (engine) Attention(dst, lse, q, k, v backend.Buf, a backend.Attn) {
	a.Check(dst, lse, q, k, v)
	d, logs, queries, keys, values := floats(dst), floats(lse), floats(q), floats(k), floats(v)
	s, scale := heads{a}, 1/math.Sqrt(float64(a.Dim))
	score, out := make([]float64, s.Keys), make([]float64, s.Dim)
	for row := range s.Batch * s.Heads * s.Queries {
		b, h, i := row/s.Queries/s.Heads, row/s.Queries%s.Heads, row%s.Queries
		seen := score[:s.visible(b, i)]
		highest := math.Inf(-1)
		for j := range seen {
			seen[j] = dot(s.query(queries, b, h, i), s.key(keys, b, h, j)) * scale
			highest = max(highest, seen[j])
		}
		sum := 0.0
		clear(out)
		for j, x := range seen {
			e := math.Exp(x - highest)
			sum += e
			addScaled(out, e, s.key(values, b, h, j))
		}
		for c, x := range out {
			s.query(d, b, h, i)[c] = float32(x / sum)
		}
		if logs != nil {
			logs[row] = float32(highest + math.Log(sum))
		}
	}
}

// AttentionGrad: with the probabilities p = exp(score − lse),
//
//	dv = pᵀ·dy
//	dp = dy·vᵀ
//	dscore = p·(dp − Σ p·dp), where Σ p·dp = ⟨dy, y⟩
//	dq = dscore·k / √Dim, dk = dscoreᵀ·q / √Dim
func (engine) AttentionGrad(dq, dk, dv, dy, y, lse, q, k, v backend.Buf, a backend.Attn) {
	a.CheckGrad(dq, dk, dv, dy, y, lse, q, k, v)
	grads, outs, logs := floats(dy), floats(y), floats(lse)
	queries, keys, values := floats(q), floats(k), floats(v)
	s, scale := heads{a}, 1/math.Sqrt(float64(a.Dim))
	sumQ := make([]float64, s.Dim)
	sumK, sumV := make([]float64, s.Keys*s.Dim), make([]float64, s.Keys*s.Dim)
	for head := range s.Batch * s.Heads {
		b, h := head/s.Heads, head%s.Heads
		clear(sumK)
		clear(sumV)
		for i := range s.Queries {
			query, grad := s.query(queries, b, h, i), s.query(grads, b, h, i)
			along := dot(grad, s.query(outs, b, h, i))
			clear(sumQ)
			for j := range s.visible(b, i) {
				key := s.key(keys, b, h, j)
				p := math.Exp(dot(query, key)*scale - float64(logs[head*s.Queries+i]))
				dscore := p * (dot(grad, s.key(values, b, h, j)) - along) * scale
				addScaled(sumQ, dscore, key)
				addScaled(sumK[j*s.Dim:], dscore, query)
				addScaled(sumV[j*s.Dim:], p, grad)
			}
			store(s.query(floats(dq), b, h, i), sumQ)
		}
		for j := range s.Keys {
			store(s.key(floats(dk), b, h, j), sumK[j*s.Dim:][:s.Dim])
			store(s.key(floats(dv), b, h, j), sumV[j*s.Dim:][:s.Dim])
		}
	}
}
