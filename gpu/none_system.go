//go:build gpu && cgo && !linux && !windows

package gpu

const why = "the OpenGL engine runs on Linux only so far"
