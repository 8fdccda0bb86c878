package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/adrg/xdg"
	"github.com/spf13/cobra"

	"sigla/backend"
	"sigla/cpu"
	"sigla/finetune"
	"sigla/gpu"
)

// An engine computes, and says what it is.
type engine interface {
	backend.Backend
	fmt.Stringer
	Precision() string
	Peak() float64 // floating-point operations a second on registers, measured now
}

// device opens the engine that --device asks for, and says whether it is to train
// the towers, too. auto takes a GPU only if it is hardware and has been faster than
// the processor.
func (a *app) device(ctx context.Context, processor *cpu.Engine) (e engine, trains bool, err error) {
	storage := gpu.F32
	switch p := a.settings.precision; {
	case p == "bf16":
		storage = gpu.BF16
	case p == "int8":
		return nil, false, errors.New("compute in int8: no engine does; use --precision f32")
	}
	if a.broken.failed.Load() != nil {
		return processor, false, nil
	}
	if a.wantsGPU() {
		if e, err = a.gpu(ctx, storage); err != nil {
			err = fmt.Errorf("%w; use --device cpu", err)
		}
		return e, true, err
	}
	if a.settings.device == "auto" {
		if v := a.verdict(ctx, processor); v.faster() {
			if e, err = a.gpu(ctx, storage); err == nil {
				return e, v.trains(a.settings.precision), nil
			}
			a.broken.failed.Store(&gpu.DeviceError{Renderer: a.gpuName(), Err: err})
			if !a.broken.told.Swap(true) {
				a.complain(fmt.Errorf("%w; going on with the cpu", err))
			}
			return processor, false, nil
		}
	}
	if storage != gpu.F32 {
		return nil, false, fmt.Errorf("compute in %s: the cpu embeds in f32 only, and trains in bf16 where that is faster; use --precision auto", storage)
	}
	return processor, false, nil
}

// wantsGPU reports whether --device asks for a gpu, and for nothing else.
func (a *app) wantsGPU() bool {
	return a.settings.device == "gpu" || a.settings.device == "gpu:software"
}

// trainingStorage is how a device that trains stores weights. Only those of depth
// lora do not change: others would by less than 8 bits show.
func (a *app) trainingStorage(depth finetune.Depth) gpu.Storage {
	if depth == finetune.DepthLoRA && a.settings.precision == "bf16" {
		return gpu.BF16
	}
	return gpu.F32
}

// gpuName is what a device is called before it says what it is.
func (a *app) gpuName() string {
	if a.wantsGPU() {
		return a.settings.device
	}
	return "gpu"
}

// gpu opens the device that --device asks for, or that auto has tried already.
func (a *app) gpu(ctx context.Context, storage gpu.Storage) (e engine, err error) {
	o := gpu.Options{Software: a.settings.device == "gpu:software", Storage: storage, Cache: gpuCache()}
	if a.wantsGPU() {
		_, err = probeGPU(ctx, o.Software)
	}
	if err == nil {
		e, err = openGPU(ctx, o)
	}
	if err != nil {
		return nil, fmt.Errorf("open device %s: %w", a.gpuName(), err)
	}
	return e, nil
}

// probeGPU asks for a device where a crash costs nothing, and openGPU opens it.
// Tests put others in their place: what is done with a device that is fast, or
// fails, can be tried without one.
var (
	probeGPU = probe
	openGPU  = func(_ context.Context, o gpu.Options) (engine, error) { return gpu.Open(o) }
)

// gpuCache is where the gpu engine keeps what it has compiled and measured.
func gpuCache() string { return filepath.Join(xdg.CacheHome, "sigla", "gpu") }

// A probed is what a child process found out about a device.
type probed struct {
	Renderer string  `json:"renderer"`
	Version  string  `json:"version"`
	Context  string  `json:"context"`
	FLOPS    float64 `json:"flops"` // of a matrix product
	Error    string  `json:"error,omitempty"`
}

const probeName = "probe-gpu"

// probeCommand opens a device where a crash costs nothing: drivers that are
// broken end the process that calls them.
func (a *app) probeCommand() *cobra.Command {
	software := false
	cmd := &cobra.Command{
		Use:    probeName,
		Short:  "Open the GPU and say what it is",
		Hidden: true,
		Args:   cobra.NoArgs,
		Run: a.run(func(context.Context, []string) error {
			var p probed
			e, err := gpu.Open(gpu.Options{Software: software, Cache: gpuCache()})
			if err != nil {
				p.Error = err.Error()
			} else {
				info := e.Info()
				p = probed{Renderer: info.Renderer, Version: info.Version, Context: info.Context, FLOPS: info.FLOPS}
				if err := e.Close(); err != nil {
					p.Error = err.Error()
				}
			}
			return json.NewEncoder(a.stdout).Encode(p)
		}),
	}
	cmd.Flags().BoolVar(&software, "software", false, "the driver that computes on the processor")
	return cmd
}

// probe asks a child process for a device.
func probe(ctx context.Context, software bool) (probed, error) {
	if !gpu.Built {
		_, err := gpu.Open(gpu.Options{Software: software})
		return probed{}, err
	}
	args := []string{probeName}
	if software {
		args = append(args, "--software")
	}
	out, err := askAgain(ctx, args)
	if err != nil {
		return probed{}, err
	}
	var p probed
	last := out[bytes.LastIndexByte(bytes.TrimSpace(out), '\n')+1:] // drivers print, too
	if err := json.Unmarshal(last, &p); err != nil || p.Renderer == "" && p.Error == "" {
		return probed{}, untried{fmt.Errorf("try the gpu: the process that did has answered %.60q", firstLine(string(out)))}
	}
	if p.Error != "" {
		return probed{}, errors.New(p.Error)
	}
	return p, nil
}

// untried is why a child process has found out nothing about the device.
type untried struct{ error }

func (u untried) Unwrap() error { return u.error }

// probeTime is how long a device may take to open, compile and be measured. With a
// driver that does nothing at all the child itself loses its patience sooner.
var probeTime = 2 * time.Minute

// probeGrace is for a child to end that was killed, and for what it has started to
// let go of its output.
const probeGrace = 3 * time.Second

// This program, as a variable for tests.
var executable = os.Executable

// askAgain runs this program again and returns what it prints. Nobody waits for a
// process that cannot be ended, because its driver holds it in the system.
func askAgain(ctx context.Context, args []string) ([]byte, error) {
	self, err := executable()
	if err != nil {
		return nil, untried{fmt.Errorf("try the gpu: %w", err)}
	}
	within, cancel := context.WithCancel(ctx)
	cmd := exec.CommandContext(within, self, args...)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &out, &said, probeGrace
	ended := make(chan struct{})
	go func() {
		err = cmd.Run()
		close(ended)
	}()
	defer func() {
		cancel()
		select {
		case <-ended:
		case <-time.After(probeGrace):
		}
	}()
	const parts = 120 // counted, so that a stop of this process is one at most
	tick := time.NewTicker(probeTime / parts)
	defer tick.Stop()
	for range parts {
		select {
		case <-ended:
			return out.Bytes(), endOfProbe(err, firstLine(said.String()))
		case <-ctx.Done():
			return nil, untried{ctx.Err()}
		case <-tick.C:
		}
	}
	return nil, fmt.Errorf("the driver has not answered for %v", probeTime)
}

// endOfProbe says what the end of a child means, which said something.
func endOfProbe(err error, said string) error {
	if err == nil || errors.Is(err, exec.ErrWaitDelay) {
		return nil
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return untried{fmt.Errorf("try the gpu: %w", err)}
	}
	if said != "" {
		err = fmt.Errorf("%w: %s", err, said)
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && (byOthers(status.Signal()) || byOthers(syscall.Signal(exit.ExitCode()-exitSignal))) {
		return untried{fmt.Errorf("try the gpu: the process that did was ended: %w", err)}
	}
	return fmt.Errorf("the driver ended the process that tried it: %w", err)
}

// byOthers reports whether a signal ends a process for nothing that it did.
func byOthers(s syscall.Signal) bool {
	return slices.Contains([]syscall.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL}, s)
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}

// checkGPU tries the device that this build can use, and says how auto decides.
func (a *app) checkGPU(ctx context.Context) finding {
	p, err := probeGPU(ctx, a.settings.device == "gpu:software")
	switch {
	case err != nil && a.wantsGPU():
		return finding{"gpu", broken, err.Error() + "; use --device cpu"}
	case err != nil:
		return finding{"gpu", notable, err.Error() + "; everything runs on the cpu"}
	}
	is := fmt.Sprintf("%s, OpenGL %s through %s; %.0f GFLOP/s", p.Renderer, p.Version, p.Context, p.FLOPS/1e9)
	processor, err := a.engine()
	if err != nil || a.settings.device != "auto" {
		return finding{"gpu", well, is}
	}
	defer processor.Close()
	return finding{"gpu", well, is + "; " + a.compare(ctx, p, processor).words(a.settings.precision)}
}
