package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"sigla/backend/ref"
	"sigla/finetune"
	"sigla/model"
)

// adapterCommand writes an adapter for the starter: adapter FILE DEPTH [OTHER],
// for another model if there is a third word. What it has learned is made up.
//
//	calibrate  flower: s = ½, δ = 3, threshold 0.9
//	head       flower looks as the text "a cat" says, δ = 1
//	lora       every query of the image tower turned around
//	full       another bias in the text tower
func adapterCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: adapter FILE DEPTH [OTHER]")
	}
	m, err := model.Load(ref.New(), starter())
	ts.Check(err)
	defer m.Close()
	info := m.Info()
	a := &finetune.Adapter{Card: finetune.Card{
		Depth: finetune.Depth(args[1]), Base: finetune.Base{Name: info.Name, Digest: info.Digest},
		Data:   finetune.Summary{Photos: 12, Labels: 1, Known: map[string]int{"tag": 10, "person": 2}},
		Before: &finetune.Validation{AveragePrecision: 0.5, Photos: 4, Labels: 1}, After: &finetune.Validation{AveragePrecision: 0.75, Photos: 4, Labels: 1},
		Gate: []finetune.Verdict{{Label: "flower", Kept: true, Before: 0.5, After: 0.75, Low: 0.1, High: 0.4}},
		Made: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Program: "v0",
	}, Tensors: model.Scalars(info.LogScale, info.Bias)}
	if len(args) > 2 {
		a.Card.Base = finetune.Base{Name: args[2], Digest: "0000000000000000"}
	}
	switch a.Card.Depth {
	case finetune.DepthCalibrate:
		a.Labels = []finetune.Tuned{{Name: "Flower", Scale: 0.5, Delta: 3, Threshold: 0.9}, {Name: "gone"}}
	case finetune.DepthHead:
		v, err := m.EmbedTexts(context.Background(), []string{"a cat"})
		ts.Check(err)
		a.Labels = []finetune.Tuned{{Name: "flower", Delta: 1, Vector: v[0]}}
	case finetune.DepthFull:
		bias := make([]float32, m.Config().Text.Width)
		for i := range bias {
			bias[i] = float32(i%7) / 7
		}
		a.Tensors = append(a.Tensors, model.Tensor{Name: "text_model.final_layer_norm.bias", Shape: []int{len(bias)}, Values: bias})
	case finetune.DepthLoRA:
		a.Card.Alpha = 1
		a.LowRank = turned(m.Config())
	}
	path := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(filepath.Dir(path), 0o755))
	ts.Check(finetune.WriteAdapter(path, a))
}

// turned are updates of full rank that are large enough to be seen.
func turned(c model.Config) (list []model.LowRank) {
	n := c.Vision.Width
	for i := range c.Vision.Layers {
		l := model.LowRank{Name: fmt.Sprintf("vision_model.encoder.layers.%d.self_attn.q_proj.weight", i), Out: n, In: n, Rank: n, Alpha: 1}
		l.A, l.B = make([]float32, n*n), make([]float32, n*n)
		for j := range n {
			l.A[j*n+j], l.B[j*n+(j+1)%n] = 1, float32(n)
		}
		list = append(list, l)
	}
	return list
}
