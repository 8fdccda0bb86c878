//go:build !amd64 || purego

package cpu

// levels returns what this processor can run, best first.
func levels() []*kernels { return []*kernels{&generic} }
