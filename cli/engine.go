package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"

	"sigla/assets"
	"sigla/cpu"
	"sigla/model"
)

// encoder is a model on its engine.
type encoder struct {
	*model.Model
	engine  *cpu.Engine
	texts   *textCache // nil: none
	adapter *adapter   // nil: none
}

// EmbedTexts embeds texts, or finds them embedded already.
func (e *encoder) EmbedTexts(ctx context.Context, texts []string) ([][]float32, error) {
	if e.texts == nil {
		return e.Model.EmbedTexts(ctx, texts)
	}
	return e.texts.embed(ctx, e.Model, texts)
}

// Device says where and how precisely it computes: "cpu avx512 · f32".
func (e *encoder) Device() string { return e.engine.String() + " · " + e.engine.Precision() }

// open loads the model and the adapter that the settings name, the model fetched
// from the hub if need be.
func (a *app) open(ctx context.Context) (*encoder, error) {
	src, err := a.source(ctx)
	if err != nil {
		return nil, err
	}
	return a.use(src)
}

// use loads a model with the adapter that the settings name.
func (a *app) use(src model.Source) (*encoder, error) {
	e, err := a.load(src)
	if err != nil {
		return nil, err
	}
	d, err := a.openAdapter(e.Model.Info())
	if d != nil {
		err = e.adapt(d)
	}
	if err != nil {
		return nil, errors.Join(err, e.Close())
	}
	if d != nil {
		a.adapted = d.name
		e.texts = newTextCache(e.Model.Info(), e.Device(), src)
	}
	return e, nil
}

// load puts a model onto the engine that the settings name.
func (a *app) load(src model.Source) (*encoder, error) {
	engine, err := a.engine()
	if err != nil {
		return nil, err
	}
	return a.loadOn(engine, src)
}

// loadOn puts a model onto an engine, which closes with it.
func (a *app) loadOn(engine *cpu.Engine, src model.Source) (*encoder, error) {
	m, err := model.Load(engine, src)
	if err != nil {
		return nil, errors.Join(err, engine.Close())
	}
	if !a.isStarter() {
		// Packing the weights for the engine took as much again for a moment.
		// The runtime would keep it for a quarter of an hour of idling.
		debug.FreeOSMemory()
	}
	e := &encoder{Model: m, engine: engine}
	e.texts = newTextCache(m.Info(), e.Device(), src)
	return e, nil
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

// engine opens the engine that --device, SIGLA_CPU and SIGLA_THREADS ask for.
func (a *app) engine() (*cpu.Engine, error) {
	switch d := a.settings.device; d {
	case "gpu", "gpu:software":
		return nil, fmt.Errorf("open device %s: this program was built without GPU; use --device cpu", d)
	}
	switch p := a.settings.precision; p {
	case "bf16", "int8":
		return nil, fmt.Errorf("compute in %s: the cpu engine has f32 only; use --precision f32", p)
	}
	return a.cpuEngine(false)
}

// trainingEngine is engine for training, which multiplies in bf16 where the
// processor is faster at it, unless f32 is asked for.
func (a *app) trainingEngine() (*cpu.Engine, error) {
	switch p := a.settings.precision; p {
	case "auto", "", "bf16":
		return a.cpuEngine(true)
	case "int8":
		return nil, fmt.Errorf("train in %s: want --precision f32 or bf16", p)
	}
	return a.engine()
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
