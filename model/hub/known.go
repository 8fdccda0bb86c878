package hub

import "fmt"

// A Checkpoint is a row of the table of published models.
type Checkpoint struct {
	Name    string // on the hub
	Kind    string // "SigLIP", "SigLIP 2", "SigLIP 2 NaFlex" or "CLIP"
	Params  int64
	Input   string // what it looks at, for a reader: "224×224"
	Tokens  int    // length of a text in tokens
	Vocab   int    // rows of the token table
	License string // of the weights
	Size    int64  // bytes of the weights, published as float32

	// What config.json says, for a model of the same shape without its weights.
	Image, Patch int // sides in pixels; NaFlex: Image is that of the position table
	Vision, Text Shape
	Dim          int // of the space that both towers map to
}

// Shape is that of one transformer encoder.
type Shape struct {
	Width, Layers, Heads, MLP int
}

const (
	sigLIP  = "SigLIP"
	sigLIP2 = "SigLIP 2"
	naFlex  = "SigLIP 2 NaFlex"
	clip    = "CLIP"

	apache = "Apache-2.0"
	mit    = "MIT"
)

type towers struct {
	vision, text Shape
	dim          int
}

func twins(s Shape) towers { return towers{s, s, s.Width} }

var (
	base   = twins(Shape{768, 12, 12, 3072})
	large  = twins(Shape{1024, 24, 16, 4096})
	so400m = twins(Shape{1152, 27, 16, 4304})
	giant  = towers{Shape{1536, 40, 16, 6144}, so400m.text, 1536}

	clipB   = towers{base.vision, Shape{512, 12, 8, 2048}, 512}
	clipL   = towers{large.vision, Shape{768, 12, 12, 3072}, 768}
	clipH   = towers{Shape{1280, 32, 16, 5120}, Shape{1024, 24, 16, 4096}, 1024}
	clipBiG = towers{Shape{1664, 48, 16, 8192}, Shape{1280, 32, 20, 5120}, 1280}
)

// table holds the published checkpoints. The parameters are those that the
// published files count, which the shapes must explain: see its test.
var table = []struct {
	name, kind    string
	arch          towers
	patch, image  int
	vocab, tokens int
	params        int64
	license       string
}{
	{"google/siglip-base-patch16-224", sigLIP, base, 16, 224, 32000, 64, 203_155_970, apache},
	{"google/siglip-base-patch16-256", sigLIP, base, 16, 256, 32000, 64, 203_202_050, apache},
	{"google/siglip-base-patch16-384", sigLIP, base, 16, 384, 32000, 64, 203_447_810, apache},
	{"google/siglip-base-patch16-512", sigLIP, base, 16, 512, 32000, 64, 203_791_874, apache},
	{"google/siglip-base-patch16-256-multilingual", sigLIP, base, 16, 256, 250000, 64, 370_626_050, apache},
	{"google/siglip-large-patch16-256", sigLIP, large, 16, 256, 32000, 64, 652_150_786, apache},
	{"google/siglip-large-patch16-384", sigLIP, large, 16, 384, 32000, 64, 652_478_466, apache},
	{"google/siglip-so400m-patch14-224", sigLIP, so400m, 14, 224, 32000, 16, 877_360_306, apache},
	{"google/siglip-so400m-patch14-384", sigLIP, so400m, 14, 384, 32000, 64, 877_960_498, apache},
	{"google/siglip-so400m-patch16-256-i18n", sigLIP, so400m, 16, 256, 250000, 64, 1_127_430_706, apache},

	{"google/siglip2-base-patch32-256", sigLIP2, base, 32, 256, 256000, 64, 376_856_066, apache},
	{"google/siglip2-base-patch16-224", sigLIP2, base, 16, 224, 256000, 64, 375_187_970, apache},
	{"google/siglip2-base-patch16-256", sigLIP2, base, 16, 256, 256000, 64, 375_234_050, apache},
	{"google/siglip2-base-patch16-384", sigLIP2, base, 16, 384, 256000, 64, 375_479_810, apache},
	{"google/siglip2-base-patch16-512", sigLIP2, base, 16, 512, 256000, 64, 375_823_874, apache},
	{"google/siglip2-base-patch16-naflex", naFlex, base, 16, 256, 256000, 64, 375_234_050, apache},
	{"google/siglip2-large-patch16-256", sigLIP2, large, 16, 256, 256000, 64, 881_526_786, apache},
	{"google/siglip2-large-patch16-384", sigLIP2, large, 16, 384, 256000, 64, 881_854_466, apache},
	{"google/siglip2-large-patch16-512", sigLIP2, large, 16, 512, 256000, 64, 882_313_218, apache},
	{"google/siglip2-so400m-patch14-224", sigLIP2, so400m, 14, 224, 256000, 64, 1_135_463_602, apache},
	{"google/siglip2-so400m-patch14-384", sigLIP2, so400m, 14, 384, 256000, 64, 1_136_008_498, apache},
	{"google/siglip2-so400m-patch16-256", sigLIP2, so400m, 16, 256, 256000, 64, 1_135_670_962, apache},
	{"google/siglip2-so400m-patch16-384", sigLIP2, so400m, 16, 384, 256000, 64, 1_136_039_602, apache},
	{"google/siglip2-so400m-patch16-512", sigLIP2, so400m, 16, 512, 256000, 64, 1_136_555_698, apache},
	{"google/siglip2-so400m-patch16-naflex", naFlex, so400m, 16, 256, 256000, 64, 1_135_670_962, apache},
	{"google/siglip2-giant-opt-patch16-256", sigLIP2, giant, 16, 256, 256000, 64, 1_871_393_906, apache},
	{"google/siglip2-giant-opt-patch16-384", sigLIP2, giant, 16, 384, 256000, 64, 1_871_885_426, apache},

	{"openai/clip-vit-base-patch32", clip, clipB, 32, 224, 49408, 77, 151_277_313, mit},
	{"openai/clip-vit-base-patch16", clip, clipB, 16, 224, 49408, 77, 149_620_737, mit},
	{"openai/clip-vit-large-patch14", clip, clipL, 14, 224, 49408, 77, 427_616_513, mit},
	{"openai/clip-vit-large-patch14-336", clip, clipL, 14, 336, 49408, 77, 427_944_193, mit},
	{"laion/CLIP-ViT-B-32-laion2B-s34B-b79K", clip, clipB, 32, 224, 49408, 77, 151_277_313, mit},
	{"laion/CLIP-ViT-H-14-laion2B-s32B-b79K", clip, clipH, 14, 224, 49408, 77, 986_109_441, mit},
	{"laion/CLIP-ViT-bigG-14-laion2B-39B-b160k", clip, clipBiG, 14, 224, 49408, 77, 2_539_567_105, mit},
}

// Known returns the table of published checkpoints, families together.
func Known() []Checkpoint {
	rows := make([]Checkpoint, len(table))
	for i, r := range table {
		input := fmt.Sprintf("%d×%d", r.image, r.image)
		if r.kind == naFlex {
			side := r.image / r.patch
			input = fmt.Sprintf("any shape, ≤ %d patches", side*side)
		}
		rows[i] = Checkpoint{
			Name: r.name, Kind: r.kind, Params: r.params, Input: input,
			Tokens: r.tokens, Vocab: r.vocab, License: r.license, Size: 4 * r.params,
			Image: r.image, Patch: r.patch, Vision: r.arch.vision, Text: r.arch.text, Dim: r.arch.dim,
		}
	}
	return rows
}
