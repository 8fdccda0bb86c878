package finetune

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"sigla/model/safetensors"
)

// WritePEFT writes a DepthLoRA as the PEFT library has it, to a new folder:
// adapter_model.safetensors and adapter_config.json. What is known of labels has
// no place there.
func WritePEFT(dir string, a *Adapter) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("export adapter to %s: %w", dir, err)
		}
	}()
	if a.Card.Depth != DepthLoRA || len(a.LowRank) == 0 {
		return fmt.Errorf("its depth is %s: that library knows low-rank updates only", a.Card.Depth)
	}
	if err := a.check(); err != nil {
		return err
	}
	config := peftConfig{
		Type: "LORA", Base: a.Card.Base.Name, Rank: a.LowRank[0].Rank, Alpha: a.Card.Alpha, Bias: "none", Inference: true,
	}
	for _, l := range a.LowRank {
		if l.Rank != config.Rank {
			return errors.New("its updates have several ranks")
		}
		config.Targets = append(config.Targets, strings.TrimSuffix(l.Name, ".weight"))
	}
	data, err := json.MarshalIndent(config, "", "  ")
	if err != nil {
		return err
	}
	if _, err := os.Lstat(dir); err == nil {
		return fs.ErrExist
	}
	part, err := os.MkdirTemp(filepath.Dir(filepath.Clean(dir)), ".sigla-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(part)
	if err := os.WriteFile(filepath.Join(part, "adapter_config.json"), append(data, '\n'), 0o644); err != nil {
		return err
	}
	if err := safetensors.Write(filepath.Join(part, "adapter_model.safetensors"), a.tensors(), map[string]string{"format": "pt"}); err != nil {
		return err
	}
	if err := os.Chmod(part, 0o755); err != nil {
		return err
	}
	return os.Rename(part, dir)
}

// peftConfig is an adapter_config.json.
type peftConfig struct {
	Type      string   `json:"peft_type"`
	Base      string   `json:"base_model_name_or_path"`
	Rank      int      `json:"r"`
	Alpha     float64  `json:"lora_alpha"`
	Targets   []string `json:"target_modules"`
	Dropout   float64  `json:"lora_dropout"`
	Bias      string   `json:"bias"`
	Inference bool     `json:"inference_mode"`
}
