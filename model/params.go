package model

import (
	"fmt"
	"strings"

	"sigla/backend"
)

type buf = backend.Buf

type linear struct { // y = x·wᵀ + b
	w, b buf  // w is [out, in]
	low  *low // added to w while it is trained; mostly nil
}

type norm struct{ w, b buf }

type mlp struct{ fc1, fc2 linear }
type attention struct{ q, k, v, o linear }

type block struct {
	ln1, ln2 norm
	attn     attention
	mlp      mlp
}

// head is attention pooling: one learned query asks every patch.
type head struct {
	probe buf
	attn  attention
	ln    norm
	mlp   mlp
}

// params holds every trainable tensor. Gradients and optimizer moments are
// params too, carved from memory of the same shape.
type params struct {
	patch   linear
	pos     buf
	image   []block
	imageLN norm
	pool    head   // SigLIP
	class   buf    // CLIP: what the class token begins with
	preLN   norm   // CLIP: before the blocks
	visual  linear // CLIP: projects the class token, without bias

	tokens  buf // the token table; only while it is trained, else on the host
	textPos buf
	text    []block
	textLN  norm
	proj    linear

	t, b buf // t' = log of the temperature, and the bias
}

// A tensor is one entry of the list of parameters: its name and shape in the
// file, and where it lives.
type tensor struct {
	name  string
	shape []int
	dst   []*buf // parts of equal length, in file order
}

func (t tensor) len() int { return product(t.shape) }

// lister collects tensors under the names of the published checkpoints
// (Hugging Face's SiglipModel).
type lister struct{ list []tensor }

func (l *lister) add(name string, dst *buf, shape ...int) {
	l.list = append(l.list, tensor{name, shape, []*buf{dst}})
}

func (l *lister) linear(name string, w *linear, shape ...int) {
	l.projection(name, w, shape...)
	l.add(name+".bias", &w.b, shape[0])
}

// projection is a linear map without bias.
func (l *lister) projection(name string, w *linear, shape ...int) {
	l.add(name+".weight", &w.w, shape...)
}

func (l *lister) norm(name string, w *norm, width int) {
	l.add(name+".weight", &w.w, width)
	l.add(name+".bias", &w.b, width)
}

func (l *lister) mlp(name string, w *mlp, t Tower) {
	l.linear(name+".fc1", &w.fc1, t.MLP, t.Width)
	l.linear(name+".fc2", &w.fc2, t.Width, t.MLP)
}

func (l *lister) blocks(name string, w []block, t Tower) {
	for i := range w {
		n, b := fmt.Sprintf("%s.%d", name, i), &w[i]
		l.norm(n+".layer_norm1", &b.ln1, t.Width)
		for _, p := range []struct {
			name string
			w    *linear
		}{{"q", &b.attn.q}, {"k", &b.attn.k}, {"v", &b.attn.v}, {"out", &b.attn.o}} {
			l.linear(n+".self_attn."+p.name+"_proj", p.w, t.Width, t.Width)
		}
		l.norm(n+".layer_norm2", &b.ln2, t.Width)
		l.mlp(n+".mlp", &b.mlp, t)
	}
}

// pooling is SigLIP's attention pooling head.
func (l *lister) pooling(name string, w *head, t Tower) {
	l.add(name+".probe", &w.probe, 1, 1, t.Width)
	a := &w.attn
	l.list = append(l.list,
		tensor{name + ".attention.in_proj_weight", []int{3 * t.Width, t.Width}, []*buf{&a.q.w, &a.k.w, &a.v.w}},
		tensor{name + ".attention.in_proj_bias", []int{3 * t.Width}, []*buf{&a.q.b, &a.k.b, &a.v.b}})
	l.linear(name+".attention.out_proj", &a.o, t.Width, t.Width)
	l.norm(name+".layernorm", &w.ln, t.Width)
	l.mlp(name+".mlp", &w.mlp, t)
}

// list names every tensor of the model. It is the only list: loading,
// allocating, freezing, saving and counting all walk it.
func (p *params) list(c Config) []tensor {
	if p.image == nil {
		p.image, p.text = make([]block, c.Vision.Layers), make([]block, c.Text.Layers)
	}
	var l lister
	p.listImage(&l, c)
	p.listText(&l, c)
	return append(l.list, p.scalars(c)...)
}

// scalars are t' and, in SigLIP, b.
func (p *params) scalars(c Config) []tensor {
	var l lister
	l.add(scaleName, &p.t, 1)
	if c.Kind == SigLIP {
		l.add(biasName, &p.b, 1)
	}
	return l.list
}

func (p *params) listImage(l *lister, c Config) {
	t := c.Vision
	const embeddings, patch = "vision_model.embeddings.", "vision_model.embeddings.patch_embedding"
	switch {
	case c.Stem != nil:
		l.linear(patch, &p.patch, t.Width, c.Stem.Out, 1, 1)
	case c.Kind == CLIP:
		l.add(embeddings+"class_embedding", &p.class, t.Width)
		l.projection(patch, &p.patch, t.Width, 3, c.Patch, c.Patch)
	default:
		l.linear(patch, &p.patch, t.Width, 3, c.Patch, c.Patch)
	}
	l.add(embeddings+"position_embedding.weight", &p.pos, c.ImageTokens(), t.Width)
	if c.Kind == CLIP {
		l.norm("vision_model.pre_layrnorm", &p.preLN, t.Width) // so spelt in every file
	}
	l.blocks("vision_model.encoder.layers", p.image, t)
	l.norm("vision_model.post_layernorm", &p.imageLN, t.Width)
	if c.Kind == CLIP {
		l.projection("visual_projection", &p.visual, c.Dim, t.Width)
	} else {
		l.pooling("vision_model.head", &p.pool, t)
	}
}

func (p *params) listText(l *lister, c Config) {
	t := c.Text
	l.add(tokenTable, &p.tokens, c.Vocab, t.Width)
	l.add("text_model.embeddings.position_embedding.weight", &p.textPos, c.Tokens, t.Width)
	l.blocks("text_model.encoder.layers", p.text, t)
	l.norm("text_model.final_layer_norm", &p.textLN, t.Width)
	switch {
	case c.Kind == CLIP:
		l.projection("text_projection", &p.proj, c.Dim, t.Width)
	case !c.NoHead:
		l.linear("text_model.head", &p.proj, c.Dim, t.Width)
	}
}

const (
	tokenTable = "text_model.embeddings.token_embedding.weight"
	scaleName  = "logit_scale"
	biasName   = "logit_bias"
)

// carve gives the listed tensors memory: one allocation per layer, because
// some engines bind no more than 128 MiB at once. Every tensor starts on a
// multiple of 64 values: a cache line for SIMD, and an offset any GL accepts.
func carve(e backend.Backend, use backend.Use, list []tensor) {
	for len(list) > 0 {
		n, size := 0, 0
		for n < len(list) && layer(list[n].name) == layer(list[0].name) {
			size += aligned(list[n].len())
			n++
		}
		arena, off := e.Alloc(size, use), 0
		for _, t := range list[:n] {
			part := t.len() / len(t.dst)
			for i, dst := range t.dst {
				*dst = arena.Slice(off+i*part, part)
			}
			off += aligned(t.len())
		}
		list = list[n:]
	}
}

// layer is the part of a name that tensors allocated together share.
func layer(name string) string {
	if name == tokenTable {
		return name
	}
	if i := strings.Index(name, ".layers."); i >= 0 {
		i += len(".layers.")
		return name[:i+strings.IndexByte(name[i:], '.')]
	}
	root, _, _ := strings.Cut(name, ".")
	return root
}

// all is the whole tensor: its parts lie one behind the other.
func (t tensor) all() buf {
	b := *t.dst[0]
	b.Len = t.len()
	return b
}

func aligned(n int) int { return (n + 63) &^ 63 }

func product(a []int) int {
	n := 1
	for _, v := range a {
		n *= v
	}
	return n
}
