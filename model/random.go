package model

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"sigla/backend"
	"sigla/model/safetensors"
)

// WriteRandom writes a checkpoint of a shape to a folder, in the published
// layout, with random weights: what a model costs can be measured without it.
// Its tokenizer is Unigram whatever the kind, with made-up pieces.
func WriteRandom(dir string, c Config, seed uint64) error {
	if c.Stem != nil {
		return fmt.Errorf("write random model: a stem is not supported")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("write random model: %w", err)
	}
	for name, v := range map[string]any{
		"config.json": c.fields(), "tokenizer.json": randomTokenizer(c.Vocab),
		"tokenizer_config.json":    map[string]any{"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "</s>", "eos_token": "</s>"},
		"preprocessor_config.json": c.preprocessor(),
	} {
		data, err := json.Marshal(v)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), data, 0o644)
		}
		if err != nil {
			return fmt.Errorf("write random model: %w", err)
		}
	}
	var p params
	return safetensors.Write(filepath.Join(dir, singleFile), randomTensors(p.list(c), seed), nil)
}

// randomTensors gives the listed tensors values that keep activations in range:
// spread 0.02, as such models are initialised, except the few that known
// returns. All are cut from one run of values, each tensor from another place
// of it, so that a model of 10 GB takes the memory of its largest tensor.
func randomTensors(list []tensor, seed uint64) []safetensors.Tensor {
	const step = 4099 // of places; a prime, so that no two matrices have rows in common
	size := 0
	for _, t := range list {
		size = max(size, t.len())
	}
	rng, run := rand.New(rand.NewPCG(seed, 1)), make([]byte, 4*(size+step*len(list)))
	for at := 0; at < len(run); at += 4 {
		v := 0.02 * math.Sqrt(3) * (2*rng.Float64() - 1)
		binary.LittleEndian.PutUint32(run[at:], math.Float32bits(float32(v)))
	}
	tensors := make([]safetensors.Tensor, len(list))
	for i, t := range list {
		data := run[4*step*i:][:4*t.len()]
		if v, ok := t.known(); ok {
			data = bytes.Repeat(binary.LittleEndian.AppendUint32(nil, math.Float32bits(v)), t.len())
		}
		tensors[i] = safetensors.Tensor{Name: t.name, Type: safetensors.F32, Shape: t.shape, Data: data}
	}
	return tensors
}

// known is the value of a tensor that is not initialised at random.
func (t tensor) known() (value float32, ok bool) {
	switch {
	case strings.Contains(t.name, "norm") && strings.HasSuffix(t.name, "weight"):
		return 1, true
	case t.name == scaleName:
		return float32(math.Log(100)), true
	case t.name == biasName:
		return -10, true
	}
	return 0, false
}

// fields is the config.json of a shape.
func (c Config) fields() map[string]any {
	tower := func(t Tower) map[string]any {
		act := map[backend.Activation]string{backend.GELUTanh: "gelu_pytorch_tanh", backend.GELUErf: "gelu", backend.GELUQuick: "quick_gelu"}[t.GELU]
		return map[string]any{
			"hidden_size": t.Width, "intermediate_size": t.MLP, "num_hidden_layers": t.Layers,
			"num_attention_heads": t.Heads, "hidden_act": act, "layer_norm_eps": t.Eps,
		}
	}
	text, vision := tower(c.Text), tower(c.Vision)
	text["vocab_size"], text["max_position_embeddings"] = c.Vocab, c.Tokens
	text["projection_size"], text["eos_token_id"], text["no_head"] = c.Dim, c.EOS, c.NoHead
	vision["image_size"], vision["patch_size"] = c.ImageSize, c.Patch
	return map[string]any{
		"model_type": strings.ToLower(c.Kind.String()), "projection_dim": c.Dim,
		"text_config": text, "vision_config": vision,
	}
}

// randomTokenizer has a piece for each letter and words that nobody writes.
func randomTokenizer(vocab int) map[string]any {
	pieces := [][2]any{{"<pad>", 0}, {"</s>", 0}, {"<unk>", 0}, {"▁", -2}}
	for r := 'a'; r <= 'z'; r++ {
		pieces = append(pieces, [2]any{string(r), -3})
	}
	for i := len(pieces); i < vocab; i++ {
		pieces = append(pieces, [2]any{fmt.Sprintf("▁%d", i), -10})
	}
	return map[string]any{
		"model":         map[string]any{"type": "Unigram", "unk_id": 2, "vocab": pieces[:vocab]},
		"normalizer":    map[string]any{"type": "Lowercase"},
		"pre_tokenizer": map[string]any{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": false},
		"post_processor": map[string]any{
			"type":           "TemplateProcessing",
			"single":         []any{map[string]any{"Sequence": map[string]any{"id": "A"}}, map[string]any{"SpecialToken": map[string]any{"id": "</s>"}}},
			"special_tokens": map[string]any{"</s>": map[string]any{"id": "</s>", "ids": []int{1}}},
		},
	}
}
