//go:build gpu && !cgo && (linux || windows)

package gpu

const why = "built with -tags gpu, but without cgo: set CGO_ENABLED=1 and install a C compiler"
