//go:build !linux

package journal

import "os"

// renameNew gives a file its name. There was none of that name a moment ago.
func renameNew(from, to string) error { return os.Rename(from, to) }
