package gallery

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// asNobody runs f with the file rights of a user who owns nothing. Root passes
// every permission check, so a test that runs as root gives up its rights, for
// this one thread, which ends with the goroutine.
func asNobody(f func()) {
	if os.Geteuid() != 0 {
		f()
		return
	}
	done := make(chan bool)
	go func() {
		defer close(done)
		runtime.LockOSThread()
		const nobody = 65534
		syscall.RawSyscall(syscall.SYS_SETFSUID, nobody, 0, 0)
		f()
	}()
	<-done
}

func TestScanWithoutPermission(t *testing.T) {
	dir := tree(t, "a.jpg", "closed/b.jpg", "listed/c.jpg", "listed/d.jpg", "listed/sub/e.jpg", "z.jpg", "zz/y.jpg")
	at := func(name string) string { return filepath.Join(dir, name) }
	// t.TempDir lies in a folder that only its owner may enter.
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]os.FileMode{"closed": 0, "listed": 0o444} {
		if err := os.Chmod(at(name), mode); err != nil {
			t.Fatal(err)
		}
		defer os.Chmod(at(name), 0o755)
	}
	symlink(t, filepath.Join("closed", "b.jpg"), at("link.jpg"))

	g := New()
	var opened, walked, named error
	asNobody(func() {
		_, opened = os.ReadDir(at("closed"))
		walked = g.Scan(context.Background(), dir)
		named = g.Scan(context.Background(), at("closed"))
	})
	if opened == nil {
		t.Skip("permissions do not bind this process")
	}
	if walked != nil {
		t.Error(walked)
	}
	checkNames(t, g, "a.jpg", "z.jpg", "zz/y.jpg")
	checkSkipped(t, g, map[string]string{
		at("closed"):   "permission denied",
		at("listed"):   "permission denied",
		at("link.jpg"): "permission denied",
	})
	if want := "scan " + at("closed") + ": permission denied"; named == nil || named.Error() != want {
		t.Errorf("a named folder: error %v, want %s", named, want)
	}
}

// A pipe would block its reader for ever.
func TestScanPipe(t *testing.T) {
	dir := tree(t, "a.jpg")
	pipe := filepath.Join(dir, "pipe.jpg")
	if err := syscall.Mkfifo(pipe, 0o644); err != nil {
		t.Skip("no pipes here:", err)
	}
	symlink(t, "pipe.jpg", filepath.Join(dir, "to-pipe.jpg"))
	g := New()
	scan(t, g, dir)
	checkNames(t, g, "a.jpg")
	checkSkipped(t, g, map[string]string{
		pipe:                              "not a regular file",
		filepath.Join(dir, "to-pipe.jpg"): "not a regular file",
	})
	if err := g.Scan(context.Background(), pipe); err == nil {
		t.Error("a named pipe was taken for a photo")
	}
}

// Names that are no text, and names that look like something else, are kept
// byte for byte.
func TestHostileNamesAreRemembered(t *testing.T) {
	dir, data := t.TempDir(), t.TempDir()
	for i, name := range []string{"new\nline", "\xff\xfe", strings.Repeat("x", 251), "\u202egnp", "'; DROP TABLE files; --", " ", "%s", `back\slash`} {
		writePhoto(t, filepath.Join(dir, name, name+".png"), i)
	}
	first, again := new(fake), new(fake)
	session(t, data, first, dir)
	g := session(t, data, again, dir)
	checkEmbedded(t, first, 0, 1, 2, 3, 4, 5, 6, 7)
	checkEmbedded(t, again)
	if p := g.Progress(); p.Remembered != 8 {
		t.Errorf("progress %+v", p)
	}
	if st, root := status(t, data); root.Files != 8 || root.Missing != 0 {
		t.Errorf("status %+v", st)
	}
}
