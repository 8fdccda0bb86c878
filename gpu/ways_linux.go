//go:build gpu && cgo

package gpu

import "sigla/gpu/egl"

// systemWays are those of EGL, which needs no display.
func systemWays() (hard, soft []way, err error) {
	all, err := egl.Ways()
	for _, w := range all {
		found := way{w.Name, w.Software, func() (context, error) { return w.Open() }}
		if w.Software {
			soft = append(soft, found)
		} else {
			hard = append(hard, found)
		}
	}
	return hard, soft, err
}
