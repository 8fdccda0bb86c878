package model

import (
	"slices"

	"sigla/backend"
)

// textActs are the activations of one batch of the text tower.
type textActs struct {
	embed   buf // [batch·tokens, width], with positions
	blocks  []blockActs
	encoded buf
	ln      normActs
	last    buf // [batch, width], the position that is pooled
	pooled  buf // [batch, dim], before normalisation
	out     buf // [batch, dim], unit rows
	norm    buf // [batch]
}

func (c Config) textAttn(batch int) backend.Attn {
	return backend.Attn{Batch: batch, Heads: c.Text.Heads, Queries: c.Tokens, Keys: c.Tokens, Dim: c.Text.HeadDim(), Causal: c.Kind == CLIP}
}

// pooledAt is the position of a text that stands for all of it. SigLIP's
// reference masks nothing, pads included, and takes the last position whatever
// stands there. CLIP takes the first end token; configurations that say 2 mean
// the largest id, which in their vocabulary is the end token.
func (c Config) pooledAt(ids []int32) int {
	switch {
	case c.Kind == SigLIP:
		return c.Tokens - 1
	case c.EOS == 2:
		return slices.Index(ids, slices.Max(ids))
	}
	return max(slices.Index(ids, int32(c.EOS)), 0)
}

// text embeds a batch of token rows [batch·tokens, width], without positions:
// [batch, dim] unit rows in a.out. tokens is overwritten.
func (p pass) text(c Config, a *textActs, tokens buf, ids [][]int32, w *params) {
	t, batch := c.Text, len(ids)
	a.embed = tokens
	p.e.Add(a.embed, tokens, w.textPos)
	a.encoded = p.encoder(t, &a.blocks, 0, a.embed, w.text, c.textAttn(batch))
	a.ln = p.newNorm(t, batch*c.Tokens)
	p.norm(t, a.ln, a.encoded, w.textLN, batch*c.Tokens)

	a.last, a.out, a.norm = p.mem.take(batch*t.Width), p.mem.take(batch*c.Dim), p.mem.take(batch)
	for i, text := range ids {
		p.e.CopyRows(row(a.last, i, t), row(a.ln.out, i*c.Tokens+c.pooledAt(text), t), 1, t.Width, t.Width, t.Width)
	}
	a.pooled = a.last
	if !c.NoHead {
		a.pooled = p.mem.take(batch * c.Dim)
		p.linear(a.pooled, a.last, w.proj, batch, c.Dim, t.Width)
	}
	p.e.Normalize(a.out, a.norm, a.pooled, batch, c.Dim)
}

func row(x buf, i int, t Tower) buf { return x.Slice(i*t.Width, t.Width) }

// textGrad takes the gradient of a.out, adds to that of the parameters, and
// returns that of the token rows if the pass goes back so far.
func (p pass) textGrad(c Config, a *textActs, dout buf, ids [][]int32, w, dw *params) buf {
	t, batch := c.Text, len(ids)
	dlast, dln, d := p.mem.take(batch*c.Dim), p.newNorm(t, batch*c.Tokens), p.mem.take(a.encoded.Len)

	p.e.NormalizeGrad(dlast, dout, a.out, a.norm, batch, c.Dim)
	if !c.NoHead {
		dpooled := dlast
		dlast = p.mem.take(batch * t.Width)
		p.linearGrad(dlast, dpooled, a.last, w.proj, dw.proj, batch, c.Dim, t.Width)
	}
	p.e.Zero(dln.out)
	for i, text := range ids {
		p.e.CopyRows(row(dln.out, i*c.Tokens+c.pooledAt(text), t), row(dlast, i, t), 1, t.Width, t.Width, t.Width)
	}
	p.normGrad(t, d, a.ln, dln, a.encoded, w.textLN, dw.textLN, batch*c.Tokens)
	p.encoderGrad(t, d, a.blocks, w.text, dw.text, c.textAttn(batch))
	if p.embed {
		p.sumRows(dw.textPos, d, batch, c.Tokens*t.Width)
	}
	return d
}
