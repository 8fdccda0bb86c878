package model

import "sigla/backend"

// Each layer is a pair: forward leaves in its acts what backward needs, and
// backward repeats the forward lines from last to first. acts and their
// gradients have the same type, as params and their gradients do. While
// nothing is trained, acts that only backward would read share memory or are
// the zero Buf.

// A pass is one run through a tower: the engine, its scratch memory, and
// whether gradients will be asked for, and how far back.
type pass struct {
	e   backend.Backend
	mem *arena
	reach
}

// reach is how far back gradients go in a tower.
type reach struct {
	train bool // else nowhere
	since int  // the first block that they reach; those before it keep nothing
	embed bool // they reach what is in front of the blocks; then since is 0
}

func (p pass) to(r reach) pass {
	p.reach = r
	return p
}

// kept returns n values if backward will read them.
func (p pass) kept(n int) buf {
	if !p.train {
		return buf{}
	}
	return p.mem.take(n)
}

// keptOr returns n values of its own if backward will read them, else b.
func (p pass) keptOr(b buf, n int) buf {
	if !p.train {
		return b
	}
	return p.mem.take(n)
}

func (p pass) linear(dst, x buf, l linear, rows, out, in int) {
	p.e.MatMul(dst, x, l.w, backend.Mat{M: rows, N: out, K: in, TransB: true, Bias: l.b})
	if l.low != nil {
		p.lowRank(dst, x, l.low, rows, out, in)
	}
}

// linearGrad leaves dx alone if it is the zero Buf, as nothing in front learns,
// and likewise what is frozen of dl.
func (p pass) linearGrad(dx, dy, x buf, l, dl linear, rows, out, in int) {
	p.linearGradTo(dx, dy, x, l, dl, rows, out, in, false)
}

// linearGradTo is linearGrad, and adds to dx if add is set.
func (p pass) linearGradTo(dx, dy, x buf, l, dl linear, rows, out, in int, add bool) {
	p.sumRows(dl.b, dy, rows, out)
	if dl.w.Len > 0 {
		p.e.MatMul(dl.w, dy, x, backend.Mat{M: out, N: in, K: rows, TransA: true, Add: true})
	}
	if dx.Len > 0 {
		p.e.MatMul(dx, dy, l.w, backend.Mat{M: rows, N: in, K: out, Add: add})
	}
	if dl.low != nil {
		p.lowRankGrad(dx, dy, x, l.low, dl.low, rows, out, in)
	}
}

// sumRows adds to the gradient of what all rows share, unless that is frozen.
func (p pass) sumRows(dst, x buf, rows, cols int) {
	if dst.Len > 0 {
		p.e.SumRows(dst, x, rows, cols)
	}
}

type normActs struct{ out, mean, rstd buf } // [rows, width], [rows], [rows]

func (p pass) newNorm(t Tower, rows int) normActs {
	return normActs{p.mem.take(rows * t.Width), p.kept(rows), p.kept(rows)}
}

func (p pass) norm(t Tower, a normActs, x buf, w norm, rows int) {
	p.e.LayerNorm(a.out, a.mean, a.rstd, x, w.w, w.b, rows, t.Width, t.Eps)
}

func (p pass) normGrad(t Tower, dx buf, a, da normActs, x buf, w, dw norm, rows int) {
	at := p.mem.at
	for _, frozen := range []*buf{&dw.w, &dw.b} {
		if frozen.Len == 0 {
			*frozen = p.mem.take(t.Width) // the engine sums in any case
		}
	}
	p.mem.release(at)
	p.e.LayerNormGrad(dx, dw.w, dw.b, da.out, x, w.w, a.mean, a.rstd, rows, t.Width)
}

type mlpActs struct{ fc1, gelu, out buf } // [rows, MLP] twice, [rows, width]

func (p pass) newMLP(t Tower, rows int) mlpActs {
	fc1 := p.mem.take(rows * t.MLP)
	return mlpActs{fc1, p.keptOr(fc1, rows*t.MLP), p.mem.take(rows * t.Width)}
}

func (p pass) mlp(t Tower, a mlpActs, x buf, w mlp, rows int) {
	p.linear(a.fc1, x, w.fc1, rows, t.MLP, t.Width)
	p.e.GELU(a.gelu, a.fc1, t.GELU)
	p.linear(a.out, a.gelu, w.fc2, rows, t.Width, t.MLP)
}

func (p pass) mlpGrad(t Tower, dx buf, a, da mlpActs, x buf, w, dw mlp, rows int) {
	p.linearGrad(da.gelu, da.out, a.gelu, w.fc2, dw.fc2, rows, t.Width, t.MLP)
	p.e.GELUGrad(da.fc1, da.gelu, a.fc1, t.GELU)
	p.linearGrad(dx, da.fc1, x, w.fc1, dw.fc1, rows, t.MLP, t.Width)
}

// attnActs: q, mix and out are [queries, width], k and v [keys, width].
type attnActs struct{ q, k, v, lse, mix, out buf }

// newAttn makes all but out.
func (p pass) newAttn(t Tower, s backend.Attn) attnActs {
	nq, nk := s.Batch*s.Queries*t.Width, s.Batch*s.Keys*t.Width
	return attnActs{q: p.mem.take(nq), k: p.mem.take(nk), v: p.mem.take(nk),
		lse: p.kept(s.Batch * s.Heads * s.Queries), mix: p.mem.take(nq)}
}

// attention asks with the rows of x what the rows of ctx hold.
func (p pass) attention(t Tower, a attnActs, x, ctx buf, w attention, s backend.Attn) {
	D, nq, nk := t.Width, s.Batch*s.Queries, s.Batch*s.Keys
	p.linear(a.q, x, w.q, nq, D, D)
	p.linear(a.k, ctx, w.k, nk, D, D)
	p.linear(a.v, ctx, w.v, nk, D, D)
	p.e.Attention(a.mix, a.lse, a.q, a.k, a.v, s)
	p.linear(a.out, a.mix, w.o, nq, D, D)
}

// attentionGrad writes dx (through the queries) and dctx (through keys and
// values), or the sum of both if they are the same.
func (p pass) attentionGrad(t Tower, dx, dctx buf, a, da attnActs, x, ctx buf, w, dw attention, s backend.Attn) {
	D, nq, nk := t.Width, s.Batch*s.Queries, s.Batch*s.Keys
	p.linearGrad(da.mix, da.out, a.mix, w.o, dw.o, nq, D, D)
	p.e.AttentionGrad(da.q, da.k, da.v, da.mix, a.mix, a.lse, a.q, a.k, a.v, s)
	p.linearGrad(dctx, da.v, ctx, w.v, dw.v, nk, D, D)
	p.linearGradTo(dctx, da.k, ctx, w.k, dw.k, nk, D, D, true)
	p.linearGradTo(dx, da.q, x, w.q, dw.q, nq, D, D, dx == dctx)
}

type blockActs struct {
	in   buf
	ln1  normActs
	attn attnActs
	mid  buf // after the first residual
	ln2  normActs
	mlp  mlpActs
	out  buf // after the second

	begin, end mark // of what is kept
}

// newBlock makes the acts of a block whose input is x: first those that backward
// needs, up to end, then what is read once in the forward pass and can be made
// again, which is two fifths. While nothing is trained both residuals are added
// to x in place.
func (p pass) newBlock(t Tower, x buf, s backend.Attn) blockActs {
	rows, begin := s.Batch*s.Queries, p.mem.at
	a := blockActs{in: x, begin: begin, attn: p.newAttn(t, s), mid: p.keptOr(x, x.Len), out: p.keptOr(x, x.Len)}
	a.ln1.mean, a.ln1.rstd = p.kept(rows), p.kept(rows)
	a.ln2.mean, a.ln2.rstd = p.kept(rows), p.kept(rows)
	a.mlp.fc1 = p.mem.take(rows * t.MLP)
	a.end = p.mem.at
	a.mlp.gelu = p.keptOr(a.mlp.fc1, rows*t.MLP)
	shared := p.mem.take(x.Len) // each of these is read before the next is written
	a.ln1.out, a.attn.out, a.ln2.out, a.mlp.out = shared, shared, shared, shared
	return a
}

// newBlockGrad makes the gradients of a block's acts; out is that of its result.
func (p pass) newBlockGrad(t Tower, out buf, s backend.Attn) blockActs {
	rows := s.Batch * s.Queries
	a := blockActs{attn: p.newAttn(t, s), mid: p.mem.take(out.Len), out: out}
	a.ln2.out = p.mem.take(out.Len)
	a.ln1.out = a.ln2.out // which is read before
	a.mlp.gelu = p.mem.take(rows * t.MLP)
	a.mlp.fc1 = a.mlp.gelu             // in place
	a.mlp.out, a.attn.out = out, a.mid // a sum hands its gradient to both sides
	return a
}

// again makes what newBlock did not keep.
func (p pass) again(t Tower, a *blockActs, w block, rows int) {
	a.ln1.out, a.ln2.out, a.mlp.gelu = p.mem.take(a.in.Len), p.mem.take(a.in.Len), p.mem.take(a.mlp.fc1.Len)
	p.norm(t, a.ln1, a.in, w.ln1, rows)
	p.norm(t, a.ln2, a.mid, w.ln2, rows)
	p.e.GELU(a.mlp.gelu, a.mlp.fc1, t.GELU)
}

// block is a pre-LN transformer block.
func (p pass) block(t Tower, a blockActs, x buf, w block, s backend.Attn) {
	rows := s.Batch * s.Queries
	p.norm(t, a.ln1, x, w.ln1, rows)
	p.attention(t, a.attn, a.ln1.out, a.ln1.out, w.attn, s)
	p.e.Add(a.mid, x, a.attn.out)
	p.norm(t, a.ln2, a.mid, w.ln2, rows)
	p.mlp(t, a.mlp, a.ln2.out, w.mlp, rows)
	p.e.Add(a.out, a.mid, a.mlp.out)
}

// blockGrad reads da.out before it writes dx, so that both may be the same.
func (p pass) blockGrad(t Tower, dx buf, a, da blockActs, x buf, w, dw block, s backend.Attn) {
	rows := s.Batch * s.Queries
	p.again(t, &a, w, rows)
	p.mlpGrad(t, da.ln2.out, a.mlp, da.mlp, a.ln2.out, w.mlp, dw.mlp, rows)
	p.normGrad(t, da.mid, a.ln2, da.ln2, a.mid, w.ln2, dw.ln2, rows)
	p.e.Add(da.mid, da.mid, da.out)
	p.attentionGrad(t, da.ln1.out, da.ln1.out, a.attn, da.attn, a.ln1.out, a.ln1.out, w.attn, dw.attn, s)
	p.normGrad(t, dx, a.ln1, da.ln1, x, w.ln1, dw.ln1, rows)
	p.e.Add(dx, dx, da.mid)
}

// encoder runs the blocks from the one at begin on over its input x, and returns
// their result. Blocks that keep nothing write into x, and each takes the memory
// of the one before.
func (p pass) encoder(t Tower, acts *[]blockActs, begin int, x buf, w []block, s backend.Attn) buf {
	*acts = append((*acts)[:0], make([]blockActs, begin)...)
	train := p.train
	for i := begin; i < len(w); i++ {
		p.train = train && i >= p.since
		m := p.mem.at
		a := p.newBlock(t, x, s)
		p.block(t, a, x, w[i], s)
		x = a.out
		*acts = append(*acts, a)
		if p.train {
			m = a.end
		}
		p.mem.release(m)
	}
	return x
}

// encoderGrad turns the gradient of the encoder's result, d, into that of the
// input of block p.since, in place. Each block reuses the gradient memory of the
// one behind it.
func (p pass) encoderGrad(t Tower, d buf, acts []blockActs, w, dw []block, s backend.Attn) {
	m := p.mem.at
	end := m
	for i := len(w) - 1; i >= p.since; i-- {
		da := p.newBlockGrad(t, d, s)
		p.blockGrad(t, d, acts[i], da, acts[i].in, w[i], dw[i], s)
		end = p.mem.at
		p.mem.release(m)
		p.discard(acts[i].begin, acts[i].end)
	}
	if p.since < len(w) {
		p.discard(m, end)
	}
}

// discard gives up what was kept between two marks.
func (p pass) discard(from, to mark) {
	for _, spent := range p.mem.between(from, to) {
		p.e.Discard(spent)
	}
}
