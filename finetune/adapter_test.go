package finetune

import (
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"sigla/model"
	"sigla/model/safetensors"
)

const query = "vision_model.encoder.layers.1.self_attn.q_proj.weight"

// adapters are one of each depth.
func adapters() map[Depth]*Adapter {
	card := func(d Depth) Card {
		return Card{
			Depth: d, Base: Base{"starter", "0123456789abcdef0123456789abcdef"}, Seed: 7,
			Data:    Summary{Photos: 40, Labels: 2, Known: map[string]int{"tag": 30, "person": 4}},
			Options: json.RawMessage(`{"steps":200}`),
			Before:  &Validation{Loss: 1, AveragePrecision: 0.5, Photos: 9, Labels: 2},
			After:   &Validation{Loss: 0.5, AveragePrecision: 0.75, Photos: 9, Labels: 2},
			Gate:    []Verdict{{Label: "dog", Kept: true, Before: 0.5, After: 0.9, Low: 0.1, High: 0.6}, {Label: "cat", Reason: "two photos are too few"}},
			Made:    time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Program: "v1",
		}
	}
	scalars := model.Scalars(4.5, -12)
	lora := card(DepthLoRA)
	lora.Alpha, lora.Rank, lora.Targets = 4, 1, []string{"image q_proj"}
	return map[Depth]*Adapter{
		DepthCalibrate: {Card: card(DepthCalibrate), Tensors: scalars, Labels: []Tuned{{Name: "dog", Scale: 0.5, Delta: -1.25}, {Name: "cat", Threshold: 0.25}}},
		DepthHead: {Card: card(DepthHead), Tensors: scalars, Labels: []Tuned{
			{Name: "Müller|Anna", Delta: 2}, {Name: "cat", Row: 1, Vector: []float32{0.6, 0, 0.8}}, {Name: "dog", Row: 2, Vector: []float32{0, 1, 0}}}},
		DepthLoRA: {Card: lora, Tensors: scalars, Labels: []Tuned{{Name: "dog", Delta: 0.5}},
			LowRank: []model.LowRank{{Name: query, Out: 3, In: 2, Rank: 1, Alpha: 4, A: []float32{1, 2}, B: []float32{3, 4, 5}}}},
		DepthFull: {Card: card(DepthFull), Tensors: append(scalars, model.Tensor{Name: query, Shape: []int{3, 2}, Values: []float32{1, 2, 3, 4, 5, 6}})},
	}
}

func TestAdapterRoundTrip(t *testing.T) {
	for depth, want := range adapters() {
		path := filepath.Join(t.TempDir(), "a.safetensors")
		if err := WriteAdapter(path, want); err != nil {
			t.Fatal(err)
		}
		got, err := ReadAdapter(path)
		if err != nil {
			t.Fatal(err)
		}
		byName := func(a *Adapter) map[string]model.Tensor {
			m := map[string]model.Tensor{}
			for _, x := range a.Tensors {
				m[x.Name] = x
			}
			return m
		}
		if !reflect.DeepEqual(got.Card, want.Card) || !reflect.DeepEqual(got.Labels, want.Labels) ||
			!reflect.DeepEqual(got.LowRank, want.LowRank) || !reflect.DeepEqual(byName(got), byName(want)) {
			t.Errorf("%s: wrote\n%+v\nread\n%+v", depth, want, got)
		}
		if c, err := ReadCard(path); err != nil || !reflect.DeepEqual(c, want.Card) {
			t.Errorf("%s: the card is %+v, %v", depth, c, err)
		}
	}
}

// The names are those that the PEFT library gives to the tensors of a tower.
func TestAdapterNamesArePEFTs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.safetensors")
	if err := WriteAdapter(path, adapters()[DepthLoRA]); err != nil {
		t.Fatal(err)
	}
	f, err := safetensors.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for name, shape := range map[string][]int{
		"base_model.model.vision_model.encoder.layers.1.self_attn.q_proj.lora_A.weight": {1, 2},
		"base_model.model.vision_model.encoder.layers.1.self_attn.q_proj.lora_B.weight": {3, 1},
	} {
		if x, ok := f.Tensor(name); !ok || !reflect.DeepEqual(x.Shape, shape) {
			t.Errorf("%s is %v, want %v", name, x.Shape, shape)
		}
	}
}

// rewrite writes a file of other metadata and tensors in the place of an adapter.
func rewrite(t *testing.T, path string, change func(meta map[string]string, tensors []safetensors.Tensor) []safetensors.Tensor) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := safetensors.Parse(path, data)
	if err != nil {
		t.Fatal(err)
	}
	var tensors []safetensors.Tensor
	for _, name := range f.Names() {
		x, _ := f.Tensor(name)
		tensors = append(tensors, x)
	}
	meta := f.Metadata()
	tensors = change(meta, tensors)
	if err := safetensors.Write(path, tensors, meta); err != nil {
		t.Fatal(err)
	}
}

func TestBadAdapter(t *testing.T) {
	type tensors = []safetensors.Tensor
	for name, c := range map[string]struct {
		depth  Depth
		change func(meta map[string]string, x tensors) tensors
		want   string
	}{
		"no adapter":   {DepthHead, func(m map[string]string, x tensors) tensors { delete(m, versionKey); return x }, "but no adapter of sigla"},
		"version":      {DepthHead, func(m map[string]string, x tensors) tensors { m[versionKey] = "9"; return x }, "its format is 9, this program knows 1"},
		"card":         {DepthHead, func(m map[string]string, x tensors) tensors { m[cardKey] = "{"; return x }, "its card is damaged"},
		"labels":       {DepthHead, func(m map[string]string, x tensors) tensors { m[labelsKey] = ""; return x }, "its labels are damaged"},
		"depth":        {DepthHead, func(m map[string]string, x tensors) tensors { m[cardKey] = `{"depth":"deep"}`; return x }, `its depth is "deep"`},
		"vector":       {DepthHead, func(m map[string]string, x tensors) tensors { return x[:0] }, "label cat lacks its vector"},
		"row":          {DepthHead, func(m map[string]string, x tensors) tensors { m[labelsKey] = `[{"name":"a","row":3}]`; return x }, "label a has vector 3 of 2"},
		"negative row": {DepthHead, func(m map[string]string, x tensors) tensors { m[labelsKey] = `[{"name":"a","row":-1}]`; return x }, "label a has vector -1 of 2"},
		"twice":        {DepthHead, func(m map[string]string, x tensors) tensors { m[labelsKey] = `[{"name":"a"},{"name":"a"}]`; return x }, `label "a" is there twice`},
		"no unit vector": {DepthHead, func(m map[string]string, x tensors) tensors {
			return tensors{floats(vectorTensor, []int{2, 1}, []float32{1, 2})}
		}, "label dog has a vector of 1 values and length 2"},
		"NaN": {DepthLoRA, func(m map[string]string, x tensors) tensors {
			nan := float32(math.NaN())
			return append(x[1:], floats(x[0].Name, x[0].Shape, []float32{nan, nan, nan}[:x[0].Len()]))
		}, "values that are no numbers"},
		"no B": {DepthLoRA, func(m map[string]string, x tensors) tensors {
			return without(x, peftB)
		}, "do not fit"},
		"no A": {DepthLoRA, func(m map[string]string, x tensors) tensors {
			return without(x, peftA)
		}, "has no A beside it"},
		"other tensor": {DepthLoRA, func(m map[string]string, x tensors) tensors { return append(x, floats("x", []int{1}, []float32{1})) }, `it has a tensor "x", which no adapter has`},
	} {
		path := filepath.Join(t.TempDir(), "a.safetensors")
		if err := WriteAdapter(path, adapters()[c.depth]); err != nil {
			t.Fatal(err)
		}
		rewrite(t, path, c.change)
		if _, err := ReadAdapter(path); err == nil || !strings.Contains(err.Error(), c.want) || strings.Count(err.Error(), path) != 1 {
			t.Errorf("%s: %v, want …%s…", name, err, c.want)
		}
	}
}

func without(x []safetensors.Tensor, suffix string) (rest []safetensors.Tensor) {
	for _, t := range x {
		if !strings.HasSuffix(t.Name, suffix) {
			rest = append(rest, t)
		}
	}
	return rest
}

// A file cut off anywhere is an error, and never a part of an adapter.
func TestTruncatedAdapter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.safetensors")
	if err := WriteAdapter(path, adapters()[DepthLoRA]); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for n := range whole {
		if err := os.WriteFile(path, whole[:n], 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadAdapter(path); err == nil || !strings.Contains(err.Error(), "damaged") {
			t.Fatalf("%d of %d bytes: %v", n, len(whole), err)
		}
		if _, err := ReadCard(path); err == nil {
			t.Fatalf("%d of %d bytes have a card", n, len(whole))
		}
	}
	if _, err := ReadAdapter(path + "x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an absent file: %v", err)
	}
	if _, err := ReadCard(path + "x"); !errors.Is(err, fs.ErrNotExist) || strings.Contains(err.Error(), "damaged") {
		t.Errorf("the card of an absent file: %v", err)
	}
}

func TestWriteAdapterRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.safetensors")
	for name, break_ := range map[string]func(a *Adapter){
		"depth":  func(a *Adapter) { a.Card.Depth = "" },
		"base":   func(a *Adapter) { a.Card.Base.Digest = "" },
		"alpha":  func(a *Adapter) { a.Card.Alpha = 1 },
		"NaN":    func(a *Adapter) { a.LowRank[0].A = []float32{1, float32(math.NaN())} },
		"shape":  func(a *Adapter) { a.LowRank[0].Out = 4 },
		"rank":   func(a *Adapter) { a.LowRank[0].Rank = 0 },
		"label":  func(a *Adapter) { a.Labels[0].Name = "" },
		"delta":  func(a *Adapter) { a.Labels[0].Delta = math.Inf(1) },
		"figure": func(a *Adapter) { a.Card.After.Loss = math.NaN() },
	} {
		a := adapters()[DepthLoRA]
		break_(a)
		if err := WriteAdapter(path, a); err == nil {
			t.Errorf("%s: written", name)
		}
		if _, err := os.Stat(path); err == nil {
			t.Fatalf("%s: there is a file", name)
		}
	}
}

func TestFits(t *testing.T) {
	a := adapters()[DepthHead]
	info := model.Info{Name: "other", Digest: "fedcba9876543210fedcba9876543210", Width: 3}
	if err := a.Fits(info); err == nil || err.Error() != "the adapter is for model starter (0123456789ab), this is other (fedcba987654)" {
		t.Errorf("another model: %v", err)
	}
	info.Digest = a.Card.Base.Digest
	if err := a.Fits(info); err != nil {
		t.Error(err)
	}
	info.Width = 4
	if err := a.Fits(info); err == nil {
		t.Error("another width fits")
	}
}

func TestCardText(t *testing.T) {
	want := []string{"depth      lora\n", "starter (0123456789ab)", "updates    rank 1, alpha 4, of image q_proj\n", "40 photos, 2 labels, 4 known by person, 30 known by tag",
		"average precision 0.750, loss 0.5000, of 9 photos and 2 labels", "dog: kept, average precision 0.500 → 0.900 (+0.100 to +0.600)", "cat: as it was", "too few", `{"steps":200}`}
	text := adapters()[DepthLoRA].Card.String()
	for _, part := range want {
		if !strings.Contains(text, part) {
			t.Errorf("%q is not in\n%s", part, text)
		}
	}
}

func TestSummarize(t *testing.T) {
	s := Set{Labels: make([]Label, 2), Photos: []Photo{
		{Known: []Known{{0, 1, ByTag}, {1, -1, ByPerson}}}, {Known: []Known{{0, 1, ByTag}}}, {Caption: "a dog"}}}
	want := Summary{Photos: 3, Labels: 2, Captions: 1, Known: map[string]int{"tag": 2, "person": 1}}
	if got := Summarize(s); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// Any bytes are an error or an adapter that could be written.
func FuzzReadAdapter(f *testing.F) {
	dir := f.TempDir()
	for depth, a := range adapters() {
		path := filepath.Join(dir, string(depth)+".safetensors")
		if err := WriteAdapter(path, a); err != nil {
			f.Fatal(err)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := safetensors.Parse("adapter", data)
		if err != nil {
			return
		}
		a, err := newAdapter(file)
		if err != nil {
			return
		}
		if err := a.check(); err != nil {
			t.Fatalf("read, but could not be written: %v", err)
		}
		for _, l := range a.LowRank {
			if len(l.A) != l.Rank*l.In || len(l.B) != l.Out*l.Rank {
				t.Fatalf("%+v", l)
			}
		}
	})
}
