package cli

import (
	"context"
	"fmt"
	"image"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sigla/backend"
	"sigla/model"
	"sigla/model/hub"
)

func (a *app) benchCommand() *cobra.Command {
	var random string
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure what a model costs on this machine",
		Long: `Measure a model: how long it takes to open, to the first embedding, per photo at several batches and per text, and the memory of the whole program; beside it the most that the processor can do, measured in the same run, and the share of it that the model reaches.

--random NAME measures a published model's shape without its weights: a checkpoint with random values is written to a temporary folder first and removed at the end.`,
		Example: "sigla bench\nsigla bench --random google/siglip-base-patch16-224",
		Args:    cobra.NoArgs,
		Run: a.configured(func(ctx context.Context, _ []string) error {
			return a.runBench(ctx, random)
		}),
	}
	cmd.Flags().StringVar(&random, "random", "", "measure random weights of this published model's shape")
	return cmd
}

func (a *app) runBench(ctx context.Context, random string) (err error) {
	var src model.Source
	if random == "" {
		src, err = a.source(ctx)
	} else {
		dir, mkErr := os.MkdirTemp("", "sigla-bench-")
		if mkErr != nil {
			return fmt.Errorf("write random model: %w", mkErr)
		}
		defer os.RemoveAll(dir)
		src, err = randomSource(dir, random)
	}
	if err != nil {
		return err
	}
	return a.measure(ctx, src)
}

// randomSource writes random weights of a published shape to dir.
func randomSource(dir, name string) (model.Source, error) {
	for _, k := range hub.Known() {
		if k.Name != name && !strings.HasSuffix(k.Name, "/"+name) {
			continue
		}
		c, err := shape(k)
		if err == nil {
			err = model.WriteRandom(dir, c, 1)
		}
		if err != nil {
			return nil, err
		}
		src, err := model.Dir(dir)
		return named{src, "random " + k.Name}, err
	}
	return nil, fmt.Errorf("no published model is called %s; \"sigla models\" lists them", name)
}

// shape is what the config.json of a published model says.
func shape(k hub.Checkpoint) (model.Config, error) {
	tower := func(s hub.Shape) model.Tower {
		return model.Tower{Width: s.Width, MLP: s.MLP, Heads: s.Heads, Layers: s.Layers, Eps: 1e-6}
	}
	c := model.Config{
		Vision: tower(k.Vision), Text: tower(k.Text), ImageSize: k.Image, Patch: k.Patch,
		Vocab: k.Vocab, Tokens: k.Tokens, Dim: k.Dim,
	}
	switch k.Kind {
	case "CLIP":
		c.Kind, c.EOS = model.CLIP, 1
		c.Vision.GELU, c.Text.GELU = backend.GELUQuick, backend.GELUQuick
	case "SigLIP", "SigLIP 2":
	default:
		return c, fmt.Errorf("%s: models of kind %s do not run yet", k.Name, k.Kind)
	}
	return c, nil
}

// measure prints one figure a line, the fastest of several runs each.
func (a *app) measure(ctx context.Context, src model.Source) error {
	out := a.output()
	start := time.Now()
	enc, err := a.load(src)
	if err != nil {
		return err
	}
	defer enc.Close()
	opened := time.Since(start)
	info := enc.Info()
	photo, err := enc.Prepare(noise(info.ImageSize))
	if err != nil {
		return err
	}
	if _, err := enc.Embed(ctx, []any{photo}); err != nil {
		return err
	}
	first := time.Since(start)
	peak := enc.engine.Peak()
	text := fmt.Sprintf("model            %s: %.1f M parameters\nengine           %s, %d threads\npeak             %.1f GFLOP/s\nopen             %.0f ms\nfirst embedding  %.0f ms after the start\n",
		info.Name, float64(info.Params)/1e6, enc.Device(), enc.engine.Threads(), peak/1e9, millis(opened), millis(first))
	if err := out.text(text); err != nil {
		return err
	}
	line := func(name string, n int, flops float64, run func() error) error {
		best, err := fastest(ctx, run)
		if err != nil {
			return err
		}
		rate := float64(n) * flops / best.Seconds()
		return out.text(fmt.Sprintf("%-15s  %8.2f ms each  %6.1f GFLOP/s  %3.0f %% of the peak\n", fmt.Sprintf("%s × %d", name, n), millis(best)/float64(n), rate/1e9, 100*rate/peak))
	}
	for _, n := range []int{1, 4, 16} {
		batch := make([]any, n)
		for i := range batch {
			batch[i] = photo
		}
		if err := line("photos", n, info.ImageFLOPs, func() error { _, err := enc.Embed(ctx, batch); return err }); err != nil {
			return err
		}
	}
	texts := make([]string, 16)
	for i := range texts {
		texts[i] = fmt.Sprintf("this is a photo of number %d.", i)
	}
	if err := line("texts", len(texts), info.TextFLOPs, func() error { _, err := enc.Model.EmbedTexts(ctx, texts); return err }); err != nil {
		return err
	}
	return out.text(fmt.Sprintf("memory           %s at most, of the whole program\n", peakMemory()))
}

func millis(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }

// fastest runs something three times, and on until a second has passed.
func fastest(ctx context.Context, run func() error) (time.Duration, error) {
	best, begin := time.Duration(1<<62), time.Now()
	for n := 0; n < 3 || time.Since(begin) < time.Second; n++ {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		start := time.Now()
		if err := run(); err != nil {
			return 0, err
		}
		best = min(best, time.Since(start))
	}
	return best, nil
}

// noise is a photo that is as good as any other to measure with.
func noise(side int) image.Image {
	img := image.NewNRGBA(image.Rect(0, 0, side, side))
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range img.Pix {
		img.Pix[i] = uint8(rng.Uint32())
	}
	return img
}
