//go:build !turbo

package photo

// withoutLibrary calls f with Go's decoders alone.
func withoutLibrary(f func()) { f() }
