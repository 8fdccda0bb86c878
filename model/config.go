package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"sigla/backend"
	"sigla/model/preprocess"
)

// Kind is a family of checkpoints.
type Kind uint8

const (
	// SigLIP pools photos by attention and texts by their last position, and
	// has a bias: a sigmoid per pair (Zhai et al. 2023).
	SigLIP Kind = iota
	// CLIP has a class token, a causal text tower pooled at the end token, and
	// no bias: a softmax over the labels (Radford et al. 2021).
	CLIP
)

func (k Kind) String() string { return [...]string{"SigLIP", "CLIP"}[k] }

// Config is the shape of a checkpoint, as its config.json tells it.
type Config struct {
	Kind         Kind
	Vision, Text Tower

	ImageSize, Patch int // side of the input and of a patch, in pixels
	Vocab, Tokens    int // rows of the token table, length every text is padded to
	Dim              int // width of the shared embedding space
	EOS              int // end token that CLIP pools at; 2 stands for the largest id

	// NoHead says that texts are not projected: their width is Dim already.
	// Files of the first multilingual SigLIP lack the tensor.
	NoHead bool

	Stem *StemConfig // convolutions before the patches; nil in published checkpoints
}

// Tower is the shape of one transformer encoder.
type Tower struct {
	Width, MLP, Heads, Layers int
	Eps                       float32
	GELU                      backend.Activation
}

// HeadDim is the width of one attention head.
func (t Tower) HeadDim() int { return t.Width / t.Heads }

// Grid is the number of patches along one side. Pixels that do not fill a
// patch are ignored, as the reference's valid convolution does.
func (c Config) Grid() int { return c.ImageSize / c.Patch }

// Patches is the number of image tokens.
func (c Config) Patches() int { return c.Grid() * c.Grid() }

// ImageTokens is the length of the image tower's sequence.
func (c Config) ImageTokens() int {
	if c.Kind == CLIP {
		return 1 + c.Patches()
	}
	return c.Patches()
}

// PatchLen is the number of values that the patch embedding reads per token.
func (c Config) PatchLen() int {
	if c.Stem != nil {
		return c.Stem.Out
	}
	return 3 * c.Patch * c.Patch
}

// gemmaVocab is the size of the vocabulary that SigLIP 2 took over from Gemma
// (Tschannen et al. 2025, section 2); its config.json is a SigLIP's otherwise.
const gemmaVocab = 256000

// family is the one whose image processor has the defaults of this checkpoint.
func (c Config) family() preprocess.Family {
	switch {
	case c.Kind == CLIP:
		return preprocess.CLIP
	case c.Vocab == gemmaVocab:
		return preprocess.SigLIP2
	}
	return preprocess.SigLIP
}

// towerJSON holds the fields that both towers share. A missing field has the
// default of the reference library's configuration classes.
type towerJSON struct {
	Width  int     `json:"hidden_size"`
	MLP    int     `json:"intermediate_size"`
	Layers int     `json:"num_hidden_layers"`
	Heads  int     `json:"num_attention_heads"`
	Act    string  `json:"hidden_act"`
	Eps    float64 `json:"layer_norm_eps"`
}

type configJSON struct {
	Type string `json:"model_type"`
	Dim  int    `json:"projection_dim"`
	Text struct {
		towerJSON
		Vocab  int  `json:"vocab_size"`
		Tokens int  `json:"max_position_embeddings"`
		Proj   int  `json:"projection_size"`
		EOS    int  `json:"eos_token_id"`
		NoHead bool `json:"no_head"`
	} `json:"text_config"`
	Vision struct {
		towerJSON
		Image    side      `json:"image_size"`
		Patch    side      `json:"patch_size"`
		Channels int       `json:"num_channels"`
		Head     bool      `json:"vision_use_head"`
		Stem     *stemJSON `json:"stem"`
	} `json:"vision_config"`
}

// defaults of the reference library's classes, by model_type.
func (j *configJSON) defaults(kind Kind) {
	tower := towerJSON{Width: 768, MLP: 3072, Layers: 12, Heads: 12, Act: "gelu_pytorch_tanh", Eps: 1e-6}
	j.Text.towerJSON, j.Text.Vocab, j.Text.Tokens = tower, 32000, 64
	j.Vision.towerJSON, j.Vision.Image, j.Vision.Patch, j.Vision.Channels, j.Vision.Head = tower, 224, 16, 3, true
	if kind == CLIP {
		tower.Act, tower.Eps = "quick_gelu", 1e-5
		j.Vision.towerJSON, j.Vision.Patch, j.Dim = tower, 32, 512
		tower.Width, tower.MLP, tower.Heads = 512, 2048, 8
		j.Text.towerJSON, j.Text.Vocab, j.Text.Tokens, j.Text.EOS = tower, 49408, 77, 49407
	}
}

// side is a length that newer files write as a list of two equal numbers.
type side int

func (s *side) UnmarshalJSON(data []byte) error {
	var list []int
	if json.Unmarshal(data, &list) == nil {
		if len(list) != 2 || list[0] != list[1] {
			return fmt.Errorf("%s is not the side of a square", data)
		}
		*s = side(list[0])
		return nil
	}
	var n int
	if err := json.Unmarshal(data, &n); err != nil {
		return err
	}
	*s = side(n)
	return nil
}

// ErrNoTextTower says that a checkpoint has an image tower alone.
var ErrNoTextTower = errors.New("it has no text tower: labels are texts, so it can neither score photos nor learn at any depth; use the checkpoint that has both towers")

// ParseConfig reads a config.json of model_type siglip (every SigLIP checkpoint
// and every fixed-resolution SigLIP 2) or clip.
func ParseConfig(data []byte) (Config, error) {
	var head struct {
		Type string `json:"model_type"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return Config{}, fmt.Errorf("read config.json: %w", err)
	}
	kind, ok := map[string]Kind{"siglip": SigLIP, "clip": CLIP}[head.Type]
	if strings.HasSuffix(head.Type, "_vision_model") {
		return Config{}, fmt.Errorf("read config.json: %w", ErrNoTextTower)
	}
	if !ok {
		return Config{}, fmt.Errorf("read config.json: model_type %q is not supported; siglip and clip are", head.Type)
	}
	var j configJSON
	j.defaults(kind)
	if err := json.Unmarshal(data, &j); err != nil {
		return Config{}, fmt.Errorf("read config.json: %w", err)
	}
	c := Config{
		Kind: kind, ImageSize: int(j.Vision.Image), Patch: int(j.Vision.Patch),
		Vocab: j.Text.Vocab, Tokens: j.Text.Tokens, Dim: j.Vision.Width, EOS: j.Text.EOS, NoHead: j.Text.NoHead,
	}
	if kind == CLIP {
		c.Dim, j.Text.Proj = j.Dim, j.Dim
	}
	var err error
	if c.Vision, err = j.Vision.tower("vision_config"); err != nil {
		return Config{}, err
	}
	if c.Text, err = j.Text.tower("text_config"); err != nil {
		return Config{}, err
	}
	if j.Vision.Stem != nil {
		if c.Stem, err = j.Vision.Stem.config(); err != nil {
			return Config{}, err
		}
	}
	return c, c.check(&j)
}

// limit bounds every number of a config.json, so that a product of a few of
// them cannot overflow.
const limit = 1 << 20

func (c Config) check(j *configJSON) error {
	proj := j.Text.Proj
	if proj == 0 || c.NoHead {
		proj = j.Text.Width
	}
	for _, f := range []struct {
		name string
		n    int
	}{
		{"image_size", c.ImageSize}, {"patch_size", c.Patch}, {"vocab_size", c.Vocab},
		{"max_position_embeddings", c.Tokens}, {"projection_size", proj},
	} {
		if f.n < 1 || f.n > limit {
			return fmt.Errorf("read config.json: %s is %d", f.name, f.n)
		}
	}
	switch {
	case c.Grid() < 1 || c.Grid() > 1024:
		return fmt.Errorf("read config.json: image_size %d does not fit patch_size %d", c.ImageSize, c.Patch)
	case j.Vision.Channels != 3:
		return fmt.Errorf("read config.json: num_channels is %d, want 3", j.Vision.Channels)
	case !j.Vision.Head:
		return fmt.Errorf("read config.json: vision_use_head is false: without its pooling head the model has no image embedding")
	case proj != c.Dim:
		return fmt.Errorf("read config.json: text projects to %d values, images have %d", proj, c.Dim)
	case c.Stem != nil && c.Kind == CLIP:
		return fmt.Errorf("read config.json: CLIP with a stem is not supported")
	case c.Stem != nil && c.Stem.stride() != c.Patch:
		return fmt.Errorf("read config.json: the stem shrinks by %d, patch_size is %d", c.Stem.stride(), c.Patch)
	}
	return nil
}

func (j towerJSON) tower(name string) (Tower, error) {
	t := Tower{Width: j.Width, MLP: j.MLP, Heads: j.Heads, Layers: j.Layers, Eps: float32(j.Eps)}
	kinds := map[string]backend.Activation{
		"gelu_pytorch_tanh": backend.GELUTanh, "gelu_new": backend.GELUTanh, "gelu": backend.GELUErf, "quick_gelu": backend.GELUQuick,
	}
	kind, ok := kinds[j.Act]
	t.GELU = kind
	switch {
	case !ok:
		return t, fmt.Errorf("read config.json: %s.hidden_act %q is not known", name, j.Act)
	case t.Width < 1 || t.Width > limit || t.MLP < 1 || t.MLP > limit || t.Layers < 0 || t.Layers > 1024:
		return t, fmt.Errorf("read config.json: %s has width %d, MLP %d, %d layers", name, t.Width, t.MLP, t.Layers)
	case t.Heads < 1 || t.Width%t.Heads != 0:
		return t, fmt.Errorf("read config.json: %s: width %d does not split into %d heads", name, t.Width, t.Heads)
	case !(j.Eps > 0 && j.Eps < 1):
		return t, fmt.Errorf("read config.json: %s.layer_norm_eps is %g", name, j.Eps)
	}
	return t, nil
}
