//go:build gpu && cgo

package gpu

import "sigla/gpu/egl"

// systemWays are those of EGL, which needs no display. A machine without libEGL
// has one way, which says so.
func systemWays() (hard, soft []way) {
	all, err := egl.Ways()
	if err != nil {
		return []way{{name: "EGL", open: func() (context, error) { return nil, err }}}, nil
	}
	for _, w := range all {
		found := way{w.Name, w.Software, func() (context, error) { return w.Open() }}
		if w.Software {
			soft = append(soft, found)
		} else {
			hard = append(hard, found)
		}
	}
	return hard, soft
}
