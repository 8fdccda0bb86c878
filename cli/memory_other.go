//go:build !linux

package cli

// peakMemory is the most memory the program has had resident.
func peakMemory() string { return "unknown" }
