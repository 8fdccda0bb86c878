//go:build amd64 || arm64

package journal

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A refusal is a system call that always fails, as it does on one network share
// or another. The kernel does that for a process of its own (seccomp(2)).
type refusal struct {
	call    uint32
	unnamed bool // only if it opens a file without a name
	errno   unix.Errno
}

// impose has the kernel refuse the call, until the process ends.
func (r refusal) impose(t *testing.T) {
	t.Helper()
	const number, flags = 0, 16 + 2*8 // where the call and its third argument are
	load := func(at uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: at}
	}
	var look []unix.SockFilter
	if r.unnamed {
		look = []unix.SockFilter{load(flags), {Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, K: unix.O_TMPFILE &^ unix.O_DIRECTORY, Jf: 1}}
	}
	program := slices.Concat(
		[]unix.SockFilter{load(number), {Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: r.call, Jf: uint8(len(look)) + 1}},
		look,
		[]unix.SockFilter{
			{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(r.errno)},
			{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
		})
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		t.Skip("no system call can be refused here:", err)
	}
	filter := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	if _, _, err := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&filter))); err != 0 {
		t.Skip("no system call can be refused here:", err)
	}
	if _, _, err := unix.Syscall(uintptr(r.call), ^uintptr(0), 0, unix.O_TMPFILE); err != r.errno {
		t.Fatalf("the call is not refused: %v", err)
	}
}

// inOwnProcess runs a test in a process of its own. It reports whether this is
// that process.
func inOwnProcess(t *testing.T) bool {
	t.Helper()
	const own = roleEnv + "_OWN"
	if os.Getenv(own) != "" {
		return true
	}
	cmd := exec.Command(os.Args[0], "-test.v", "-test.run", "^"+strings.ReplaceAll(t.Name(), "/", "$/^")+"$")
	cmd.Env = append(os.Environ(), own+"=1")
	switch out, err := cmd.CombinedOutput(); {
	case err != nil:
		t.Errorf("%v\n%s", err, out)
	case strings.Contains(string(out), "--- SKIP"):
		t.Skip(string(out))
	case !strings.Contains(string(out), "--- PASS: "+t.Name()):
		t.Errorf("it was not run:\n%s", out)
	}
	return false
}

// TestShares: what a share cannot do and is not needed is done without; a share
// that has gone, or that nothing can be made on, is told before a file is
// touched; and one that goes meanwhile leaves files old or new.
func TestShares(t *testing.T) {
	const refused, old = "its folder cannot be written to: ", "one-"
	for _, c := range []struct {
		name string
		refusal
		failed string // why files are not changed; "": they are
		after  string // the old file, and the new one
	}{
		{"cannot lock", refusal{call: unix.SYS_FLOCK, errno: unix.ENOTSUP}, "", "one+new"},
		{"has no locks left", refusal{call: unix.SYS_FLOCK, errno: unix.ENOLCK}, "", "one+new"},
		{"cannot lock what is open for reading", refusal{call: unix.SYS_FLOCK, errno: unix.EBADF}, "", "one+new"}, // NFS
		{"has no unnamed files", refusal{call: unix.SYS_OPENAT, unnamed: true, errno: unix.ENOTSUP}, "", "one+new"},
		{"renames over what is there only", refusal{call: unix.SYS_RENAMEAT2, errno: unix.EINVAL}, "", "one+new"},
		{"has no attributes", refusal{call: unix.SYS_LISTXATTR, errno: unix.ENOTSUP}, "", "one+new"},
		{"tells no free space", refusal{call: unix.SYS_STATFS, errno: unix.ENOSYS}, "", "one+new"},
		{"is read-only", refusal{call: unix.SYS_OPENAT, unnamed: true, errno: unix.EROFS}, refused + "read-only file system", old},
		{"may not be written to", refusal{call: unix.SYS_OPENAT, unnamed: true, errno: unix.EACCES}, refused + "permission denied", old},
		{"is stale", refusal{call: unix.SYS_OPENAT, unnamed: true, errno: unix.ESTALE}, refused + "stale", old},
		{"is broken", refusal{call: unix.SYS_OPENAT, unnamed: true, errno: unix.EIO}, refused + "input/output error", old},
		{"goes while files are renamed", refusal{call: unix.SYS_RENAMEAT, errno: unix.ESTALE}, "stale", "onenew"},
		{"cannot sync", refusal{call: unix.SYS_FSYNC, errno: unix.EIO}, "input/output error", old}, // nor the journal
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "-"), func(t *testing.T) {
			if !inOwnProcess(t) {
				return
			}
			dir := t.TempDir()
			a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
			write(t, a, "one")
			j := open(t, t.TempDir()) // which is on no share
			c.impose(t)
			result, err := j.Apply(bg, []Edit{with(a, "+"), made(b, "new")}, Options{})
			why := ""
			if err != nil {
				why = err.Error()
			}
			for _, f := range result.Failed {
				why += f.Err.Error() + "; "
			}
			if text(a)+text(b) != c.after || (why == "") != (c.failed == "") || !strings.Contains(why, c.failed) {
				t.Errorf("%q, want %q; it says %q", text(a)+text(b), c.after, why)
			}
			if begun := result.Run != ""; begun != (c.after != old) {
				t.Errorf("a run was begun: %v", begun)
			}
			if result.Run != "" && c.failed == "" {
				if _, err := j.Undo(bg, result.Run, Options{}); err != nil || text(a)+text(b) != old {
					t.Errorf("undone: %v, %q", err, text(a)+text(b))
				}
			}
			if list := leftovers(t, dir); len(list) > 0 {
				t.Error(list)
			}
		})
	}
}
