//go:build gpu && cgo

package gpu

import "sigla/gpu/wgl"

// systemWays is WGL. Whether it computes on the processor is known when it is
// open, from the name of the renderer.
func systemWays() (hard, soft []way) {
	return []way{{name: "WGL", open: func() (context, error) { return wgl.Open() }}}, nil
}
