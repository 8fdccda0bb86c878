//go:build !linux

package cli

// peakMemory is the most memory the program has had resident, in bytes; 0 where
// it is not known how to ask.
func peakMemory() int64 { return 0 }

// memory is what the program has resident, in bytes; 0 where it is not known
// how to ask.
func memory() int64 { return 0 }

func availableMemory() int64 { return 0 }
