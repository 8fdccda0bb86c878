package cli

import "runtime/debug"

// version is what the Go toolchain stamped into the binary: a tag, a commit, or
// "(devel)" for go run.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
