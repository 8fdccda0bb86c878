//go:build !gpu || !cgo || !(linux || windows)

package gpu

import "errors"

// Built says whether this build has the engine.
const Built = false

// Open says why this build has no such engine.
func Open(Options) (Engine, error) { return nil, errors.New(why) }
