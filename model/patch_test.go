package model

import (
	"context"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const bicubic = "testdata/golden/hf/siglip-bicubic"

// products is W + α/r·B·A, added up in float64.
func products(w []float32, l LowRank) []float32 {
	sum := slices.Clone(w)
	for i := range l.Out {
		for j := range l.In {
			s := 0.0
			for k := range l.Rank {
				s += float64(l.B[i*l.Rank+k]) * float64(l.A[k*l.In+j])
			}
			sum[i*l.In+j] += float32(s * l.Alpha / float64(l.Rank))
		}
	}
	return sum
}

// tensorOf reads a tensor of a model.
func tensorOf(t *testing.T, m *Model, name string) Tensor {
	t.Helper()
	for _, w := range m.w.list(m.cfg) {
		if w.name == name {
			values := make([]float32, w.len())
			if err := m.e.Read(values, w.all()); err != nil {
				t.Fatal(err)
			}
			return Tensor{name, w.shape, values}
		}
	}
	t.Fatalf("no tensor %s", name)
	return Tensor{}
}

// lowRank is an update of a matrix of m with values of the formula.
func lowRank(t *testing.T, m *Model, name string, rank int) LowRank {
	t.Helper()
	shape := tensorOf(t, m, name).Shape
	return LowRank{name, shape[0], shape[1], rank, 2, hashed(name+"A", rank*shape[1], 0.3, 0), hashed(name+"B", shape[0]*rank, 0.3, 0)}
}

// embedAll embeds the photos and the texts of a golden checkpoint.
func embedAll(t *testing.T, m *Model, dir string) (rows [][]float32) {
	t.Helper()
	var want golden
	readJSON(t, filepath.Join(dir, "expected.json"), &want)
	var photos []any
	for _, img := range want.Images {
		x, err := m.Prepare(readImage(t, filepath.Join(dir, img.File)))
		if err != nil {
			t.Fatal(err)
		}
		photos = append(photos, x)
	}
	rows, err := m.Embed(context.Background(), photos)
	if err != nil {
		t.Fatal(err)
	}
	texts, err := m.EmbedTexts(context.Background(), want.Texts)
	if err != nil {
		t.Fatal(err)
	}
	return append(rows, texts...)
}

// An update of low rank and the sum as a whole tensor are the same model.
func TestApply(t *testing.T) {
	for name, e := range engines(t) {
		m, dense, other := loadOn(t, e, bicubic), load(t, bicubic), load(t, bicubic)
		var p, sums Patch
		for _, matrix := range []string{
			"vision_model.encoder.layers.1.self_attn.q_proj.weight", "text_model.encoder.layers.0.mlp.fc1.weight", "vision_model.head.attention.in_proj_weight",
		} {
			l := lowRank(t, m, matrix, 2)
			p.LowRank = append(p.LowRank, l)
			w := tensorOf(t, m, matrix)
			w.Values = products(w.Values, l)
			sums.Tensors = append(sums.Tensors, w)
		}
		table := tensorOf(t, trainedTable(t, other), tokenTable)
		for i := range table.Values {
			table.Values[i] *= 1.5
		}
		p.Tensors = append(Scalars(1.25, -3), table)
		sums.Tensors = append(sums.Tensors, p.Tensors...)
		base, untouched := m.Info().Digest, embedAll(t, m, bicubic)
		if err := m.Apply(p); err != nil {
			t.Fatal(err)
		}
		if err := dense.Apply(sums); err != nil {
			t.Fatal(err)
		}
		got, want := embedAll(t, m, bicubic), embedAll(t, dense, bicubic)
		for i := range got {
			near(t, name, got[i], want[i], 5e-6)
			if slices.Equal(got[i], untouched[i]) {
				t.Errorf("%s: row %d is as it was", name, i)
			}
		}
		if i := m.Info(); i.LogScale != 1.25 || i.Bias != -3 || i.Digest == base || i.Digest == dense.Info().Digest {
			t.Errorf("%s: after the patch %+v", name, i)
		}
	}
}

// trainedTable has a model hold its token table in the engine.
func trainedTable(t *testing.T, m *Model) *Model {
	t.Helper()
	if _, err := m.NewTrainer(); err != nil {
		t.Fatal(err)
	}
	return m
}

// The digest names the vectors: t' and b leave it, everything else counts, and
// the order does not.
func TestPatchDigest(t *testing.T) {
	a := LowRank{"a", 1, 1, 1, 2, []float32{1}, []float32{2}}
	b, c := a, a
	b.Name, c.Alpha = "b", 4
	x := Tensor{"x", []int{2}, []float32{1, 2}}
	y := Tensor{"x", []int{2}, []float32{1, 3}}
	seen := map[string]int{}
	for i, p := range []Patch{{}, {LowRank: []LowRank{a}}, {LowRank: []LowRank{b}}, {LowRank: []LowRank{c}}, {Tensors: []Tensor{x}}, {Tensors: []Tensor{y}}, {LowRank: []LowRank{a, b}}} {
		d := p.digest("base")
		if j, ok := seen[d]; ok {
			t.Errorf("patches %d and %d have one digest", i, j)
		}
		seen[d] = i
		p.Tensors = append(p.Tensors, Scalars(1, 2)...)
		slices.Reverse(p.LowRank)
		if p.digest("base") != d {
			t.Errorf("patch %d: the digest depends on the order, or on t'", i)
		}
		if (d == "base") != (i == 0) || i > 0 && p.digest("other") == d {
			t.Errorf("patch %d: the digest is %s", i, d)
		}
	}
}

func TestApplyRefuses(t *testing.T) {
	m := load(t, bicubic)
	const q = "vision_model.encoder.layers.0.self_attn.q_proj.weight"
	nan, before := float32(math.NaN()), embedAll(t, m, bicubic)
	for want, p := range map[string]Patch{
		`it has no tensor "x"`:                          {Tensors: []Tensor{{"x", []int{1}, []float32{1}}}},
		`tensor "logit_bias" is [2]`:                    {Tensors: []Tensor{{"logit_scale", []int{1}, []float32{9}}, {"logit_bias", []int{2}, []float32{1, 2}}}},
		`has 1 values, its shape takes 2`:               {Tensors: []Tensor{{"logit_bias", []int{2}, []float32{1}}}},
		`there twice`:                                   {Tensors: append(Scalars(1, 2), Scalars(1, 2)...)},
		`values that are no numbers`:                    {Tensors: Scalars(nan, 0)},
		`it has no matrix "x"`:                          {LowRank: []LowRank{{"x", 1, 1, 1, 1, []float32{1}, []float32{1}}}},
		`updated by 1×1 values`:                         {LowRank: []LowRank{{q, 1, 1, 1, 1, []float32{1}, []float32{1}}}},
		`A" holds values that are no`:                   {LowRank: []LowRank{{q, 1, 1, 1, 1, []float32{nan}, []float32{1}}}},
		`with rank 0`:                                   {LowRank: []LowRank{{q, 1, 1, 0, 1, nil, nil}}},
		`it has no matrix "text_model.embeddings.token`: {LowRank: []LowRank{{tokenTable, 1, 1, 1, 1, []float32{1}, []float32{1}}}},
	} {
		if err := m.Apply(p); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want …%s…", err, want)
		}
	}
	for i, row := range embedAll(t, m, bicubic) {
		if !slices.Equal(row, before[i]) {
			t.Fatal("a patch that was refused changed the model")
		}
	}
}

// Photos keep their vectors where only texts are embedded otherwise.
func TestImageDigest(t *testing.T) {
	const q = ".encoder.layers.0.self_attn.q_proj.weight"
	for name, images := range map[string]bool{"vision_model" + q: true, "text_model" + q: false} {
		m := load(t, bicubic)
		before, rows := m.Info(), embedAll(t, m, bicubic)
		if err := m.Apply(Patch{LowRank: []LowRank{lowRank(t, m, name, 1)}, Tensors: Scalars(1, 2)}); err != nil {
			t.Fatal(err)
		}
		after := m.Info()
		if before.ImageDigest != before.Digest || after.Digest == before.Digest || (after.ImageDigest != before.ImageDigest) != images {
			t.Errorf("%s: digests %s and %s, before %s", name, after.Digest, after.ImageDigest, before.Digest)
		}
		if changed := !slices.Equal(embedAll(t, m, bicubic)[0], rows[0]); changed != images {
			t.Errorf("%s: the photo's embedding has changed: %v", name, changed)
		}
	}
}
