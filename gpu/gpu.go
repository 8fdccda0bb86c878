// Package gpu is the engine that computes in OpenGL 4.3 compute shaders, without
// a display. It is part of builds with the tag gpu (and cgo); Open of any other
// build says why there is none.
//
// One goroutine, locked to its thread for life, owns the context. Operations
// append commands, which go to it in slices, and return at once; only Read waits,
// and a Write when 32 MiB that were written are not with the device yet.
// A barrier stands in front of every command, so that it sees what those before it
// wrote. A failure sticks and comes back from the next Read. A driver that gets
// nothing done for a minute while somebody waits has failed, too, whatever it is at.
//
// Sums run in float32 in a fixed order, which goes by sizes (of losses of thousands
// of pairs by the memory, too) and never by what was measured, so one driver gives
// the same bits every time; two drivers need not agree in the last ones (contraction
// of a·b + c, their own exp).
package gpu

import (
	"fmt"

	"sigla/backend"
)

// Options chooses a device.
type Options struct {
	Software bool    // a driver that computes on the processor is wanted; otherwise it is refused
	Storage  Storage // of weights
	// Budget is how many bytes of the device's memory are used at most; 0: most of
	// what its driver says is free. Weights that have no room wait in the
	// computer's memory and take turns.
	Budget int
	Way    string // the only way to a context that is tried, as "device 0"; "": all
	// Cache is a folder for compiled programs and the shapes of work groups that
	// were found to be fast; "" means that none are kept.
	Cache string
}

// Storage is how weights lie in the device's memory; arithmetic is float32
// always, and so is all else.
type Storage uint8

const (
	F32  Storage = iota
	F16          // IEEE 754 binary16: 11 bits of a value, up to 65,504
	BF16         // the upper half of a float32: 8 bits of a value
)

func (s Storage) String() string { return [...]string{"f32", "f16", "bf16"}[s] }

// Info is what a device says of itself.
type Info struct {
	Renderer string  // "NVIDIA GeForce RTX 3060/PCIe/SSE2"
	Version  string  // of OpenGL, with the driver's
	Context  string  // where it came from
	Software bool    // computes on the processor
	FLOPS    float64 // of a matrix product, measured
}

// An Engine is an open device.
type Engine interface {
	backend.Backend
	fmt.Stringer
	Info() Info
	Precision() string // "f32", or with what weights are stored as
	Peak() float64     // floating-point operations a second on registers, measured now
	Dispatches() int   // kernels that were issued so far
	Memory() int       // bytes of the device's memory that its buffers have had at most
}

// A DeviceError is what Read returns when the device has failed: reset, out of
// memory, no answer. The engine stays as it is; another has to go on. Close returns
// it, too.
type DeviceError struct {
	Renderer string
	Err      error
}

func (e *DeviceError) Error() string { return fmt.Sprintf("compute on %s: %v", e.Renderer, e.Err) }

func (e *DeviceError) Unwrap() error { return e.Err }
