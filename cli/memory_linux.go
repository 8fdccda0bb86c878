package cli

import (
	"bytes"
	"os"
	"strconv"
)

// peakMemory is the most memory the program has had resident, in bytes; 0 if
// the system does not tell.
func peakMemory() int64 { return memoryStatus("VmHWM:") }

// memory is what the program has resident, in bytes; 0 if the system does not
// tell.
func memory() int64 { return memoryStatus("VmRSS:") }

// availableMemory is what the system can give to programs, in bytes; 0 if it does
// not tell.
func availableMemory() int64 { return kibibytes("/proc/meminfo", "MemAvailable:") }

func memoryStatus(key string) int64 { return kibibytes("/proc/self/status", key) }

func kibibytes(file, key string) int64 {
	status, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(status) { // "VmHWM:    123456 kB"
		if f := bytes.Fields(line); len(f) == 3 && string(f[0]) == key {
			kib, err := strconv.ParseInt(string(f[1]), 10, 64)
			if err != nil {
				return 0
			}
			return kib << 10
		}
	}
	return 0
}
