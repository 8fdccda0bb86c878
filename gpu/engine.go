//go:build gpu && cgo && (linux || windows)

package gpu

import (
	"errors"
	"fmt"

	"sigla/backend"
	"sigla/gpu/gl"
)

// engine implements backend.Backend.
type engine struct {
	*queue
	limits  gl.Limits
	info    Info
	tuning  tuning
	storage Storage
	scratch map[string]backend.Buf // memory of operations, by what it is for
	closed  bool

	staging    *staging
	answer     []float32 // what Read has fetched last
	dispatches int
}

// Built says whether this build has the engine.
const Built = true

// Open makes an engine on the first device that will do, if it passes a
// self-test.
func Open(o Options) (Engine, error) {
	q, d, err := newQueue(func(p *pulse) (*device, error) { return openDevice(o, p) })
	if err != nil {
		return nil, err
	}
	e := &engine{queue: q, limits: d.limits, staging: d.staging, scratch: make(map[string]backend.Buf), tuning: untuned(d.limits.Software()), storage: o.Storage,
		info: Info{Renderer: d.limits.Renderer, Version: d.limits.Version, Context: d.context.String(), Software: d.limits.Software()}}
	if err := e.selfTest(); err != nil {
		_ = e.Close() // it would say the same
		return nil, err
	}
	e.tune(o.Cache)
	e.info.FLOPS = e.tuning.fastest() * 1e9
	return e, nil
}

// Info describes the device.
func (e *engine) Info() Info { return e.info }

// Dispatches implements Engine.
func (e *engine) Dispatches() int { return e.dispatches }

// Precision says how precisely it computes.
func (e *engine) Precision() string {
	if e.storage != F32 {
		return "f32, weights in " + e.storage.String()
	}
	return "f32"
}

func (e *engine) String() string {
	if e.info.Software {
		return "gpu:software " + e.info.Renderer
	}
	return "gpu " + e.info.Renderer
}

// Alloc implements backend.Backend: weights are stored as Options say.
func (e *engine) Alloc(n int, use backend.Use) backend.Buf {
	m := &memory{weight: use == backend.Weight, packed: use == backend.Weight && e.storage != F32, bytes: 4 * n}
	if m.packed {
		m.bytes = 4 * ((n + 1) / 2)
	}
	e.add(func(d *device) {
		if d.err == nil {
			d.err = d.store.add(m)
		}
	})
	return backend.Buf{Mem: m, Len: n}
}

// temporary is memory for what an operation keeps between its kernels. It is
// used again by the next: commands are done in order.
func (e *engine) temporary(what string, n int) backend.Buf {
	if e.scratch[what].Len < n {
		e.scratch[what] = e.Alloc(n, backend.Scratch)
	}
	return e.scratch[what].Slice(0, n)
}

// Write implements backend.Backend.
func (e *engine) Write(dst backend.Buf, src []float32) {
	backend.CheckWrite(dst, src)
	if packed(dst) {
		plain := e.temporary("to pack", len(src))
		e.Write(plain, src)
		e.pack(dst, plain)
		return
	}
	e.upload(dst, src)
}

// Read implements backend.Backend.
func (e *engine) Read(dst []float32, src backend.Buf) error {
	backend.CheckRead(dst, src)
	if e.closed {
		return errors.New("read from a closed gpu engine")
	}
	src = e.plain("to read", src)
	for {
		n := min(len(dst), ring/4)
		values, err := e.fetch(src.Slice(0, n))
		if err != nil {
			return &DeviceError{e.info.Renderer, err}
		}
		copy(dst, values)
		if dst, src = dst[n:], src.Slice(n, src.Len-n); len(dst) == 0 {
			return nil
		}
	}
}

// fetch waits for values. They are in memory that is the device's: one that was
// given up may write there whenever it comes back.
func (e *engine) fetch(src backend.Buf) ([]float32, error) {
	if len(e.answer) < src.Len {
		e.answer = make([]float32, src.Len)
	}
	values := e.answer[:src.Len]
	var err error
	answered := e.wait(func(d *device) {
		if d.err == nil {
			d.read(values, src.Mem.(*memory), 4*src.Off)
		}
		err = d.err
	})
	if !answered {
		return nil, e.mute()
	}
	return values, err
}

// Zero implements backend.Backend.
func (e *engine) Zero(dst backend.Buf) {
	if packed(dst) {
		e.Write(dst, make([]float32, dst.Len))
		return
	}
	e.add(func(d *device) {
		if m := dst.Mem.(*memory); dst.Len > 0 && d.use(m, true) {
			gl.Clear(m.id, 4*dst.Off, 4*dst.Len)
		}
	})
}

// Discard implements backend.Backend; no memory is lent.
func (e *engine) Discard(backend.Buf) {}

// Close implements backend.Backend.
func (e *engine) Close() error {
	if e.closed {
		return nil
	}
	e.closed = true
	var err error
	e.add(func(d *device) { err = d.err })
	if !e.queue.close() {
		return &DeviceError{e.info.Renderer, e.mute()}
	}
	if err != nil {
		return &DeviceError{e.info.Renderer, err}
	}
	return nil
}

// run queues a kernel. Its sources are made plain where it cannot read them
// packed.
func (e *engine) run(k kernel) {
	for i, b := range k.bufs {
		if !packed(b) || k.packed[i] {
			continue
		}
		if i == 0 {
			e.add(func(d *device) {
				d.fail(fmt.Errorf("%s writes weights that are stored as %s; train with f32", k.file, e.storage))
			})
			return
		}
		k.bufs[i] = e.plain(fmt.Sprint("plain ", i), b)
	}
	e.dispatches++
	e.add(func(d *device) { d.run(k) })
}

// widest is how many work groups a dimension has at most; devices allow 65,535.
const widest = 32768

// spread lays work groups out in two dimensions, neither of which may be long.
func (k kernel) spread(groups int) kernel {
	k.x = min(groups, widest)
	k.y = (groups + k.x - 1) / k.x
	return k
}

// each lays out one invocation an element, 256 a work group.
func (k kernel) each(n int) kernel { return k.spread((n + 255) / 256) }
