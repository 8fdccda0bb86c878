// Package ref is the engine anyone can read: plain loops, sums in float64,
// rounded to float32 once, where a result is stored. It is slow, and it is the
// definition that every other engine is tested against.
package ref

import "sigla/backend"

// engine has no state: memory belongs to the buffers.
type engine struct{}

// New returns the reference engine.
func New() backend.Backend { return engine{} }

// String names the engine.
func (engine) String() string { return "ref" }
