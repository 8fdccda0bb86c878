package model

import "sigla/backend"

// imageActs are the activations of one batch of the image tower.
type imageActs struct {
	patches buf // [batch·patches, patchLen], the input
	embed   buf // [batch·tokens, width], with positions
	pre     normActs
	blocks  []blockActs
	encoded buf // [batch·tokens, width]
	ln      normActs
	query   buf // SigLIP: the probe, once per image; CLIP: the class tokens
	pool    attnActs
	poolLN  normActs
	poolMLP mlpActs
	pooled  buf // [batch, dim], before normalisation
	out     buf // [batch, dim], unit rows
	norm    buf // [batch]
}

func (c Config) imageAttn(batch int) backend.Attn {
	n := c.ImageTokens()
	return backend.Attn{Batch: batch, Heads: c.Vision.Heads, Queries: n, Keys: n, Dim: c.Vision.HeadDim()}
}

func (c Config) poolAttn(batch int) backend.Attn {
	s := c.imageAttn(batch)
	s.Queries = 1
	return s
}

// image embeds a batch of patch rows: [batch, dim] unit rows in a.out.
func (p pass) image(c Config, a *imageActs, patches buf, w *params, batch int) {
	a.patches = patches
	p.imageFrom(c, a, 0, p.imageEmbed(c, a, w, batch), w, batch)
}

// imageFront returns the input of block p.since [batch·tokens, width].
func (p pass) imageFront(c Config, a *imageActs, patches buf, w *params, batch int) buf {
	p.train = false
	a.patches = patches
	x := p.imageEmbed(c, a, w, batch)
	return p.encoder(c.Vision, &a.blocks, 0, x, w.image[:p.since], c.imageAttn(batch))
}

// imageFrom goes on as image does from the input x of the block at begin, or of
// the pooling behind the last.
func (p pass) imageFrom(c Config, a *imageActs, begin int, x buf, w *params, batch int) {
	a.encoded = p.encoder(c.Vision, &a.blocks, begin, x, w.image, c.imageAttn(batch))
	a.out, a.norm = p.mem.take(batch*c.Dim), p.mem.take(batch)
	if c.Kind == CLIP {
		p.classPool(c, a, w, batch)
	} else {
		p.attentionPool(c, a, w, batch)
	}
	p.e.Normalize(a.out, a.norm, a.pooled, batch, c.Dim)
}

// imageGrad takes the gradient of a.out and adds to that of the parameters.
func (p pass) imageGrad(c Config, a *imageActs, dout buf, w, dw *params, batch int) {
	dpooled, d := p.mem.take(batch*c.Dim), p.mem.take(a.encoded.Len)
	p.e.NormalizeGrad(dpooled, dout, a.out, a.norm, batch, c.Dim)
	if c.Kind == CLIP {
		p.classPoolGrad(c, d, a, dpooled, w, dw, batch)
	} else {
		p.attentionPoolGrad(c, d, a, dpooled, w, dw, batch)
	}
	p.encoderGrad(c.Vision, d, a.blocks, w.image, dw.image, c.imageAttn(batch))
	if p.embed {
		p.imageEmbedGrad(c, a, d, w, dw, batch)
	}
}

// imageEmbed projects the patches and adds positions; CLIP puts its class
// token in front and normalises.
func (p pass) imageEmbed(c Config, a *imageActs, w *params, batch int) buf {
	t, rows, tokens := c.Vision, batch*c.Patches(), c.ImageTokens()
	a.embed = p.mem.take(batch * tokens * t.Width)
	if c.Kind == SigLIP {
		p.linear(a.embed, a.patches, w.patch, rows, t.Width, c.PatchLen())
		p.e.Add(a.embed, a.embed, w.pos)
		return a.embed
	}
	a.pre = p.newNorm(t, batch*tokens)
	x, n := p.mem.take(rows*t.Width), c.Patches()*t.Width
	p.linear(x, a.patches, w.patch, rows, t.Width, c.PatchLen())
	p.e.CopyRows(a.embed, w.class, batch, t.Width, tokens*t.Width, 0)
	p.e.CopyRows(behindClass(a.embed, t), x, batch, n, tokens*t.Width, n)
	p.e.Add(a.embed, a.embed, w.pos)
	p.norm(t, a.pre, a.embed, w.preLN, batch*tokens)
	return a.pre.out
}

// behindClass is the view of x [batch·tokens, width] that starts at the first
// photo's first patch.
func behindClass(x buf, t Tower) buf { return x.Slice(t.Width, x.Len-t.Width) }

// imageEmbedGrad takes the gradient of what imageEmbed returned, in d.
func (p pass) imageEmbedGrad(c Config, a *imageActs, d buf, w, dw *params, batch int) {
	t, rows, tokens := c.Vision, batch*c.Patches(), c.ImageTokens()
	if c.Kind == SigLIP {
		p.sumRows(dw.pos, d, batch, tokens*t.Width)
		p.linearGrad(buf{}, d, a.patches, w.patch, dw.patch, rows, t.Width, c.PatchLen())
		return
	}
	dembed := p.mem.take(d.Len)
	p.normGrad(t, dembed, a.pre, normActs{out: d}, a.embed, w.preLN, dw.preLN, batch*tokens)
	p.sumRows(dw.pos, dembed, batch, tokens*t.Width)
	class, x, n := p.mem.take(batch*t.Width), p.mem.take(rows*t.Width), c.Patches()*t.Width
	p.e.CopyRows(class, dembed, batch, t.Width, t.Width, tokens*t.Width)
	p.sumRows(dw.class, class, batch, t.Width)
	p.e.CopyRows(x, behindClass(dembed, t), batch, n, n, tokens*t.Width)
	p.linearGrad(buf{}, x, a.patches, w.patch, dw.patch, rows, t.Width, c.PatchLen())
}

// newPool makes the acts of the attention pooling head but a.pooled.
func (a *imageActs) newPool(p pass, c Config, batch int) {
	t := c.Vision
	a.ln = p.newNorm(t, batch*c.ImageTokens())
	a.query, a.pool = p.mem.take(batch*t.Width), p.newAttn(t, c.poolAttn(batch))
	a.pool.out = p.mem.take(batch * t.Width)
	a.poolLN, a.poolMLP = p.newNorm(t, batch), p.newMLP(t, batch)
}

// attentionPool asks all tokens with the learned probe, which no norm or
// position touches; the result has no residual from the probe.
func (p pass) attentionPool(c Config, a *imageActs, w *params, batch int) {
	t := c.Vision
	a.newPool(p, c, batch)
	a.pooled = p.mem.take(batch * t.Width)
	p.norm(t, a.ln, a.encoded, w.imageLN, batch*c.ImageTokens())
	p.e.CopyRows(a.query, w.pool.probe, batch, t.Width, t.Width, 0)
	p.attention(t, a.pool, a.query, a.ln.out, w.pool.attn, c.poolAttn(batch))
	p.norm(t, a.poolLN, a.pool.out, w.pool.ln, batch)
	p.mlp(t, a.poolMLP, a.poolLN.out, w.pool.mlp, batch)
	p.e.Add(a.pooled, a.pool.out, a.poolMLP.out)
}

// attentionPoolGrad writes the gradient of a.encoded to dx.
func (p pass) attentionPoolGrad(c Config, dx buf, a *imageActs, dpooled buf, w, dw *params, batch int) {
	t := c.Vision
	var da imageActs
	da.newPool(p, c, batch)
	da.poolMLP.out = dpooled
	p.mlpGrad(t, da.poolLN.out, a.poolMLP, da.poolMLP, a.poolLN.out, w.pool.mlp, dw.pool.mlp, batch)
	p.normGrad(t, da.pool.out, a.poolLN, da.poolLN, a.pool.out, w.pool.ln, dw.pool.ln, batch)
	p.e.Add(da.pool.out, da.pool.out, dpooled)
	p.attentionGrad(t, da.query, da.ln.out, a.pool, da.pool, a.query, a.ln.out, w.pool.attn, dw.pool.attn, c.poolAttn(batch))
	p.sumRows(dw.pool.probe, da.query, batch, t.Width)
	p.normGrad(t, dx, a.ln, da.ln, a.encoded, w.imageLN, dw.imageLN, batch*c.ImageTokens())
}

// classPool normalises the class tokens alone and projects them.
func (p pass) classPool(c Config, a *imageActs, w *params, batch int) {
	t := c.Vision
	a.query, a.ln, a.pooled = p.mem.take(batch*t.Width), p.newNorm(t, batch), p.mem.take(batch*c.Dim)
	p.e.CopyRows(a.query, a.encoded, batch, t.Width, t.Width, c.ImageTokens()*t.Width)
	p.norm(t, a.ln, a.query, w.imageLN, batch)
	p.linear(a.pooled, a.ln.out, w.visual, batch, c.Dim, t.Width)
}

// classPoolGrad writes the gradient of a.encoded to dx.
func (p pass) classPoolGrad(c Config, dx buf, a *imageActs, dpooled buf, w, dw *params, batch int) {
	t := c.Vision
	dquery, dln := p.mem.take(batch*t.Width), p.newNorm(t, batch)
	p.linearGrad(dln.out, dpooled, a.ln.out, w.visual, dw.visual, batch, c.Dim, t.Width)
	p.normGrad(t, dquery, a.ln, dln, a.query, w.imageLN, dw.imageLN, batch)
	p.e.Zero(dx)
	p.e.CopyRows(dx, dquery, batch, t.Width, c.ImageTokens()*t.Width, t.Width)
}
