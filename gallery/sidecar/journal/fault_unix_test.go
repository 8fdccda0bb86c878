//go:build unix

package journal

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sigla/internal/filelock"
	"sigla/internal/require"
)

// Faults need processes that can be killed: this test program, started again
// with a role.
const roleEnv = "JOURNAL_TEST_ROLE"

func TestMain(m *testing.M) {
	role := os.Getenv(roleEnv)
	if role == "" {
		os.Exit(m.Run())
	}
	if err := act(role, os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// files is how many there are; every tenth is new, every tenth is to go, every
// fourth is a photo.
const files = 1000

func before(n int) string {
	if n%10 == 3 {
		return "-"
	}
	return fmt.Sprintf("file %d\n", n) + strings.Repeat("the same ", n%100)
}

func after(n int) string {
	if n%10 == 7 {
		return "-"
	}
	return strings.Replace(strings.TrimPrefix(before(n), "-"), "file", "changed", 1) + "!"
}

func fileN(dir string, n int) string {
	return filepath.Join(dir, fmt.Sprintf("folder %d", n%3), fmt.Sprintf("%d.xmp", n))
}

func edits(dir string) []Edit {
	var list []Edit
	for n := range files {
		list = append(list, Edit{Path: fileN(dir, n), New: before(n) == "-", Photo: n%4 == 0, Make: func([]byte) ([]byte, error) {
			if after(n) == "-" {
				return nil, nil
			}
			return []byte(after(n)), nil
		}})
	}
	return list
}

// act is what a process does that is going to be killed.
func act(role, dir, runs string) error {
	j, err := Open(bg, runs)
	if err != nil {
		return err
	}
	fmt.Println("open")
	o := Options{NoSync: role[0] == 'f'}
	if role[1:] == "apply" {
		_, err = j.Apply(bg, edits(dir), o)
		return err
	}
	list, err := j.Runs()
	if err == nil {
		_, err = j.Undo(bg, list[0].ID, o)
	}
	return err
}

// killed starts a process in a role and kills it after some time. It reports
// whether the process had come to its end.
func killed(t *testing.T, role, dir, runs string, wait time.Duration) bool {
	t.Helper()
	exe, err := os.Executable()
	must(t, err)
	cmd := exec.Command(exe, dir, runs)
	cmd.Env = append(os.Environ(), roleEnv+"="+role)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	out.Read(make([]byte, 8)) // the journal is open
	// It is the moment of the kill that varies; no result depends on it.
	timer := time.AfterFunc(wait, func() { cmd.Process.Kill() })
	err = cmd.Wait()
	return timer.Stop() && err == nil
}

// state counts the files that are as before and as after, and fails for others.
func stateOf(t *testing.T, dir string) (old, changed int) {
	t.Helper()
	for n := range files {
		switch got := text(fileN(dir, n)); got {
		case before(n):
			old++
		case after(n):
			changed++
		default:
			t.Fatalf("file %d is neither old nor new: %q", n, got)
		}
	}
	return old, changed
}

// A field is a set of files that processes are killed over.
type field struct {
	dir, runs string
	took      map[string]time.Duration // by role, at most
}

// sow makes the files in a folder of the disk, or in memory, which is quicker.
func sow(t *testing.T, memory bool) field {
	t.Helper()
	f := field{t.TempDir(), filepath.Join(t.TempDir(), "runs"), make(map[string]time.Duration)}
	if dir, err := os.MkdirTemp("/dev/shm", "sigla-test-"); memory && err == nil {
		t.Cleanup(func() { os.RemoveAll(dir) })
		f.dir = dir
	}
	for n := range files {
		must(t, os.MkdirAll(filepath.Dir(fileN(f.dir, n)), 0o755))
		if before(n) != "-" {
			write(t, fileN(f.dir, n), before(n))
		}
	}
	return f
}

// TestKilled: a process that is killed while it applies or undoes leaves every
// file old or new; when the journal is opened again, all are new, or all old.
func TestKilled(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	quick, synced := sow(t, true), sow(t, false)
	between, ended := 0, 0
	for round := range require.Rounds(4, 20, 200) {
		f, kind, most := quick, "f", 500*time.Millisecond
		if round%8 == 5 {
			f, kind, most = synced, "s", 3*time.Second
		}
		for _, what := range []string{"apply", "undo"} {
			role := kind + what
			if f.took[role] == 0 {
				f.took[role] = most
			}
			began := time.Now()
			if killed(t, role, f.dir, f.runs, time.Duration(random.Int64N(int64(f.took[role])))) {
				ended++ // the next ones are killed sooner
				f.took[role] = min(f.took[role], time.Since(began))
			}
			old, changed := stateOf(t, f.dir)
			if old > 0 && changed > 0 {
				between++
			}
			f.recovered(t, what, old)
		}
	}
	t.Logf("%d were killed between files, %d came to their end", between, ended)
}

// recovered opens the journal of a process that was killed when so many files
// were old, and checks that it is finished. What had not begun is done now.
func (f field) recovered(t *testing.T, what string, wasOld int) {
	t.Helper()
	j, err := Open(bg, f.runs)
	must(t, err)
	defer j.Close()
	for _, r := range j.Recovered {
		if len(r.Failed) > 0 {
			t.Fatalf("%+v", r)
		}
	}
	old, changed := stateOf(t, f.dir)
	if old > 0 && changed > 0 || what == "apply" && wasOld < files && old > 0 || what == "undo" && wasOld > 0 && changed > 0 {
		t.Fatalf("%s: %d files are old and %d new, %d were old when it was killed", what, old, changed, wasOld)
	}
	list, err := j.Runs()
	must(t, err)
	if what == "apply" && old > 0 {
		_, err = j.Apply(bg, edits(f.dir), Options{NoSync: true})
	} else if what == "undo" && changed > 0 {
		_, err = j.Undo(bg, list[0].ID, Options{NoSync: true})
	}
	must(t, err)
	for n := range 3 {
		if list := leftovers(t, filepath.Dir(fileN(f.dir, n))); len(list) > 0 {
			t.Fatalf("left over: %v", list)
		}
	}
}

// TestAttributes: owner, group, mode and extended attributes stay.
func TestAttributes(t *testing.T) {
	dir := t.TempDir()
	j := open(t, filepath.Join(dir, "runs"))
	a := filepath.Join(dir, "a")
	write(t, a, "one")
	must(t, os.Chmod(a, 0o604))
	long := bytes.Repeat([]byte("x"), 500)
	err := unix.Setxattr(a, "user.xdg.tags", long, 0)
	hasAttributes := err == nil
	if !hasAttributes {
		t.Log("no extended attributes here:", err)
	}
	uid := os.Geteuid()
	if uid == 0 {
		uid = 4321
		must(t, os.Chown(a, uid, 1234))
	}
	if _, err := j.Apply(bg, []Edit{with(a, "+")}, Options{}); err != nil || text(a) != "one+" {
		t.Fatal(err)
	}
	info, err := os.Stat(a)
	must(t, err)
	if s := info.Sys().(*syscall.Stat_t); int(s.Uid) != uid || info.Mode().Perm() != 0o604 || uid == 4321 && s.Gid != 1234 {
		t.Errorf("%d:%d %v", s.Uid, s.Gid, info.Mode())
	}
	value := make([]byte, 1000)
	if n, err := unix.Getxattr(a, "user.xdg.tags", value); hasAttributes && (err != nil || !bytes.Equal(value[:n], long)) {
		t.Errorf("%q, %v", value[:max(n, 0)], err)
	}
}

// TestFolderLocked: another process that has a folder is waited for.
func TestFolderLocked(t *testing.T) {
	dir := t.TempDir()
	j := open(t, filepath.Join(dir, "runs"))
	a := filepath.Join(dir, "a")
	write(t, a, "one")
	f, err := os.Open(dir)
	must(t, err)
	if ok, err := filelock.TryLock(f, true); !ok || err != nil {
		t.Fatal(ok, err)
	}
	done := make(chan error)
	go func() {
		_, err := j.Apply(bg, []Edit{with(a, "+")}, Options{NoSync: true})
		done <- err
	}()
	select {
	case err := <-done:
		t.Error("it did not wait", err)
	case <-time.After(100 * time.Millisecond):
	}
	must(t, f.Close())
	if err := <-done; err != nil || text(a) != "one+" {
		t.Error(err)
	}
}

// mount mounts a small file system in memory; without the right to, the test
// is skipped.
func mount(t *testing.T, options string) string {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", options, "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("cannot mount a small disk: %v: %s", err, out)
	}
	t.Cleanup(func() { exec.Command("umount", dir).Run() })
	return dir
}

// TestDiskIsFull: a full disk is found before a file is touched, or leaves each
// file old or new.
func TestDiskIsFull(t *testing.T) {
	dir := mount(t, "size=1m")
	j := open(t, t.TempDir())
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	write(t, a, "one")
	write(t, b, "two")
	big := strings.Repeat("x", 2<<20)
	result, err := j.Apply(bg, []Edit{with(a, big), with(b, "+")}, Options{})
	if err != nil || result.Run != "" || len(result.Failed) != 2 || !strings.Contains(result.Failed[0].Err.Error(), "the disk is full") || text(a)+text(b) != "onetwo" {
		t.Errorf("%+v, %v, %q", result, err, text(a)+text(b))
	}
	// It fills up while files are written.
	fill := with(a, strings.Repeat("x", 300<<10))
	fill.Make = func(before []byte) ([]byte, error) {
		return append(bytes.Clone(before), strings.Repeat("x", 300<<10)...), nil
	}
	var list []Edit
	for n := range 6 {
		path := filepath.Join(dir, fmt.Sprint(n))
		write(t, path, "old")
		e := fill
		e.Path = path
		list = append(list, e)
	}
	j.free = func(string) (uint64, bool) { return 0, false }
	result, err = j.Apply(bg, list, Options{})
	if err != nil || len(result.Failed) == 0 || result.Written == 0 {
		t.Errorf("%+v, %v", result, err)
	}
	for _, f := range result.Failed {
		if !errors.Is(f.Err, unix.ENOSPC) || text(f.Path) != "old" {
			t.Errorf("%v, %d bytes", f.Err, len(text(f.Path)))
		}
	}
	for n := range 6 {
		if got := len(text(filepath.Join(dir, fmt.Sprint(n)))); got != 3 && got != 3+300<<10 {
			t.Errorf("%d bytes", got)
		}
	}
	if list := leftovers(t, dir); len(list) > 0 {
		t.Error(list)
	}
	// What was written can be undone, on the full disk, too.
	result, err = j.Undo(bg, result.Run, Options{})
	if err != nil || len(result.Failed) > 0 {
		t.Errorf("%+v, %v", result, err)
	}
	for n := range 6 {
		if got := text(filepath.Join(dir, fmt.Sprint(n))); got != "old" {
			t.Errorf("%d bytes", len(got))
		}
	}
}

// TestJournalIsFull: if the run cannot be written down, no file is touched.
func TestJournalIsFull(t *testing.T) {
	runs := mount(t, "size=64k")
	dir := t.TempDir()
	j := open(t, runs)
	a := filepath.Join(dir, "a")
	write(t, a, "one")
	_, err := j.Apply(bg, []Edit{with(a, strings.Repeat("x", 100<<10))}, Options{})
	if !errors.Is(err, unix.ENOSPC) || text(a) != "one" {
		t.Errorf("%v, %d bytes", err, len(text(a)))
	}
	if list, err := j.Runs(); err != nil || len(list) > 0 {
		t.Errorf("%+v, %v", list, err)
	}
}

// TestReadOnlyFolder is found before anything is changed; files elsewhere are.
func TestReadOnlyFolder(t *testing.T) {
	dir := mount(t, "size=1m")
	j := open(t, t.TempDir())
	a, b := filepath.Join(dir, "a"), filepath.Join(t.TempDir(), "b")
	write(t, a, "one")
	write(t, b, "two")
	must(t, exec.Command("mount", "-o", "remount,ro", dir).Run())
	result, err := j.Apply(bg, []Edit{with(a, "+"), with(b, "+")}, Options{})
	if err != nil || len(result.Failed) != 1 || !strings.Contains(result.Failed[0].Err.Error(), "its folder cannot be written to") || text(a)+text(b) != "onetwo+" {
		t.Errorf("%+v, %v, %q", result, err, text(a)+text(b))
	}
}
