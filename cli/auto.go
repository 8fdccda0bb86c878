package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sigla/backend/speed"
	"sigla/cpu"
	"sigla/gpu"
	"sigla/internal/atomicfile"
)

// A verdict remembers for a driver and a processor how fast they multiply, in
// floating-point operations a second. auto takes what is faster.
type verdict struct {
	Format            int // verdictFormat; a file that says another is of another program
	Driver, Processor string

	Device   float64 // a matrix product; 0: there is no device that will do
	Peak     float64 // the processor on registers, in float32
	Training float64 // a matrix product of the processor as it trains towers; 0: not asked
}

const verdictFormat = 2

// faster reports whether the device is to compute: it does better than the
// processor can at best.
func (v verdict) faster() bool { return v.Device > v.Peak }

// trains reports whether the device is to train the towers, too: the processor
// does that in bf16 where it has products for it, about twice as fast, unless
// precision asks for float32.
func (v verdict) trains(precision string) bool {
	return v.faster() && (precision == "f32" || v.Device > v.Training)
}

// words say what auto makes of it.
func (v verdict) words(precision string) string {
	cpu := fmt.Sprintf("the cpu does %.0f at best", v.Peak/1e9)
	switch {
	case !v.faster():
		return cpu + ": auto leaves everything to it"
	case v.trains(precision):
		return cpu + ": auto computes and trains on the gpu"
	}
	return fmt.Sprintf("%s, and %.0f as it trains: auto computes on the gpu and trains on the cpu", cpu, v.Training/1e9)
}

// verdict compares a matrix product on both. It is kept: to measure takes longer
// than to open the device. Where there is none, a child asks again after a week.
func (a *app) verdict(ctx context.Context, processor *cpu.Engine) verdict {
	if v, known := keptVerdict(processor); known && !v.faster() {
		if info, err := os.Stat(verdictPath()); err == nil && time.Since(info.ModTime()) < 7*24*time.Hour {
			return v
		}
	}
	p, err := probeGPU(ctx, false)
	if !gpu.Built && err != nil || errors.As(err, new(untried)) {
		return verdict{} // nothing to keep: a build that can asks for itself, or the next start
	}
	return a.compare(ctx, p, processor)
}

// compare is the verdict on a device that has just been tried, measured if the one
// that is kept is of another. The zero probed is no device.
func (a *app) compare(ctx context.Context, p probed, processor *cpu.Engine) verdict {
	v, known := keptVerdict(processor)
	if driver := p.Renderer + ", " + p.Version; !known || v.Driver != driver {
		v = verdict{Format: verdictFormat, Driver: driver, Processor: processorName(processor), Device: p.FLOPS}
		if v.Device > 0 {
			v.Peak = processor.Peak()
		}
		if v.faster() {
			v.Training = a.trainingRate()
		}
	}
	if data, err := json.Marshal(v); err == nil && os.MkdirAll(gpuCache(), 0o755) == nil && ctx.Err() == nil {
		_ = atomicfile.Write(verdictPath(), data, 0o644) // else it is asked again
	}
	return v
}

// keptVerdict reads the verdict that is kept, if it is of this processor.
func keptVerdict(processor *cpu.Engine) (v verdict, known bool) {
	data, err := os.ReadFile(verdictPath())
	known = err == nil && json.Unmarshal(data, &v) == nil && v.Format == verdictFormat && v.Processor == processorName(processor)
	return v, known
}

func verdictPath() string { return filepath.Join(gpuCache(), "auto.json") }

func processorName(e *cpu.Engine) string { return fmt.Sprintf("%s, %d threads", e, e.Threads()) }

// trainingRate is the fastest matrix product of the processor as it trains towers:
// of a projection, its gradient by the input, and that by the weights.
func (a *app) trainingRate() float64 {
	e, err := a.cpuEngine(true)
	if err != nil {
		return 0 // load says so
	}
	defer e.Close()
	best, stage := 0.0, speed.NewStage(e)
	for _, o := range speed.Operations(4) {
		if strings.HasPrefix(o.Name, "MatMul/base projection") {
			if took, err := stage.Time(o, 50*time.Millisecond); err == nil {
				best = max(best, o.FLOPs/took.Seconds())
			}
		}
	}
	return best
}
