// Package model is SigLIP (Zhai et al. 2023): an image tower and a text tower
// that meet in one space, and the two scalars t' and b that turn a cosine into
// a logit. Forward and backward of both towers are written once, against
// package backend, and run on any engine.
package model

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io/fs"
	"slices"
	"sync"

	"sigla/backend"
	"sigla/model/preprocess"
	"sigla/model/safetensors"
	"sigla/model/tokenize"
)

// A Model is a loaded checkpoint on an engine. Its methods may be called from
// several goroutines; one batch at a time runs on the engine.
type Model struct {
	cfg    Config
	info   Info
	pre    preprocess.Config
	window preprocess.Window
	tok    tokenize.Tokenizer
	files  *weights
	atOnce inputs

	mu     sync.Mutex // guards everything below and the engine
	e      backend.Backend
	w      params
	stem   stem
	table  safetensors.Tensor // tokens × width, on the host, mostly never read
	mem    arena
	images imageActs
	texts  textActs
}

// Info is what a user wants to know about a checkpoint.
type Info struct {
	Name           string
	Digest         string  // of its content, in hexadecimal; see digest
	ImageDigest    string  // of what embeds photos: changes if a Patch is of that
	Kind           string  // "SigLIP" or "CLIP"
	Stem           bool    // a convolutional stem stands before the patches
	ImageSize      int     // pixels
	TextLen        int     // tokens
	Width          int     // of an embedding
	Params         int     // stem and token table included
	LogScale, Bias float32 // t' and b

	ImageFLOPs, TextFLOPs float64 // per photo and per text, two per multiply-add
}

// Load reads a checkpoint in the published layout into an engine.
func Load(e backend.Backend, src Source) (*Model, error) {
	data, err := src.Bytes("config.json")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("open model: %s has no config.json: it is not a checkpoint folder", src.Name())
	} else if err != nil {
		return nil, fmt.Errorf("open model: %w", err)
	}
	m := &Model{e: e, mem: arena{e: e}}
	if m.cfg, err = ParseConfig(data); err != nil {
		return nil, fmt.Errorf("open model %s: %w", src.Name(), err)
	}
	for _, step := range []func(Source) error{m.loadPreprocessor, m.loadTokenizer, m.loadWeights} {
		if err := step(src); err != nil {
			if m.files != nil {
				m.files.Close()
			}
			return nil, fmt.Errorf("open model %s: %w", src.Name(), err)
		}
	}
	if err := m.describe(src); err != nil {
		m.files.Close()
		return nil, err
	}
	return m, nil
}

func (m *Model) loadPreprocessor(src Source) error {
	data, err := first(src, "preprocessor_config.json", "processor_config.json")
	if err != nil {
		return err
	}
	c := m.cfg
	if data == nil {
		m.pre = preprocess.Default(c.family(), c.ImageSize)
	} else if m.pre, err = preprocess.ParseConfig(data); err != nil {
		return fmt.Errorf("preprocessor configuration: %w", err)
	}
	if m.pre.Width != c.ImageSize || m.pre.Height != c.ImageSize {
		return fmt.Errorf("preprocessor_config.json makes %d×%d pixels, config.json wants %d×%d", m.pre.Width, m.pre.Height, c.ImageSize, c.ImageSize)
	}
	m.window = c.window()
	return nil
}

// extraPieces is how many pieces a tokenizer may have beyond the token table:
// those of mT5's vocabulary that multilingual SigLIP never trained.
const extraPieces = 100

func (m *Model) loadTokenizer(src Source) (err error) {
	o := tokenize.Options{Length: m.cfg.Tokens, Lower: m.cfg.Kind == SigLIP}
	if m.tok, err = tokenize.Load(src.Bytes, o); err != nil {
		return err
	}
	// Far fewer pieces than rows are another model's tokenizer: it would load,
	// and every text would be embedded as something else.
	if n := m.tok.VocabSize(); n > m.cfg.Vocab+extraPieces || n < m.cfg.Vocab-m.cfg.Vocab/20-64 {
		return fmt.Errorf("read tokenizer: it has %d pieces, the token table %d rows: it is not this model's", n, m.cfg.Vocab)
	}
	return nil
}

func (m *Model) loadWeights(src Source) (err error) {
	if m.files, err = openWeights(src); err != nil {
		return err
	}
	if m.files.onlyImages() {
		return ErrNoTextTower
	}
	// One published file has no text head and no word of it in an older
	// config.json: the identity, where the widths allow it.
	if _, ok := m.files.source[m.files.key("text_model.head.weight")]; !ok && m.cfg.Kind == SigLIP && m.cfg.Text.Width == m.cfg.Dim {
		m.cfg.NoHead = true
	}
	return m.upload()
}

// upload copies every tensor but the token table into the engine.
func (m *Model) upload() error {
	list := m.w.list(m.cfg)
	if m.cfg.Stem != nil {
		list = append(list, m.stem.list(m.cfg.Stem)...)
	}
	if err := m.files.match(list); err != nil {
		return err
	}
	m.table = m.files.source[m.files.key(tokenTable)].tensor
	list = withoutTable(list)
	place(m.e, list)
	if err := m.chooseBatches(); err != nil {
		return err
	}
	return m.files.load(m.e, list)
}

// place gives the weights of a model memory. t' and b are no weights to an engine:
// they are two values that every logit hangs on, and no training leaves them.
func place(e backend.Backend, list []tensor) {
	scalar := func(t tensor) bool { return t.name == scaleName || t.name == biasName }
	carve(e, backend.Weight, slices.DeleteFunc(slices.Clone(list), scalar))
	carve(e, backend.Scratch, slices.DeleteFunc(slices.Clone(list), func(t tensor) bool { return !scalar(t) }))
}

// withoutTable leaves the token table out of a list: a photo never needs it
// and a text a few of its rows, so it stays in the mapped file (786 MB in
// SigLIP 2 base) unless it is trained.
func withoutTable(list []tensor) []tensor {
	return slices.DeleteFunc(list, func(t tensor) bool { return t.name == tokenTable })
}

// describe fills in Info, and with it waits for the weights to arrive.
func (m *Model) describe(src Source) (err error) {
	c, name := m.cfg, src.Name()
	m.info = Info{Name: name, Kind: c.Kind.String(), ImageSize: c.ImageSize, TextLen: c.Tokens, Width: c.Dim, Stem: c.Stem != nil}
	for _, t := range m.w.list(c) {
		m.info.Params += t.len()
	}
	if c.Stem != nil {
		var s stem
		for _, t := range s.list(c.Stem) {
			m.info.Params += t.len()
		}
	}
	m.info.ImageFLOPs, m.info.TextFLOPs = c.imageFLOPs(), c.textFLOPs()
	m.info.Digest, err = digest(src, m.files)
	m.info.ImageDigest = m.info.Digest
	if err = errors.Join(err, m.readScalars()); err != nil {
		return fmt.Errorf("open model %s: %w", name, err)
	}
	return nil
}

// readScalars brings t' and b to the host.
func (m *Model) readScalars() error {
	var scale, bias [1]float32
	err := m.e.Read(scale[:], m.w.t)
	if m.cfg.Kind == SigLIP {
		err = errors.Join(err, m.e.Read(bias[:], m.w.b))
	}
	m.info.LogScale, m.info.Bias = scale[0], bias[0]
	return err
}

// Info describes the checkpoint; t' and b are those of the last training step.
func (m *Model) Info() Info {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.info
}

// Config is the checkpoint's shape.
func (m *Model) Config() Config { return m.cfg }

// Tokenize returns the padded ids of a text and how many pieces were cut off.
func (m *Model) Tokenize(text string) (ids []int32, cut int) { return m.tok.Encode(text) }

// Prepare resizes, normalises and cuts a photo into the rows that the first
// matrix product reads. It does not touch the engine.
func (m *Model) Prepare(img image.Image) (any, error) {
	if b := img.Bounds(); b.Dx() < 1 || b.Dy() < 1 {
		return nil, fmt.Errorf("prepare photo: it has %d×%d pixels", b.Dx(), b.Dy())
	}
	rows := make([]float32, m.window.Len())
	m.pre.Input(rows, img, m.window)
	return rows, nil
}

// Embed returns the unit embeddings [Dim] of prepared photos.
func (m *Model) Embed(ctx context.Context, batch []any) ([][]float32, error) {
	return inBatches("photos", batch, m.atOnce.photos, func(part []any) ([][]float32, error) { return m.embedImages(ctx, part) })
}

// inBatches embeds some inputs after the other, at most so many at once.
func inBatches[T any](what string, all []T, most int, embed func(part []T) ([][]float32, error)) ([][]float32, error) {
	var out [][]float32
	for part := range slices.Chunk(all, most) {
		rows, err := embed(part)
		if err != nil {
			return nil, fmt.Errorf("embed %s: %w", what, err)
		}
		out = append(out, rows...)
	}
	return out, nil
}

func (m *Model) embedImages(ctx context.Context, batch []any) ([][]float32, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mem.release(mark{})
	p := pass{e: m.e, mem: &m.mem}
	patches, err := m.patches(p, batch)
	if err != nil {
		return nil, err
	}
	p.image(m.cfg, &m.images, patches, &m.w, len(batch))
	return m.readRows(m.images.out, len(batch))
}

var errPrepared = errors.New("photo was not prepared by this model")

// patches brings prepared photos into the engine: [batch·patches, patchLen],
// through the stem if there is one.
func (m *Model) patches(p pass, batch []any) (buf, error) {
	for _, x := range batch {
		if rows, ok := x.([]float32); !ok || len(rows) != m.window.Len() {
			return buf{}, errPrepared
		}
	}
	n := m.window.Len()
	if m.cfg.Stem == nil {
		dst := p.mem.take(len(batch) * n)
		for i, x := range batch {
			p.e.Write(dst.Slice(i*n, n), x.([]float32))
		}
		return dst, nil
	}
	size := m.cfg.Patches() * m.cfg.Stem.Out
	dst := p.mem.take(len(batch) * size)
	done := 0
	for part := range slices.Chunk(batch, m.stemBatch()) {
		at := p.mem.at
		x := p.mem.take(len(part) * n)
		for j, rows := range part {
			p.e.Write(x.Slice(j*n, n), rows.([]float32))
		}
		p.stem(m.cfg, dst.Slice(done*size, len(part)*size), x, &m.stem, len(part))
		p.mem.release(at)
		done += len(part)
	}
	return dst, nil
}

// EmbedTexts returns the unit embeddings [Dim] of texts, each padded to the
// model's length.
func (m *Model) EmbedTexts(ctx context.Context, texts []string) ([][]float32, error) {
	ids := make([][]int32, len(texts))
	for i, text := range texts {
		ids[i], _ = m.tok.Encode(text)
	}
	return inBatches("texts", ids, m.atOnce.texts, func(part [][]int32) ([][]float32, error) { return m.embedIDs(ctx, part) })
}

func (m *Model) embedIDs(ctx context.Context, ids [][]int32) ([][]float32, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mem.release(mark{})
	p := pass{e: m.e, mem: &m.mem}
	tokens, err := m.tokens(p, ids)
	if err != nil {
		return nil, err
	}
	p.text(m.cfg, &m.texts, tokens, ids, &m.w)
	return m.readRows(m.texts.out, len(ids))
}

// tokens looks ids up in the token table: [texts·tokens, width].
func (m *Model) tokens(p pass, ids [][]int32) (buf, error) {
	width := m.cfg.Text.Width
	n := m.cfg.Tokens * width
	dst := p.mem.take(len(ids) * n)
	if m.w.tokens.Len > 0 {
		for i, id := range slices.Concat(ids...) {
			p.e.CopyRows(dst.Slice(i*width, width), m.w.tokens.Slice(int(id)*width, width), 1, width, width, width)
		}
		return dst, nil
	}
	rows := make([]float32, n)
	for i, text := range ids {
		for j, id := range text {
			if err := m.table.Row(rows[j*width:(j+1)*width], int(id)); err != nil {
				return dst, fmt.Errorf("read token table: %w", err)
			}
		}
		if !finite(rows) {
			return dst, m.damagedTable()
		}
		p.e.Write(dst.Slice(i*n, n), rows)
	}
	m.table.Release()
	return dst, nil
}

func (m *Model) damagedTable() error {
	return fmt.Errorf("read token table: tensor %q holds values that are no numbers: the file is damaged, or its training failed", m.files.key(tokenTable))
}

func (m *Model) readRows(x buf, rows int) ([][]float32, error) {
	all := make([]float32, rows*m.cfg.Dim)
	if err := m.e.Read(all, x); err != nil {
		return nil, err
	}
	if !finite(all) {
		return nil, errors.New("the model gives values that are no numbers")
	}
	out := make([][]float32, rows)
	for i := range out {
		out[i] = all[i*m.cfg.Dim : (i+1)*m.cfg.Dim : (i+1)*m.cfg.Dim]
	}
	return out, nil
}

// Close frees the engine and unmaps the weights.
func (m *Model) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return errors.Join(m.e.Close(), m.files.Close())
}
