//go:build !gpu && (linux || windows)

package gpu

const why = "built without GPU: make build, or go build -tags gpu with a C compiler"
