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
	"sigla/gpu"
	"sigla/internal/atomicfile"
)

// An engine computes, and says what it is.
type engine interface {
	backend.Backend
	fmt.Stringer
	Precision() string
	Peak() float64 // floating-point operations a second on registers, measured now
}

// device opens the engine that --device asks for. auto takes a GPU only if it is
// hardware and has been faster than the processor.
func (a *app) device(ctx context.Context, processor *cpu.Engine) (engine, error) {
	storage := gpu.F32
	switch p := a.settings.precision; {
	case p == "bf16":
		storage = gpu.BF16
	case p == "int8":
		return nil, errors.New("compute in int8: no engine does; use --precision f32")
	}
	switch {
	case a.broken.failed.Load() != nil:
		return processor, nil
	case a.wantsGPU():
		return a.gpu(ctx, storage)
	case a.settings.device == "auto" && gpu.Built && a.gpuIsFaster(ctx, processor):
		e, err := gpu.Open(gpu.Options{Storage: storage, Cache: gpuCache()})
		if err == nil {
			return e, nil
		}
		a.complain(fmt.Errorf("open the gpu: %w; going on with the cpu", err))
	}
	if storage != gpu.F32 {
		return nil, fmt.Errorf("compute in %s: the cpu engine has f32 only; use --precision f32", storage)
	}
	return processor, nil
}

// wantsGPU reports whether --device asks for a gpu, and for nothing else.
func (a *app) wantsGPU() bool {
	return a.settings.device == "gpu" || a.settings.device == "gpu:software"
}

// gpu opens the device that --device asks for.
func (a *app) gpu(ctx context.Context, storage gpu.Storage) (engine, error) {
	e, err := openGPU(ctx, gpu.Options{Software: a.settings.device == "gpu:software", Storage: storage, Cache: gpuCache()})
	if err != nil {
		return nil, fmt.Errorf("open device %s: %w; use --device cpu", a.settings.device, err)
	}
	return e, nil
}

// openGPU opens a device that did not end a child process. Tests put another in
// its place: what is to be done when a device fails can be tried without one.
var openGPU = func(ctx context.Context, o gpu.Options) (engine, error) {
	if _, err := probe(ctx, o.Software); err != nil {
		return nil, err
	}
	return gpu.Open(o)
}

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

// A verdict remembers for a driver and a processor which of them is faster.
type verdict struct {
	Driver, Processor string
	GPU               bool
}

// gpuIsFaster compares a matrix product on both. The verdict is kept: asking the
// child again takes longer than opening the device.
func (a *app) gpuIsFaster(ctx context.Context, processor *cpu.Engine) bool {
	path := filepath.Join(gpuCache(), "auto.json")
	name := fmt.Sprintf("%s, %d threads", processor, processor.Threads())
	var v verdict
	data, err := os.ReadFile(path)
	known := err == nil && json.Unmarshal(data, &v) == nil && v.Processor == name
	if known && !v.GPU {
		if info, err := os.Stat(path); err == nil && time.Since(info.ModTime()) < 7*24*time.Hour {
			return false
		}
	}
	p, err := probe(ctx, false)
	if errors.As(err, new(untried)) {
		return false // asked again next time
	}
	if driver := p.Renderer + ", " + p.Version; !known || v.Driver != driver {
		v = verdict{driver, name, p.FLOPS > processor.Peak()}
	}
	if data, err := json.Marshal(v); err == nil && os.MkdirAll(gpuCache(), 0o755) == nil && ctx.Err() == nil {
		_ = atomicfile.Write(path, data, 0o644) // else it is asked again
	}
	return v.GPU
}

// checkGPU tries the device that this build can use.
func (a *app) checkGPU(ctx context.Context) finding {
	p, err := probe(ctx, a.settings.device == "gpu:software")
	if err != nil {
		return finding{"gpu", notable, err.Error() + "; everything runs on the cpu"}
	}
	return finding{"gpu", well, fmt.Sprintf("%s, OpenGL %s through %s; %.0f GFLOP/s", p.Renderer, p.Version, p.Context, p.FLOPS/1e9)}
}
