//go:build unix

package photo

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestReadPipe would hang if the pipe were opened: nothing writes to it.
func TestReadPipe(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe.jpg")
	if err := syscall.Mkfifo(pipe, 0o644); err != nil {
		t.Skip("no named pipe: ", err)
	}
	for _, path := range []string{pipe, os.DevNull} {
		if _, _, err := Read(path); !errors.Is(err, ErrNotRegular) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestReadLinkLoop(t *testing.T) {
	path := filepath.Join(t.TempDir(), "loop.jpg")
	if err := os.Symlink(path, path); err != nil {
		t.Skip("no symbolic links: ", err)
	}
	if _, _, err := Read(path); !errors.Is(err, syscall.ELOOP) {
		t.Error(err)
	}
}
