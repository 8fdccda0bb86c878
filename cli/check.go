package cli

import (
	"context"
	"fmt"
	"image"
	"math"
	"strings"
)

// checked is what a check of a model finds out.
type checked struct {
	Name       string  `json:"name"`
	Kind       string  `json:"kind"`
	Digest     string  `json:"digest"`
	Params     int     `json:"params"`
	Input      int     `json:"image_size"`
	Tokens     int     `json:"text_length"`
	Width      int     `json:"width"`
	TPrime     float32 `json:"t_prime"`
	Scale      float64 `json:"temperature"` // exp(t')
	Bias       float32 `json:"bias"`
	ImageFLOPs float64 `json:"image_flops"`
	Memory     int64   `json:"memory_bytes"` // 0: the system does not tell
	Device     string  `json:"device"`
}

// runCheck opens the model that the settings name, tests it and describes it.
func (a *app) runCheck(ctx context.Context) error {
	enc, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer enc.Close()
	enc.texts = nil // every text is to be computed
	if err := selfTest(ctx, enc); err != nil {
		return fmt.Errorf("check model %s: %w", enc.Info().Name, err)
	}
	i := enc.Info()
	c := checked{
		Name: i.Name, Kind: i.Kind, Digest: i.Digest, Params: i.Params, Input: i.ImageSize, Tokens: i.TextLen, Width: i.Width,
		TPrime: i.LogScale, Scale: math.Exp(float64(i.LogScale)), Bias: i.Bias, ImageFLOPs: i.ImageFLOPs,
		Memory: peakMemory(), Device: enc.Device(),
	}
	out := a.output()
	if out.format == "json" {
		return out.object(c)
	}
	return out.text(fmt.Sprintf(`model        %s
kind         %s
digest       %s
t', b        %.6f (exp(t') = %.4f), %.6f
input        %d×%d pixels, %d tokens
embedding    %d values
parameters   %s
a photo      %.1f GFLOP
memory       %s at most, of the whole program during this check
device       %s
self-test    passed
`, c.Name, c.Kind, c.Digest, c.TPrime, c.Scale, c.Bias, c.Input, c.Input, c.Tokens, c.Width, millions(int64(c.Params)), c.ImageFLOPs/1e9, memorySize(c.Memory), c.Device))
}

// selfTest embeds a picture and texts alone and in company: results must be
// unit vectors of finite values that do not depend on the batch, in any bit.
func selfTest(ctx context.Context, enc *encoder) error {
	photo, err := enc.Prepare(noise(enc.Info().ImageSize))
	if err != nil {
		return err
	}
	blank, err := enc.Prepare(image.NewGray(image.Rect(0, 0, 8, 8)))
	if err != nil {
		return err
	}
	alone, err := enc.Embed(ctx, []any{photo})
	if err != nil {
		return err
	}
	together, err := enc.Embed(ctx, []any{blank, photo})
	if err != nil {
		return err
	}
	if err := sameUnit("the picture", alone[0], together[1]); err != nil {
		return err
	}
	const text = "this is a photo of a cat."
	one, err := enc.EmbedTexts(ctx, []string{text})
	if err != nil {
		return err
	}
	three, err := enc.EmbedTexts(ctx, []string{"", strings.Repeat("dog ", 100), text})
	if err != nil {
		return err
	}
	return sameUnit("the text", one[0], three[2])
}

// sameUnit holds two embeddings of one thing against each other.
func sameUnit(what string, a, b []float32) error {
	sum, apart := 0.0, 0.0
	for i := range a {
		sum += float64(a[i]) * float64(a[i])
		apart = max(apart, math.Abs(float64(a[i])-float64(b[i])))
	}
	switch {
	case !(math.Abs(sum-1) < 1e-3):
		return fmt.Errorf("%s has an embedding of length %g, not 1", what, math.Sqrt(sum))
	case apart != 0:
		return fmt.Errorf("%s has another embedding in a batch: %g apart", what, apart)
	}
	return nil
}
