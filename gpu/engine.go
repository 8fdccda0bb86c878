//go:build gpu && cgo && (linux || windows)

package gpu

import (
	"errors"
	"fmt"
	"math"

	"sigla/backend"
	"sigla/gpu/gl"
)

// engine implements backend.Backend.
type engine struct {
	*queue
	limits   gl.Limits
	info     Info
	tuning   tuning
	storage  Storage
	scratch  map[string]backend.Buf // memory of operations, by what it is for
	pairSide int
	closed   bool

	budget    int    // bytes; 0: nobody knows
	allocated [2]int // by backend.Use

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
		pairSide: pairSide(d.limits.Software(), d.limits.Binding, d.budget), budget: d.budget,
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

// Memory implements Engine; 0 of a device that does not answer.
func (e *engine) Memory() (most int) {
	var found int
	if !e.closed && e.wait(func(d *device) { found = d.most }) {
		most = found
	}
	return most
}

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
	e.allocated[use] += m.bytes
	e.add(func(d *device) {
		if d.err == nil {
			d.err = d.store.add(m)
		}
	})
	return backend.Buf{Mem: m, Len: n}
}

// Capacity implements backend.Backend. Half of the memory that is left is kept for
// temporaries; weights make room, but not all of it.
func (e *engine) Capacity() backend.Capacity {
	c := backend.Capacity{FLOPS: e.info.FLOPS, Buffer: e.limits.Binding / 4}
	if e.budget > 0 {
		left := e.budget - e.allocated[backend.Scratch]
		c.Memory = max(1, max(left-e.allocated[backend.Weight], left/4)/2/4) // 0 would be unknown
	}
	return c
}

// temporary is memory for what an operation keeps between its kernels. It is
// used again by the next: commands are done in order.
func (e *engine) temporary(what string, n int) backend.Buf {
	if e.scratch[what].Len < n {
		e.giveBack(what)
		e.scratch[what] = e.Alloc(n, backend.Scratch)
	}
	return e.scratch[what].Slice(0, n)
}

// integers is a temporary with integers, which shaders read by their bits.
func (e *engine) integers(list []int32) backend.Buf {
	bits := make([]float32, len(list))
	for i, v := range list {
		bits[i] = math.Float32frombits(uint32(v))
	}
	b := e.temporary("integers", len(bits))
	e.upload(b, bits)
	return b
}

// giveBack gives the memory of temporaries back when what was issued is done.
func (e *engine) giveBack(what ...string) {
	for _, name := range what {
		if b, ok := e.scratch[name]; ok {
			m := b.Mem.(*memory)
			delete(e.scratch, name)
			e.allocated[backend.Scratch] -= m.bytes
			e.add(func(d *device) { d.remove(m) })
		}
	}
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
