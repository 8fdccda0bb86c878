//go:build !linux && !windows && !darwin

package gpu

const why = "built without GPU: the OpenGL engine runs on Linux and Windows"
