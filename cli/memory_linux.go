package cli

import (
	"bytes"
	"os"
	"strings"
)

// peakMemory is the most memory the program has had resident.
func peakMemory() string {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return "unknown"
	}
	for line := range bytes.Lines(status) {
		if rest, ok := bytes.CutPrefix(line, []byte("VmHWM:")); ok {
			return strings.TrimSpace(string(rest))
		}
	}
	return "unknown"
}
