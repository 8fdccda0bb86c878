package cli

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"sigla/backend"
	"sigla/finetune"
	"sigla/model"
)

// training is what bench trains, and on how many photos a step.
type training struct {
	depth string
	batch int
}

func (t training) check(others bool) error {
	switch {
	case t.depth != "full" && t.depth != "lora":
		return usagef("bench with --train %s: want full or lora", t.depth)
	case t.batch < 1:
		return usagef("bench with --batch %d: want 1 or more", t.batch)
	case others:
		return usagef("bench with --train and --catalog or --output: want one of them")
	}
	return nil
}

// start prepares a model for the training, and tells how many multiplications
// of weights a step has for each of the forward pass: another for the gradient
// of the input, and one for that of the weights if they move.
func (t training) start(m *model.Model) (tr *model.Trainer, passes float64, err error) {
	if t.depth == "full" {
		tr, err = m.NewTrainer()
		return tr, 3, err
	}
	tr, err = m.NewLoRA(model.LoRA{Rank: 8, Alpha: 16, Targets: []string{"q", "v"}, Image: true, Text: true})
	return tr, 2, err
}

// trainBenchmark is what a step of training costs: the gradient of the sigmoid
// loss of a batch through both towers, and AdamW. Times are of the fastest of
// several steps, in milliseconds.
type trainBenchmark struct {
	Model    string  `json:"model"`
	Params   int     `json:"params"`
	Device   string  `json:"device"`
	Threads  int     `json:"threads"`
	Peak     float64 `json:"peak_flops"` // a second, of all threads, in float32
	Depth    string  `json:"depth"`
	Batch    int     `json:"batch"`
	Steps    int     `json:"steps"`
	Gradient float64 `json:"gradient_ms"`
	Update   float64 `json:"update_ms"`
	Pairs    float64 `json:"pairs_per_second"`
	Rate     float64 `json:"flops"` // a second
	Share    float64 `json:"share_of_peak"`
	Memory   int64   `json:"memory_bytes"` // 0: the system does not tell

	OnDevice deviceMemory `json:"device_memory,omitzero"`
}

// benchTrain measures steps of training.
func (a *app) benchTrain(ctx context.Context, src model.Source, t training) error {
	device, err := a.benchedGPU(ctx, t.depth)
	if err != nil {
		return err
	}
	enc, err := a.loadTowers(device, src)
	if err != nil {
		return err
	}
	defer enc.Close()
	info := enc.Info()
	b := trainBenchmark{Model: info.Name, Params: info.Params, Device: enc.Device(), Threads: enc.cpu.Threads(), Depth: t.depth, Batch: t.batch}
	tr, passes, err := t.start(enc.Model)
	if err != nil {
		return err
	}
	batch, err := noiseBatch(enc.Model, t.batch)
	if err != nil {
		return err
	}
	b.Peak = enc.engine.Peak()
	best, err := b.steps(ctx, tr, batch)
	if err != nil {
		return err
	}
	b.Pairs = float64(t.batch) / best.Seconds()
	b.Rate = passes * (info.ImageFLOPs + info.TextFLOPs) * b.Pairs
	b.Peak, b.Memory, b.OnDevice = max(b.Peak, enc.engine.Peak()), peakMemory(), memoryOn(enc.engine)
	b.Share = b.Rate / b.Peak
	return a.output().trainBenchmark(b)
}

// benchedGPU opens the device that trains the towers; nil if the processor does.
func (a *app) benchedGPU(ctx context.Context, depth string) (engine, error) {
	if err := a.checkTrainingPrecision(); err != nil {
		return nil, err
	}
	if a.settings.device == "auto" {
		processor, err := a.engine()
		if err != nil {
			return nil, err
		}
		defer processor.Close()
		if !a.verdict(ctx, processor).trains(a.settings.precision) {
			return nil, nil
		}
	} else if !a.wantsGPU() {
		return nil, nil
	}
	e, err := a.gpu(ctx, a.trainingStorage(finetune.Depth(depth)))
	if err != nil {
		err = fmt.Errorf("%w; use --device cpu", err)
	}
	return e, err
}

// steps makes a step for the memory to be there, then three and on until two
// seconds have passed. It returns how long the fastest took.
func (b *trainBenchmark) steps(ctx context.Context, tr *model.Trainer, batch model.Batch) (best time.Duration, err error) {
	begin := time.Now()
	for ; b.Steps < 4 || time.Since(begin) < 2*time.Second; b.Steps++ {
		start := time.Now()
		if _, err := tr.Add(ctx, batch); err != nil {
			return 0, err
		}
		added := time.Now()
		if err := tr.Step(backend.Adam{LR: 1e-6, Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, Scale: 1, Step: b.Steps + 1}, false); err != nil {
			return 0, err
		}
		if took := time.Since(start); b.Steps > 0 && (best == 0 || took < best) {
			best, b.Gradient, b.Update = took, millis(added.Sub(start)), millis(time.Since(added))
		}
	}
	return best, nil
}

// noiseBatch is n photos of noise, each with a text of its own.
func noiseBatch(m *model.Model, n int) (model.Batch, error) {
	b := model.Batch{Pairs: backend.Pairs{Default: -1, Diagonal: true}}
	for i := range n {
		photo, err := m.Prepare(noise(m.Info().ImageSize))
		if err != nil {
			return b, err
		}
		ids, _ := m.Tokenize(fmt.Sprintf("this is a photo of number %d.", i))
		b.Images, b.IDs = append(b.Images, photo), append(b.IDs, ids)
	}
	return b, nil
}

// trainBenchmark writes one figure a line.
func (o *output) trainBenchmark(b trainBenchmark) error {
	switch o.format {
	case "json":
		return o.object(b)
	case "csv":
		if err := o.header("depth", "batch", "gradient_ms", "update_ms", "pairs_per_second", "flops", "share_of_peak", "memory_bytes", "device_memory_bytes"); err != nil {
			return err
		}
		return o.row(b.Depth, strconv.Itoa(b.Batch), formatProbability(b.Gradient), formatProbability(b.Update), formatProbability(b.Pairs),
			formatProbability(b.Rate), formatProbability(b.Share), strconv.FormatInt(b.Memory, 10), strconv.Itoa(b.OnDevice.Bytes))
	}
	return o.text(fmt.Sprintf(`model     %s: %s parameters
engine    %s
peak      %.1f GFLOP/s in f32
step      %s, %.0f ms of gradient and %.0f ms of AdamW for %d pairs; the fastest of %d
speed     %.2f pairs/s, %.1f GFLOP/s, %.0f %% of the peak
memory    %s at most, of the whole program%s
`, b.Model, millions(int64(b.Params)), b.OnDevice.engine(b.Device, b.Threads), b.Peak/1e9, b.Depth, b.Gradient, b.Update, b.Batch, b.Steps,
		b.Pairs, b.Rate/1e9, 100*b.Share, memorySize(b.Memory), b.OnDevice.text()))
}
