//go:build gpu && cgo && (linux || windows)

package gpu

import (
	"errors"
	"testing"
	"unsafe"

	"sigla/backend"
	"sigla/gpu/gl"
)

// unmapped has an engine go the way of drivers that cannot keep a buffer mapped.
func unmapped(e *engine) {
	e.wait(func(d *device) {
		d.staging = newStaging(false)
		e.staging = d.staging
	})
}

// Uploads of all sizes, many times the ring in all, arrive in order with what is
// computed between them, whether or not the driver maps the ring.
func TestUploads(t *testing.T) {
	for _, mapped := range []bool{true, false} {
		e := open(t).(*engine)
		if !mapped {
			unmapped(e)
		} else if e.staging.buffer == 0 {
			t.Log("this driver keeps no buffer mapped")
		}
		const n = ring + ring/3 // more than the ring, off its pieces
		x, y, sum := e.Alloc(n, backend.Scratch), e.Alloc(n, backend.Scratch), e.Alloc(n, backend.Scratch)
		values, want := make([]float32, n), make([]float32, n)
		for round := range 4 {
			for i := range values {
				values[i] = float32((i*7 + round*round) % 4096)
				want[i] += values[i]
			}
			part := n / (2*round + 1)
			for from := 0; from < n; from += part {
				m := min(part, n-from)
				e.Write(x.Slice(from, m), values[from:from+m])
			}
			clear(values) // the caller's again
			e.Add(sum, sum, x)
			e.Write(x.Slice(5, 1), []float32{1e6}) // after the sum has read it
		}
		e.Write(y, want)
		got := make([]float32, n)
		for _, b := range []backend.Buf{sum, y} {
			if err := e.Read(got, b); err != nil {
				t.Fatal(err)
			}
			for i, w := range want {
				if got[i] != w {
					t.Fatalf("mapped %v: element %d is %g, want %g", mapped, i, got[i], w)
				}
			}
		}
		if len(e.staging.memory) != ring {
			t.Errorf("the ring has grown to %d values", len(e.staging.memory))
		}
		e.Close()
	}
}

// While the device does nothing at all the caller goes on: writes, kernels, and
// writes again, more than a batch of commands and most of the ring. Only Read waits.
func TestNothingWaits(t *testing.T) {
	for _, mapped := range []bool{true, false} {
		e := open(t).(*engine)
		if !mapped {
			unmapped(e)
		}
		const n, rounds = ring / 256, 150
		x, sum := e.Alloc(n, backend.Scratch), e.Alloc(n, backend.Scratch)
		gate := make(chan struct{})
		e.add(func(*device) { <-gate })
		values := make([]float32, n)
		for round := range rounds {
			for i := range values {
				values[i] = float32(round)
			}
			e.Write(x, values)
			e.Add(sum, sum, x)
		}
		close(gate) // reached only if nothing has waited for the device
		if err := e.Read(values, sum); err != nil {
			t.Fatal(err)
		}
		for i, v := range values {
			if v != rounds*(rounds-1)/2 {
				t.Fatalf("mapped %v: element %d is %g", mapped, i, v)
			}
		}
		e.Close()
	}
}

// A driver that lists the extension, but has not its function, keeps nothing mapped.
func TestListedOnly(t *testing.T) {
	e := open(t).(*engine)
	defer e.Close()
	e.wait(func(d *device) {
		l, err := gl.Init(func(name string) unsafe.Pointer {
			if name == "glBufferStorage" {
				return nil
			}
			return d.context.Proc(name)
		})
		if err != nil || l.Mapping {
			t.Errorf("mapping is %v, %v", l.Mapping, err)
		}
		if _, err := gl.Init(d.context.Proc); err != nil {
			t.Error(err)
		}
	})
}

// A device that has failed keeps no caller waiting for room.
func TestUploadAfterFailure(t *testing.T) {
	e := open(t).(*engine)
	x := e.Alloc(ring, backend.Scratch)
	e.add(func(d *device) { d.fail(errors.New("it was reset")) })
	for range 3 {
		e.Write(x, make([]float32, ring))
	}
	if err := e.Read(make([]float32, 1), x.Slice(0, 1)); err == nil {
		t.Error("no failure")
	}
	e.Close()
}

// Uploads of a batch of 8 photos, each followed by a kernel that reads some of it.
func BenchmarkUpload(b *testing.B) {
	e := open(b).(*engine)
	const n = 8 * 3 * 224 * 224
	x, y, values := e.Alloc(n, backend.Scratch), e.Alloc(n, backend.Scratch), make([]float32, n)
	var one [1]float32
	b.SetBytes(4 * n)
	b.ResetTimer()
	for range b.N {
		e.Write(x, values)
		e.CopyRows(y.Slice(0, 256), x, 1, 256, 256, 256)
	}
	if err := e.Read(one[:], y.Slice(0, 1)); err != nil {
		b.Fatal(err)
	}
	b.StopTimer()
	e.Close()
}

// Reads of an embedding and of a large tensor.
func BenchmarkRead(b *testing.B) {
	e := open(b)
	defer e.Close()
	for name, n := range map[string]int{"embedding": 768, "96 MiB": 24 << 20} {
		b.Run(name, func(b *testing.B) {
			x, got := e.Alloc(n, backend.Scratch), make([]float32, n)
			b.SetBytes(int64(4 * n))
			for b.Loop() {
				if err := e.Read(got, x); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
