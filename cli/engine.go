package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"sigla/assets"
	"sigla/cpu"
	"sigla/gpu"
	"sigla/model"
)

// encoder is a model on its engine. If that is a gpu and fails, the model is
// loaded again onto the processor, and what was asked for is done there.
type encoder struct {
	*model.Model
	engine  engine
	cpu     *cpu.Engine      // compares vectors; it is engine, too, where there is no other
	texts   *textCache       // nil: none
	adapter *adapter         // nil: none
	failed  *gpu.DeviceError // instead of which engine is the processor's; nil: none
	trains  bool             // engine is a gpu, and to train the towers

	rescue *rescue
}

// A breakdown is what has become of a device that failed. It is not asked again by
// this process, and told of once.
type breakdown struct {
	failed atomic.Pointer[gpu.DeviceError] // nil: it has not
	told   atomic.Bool
}

// A rescue loads a model again.
type rescue struct {
	reload func() (*model.Model, error)
	device *breakdown
	tell   func(error) // of a device that has failed; nil: Device says so
	mu     sync.Mutex  // while it runs
	spare  atomic.Pointer[model.Model]
}

// Embed embeds prepared photos.
func (e *encoder) Embed(ctx context.Context, batch []any) ([][]float32, error) {
	return rescued(e, func(m *model.Model) ([][]float32, error) { return m.Embed(ctx, batch) })
}

// EmbedTexts embeds texts, or finds them embedded already.
func (e *encoder) EmbedTexts(ctx context.Context, texts []string) ([][]float32, error) {
	return rescued(e, func(m *model.Model) ([][]float32, error) {
		if e.texts == nil || m != e.Model {
			return m.EmbedTexts(ctx, texts)
		}
		return e.texts.embed(ctx, m, texts)
	})
}

// rescued runs work, and once more on the processor if the device fails.
func rescued[T any](e *encoder, work func(m *model.Model) (T, error)) (T, error) {
	m := e.rescue.spare.Load()
	if m == nil {
		result, err := work(e.Model)
		failed := deviceFailure(err)
		if failed == nil {
			return result, err
		}
		if m, err = e.fallBack(failed); err != nil {
			return result, errors.Join(failed, err)
		}
	}
	return work(m)
}

// deviceFailure is the failure of a device in err; nil if it is none.
func deviceFailure(err error) *gpu.DeviceError {
	var failed *gpu.DeviceError
	errors.As(err, &failed)
	return failed
}

// isDeviceFailure is for what Close returns: what a device fails at by then, nobody
// waits for.
func isDeviceFailure(err error) bool { return deviceFailure(err) != nil }

// fallBack loads the model onto the processor, once.
func (e *encoder) fallBack(failed *gpu.DeviceError) (*model.Model, error) {
	e.rescue.mu.Lock()
	defer e.rescue.mu.Unlock()
	if m := e.rescue.spare.Load(); m != nil {
		return m, nil
	}
	m, err := e.rescue.reload()
	if err == nil && e.adapter != nil {
		if err = m.Apply(e.adapter.Patch()); err != nil {
			err = errors.Join(err, m.Close())
		}
	}
	if err != nil {
		return nil, fmt.Errorf("go on with the cpu: %w", err)
	}
	e.rescue.spare.Store(m)
	e.rescue.device.failed.Store(failed)
	if e.rescue.tell != nil {
		e.rescue.tell(failed)
	}
	return m, nil
}

// described is what an engine is and how precisely it computes.
func described(e engine) string { return e.String() + " · " + e.Precision() }

// Device says where and how precisely it computes: "cpu avx512 · f32". It never
// waits.
func (e *encoder) Device() string {
	if e.rescue.spare.Load() != nil {
		return described(e.cpu) + " (" + e.engine.String() + " failed)"
	}
	where := described(e.engine)
	if e.failed != nil {
		where += " (" + e.failed.Renderer + " failed)"
	}
	return where
}

// tellFailure has the failure of the device told, also if it was before.
func (e *encoder) tellFailure(tell func(error)) {
	e.rescue.tell = func(err error) {
		if !e.rescue.device.told.Swap(true) {
			tell(fmt.Errorf("%w; the cpu goes on", err))
		}
	}
	if e.failed != nil {
		e.rescue.tell(e.failed)
	}
}

// closeEngines frees both engines.
func (e *encoder) closeEngines() error {
	err := e.engine.Close()
	if e.engine != engine(e.cpu) {
		err = errors.Join(err, e.cpu.Close())
	}
	return err
}

// Close frees the engines and unmaps the weights.
func (e *encoder) Close() error {
	var errs []error
	if m := e.rescue.spare.Load(); m != nil {
		errs = append(errs, m.Close())
	}
	errs = append(errs, apart(e.Model.Close())...)
	errs = slices.DeleteFunc(errs, isDeviceFailure)
	if e.engine != engine(e.cpu) {
		errs = append(errs, e.cpu.Close())
	}
	return errors.Join(errs...)
}

// open loads the model and the adapter that the settings name, the model fetched
// from the hub if need be.
func (a *app) open(ctx context.Context) (*encoder, error) {
	src, err := a.source(ctx)
	if err != nil {
		return nil, err
	}
	told := a.adapted != ""
	e, err := a.use(ctx, src)
	if err != nil {
		return nil, err
	}
	e.tellFailure(a.complain)
	if !told {
		a.tellDefault(e)
	}
	return e, nil
}

// use loads a model with the adapter that the settings name.
func (a *app) use(ctx context.Context, src model.Source) (*encoder, error) {
	e, err := a.load(ctx, src)
	if err != nil {
		return nil, err
	}
	d, err := a.openAdapter(e.Model.Info())
	if d != nil {
		err = e.adapt(d)
	}
	if failed := deviceFailure(err); failed != nil && a.broken.failed.CompareAndSwap(nil, failed) {
		if err := e.Close(); err != nil {
			return nil, err
		}
		return a.use(ctx, src) // on the processor
	}
	if err != nil {
		return nil, errors.Join(err, e.Close())
	}
	if d != nil {
		a.adapted = d.name
		e.rescue.reload = d.again(e.rescue.reload, e.Model.Info().Digest)
		e.texts = newTextCache(e.Model.Info(), e.Device(), src)
	}
	return e, nil
}

// load puts a model onto the engine that the settings name.
func (a *app) load(ctx context.Context, src model.Source) (*encoder, error) {
	processor, err := a.engine()
	if err != nil {
		return nil, err
	}
	device, trains, err := a.device(ctx, processor)
	if err != nil {
		return nil, errors.Join(err, processor.Close())
	}
	e, err := a.loadOn(device, processor, src)
	failed := deviceFailure(err)
	if failed == nil {
		if err == nil {
			e.trains = trains
			if device == engine(processor) {
				e.failed = a.broken.failed.Load()
			}
		}
		return e, err
	}
	a.broken.failed.Store(failed)
	if processor, err = a.engine(); err == nil { // the other is closed
		e, err = a.loadOn(processor, processor, src)
	}
	if err != nil {
		return nil, errors.Join(failed, err)
	}
	e.failed = failed
	return e, nil
}

// loadOn puts a model onto an engine, which closes with it, as does the
// processor's beside it.
func (a *app) loadOn(device engine, processor *cpu.Engine, src model.Source) (*encoder, error) {
	var err error
	e := &encoder{engine: device, cpu: processor, rescue: &rescue{reload: func() (*model.Model, error) { return a.loadOnCPU(src) }, device: &a.broken}}
	if e.Model, err = model.Load(e.engine, src); err != nil {
		return nil, errors.Join(err, e.closeEngines())
	}
	if !a.isStarter() {
		// Packing the weights for the engine took as much again for a moment.
		// The runtime would keep it for a quarter of an hour of idling.
		debug.FreeOSMemory()
	}
	e.texts = newTextCache(e.Info(), e.Device(), src)
	return e, nil
}

// loadOnCPU puts a model onto the processor.
func (a *app) loadOnCPU(src model.Source) (*model.Model, error) {
	processor, err := a.engine()
	if err != nil {
		return nil, err
	}
	m, err := model.Load(processor, src)
	if err != nil {
		return nil, errors.Join(err, processor.Close())
	}
	return m, nil
}

// starter is the built-in model.
func starter() model.Source { return model.Memory("starter", assets.Starter()) }

// isStarter reports whether the user named no other model.
func (a *app) isStarter() bool { return a.settings.model == "" || a.settings.model == "starter" }

// source finds the model that the settings name: the starter, a folder, or a
// model of the hub, which is fetched if it is not on this machine.
func (a *app) source(ctx context.Context) (model.Source, error) {
	name := a.settings.model
	if a.isStarter() {
		return starter(), nil
	}
	if isHubName(name) {
		return a.hubSource(ctx, name)
	}
	return openFolder(name, filepath.Clean(name))
}

// engine opens the processor's engine as SIGLA_CPU and SIGLA_THREADS ask for.
func (a *app) engine() (*cpu.Engine, error) {
	return a.cpuEngine(false)
}

// towerEngine is engine for training the towers, which multiplies in bf16 where the
// processor is faster at it, unless f32 is asked for.
func (a *app) towerEngine() (*cpu.Engine, error) {
	if err := a.checkTrainingPrecision(); err != nil {
		return nil, err
	}
	return a.cpuEngine(a.settings.precision != "f32")
}

func (a *app) checkTrainingPrecision() error {
	if p := a.settings.precision; p == "int8" {
		return fmt.Errorf("train in %s: want --precision f32 or bf16", p)
	}
	return nil
}

// loadTowers loads a model onto a device that is to train its towers, or, if that
// is nil, onto the processor.
func (a *app) loadTowers(device engine, src model.Source) (*encoder, error) {
	if device == nil {
		processor, err := a.towerEngine()
		if err != nil {
			return nil, err
		}
		return a.loadOn(processor, processor, src)
	}
	processor, err := a.engine()
	if err != nil {
		return nil, errors.Join(err, device.Close())
	}
	return a.loadOn(device, processor, src)
}

func (a *app) cpuEngine(bf16 bool) (*cpu.Engine, error) {
	o := cpu.Options{Level: os.Getenv("SIGLA_CPU"), Threads: a.threads, BF16: bf16}
	if text := os.Getenv("SIGLA_THREADS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return nil, usagef("SIGLA_THREADS=%q: want a number of threads, 1 or more", text)
		}
		o.Threads = n
	}
	return cpu.New(o)
}
