package finetune

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"sigla/model"
	"sigla/model/safetensors"
)

func TestWritePEFT(t *testing.T) {
	parent := t.TempDir()
	dir, a := filepath.Join(parent, "peft"), adapters()[DepthLoRA]
	if err := WritePEFT(dir, a); err != nil {
		t.Fatal(err)
	}
	if err := WritePEFT(dir, a); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over another: %v", err)
	}
	data, err := os.ReadFile(filepath.Join(dir, "adapter_config.json"))
	if err != nil {
		t.Fatal(err)
	}
	var config map[string]any
	if err := json.Unmarshal(data, &config); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"peft_type": "LORA", "base_model_name_or_path": "starter", "r": 1.0, "lora_alpha": 4.0, "lora_dropout": 0.0, "bias": "none", "inference_mode": true,
		"target_modules": []any{"vision_model.encoder.layers.1.self_attn.q_proj"},
	}
	if !reflect.DeepEqual(config, want) {
		t.Errorf("%v", config)
	}
	f, err := safetensors.Open(filepath.Join(dir, "adapter_model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if len(f.Names()) != 4 {
		t.Errorf("tensors %v", f.Names())
	}

	a.LowRank = append(a.LowRank, model.LowRank{Name: "x.weight", Out: 1, In: 1, Rank: 2, Alpha: 4, A: []float32{1, 2}, B: []float32{1, 2}})
	for what, a := range map[string]*Adapter{"several ranks": a, "a head": adapters()[DepthHead]} {
		if err := WritePEFT(filepath.Join(parent, "other"), a); err == nil {
			t.Errorf("%s: exported", what)
		}
	}
	if list, _ := os.ReadDir(parent); len(list) != 1 {
		t.Errorf("left behind: %v", list)
	}
}
