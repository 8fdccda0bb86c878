package model

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sigla/model/safetensors"
)

// WriteInitial writes a checkpoint of a shape as it is before any training to a
// folder, with the tokenizer of src. The paper begins with t' = log 10 and
// b = −10 (Zhai et al. 2023, section 3.2).
//
// The matrices of the blocks are uniform with the variance 2/(in + out) (Glorot &
// Bengio 2010), what else is multiplied is normal with 1/in, tables of tokens and
// positions are normal with 1/width; biases are zero.
func WriteInitial(dir string, c Config, src Source, logScale, bias float32, seed uint64) error {
	if c.Stem != nil {
		return fmt.Errorf("write model to train from scratch: a stem is not supported, for it is not trained")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("write model to train from scratch: %w", err)
	}
	files := map[string][]byte{}
	for _, name := range companions {
		if data, err := src.Bytes(name); err == nil && !slices.Contains([]string{"config.json", "preprocessor_config.json", "processor_config.json"}, name) {
			files[name] = data
		}
	}
	var err error
	if files["config.json"], err = json.MarshalIndent(c.fields(), "", "  "); err == nil {
		files["preprocessor_config.json"], err = json.MarshalIndent(c.preprocessor(), "", "  ")
	}
	for name, data := range files {
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), data, 0o644)
		}
	}
	if err != nil {
		return fmt.Errorf("write model to train from scratch: %w", err)
	}
	var p params
	var tensors []safetensors.Tensor
	rng := rand.New(rand.NewPCG(seed, 3))
	for _, t := range p.list(c) {
		values := make([]float32, t.len())
		switch t.name {
		case scaleName:
			values[0] = logScale
		case biasName:
			values[0] = bias
		default:
			t.initial(values, rng)
		}
		tensors = append(tensors, safetensors.Tensor{Name: t.name, Type: safetensors.F32, Shape: t.shape, Data: littleEndian(values)})
	}
	return safetensors.Write(filepath.Join(dir, singleFile), tensors, nil)
}

// initial draws the values of a tensor. See WriteInitial.
func (t tensor) initial(values []float32, rng *rand.Rand) {
	out := t.shape[0]
	in := t.len() / out
	if v, ok := t.known(); ok {
		for i := range values {
			values[i] = v
		}
		return
	}
	normal := func(variance float64) {
		for i := range values {
			values[i] = float32(math.Sqrt(variance) * rng.NormFloat64())
		}
	}
	uniform := func(variance float64) {
		for i := range values {
			values[i] = float32(math.Sqrt(3*variance) * (2*rng.Float64() - 1))
		}
	}
	switch {
	case strings.HasSuffix(t.name, "bias"):
	case strings.Contains(t.name, "_embedding.weight") && len(t.shape) == 2, strings.HasSuffix(t.name, "class_embedding"):
		normal(1 / float64(t.shape[len(t.shape)-1]))
	case strings.HasSuffix(t.name, "probe"):
		uniform(2 / float64(1+in))
	case strings.Contains(t.name, ".in_proj_"):
		uniform(2 / float64(in+out/3)) // three square matrices
	case strings.Contains(t.name, ".layers.") || strings.Contains(t.name, "vision_model.head."):
		uniform(2 / float64(in+out))
	default: // the patches' and the text head
		normal(1 / float64(in))
	}
}

// preprocessor is the preprocessor_config.json of a shape that has no own one.
func (c Config) preprocessor() map[string]any {
	return map[string]any{"size": map[string]int{"height": c.ImageSize, "width": c.ImageSize}, "resample": 3}
}
