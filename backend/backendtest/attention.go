package backendtest

import (
	"fmt"

	"sigla/backend"
	"sigla/backend/ref"
)

// attentions are self-attention and pooling at head sizes off the vectors, with
// SigLIP base's 64 and So400m's 72.
var attentions = []backend.Attn{
	{Batch: 1, Heads: 1, Queries: 1, Keys: 1, Dim: 8},
	{Batch: 2, Heads: 3, Queries: 1, Keys: 17, Dim: 6},
	{Batch: 3, Heads: 2, Queries: 7, Keys: 7, Dim: 8},
	{Batch: 1, Heads: 2, Queries: 17, Keys: 17, Dim: 64},
	{Batch: 2, Heads: 1, Queries: 13, Keys: 33, Dim: 72},
	{Batch: 2, Heads: 2, Queries: 3, Keys: 130, Dim: 6},
	{Batch: 1, Heads: 3, Queries: 31, Keys: 31, Dim: 33},
	{Batch: 3, Heads: 1, Queries: 65, Keys: 65, Dim: 64},
	{Batch: 1, Heads: 1, Queries: 129, Keys: 129, Dim: 8},
}

// maskedAttentions returns a case for each mask that fits each of attentions.
func maskedAttentions(s func(t *trial, a backend.Attn)) []testCase {
	var cases []testCase
	for _, a := range attentions {
		for mask := range 4 {
			a := a
			a.Causal = mask&1 != 0
			if a.Causal && a.Queries != a.Keys {
				continue
			}
			if mask&2 != 0 {
				a.KeyLens = ragged(a.Batch, a.Keys)
			}
			name := fmt.Sprintf("%s/%dx%dx%dx%dx%d", flags("plain", "causal", a.Causal, "lens", a.KeyLens != nil),
				a.Batch, a.Heads, a.Queries, a.Keys, a.Dim)
			cases = append(cases, testCase{name, compare(func(t *trial) { s(t, a) })})
		}
	}
	return cases
}

// ragged returns key lengths of about half, one, and all keys.
func ragged(batch, keys int) []int32 {
	lens := make([]int32, batch)
	for i := range lens {
		lens[i] = int32([]int{(keys + 1) / 2, 1, keys}[i%3])
	}
	return lens
}

func queries(a backend.Attn) int { return a.Batch * a.Queries * a.Heads * a.Dim }
func keys(a backend.Attn) int    { return a.Batch * a.Keys * a.Heads * a.Dim }
func rows(a backend.Attn) int    { return a.Batch * a.Heads * a.Queries }

func attentionCases() []testCase {
	cases := maskedAttentions(func(t *trial, a backend.Attn) {
		t.Attention(t.out("dst", queries(a), smooth), t.out("lse", rows(a), smooth),
			t.in("q", queries(a)), t.in("k", keys(a)), t.in("v", keys(a)), a)
	})
	for _, a := range attentions {
		size := fmt.Sprintf("%dx%dx%dx%dx%d", a.Batch, a.Heads, a.Queries, a.Keys, a.Dim)
		cases = append(cases, testCase{"no lse/" + size, compare(func(t *trial) {
			t.Attention(t.out("dst", queries(a), smooth), backend.Buf{},
				t.in("q", queries(a)), t.in("k", keys(a)), t.in("v", keys(a)), a)
		})})
		// Scores up to ±1000, where exp needs the highest taken off first; their
		// rounding, 1000·6e-8, becomes a relative error of the probabilities.
		cases = append(cases, testCase{"high scores/" + size, compare(func(t *trial) {
			q := t.normal(queries(a))
			for i := range q {
				q[i] *= 300
			}
			t.Attention(t.out("dst", queries(a), tol{1e-7, 1}), t.out("lse", rows(a), smooth),
				t.data("q", q), t.in("k", keys(a)), t.in("v", keys(a)), a)
		})})
	}
	return cases
}

// attentionGrad is for probabilities found again from lse: the rounding of a
// logarithm of about 5 is a relative error of 3e-7 in each, (3e-7)² = 1e-13,
// and dp − ⟨dy, y⟩ cancels.
var attentionGrad = tol{1e-11, 0.1}

func attentionGradCases() []testCase {
	cases := maskedAttentions(func(t *trial, a backend.Attn) {
		q, k, v := t.normal(queries(a)), t.normal(keys(a)), t.normal(keys(a))
		e := ref.New()
		dst, logs := e.Alloc(len(q), backend.Scratch), e.Alloc(rows(a), backend.Scratch)
		e.Attention(dst, logs, load(e, q), load(e, k), load(e, v), a)
		y, _ := read(e, dst) // the reference cannot fail
		lse, _ := read(e, logs)
		t.AttentionGrad(t.out("dq", len(q), attentionGrad), t.out("dk", len(k), attentionGrad), t.out("dv", len(v), attentionGrad),
			t.in("dy", len(y)), t.data("y", y), t.data("lse", lse), t.data("q", q), t.data("k", k), t.data("v", v), a)
	})
	for _, a := range []backend.Attn{
		{Batch: 2, Heads: 2, Queries: 3, Keys: 5, Dim: 6},
		{Batch: 2, Heads: 1, Queries: 2, Keys: 5, Dim: 3, KeyLens: []int32{3, 5}},
		{Batch: 1, Heads: 2, Queries: 5, Keys: 5, Dim: 4, Causal: true},
		{Batch: 2, Heads: 1, Queries: 4, Keys: 4, Dim: 4, Causal: true, KeyLens: []int32{2, 4}},
	} {
		name := "gradient/" + flags("plain", "causal", a.Causal, "lens", a.KeyLens != nil)
		cases = append(cases, testCase{name, attentionDerivative(a).check})
	}
	return cases
}

func attentionDerivative(a backend.Attn) derivative {
	return derivative{
		inputs: func(r numbers) []input {
			return []input{{"q", r.normal(queries(a)), false}, {"k", r.normal(keys(a)), false}, {"v", r.normal(keys(a)), false}}
		},
		out: queries(a),
		forward: func(e backend.Backend, in []backend.Buf, y backend.Buf) {
			e.Attention(y, backend.Buf{}, in[0], in[1], in[2], a)
		},
		grad: func(e backend.Backend, in, din []backend.Buf, dy backend.Buf) {
			y, lse := e.Alloc(queries(a), backend.Scratch), e.Alloc(rows(a), backend.Scratch)
			e.Attention(y, lse, in[0], in[1], in[2], a)
			e.AttentionGrad(din[0], din[1], din[2], dy, y, lse, in[0], in[1], in[2], a)
		}}
}
