package cli

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"sigla/finetune"
	"sigla/gpu"
)

// onDevice does work on the device that trains and, if that fails or has failed,
// on the processor. It returns the lesson that it was done with.
func (l *lesson) onDevice(ctx context.Context, work func(*lesson) error) (*lesson, error) {
	l = l.usable()
	err := work(l)
	failed := deviceFailure(err)
	if failed == nil || l.failed != nil || ctx.Err() != nil {
		return l, err
	}
	spare := l.onCPU(failed)
	if err := work(spare); err != nil {
		return l, errors.Join(failed, err)
	}
	return spare, nil
}

// usable is the lesson, or that for the processor if the device that was to train has
// failed.
func (l *lesson) usable() *lesson {
	if failed := l.broken.failed.Load(); failed != nil && l.trainsOnGPU() {
		return l.onCPU(failed)
	}
	return l
}

// onCPU is the lesson for the processor, after a device has failed.
func (l *lesson) onCPU(failed *gpu.DeviceError) *lesson {
	l.broken.failed.Store(failed)
	spare := *l
	spare.failed = failed
	return &spare
}

// trainsOn says what is to train, which if it is a device is not opened for it.
func (l *lesson) trainsOn() (string, error) {
	if l.trainsOnGPU() {
		return l.enc.engine.String(), nil
	}
	open := l.engine
	if l.towers() {
		open = l.towerEngine
	}
	e, err := open()
	if err != nil {
		return "", err
	}
	defer e.Close()
	return described(e), nil
}

// trainingGPU opens the device that trains; nil if the processor does. The model
// is on that device already: one that cannot be opened any more has failed.
func (l *lesson) trainingGPU(ctx context.Context) (engine, error) {
	if !l.trainsOnGPU() {
		return nil, nil
	}
	e, err := l.gpu(ctx, l.trainingStorage(l.setup.Depth))
	if err != nil && ctx.Err() == nil {
		err = &gpu.DeviceError{Renderer: l.gpuName(), Err: err}
	}
	return e, err
}

// trainsOnGPU reports whether a device is to train. auto leaves to the processor
// what takes seconds there.
func (l *lesson) trainsOnGPU() bool {
	auto := l.towers() && l.enc.trains && l.enc.rescue.spare.Load() == nil
	return l.failed == nil && (l.wantsGPU() || auto)
}

// loadToTrain loads the model onto what trains its towers.
func (l *lesson) loadToTrain(ctx context.Context) (*encoder, error) {
	device, err := l.trainingGPU(ctx)
	if err != nil {
		return nil, err
	}
	return l.loadTowers(device, l.src)
}

// linearEngine is what learns on embeddings.
func (l *lesson) linearEngine(ctx context.Context) (engine, error) {
	if device, err := l.trainingGPU(ctx); device != nil || err != nil {
		return device, err
	}
	return l.engine()
}

// once tells each error once: the processor finds photos that cannot be read again.
func once(tell func(error)) func(error) {
	var told sync.Map
	return func(err error) {
		if _, again := told.LoadOrStore(err.Error(), true); !again {
			tell(err)
		}
	}
}

// learner is the method, of which the failure of a device makes another.
func (t *trainRun) learner() method {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.method
}

// rescued does work and, if the device fails at it, again on the processor, with
// what the last checkpoint knows.
func (t *trainRun) rescued(ctx context.Context, work func(method) error) error {
	m := t.learner()
	err := work(m)
	if fell, err := t.fallBack(ctx, m, err); !fell {
		return err
	}
	return work(t.learner())
}

// fallBack has the processor take the place of a method, once, if err says that
// its device has failed, and reports whether it does; else it returns err.
func (t *trainRun) fallBack(ctx context.Context, was method, err error) (bool, error) {
	failed := deviceFailure(err)
	if failed == nil || ctx.Err() != nil {
		return false, err
	}
	t.falling.Lock()
	defer t.falling.Unlock()
	if t.learner() != was {
		return true, nil
	}
	if t.failed != nil {
		return false, err
	}
	m, err := t.onCPU(failed).newMethod(ctx)
	if err != nil {
		return false, errors.Join(failed, fmt.Errorf("go on with the cpu: %w", err))
	}
	if towers, ok := m.(*towerMethod); ok {
		towers.Follow(was.(*towerMethod).Towers)
	}
	run := t.current()
	if err := run.Replace(m); err != nil {
		return false, errors.Join(failed, fmt.Errorf("go on with the cpu: %w", err), m.close())
	}
	_ = was.close() // it has told already
	t.mu.Lock()
	defer t.mu.Unlock()
	t.method = m
	t.say(failed)
	return true, nil
}

// say tells of a device that has failed with the next event and, if nobody has,
// at once.
func (t *trainRun) say(failed *gpu.DeviceError) {
	t.note = fmt.Sprintf("on the cpu from step %d: %s failed: %v", t.run.Step(), failed.Renderer, failed.Err)
	t.run.Note(t.note)
	t.untold = !t.broken.told.Swap(true)
}

// warn tells at once what nobody has told.
func (t *trainRun) warn(w finetune.Watch) {
	t.mu.Lock()
	untold, note := t.untold, t.note
	t.untold = false
	t.mu.Unlock()
	if untold && w.Warn != nil {
		w.Warn(errors.New(note))
	}
}

// told is what say has told; "" if nothing.
func (t *trainRun) told() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.note
}
