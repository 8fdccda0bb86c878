//go:build gpu && cgo

package gpu

import "errors"

// systemWays has none here so far.
func systemWays() (hard, soft []way, err error) {
	return nil, nil, errors.New("no way to a context on Windows but -tags glfw")
}
