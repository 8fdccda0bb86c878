//go:build !gpu

package gpu

const why = "built without GPU: make build, or go build -tags gpu with a C compiler"
