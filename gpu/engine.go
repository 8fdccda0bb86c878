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
	dispatches int
}

// Built says whether this build has the engine.
const Built = true

// Open makes an engine on the first device that will do, if it passes a
// self-test.
func Open(o Options) (Engine, error) {
	q, d, err := newQueue(func() (*device, error) { return openDevice(o) })
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
	var err error
	e.wait(func(d *device) {
		if d.err == nil {
			d.read(dst, src.Mem.(*memory), 4*src.Off)
		}
		err = d.err
	})
	if err != nil {
		return &DeviceError{e.info.Renderer, err}
	}
	return nil
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
	e.wait(func(d *device) { err = d.err })
	e.queue.close()
	return err
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
	if k.groups == 0 {
		e.dispatch(k)
		return
	}
	sizes, each := k.sizes, k.cost()/float64(k.groups)
	most := int(max(1, min(widest, e.tuning.work()/each)))
	for first := 0; first < k.groups; first += most {
		k.sizes = make([]int32, 16)
		copy(k.sizes, sizes)
		k.sizes[15] = int32(first)
		k.x, k.y = min(most, k.groups-first), 1
		k.work = each * float64(k.x)
		e.dispatch(k)
	}
}

// dispatch queues a kernel that goes in one.
func (e *engine) dispatch(k kernel) {
	k.share = k.work / e.tuning.work()
	e.dispatches++
	e.add(func(d *device) { d.run(k) })
}

// widest is how many work groups a dimension has at most; devices allow 65,535.
const widest = 32768

// cost is what the work of a kernel counts as, in floating point operations.
func (k kernel) cost() float64 {
	if k.work > 0 {
		return k.work
	}
	values := 0
	for _, b := range k.bufs {
		values += b.Len
	}
	return perValue * float64(max(values, leastValues*k.groups))
}

const (
	// perValue is how many operations of a product take the time of a value that is
	// read or written: on llvmpipe 50 in LayerNorm, 7 in AdamW.
	perValue = 64
	// leastValues is what a work group counts as: those of LayerNorm, whose barriers
	// take their time, are as slow with 100 columns as with 768.
	leastValues = 1024
)

// spread lays out work groups.
func (k kernel) spread(groups int) kernel {
	k.groups = groups
	return k
}

// each lays out one invocation an element, 256 a work group.
func (k kernel) each(n int) kernel { return k.spread((n + 255) / 256) }
