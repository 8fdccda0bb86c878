//go:build !gpu || !cgo || !linux

package gpu

import "errors"

// Open says why this build has no such engine.
func Open(Options) (Engine, error) { return nil, errors.New(why) }
