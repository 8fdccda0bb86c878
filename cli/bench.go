package cli

import (
	"context"
	"fmt"
	"image"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sigla/backend"
	"sigla/model"
	"sigla/model/hub"
)

func (a *app) benchCommand() *cobra.Command {
	var random, folder string
	var photos int
	var train training
	var cmd *cobra.Command
	cmd = &cobra.Command{
		Use:   "bench",
		Short: "Measure what a model or a catalog costs on this machine",
		Long: `Measure a model: how long it takes to open, to the first embedding, per photo at several batches and per text, and the memory of the whole program; beside it the most that the processor, or the gpu that --device names, can do, measured in the same run, and the share of it that the model reaches, and the share of the rate of the fastest matrix product. Then each operation by itself, of SigLIP base's and the starter's shapes, with as many photos at a time as the device does in a moment, and the losses on as many pairs; on a gpu also what giving it work costs. JSON is one object.

--random NAME measures a published model's shape without its weights: a checkpoint with random values is written to a temporary folder first, by another process, and removed at the end. With --output it is written to a folder that stays, and nothing is measured.

--train full measures training instead, on what trains the towers there: steps that move every weight, on batches of --batch photos of noise and as many texts; --train lora moves updates of rank 8 of the matrices q and v of both towers.

--catalog N measures a catalog instead: N photos of one pixel and a catalog with a vector of 768 values for each are made up and written, likewise. Told are how long it takes to open it, to find that no file has changed, to load and to search all photos and half of them, beside the speed of reading the same memory; how long a step of the bias takes for 50 labels, whose counts are compared with a recount; and the memory of the whole program, without a model.`,
		Example: "sigla bench\nsigla bench --device gpu\nsigla bench --random google/siglip-base-patch16-224\nsigla bench --random google/siglip-base-patch16-224 --output random\nsigla bench --random google/siglip-base-patch16-224 --train lora\nsigla bench --catalog 100000",
		Args:    cobra.NoArgs,
		Run: a.configured(func(ctx context.Context, _ []string) error {
			sample, measure := cmd.Flags().Changed("catalog"), a.bench
			if cmd.Flags().Changed("train") {
				if err := train.check(sample || folder != ""); err != nil {
					return err
				}
				measure = func(ctx context.Context, src model.Source) error { return a.benchTrain(ctx, src, train) }
			}
			switch {
			case cmd.Flags().Changed("batch") && !cmd.Flags().Changed("train"):
				return usagef("bench with --batch: it is of --train")
			case sample && random != "":
				return usagef("bench with --random and --catalog: want one of them")
			case sample && photos < 1:
				return usagef("bench with --catalog %d: want 1 photo or more", photos)
			case sample && folder != "":
				return a.writeCatalog(ctx, folder, photos)
			case sample:
				return a.benchCatalog(ctx, photos)
			case folder != "" && random == "":
				return usagef("bench with --output %s: name what to write there with --random or --catalog", folder)
			case folder != "":
				return a.writeRandom(folder, random)
			case random != "":
				return a.benchRandom(ctx, random, measure)
			}
			src, err := a.source(ctx)
			if err != nil {
				return err
			}
			return measure(ctx, src)
		}),
	}
	cmd.Flags().StringVar(&random, "random", "", "measure random weights of this published model's shape")
	cmd.Flags().StringVarP(&folder, "output", "o", "", "only write the random checkpoint, or the catalog, to this new folder")
	cmd.Flags().StringVar(&train.depth, "train", "", "measure training: full or lora")
	cmd.Flags().IntVar(&train.batch, "batch", 8, "with --train, how many photos and texts a step has")
	cmd.Flags().IntVar(&photos, "catalog", 0, "measure a catalog of so many photos")
	return cmd
}

// benchRandom measures random weights of a published shape.
func (a *app) benchRandom(ctx context.Context, name string, measure func(context.Context, model.Source) error) error {
	k, err := published(name)
	if err != nil {
		return err
	}
	temp, err := os.MkdirTemp("", "sigla-bench-")
	if err != nil {
		return fmt.Errorf("write random model: %w", err)
	}
	defer os.RemoveAll(temp)
	dir := filepath.Join(temp, "model")
	if err := a.writeElsewhere(ctx, "random model", dir, "--random", k.Name); err != nil {
		return err
	}
	src, err := openFolder(dir, "random "+k.Name)
	if err != nil {
		return err
	}
	return measure(ctx, src)
}

// writeElsewhere has a child process write what is to be measured to a folder:
// the most memory that a process has had resident cannot be taken back, and
// writing takes memory of its own.
func (a *app) writeElsewhere(ctx context.Context, what, dir string, args ...string) error {
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("write %s: %w", what, err)
	}
	args = append([]string{"bench", "--output", dir, "--config", os.DevNull}, args...)
	child := exec.CommandContext(ctx, program, args...)
	child.Args[0] = os.Args[0]
	said, err := child.CombinedOutput()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return fmt.Errorf("write %s in another process: %w: %s", what, err, strings.TrimPrefix(strings.TrimSpace(string(said)), "sigla: "))
	}
	return nil
}

// writeRandom writes random weights of a published shape to a new folder.
func (a *app) writeRandom(dir, name string) error {
	k, err := published(name)
	if err != nil {
		return err
	}
	c, err := shape(k)
	if err != nil {
		return err
	}
	// A real checkpoint must not be overwritten by mistake.
	if found, err := os.ReadDir(dir); err == nil && len(found) > 0 {
		return fmt.Errorf("write random model: %s is not empty; name a new folder", dir)
	}
	if err := model.WriteRandom(dir, c, 1); err != nil {
		return err
	}
	return a.output().text(dir + "\n")
}

// published finds a model in the table by its name, with or without its owner.
func published(name string) (hub.Checkpoint, error) {
	for _, k := range hub.Known() {
		if k.Name == name || strings.HasSuffix(k.Name, "/"+name) {
			return k, nil
		}
	}
	return hub.Checkpoint{}, fmt.Errorf("no published model is called %s; \"sigla models\" lists them", name)
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

// benchmark is what a model costs. Times are in milliseconds.
type benchmark struct {
	Model   string     `json:"model"`
	Params  int        `json:"params"`
	Device  string     `json:"device"`
	Threads int        `json:"threads"`
	Peak    float64    `json:"peak_flops"` // a second, of all threads
	Open    float64    `json:"open_ms"`
	First   float64    `json:"first_embedding_ms"` // from the start
	Runs    []benchRun `json:"runs"`
	Memory  int64      `json:"memory_bytes"` // with the model; 0: the system does not tell

	OnDevice deviceMemory `json:"device_memory,omitzero"`

	AtOnce     int              `json:"operations_photos"` // photos that the operations have
	Operations []benchOperation `json:"operations"`
	Product    float64          `json:"product_flops"`    // of the fastest matrix product among them
	Launch     *launchCost      `json:"launch,omitempty"` // nil: there is no device to give work to
}

// benchRun is the fastest of several runs on so many photos or texts at once.
type benchRun struct {
	What  string  `json:"what"`
	Batch int     `json:"batch"`
	Each  float64 `json:"ms_each"`
	Rate  float64 `json:"flops"` // a second
	Share float64 `json:"share_of_peak"`

	OfProduct float64 `json:"share_of_product"`
}

// bench measures a model and prints the result.
func (a *app) bench(ctx context.Context, src model.Source) error {
	start := time.Now()
	enc, err := a.load(ctx, src)
	if err != nil {
		return err
	}
	defer enc.Close()
	b, err := measure(ctx, enc, start)
	if err != nil {
		return err
	}
	return a.output().benchmark(b)
}

// measure measures a model that began to be opened at start.
func measure(ctx context.Context, enc *encoder, start time.Time) (benchmark, error) {
	opened, info := time.Since(start), enc.Info()
	b := benchmark{Model: info.Name, Params: info.Params, Device: enc.Device(), Threads: enc.cpu.Threads(), Open: millis(opened)}
	photo, err := enc.Prepare(noise(info.ImageSize))
	if err != nil {
		return b, err
	}
	if _, err := enc.Embed(ctx, []any{photo}); err != nil {
		return b, err
	}
	b.First = millis(time.Since(start))
	// The clock of a processor falls as it warms up. The higher peak of before
	// and after makes the shares the lower, never above what is true.
	b.Peak = enc.engine.Peak()
	add := func(what string, n int, flops float64, run func() error) error {
		best, err := fastest(ctx, run)
		b.Runs = append(b.Runs, benchRun{What: what, Batch: n, Each: millis(best) / float64(n), Rate: float64(n) * flops / best.Seconds()})
		return err
	}
	b.Launch = &launchCost{Photos: 8}
	for _, n := range batchSizes(enc.Batch()) {
		batch := slices.Repeat([]any{photo}, n)
		if d, ok := enc.engine.(dispatcher); ok && n == b.Launch.Photos {
			before := d.Dispatches()
			if _, err := enc.Embed(ctx, batch); err != nil {
				return b, err
			}
			b.Launch.Count = d.Dispatches() - before
		}
		if err := add("photos", n, info.ImageFLOPs, func() error { _, err := enc.Embed(ctx, batch); return err }); err != nil {
			return b, err
		}
	}
	texts := make([]string, 16)
	for i := range texts {
		texts[i] = fmt.Sprintf("this is a photo of number %d.", i)
	}
	if err := add("texts", len(texts), info.TextFLOPs, func() error { _, err := enc.Model.EmbedTexts(ctx, texts); return err }); err != nil {
		return b, err
	}
	b.Memory, b.OnDevice = peakMemory(), memoryOn(enc.engine)
	if err := b.operations(ctx, enc.engine, 200*time.Millisecond); err != nil {
		return b, err
	}
	b.Peak = max(b.Peak, enc.engine.Peak())
	b.shares()
	return b, nil
}

// batchSizes are how many photos are measured at once by a model that takes so many.
func batchSizes(most int) []int {
	sizes := []int{1, 8, 16}
	if most > 16 {
		sizes = append(sizes, most)
	}
	return sizes
}

// benchmark writes one figure a line; CSV has the runs and the operations only.
func (o *output) benchmark(b benchmark) error {
	if o.format == "json" {
		return o.object(b)
	}
	if o.format == "csv" {
		return o.benchmarkRows(b)
	}
	var text strings.Builder
	fmt.Fprintf(&text, `model            %s: %s parameters
engine           %s
peak             %.1f GFLOP/s
open             %.0f ms
first embedding  %.0f ms after the start
`, b.Model, millions(int64(b.Params)), b.OnDevice.engine(b.Device, b.Threads), b.Peak/1e9, b.Open, b.First)
	for _, r := range b.Runs {
		fmt.Fprintf(&text, "%-15s  %8.2f ms each  %6.1f GFLOP/s  %5.1f %% of the peak  %5.1f %% of the product  %.1f/s\n",
			fmt.Sprintf("%s × %d", r.What, r.Batch), r.Each, r.Rate/1e9, 100*r.Share, 100*r.OfProduct, 1e3/r.Each)
	}
	fmt.Fprintf(&text, "memory           %s at most, of the whole program with the model%s\n", memorySize(b.Memory), b.OnDevice.text())
	if l := b.Launch; l != nil {
		fmt.Fprintf(&text, "launches         %.1f µs each; photos × %d have %d, %.1f %% of their time at most\n", l.Each, l.Photos, l.Count, 100*l.Share)
	}
	fmt.Fprintf(&text, "\noperations, of %d photos at a time; the fastest product %.1f GFLOP/s\n", b.AtOnce, b.Product/1e9)
	for _, op := range b.Operations {
		text.WriteString(op.text())
	}
	return o.text(text.String())
}

func (o *output) benchmarkRows(b benchmark) error {
	if err := o.header("what", "batch", "ms_each", "flops", "share_of_peak", "share_of_product", "bytes_per_second"); err != nil {
		return err
	}
	for _, r := range b.Runs {
		if err := o.row(r.What, strconv.Itoa(r.Batch), formatProbability(r.Each), formatProbability(r.Rate), formatProbability(r.Share), formatProbability(r.OfProduct), ""); err != nil {
			return err
		}
	}
	for _, op := range b.Operations {
		if err := o.row(op.Name, "1", formatProbability(op.Took), formatProbability(op.Rate), formatProbability(op.Share), formatProbability(op.Rate/b.Product), formatProbability(op.Bytes)); err != nil {
			return err
		}
	}
	return nil
}

// memorySize is a number of bytes as text.
func memorySize(bytes int64) string {
	if bytes == 0 {
		return "unknown"
	}
	return megabytes(bytes)
}

func millis(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }

// fastest runs something three times, and on until a second has passed; on a slow
// device less often.
func fastest(ctx context.Context, run func() error) (time.Duration, error) {
	best, begin := time.Duration(1<<62), time.Now()
	for n := 0; n == 0 || n < 3 && time.Since(begin) < 3*time.Second || time.Since(begin) < time.Second; n++ {
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
