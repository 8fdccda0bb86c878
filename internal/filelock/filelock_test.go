package filelock

import (
	"os"
	"path/filepath"
	"testing"
)

func TestTryLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	open := func() *os.File {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	try := func(f *os.File, alone, want bool) {
		t.Helper()
		if ok, err := TryLock(f, alone); ok != want || err != nil {
			t.Fatalf("%v, %v", ok, err)
		}
	}
	a, b, c := open(), open(), open()
	try(a, false, true)
	try(b, false, true)
	try(c, true, false)
	if err := Unlock(a); err != nil {
		t.Fatal(err)
	}
	b.Close()
	try(c, true, true)
	try(a, false, false)
}
