//go:build gpu && cgo && (linux || windows)

package gpu

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"sigla/backend"
	"sigla/gpu/gl"
	"sigla/shaders"
)

// device is the context and what lives in it. Only its own goroutine touches it,
// but for limits.
type device struct {
	*pulse
	context  context
	limits   gl.Limits
	programs map[string]uint32
	store
	fences  []fence
	staging *staging
	cache   programCache
	unsent  float64 // shares of dispatches that were issued since the driver was told to send
	err     error   // the first failure; nothing is done after it
}

// openDevice tries one way after the other.
func openDevice(o Options, p *pulse) (*device, error) {
	var errs []error
	for _, w := range ways(o.Software) {
		if w.software && !o.Software || o.Way != "" && o.Way != w.name {
			what := "not asked for"
			if w.software {
				what = "computes on the processor"
			}
			errs = append(errs, fmt.Errorf("%s: %s", w.name, what))
			continue
		}
		d, err := openWay(w, o, p)
		if err == nil && d.limits.Software() != o.Software {
			what := "computes on the processor"
			if o.Software {
				what = "is hardware"
			}
			err = errors.Join(fmt.Errorf("%s %s", d.limits.Renderer, what), d.context.Close())
		}
		if err == nil {
			return d, nil
		}
		errs = append(errs, fmt.Errorf("%s: %w", w.name, err))
	}
	said := make([]string, len(errs))
	for i, err := range errs {
		said[i] = err.Error()
	}
	return nil, fmt.Errorf("no OpenGL device (%s)", strings.Join(said, "; "))
}

func openWay(w way, o Options, p *pulse) (*device, error) {
	c, err := w.open()
	if err != nil {
		return nil, err
	}
	limits, err := gl.Init(c.Proc)
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	limits.Binding = min(limits.Binding, widestBinding)
	d := &device{pulse: p, context: c, limits: limits, programs: make(map[string]uint32), staging: newStaging(limits.Mapping)}
	d.budget = o.Budget
	if d.budget == 0 && !limits.Software() { // Mesa 25 says of its software driver 31 MiB
		d.budget = gl.Free() / 10 * 8 // the screen, and others, need some
	}
	return d, nil
}

// widestBinding is what a binding has at most, in bytes, also where the device allows
// more: as much as OpenGL 4.5 promises.
const widestBinding = 128 << 20

const (
	ahead  = 2           // batches that the device may be behind
	glance = time.Second // at a fence, between looks for other news
)

// flush ends a batch. The device is never more than a few batches behind: what
// uploads hold is bounded, and those who wait see that it gets on.
func (d *device) flush() {
	d.check()
	d.fence()
	if len(d.fences) > ahead {
		d.pass(1)
	}
}

// A fence stands behind so many uploaded values.
type fence struct {
	gl.Fence
	uploaded int
}

// fence stands behind what was issued.
func (d *device) fence() {
	d.fences = append(d.fences, fence{gl.NewFence(), d.staging.issued})
}

// pass waits for the first n fences, for as long as somebody waits for the device.
func (d *device) pass(n int) {
	for _, f := range d.fences[:n] {
		for d.err == nil && !d.passed(f) {
		}
		f.Delete()
		d.staging.released.Store(int64(f.uploaded))
		d.beats.Add(1)
	}
	d.fences = d.fences[n:]
}

// passed waits a little and reports whether a fence has been passed.
func (d *device) passed(f fence) bool {
	passed, err := f.Wait(glance)
	if passed {
		return true
	}
	d.check()
	if err != nil {
		d.fail(err)
	}
	if d.lost.Load() {
		d.fail(errors.New("it was given up"))
	}
	return false
}

// check asks for what went wrong.
func (d *device) check() {
	if d.err != nil {
		return
	}
	if d.limits.Lost() {
		d.fail(errors.New("it was reset"))
		return
	}
	if err := gl.Err(); err != nil {
		d.fail(err)
	}
}

// read waits for everything issued.
func (d *device) read(dst []float32, m *memory, offset int) {
	d.fence()
	d.pass(len(d.fences))
	if d.use(m, false) {
		gl.Read(dst, m.id, offset)
		d.check()
	}
}

func (d *device) close() {
	d.free()
	if d.staging.buffer != 0 {
		gl.DeleteBuffer(d.staging.buffer)
	}
	d.err = errors.Join(d.err, d.context.Close())
}

// program is compiled when it is first needed; nil if it cannot be.
func (d *device) program(file string, defines []string) (uint32, bool) {
	key := file + "\n" + strings.Join(defines, "\n")
	if p, ok := d.programs[key]; ok {
		return p, true
	}
	p, err := d.cache.program(shaders.Source(file, defines...))
	if err != nil {
		d.fail(fmt.Errorf("shader %s %v: %w", file, defines, err))
		return 0, false
	}
	d.programs[key] = p
	return p, true
}

func (d *device) fail(err error) {
	if d.err == nil {
		d.err = err
	}
}

// use has a memory at hand by itself, and reports whether it is.
func (d *device) use(m *memory, writes bool) bool {
	d.begin()
	if d.err == nil {
		d.err = d.place(m, writes)
	}
	return d.err == nil
}

// A kernel is a program with what it is given.
type kernel struct {
	file    string
	defines []string
	bufs    []backend.Buf // by binding; the zero Buf is none
	before  [12]int       // elements in front of one that the shader counts, too
	packed  [12]bool      // bindings that it can take packed
	writes  [12]bool      // bindings that it writes, besides 0
	sizes   []int32
	numbers []float32
	// Work groups: so many, which the engine lays out in dispatches, or those of one.
	// They do so many floating point operations, as a product does them; 0: they read
	// and write their buffers. A dispatch takes a share of what it may.
	groups      int
	x, y        int
	work, share float64
}

// Where header.glsl has its uniforms.
const (
	offsetsAt = 0
	sizesAt   = 16
	numbersAt = 32
)

// run issues a kernel.
func (d *device) run(k kernel) {
	if d.err != nil {
		return
	}
	p, ok := d.program(k.file, k.defines)
	if !ok {
		return
	}
	gl.Use(p)
	d.begin()
	var offsets [12]int32
	for i, b := range k.bufs {
		if b.Mem == nil {
			continue
		}
		// A binding begins at a multiple of what the device wants; the rest of the
		// way is an offset for the shader.
		size := 4
		if packed(b) {
			size = 2
		}
		from := size * b.Off / d.limits.Alignment * d.limits.Alignment
		offsets[i] = int32(b.Off - from/size - k.before[i])
		bytes := (size*(b.Off+b.Len) - from + 3) &^ 3
		if bytes > d.limits.Binding {
			d.fail(fmt.Errorf("shader %s: binding %d has %d MiB, the device allows %d", k.file, i, bytes>>20, d.limits.Binding>>20))
			return
		}
		m := b.Mem.(*memory)
		if err := d.place(m, i == 0 || k.writes[i]); err != nil {
			d.fail(err)
			return
		}
		gl.Bind(i, m.id, from, bytes)
	}
	gl.Ints(offsetsAt, offsets[:])
	gl.Ints(sizesAt, k.sizes)
	if k.numbers != nil {
		gl.Floats(numbersAt, k.numbers)
	}
	gl.Dispatch(k.x, k.y)
	// What stops a driver that takes too long counts what was sent in one piece.
	if d.unsent += k.share; d.unsent >= 1 {
		gl.Flush()
		d.unsent = 0
	}
}
