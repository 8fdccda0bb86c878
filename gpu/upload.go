//go:build gpu && cgo && (linux || windows)

package gpu

import (
	"sync/atomic"

	"sigla/backend"
	"sigla/gpu/gl"
)

// ring is how many values the host may be ahead of what the device has read of
// them: 32 MiB, several batches of photos.
const ring = 8 << 20

// staging is the memory through which values go to the device, round and round. The
// goroutine that calls the engine fills it; the device takes copies from it in its
// own time, between kernels, and a fence tells when a part is free again. Where the
// driver can it is mapped into the driver's memory for good, and the device fetches
// from there; else it is Go's and the driver copies.
type staging struct {
	buffer uint32 // the mapped one; 0: none
	memory []float32

	// All three count values since the beginning.
	taken    int          // the caller's: filled up to here
	issued   int          // the device's: up to here copies were issued
	released atomic.Int64 // up to here they have been made
}

func newStaging(mapped bool) *staging {
	if mapped {
		if id, memory := gl.NewMapped(ring); memory != nil {
			return &staging{buffer: id, memory: memory}
		}
	}
	return &staging{memory: make([]float32, ring)}
}

// upload copies src into dst, in pieces. It waits only if the ring is full of what
// the device has not come to yet. The ring of a device that was given up may be gone.
func (e *engine) upload(dst backend.Buf, src []float32) {
	s := e.staging
	for done := 0; done < len(src); {
		n := min(len(src)-done, ring/4)
		if left := ring - s.taken%ring; left < n {
			s.taken += left // a piece does not go over the end
		}
		from, end := s.taken%ring, s.taken+n
		if need := end - ring; int(s.released.Load()) < need {
			e.wait(func(d *device) { d.release(need) })
		}
		if e.lost.Load() {
			return
		}
		s.taken = end
		copy(s.memory[from:], src[done:done+n])
		to := 4 * (dst.Off + done)
		e.add(func(d *device) {
			if m := dst.Mem.(*memory); d.use(m, true) {
				if s.buffer != 0 {
					gl.Copy(m.id, to, s.buffer, 4*from, 4*n)
				} else {
					gl.Write(m.id, to, s.memory[from:from+n])
				}
			}
			s.issued = end
		})
		done += n
	}
}

// release waits until so many values have been copied.
func (d *device) release(need int) {
	d.fence()
	for len(d.fences) > 0 && int(d.staging.released.Load()) < need {
		d.pass(1)
	}
}
