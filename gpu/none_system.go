//go:build gpu && cgo && !linux

package gpu

const why = "the OpenGL engine runs on Linux only so far"
