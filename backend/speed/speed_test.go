package speed_test

import (
	"testing"
	"time"

	"sigla/backend"
	"sigla/backend/speed"
	"sigla/cpu"
)

// counted counts the elements that are allocated.
type counted struct {
	backend.Backend
	elements int
}

func (c *counted) Alloc(n int, use backend.Use) backend.Buf {
	c.elements += n
	return c.Backend.Alloc(n, use)
}

// Every operation has a name of its own, counts either arithmetic or memory, runs,
// and takes the buffers of those before it.
func TestOperations(t *testing.T) {
	e, err := cpu.New(cpu.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	c := &counted{Backend: e}
	stage, names := speed.NewStage(c), make(map[string]bool)
	all := append(append(speed.Operations(1), speed.Losses(32)...), speed.Launch())
	for _, o := range all {
		if names[o.Name] || (o.FLOPs > 0) == (o.Bytes > 0) {
			t.Errorf("%s: %g operations, %g bytes", o.Name, o.FLOPs, o.Bytes)
		}
		names[o.Name] = true
		if took, err := stage.Time(o, time.Nanosecond); err != nil || took <= 0 {
			t.Errorf("%s takes %v, %v", o.Name, took, err)
		}
	}
	before := c.elements
	for _, o := range all {
		stage.Set(o)
	}
	if c.elements != before {
		t.Errorf("measuring again took %d elements more", c.elements-before)
	}
	// A matrix product has two operations for each multiply-add.
	if up := speed.Operations(3)[0]; up.FLOPs != 2*3*196*768*3072 {
		t.Errorf("%s of 3 photos has %g operations", up.Name, up.FLOPs)
	}
}

// An engine that has failed says so.
func TestFailure(t *testing.T) {
	e, err := cpu.New(cpu.Options{})
	if err != nil {
		t.Fatal(err)
	}
	stage := speed.NewStage(closing{e})
	if _, err := stage.Time(speed.Launch(), time.Nanosecond); err == nil {
		t.Error("no error of a closed engine")
	}
}

// closing is closed when it is asked for a result.
type closing struct{ *cpu.Engine }

func (c closing) Read(dst []float32, src backend.Buf) error {
	_ = c.Close() // a second time it says so, too
	return c.Engine.Read(dst, src)
}

// No buffer of what is measured with the most photos is larger than 128 MiB, which is
// all that some GPUs bind at once.
func TestBuffersAreBound(t *testing.T) {
	e := &largest{}
	stage := speed.NewStage(e)
	for _, o := range speed.Operations(32) {
		e.elements = 0
		stage.Set(o)
		if e.elements > 128<<20/4 {
			t.Errorf("%s: a buffer of %d MiB", o.Name, 4*e.elements>>20)
		}
	}
}

// largest is an engine without memory that keeps the size of its largest buffer.
type largest struct {
	backend.Backend
	elements int
}

func (e *largest) Alloc(n int, _ backend.Use) backend.Buf {
	e.elements = max(e.elements, n)
	return backend.Buf{Len: n}
}
func (*largest) Write(backend.Buf, []float32)                                {}
func (*largest) Zero(backend.Buf)                                            {}
func (*largest) Attention(_, _, _, _, _ backend.Buf, _ backend.Attn)         {}
func (*largest) LayerNorm(_, _, _, _, _, _ backend.Buf, _, _ int, _ float32) {}
