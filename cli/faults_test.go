//go:build gpu && cgo && linux

package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"sigla/finetune"
	"sigla/gpu"
	"sigla/internal/require"
)

// haste is enough for whatever a driver does on a machine that does much else.
const haste = "5s"

// faultyBuilds builds the program and the library once.
var faultyBuilds = sync.OnceValues(func() (f faulty, err error) {
	f = faulty{program: filepath.Join(programs, "sigla-gpu"), hasty: filepath.Join(programs, "sigla-hasty"), lib: filepath.Join(programs, "lib", "libEGL.so.1")}
	if err := os.Mkdir(filepath.Dir(f.lib), 0o755); err != nil {
		return f, err
	}
	for _, args := range [][]string{
		{"go", "build", "-tags", "gpu", "-o", f.program, "sigla"},
		{"go", "build", "-tags", "gpu", "-ldflags", "-X sigla/gpu.patience=" + haste, "-o", f.hasty, "sigla"},
		{cmp.Or(os.Getenv("CC"), "gcc"), "-shared", "-fPIC", "-o", f.lib, "../gpu/testdata/faults.c", "-ldl"},
	} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			return f, fmt.Errorf("%s: %w\n%s", args, err, out)
		}
	}
	return f, nil
})

// A faulty is the program on a driver that fails as a test wants: the library
// stands before the machine's own.
type faulty struct {
	program, lib string
	hasty        string // the program, which loses its patience after haste
	env          []string
	cache        string
}

// newFaulty has the program in a home of its own.
func newFaulty(t *testing.T) *faulty {
	t.Helper()
	e, err := gpu.Open(gpu.Options{Software: true})
	if err != nil {
		require.Missing(t, "gl", err.Error())
	}
	defer e.Close()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	f, err := faultyBuilds()
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "SIGLA_") && !strings.HasPrefix(v, "XDG_") {
			f.env = append(f.env, v)
		}
	}
	home := t.TempDir()
	for _, name := range []string{"XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"} {
		f.env = append(f.env, name+"="+filepath.Join(home, name))
	}
	f.cache = filepath.Join(home, "XDG_CACHE_HOME", "sigla", "gpu")
	f.env = append(f.env, "SIGLA_EGL="+string(regexp.MustCompile(`/\S*/libEGL\.so\S*`).Find(maps)))
	return &f
}

// run runs the program with a fault.
func (f *faulty) run(t *testing.T, env, args []string) (stdout, stderr string, status int) {
	t.Helper()
	program := f.program
	if slices.ContainsFunc(env, func(v string) bool { return strings.HasPrefix(v, "SIGLA_FAULT=hang") || v == "SIGLA_FAULT=silence" }) {
		program = f.hasty
	}
	cmd := exec.Command(program, args...)
	cmd.Env = append(append(slices.Clone(f.env), "LD_LIBRARY_PATH="+filepath.Dir(f.lib)), env...)
	var out, said strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &said
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), said.String(), cmd.ProcessState.ExitCode()
}

// fresh is the environment of a fault at the first shader that has a word: none is
// in the cache yet.
func (f *faulty) fresh(t *testing.T, fault string) []string {
	return []string{"SIGLA_FAULT=" + fault, "XDG_CACHE_HOME=" + t.TempDir()}
}

// Whatever is wrong with a device when it is opened is said in one line, with what
// to do; sigla doctor says it, too, and without --device the program runs.
func TestFaultsAtStart(t *testing.T) {
	f := newFaulty(t)
	preload := "LD_PRELOAD=" + f.lib
	for name, c := range map[string]struct {
		env  []string
		want string // a regular expression
	}{
		"no library":           {[]string{"SIGLA_FAULT=library", preload, "LD_LIBRARY_PATH="}, `no OpenGL device \(.*load libEGL: .*cannot open shared object file`},
		"no driver":            {[]string{"__EGL_VENDOR_LIBRARY_FILENAMES=/dev/null"}, `no OpenGL device \(.*no driver is installed`},
		"no device":            {[]string{"GALLIUM_DRIVER=none"}, `no OpenGL device \(.*no driver answers`},
		"OpenGL too old":       {[]string{"MESA_GL_VERSION_OVERRIDE=4.2"}, `no OpenGL device \(.*the driver has no OpenGL 4.3`},
		"shader compile error": {[]string{"SIGLA_FAULT=shader"}, `self-test: compute on llvmpipe.*: shader matmul .*: compile: .*error`},
		"out of memory":        {[]string{"SIGLA_FAULT=memory"}, `self-test: compute on llvmpipe.*: the device is out of memory`},
		"wrong products":       {[]string{"SIGLA_FAULT=wrong"}, `self-test: llvmpipe.* multiplies wrongly: element 0 is `},
		"wrong sums":           {[]string{"SIGLA_FAULT=wrong:squares"}, `self-test: llvmpipe.* sums wrongly: result 0 is `},
		"reset":                {[]string{"SIGLA_FAULT=reset"}, `self-test: compute on llvmpipe.*: it was reset`},
		"hang":                 {[]string{"SIGLA_FAULT=hang"}, `self-test: compute on llvmpipe.*: it has not answered for ` + haste},
		"hang in a call":       {[]string{"SIGLA_FAULT=hang-link"}, `self-test: compute on llvmpipe.*: it has not answered for ` + haste},
		"driver that crashes":  {[]string{"SIGLA_FAULT=crash"}, `the driver ended the process that tried it: .*: SIGABRT`},
		"driver that is mute":  {[]string{"SIGLA_FAULT=silence"}, `the driver has not answered for ` + haste},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // some wait
			out, said, status := f.run(t, c.env, []string{"embed", "--text", "a cat", "--device", "gpu:software"})
			line := regexp.MustCompile(`^sigla: open device gpu:software: ` + c.want + `.*; use --device cpu\n$`)
			if status != exitFailed || out != "" || !line.MatchString(said) {
				t.Errorf("status %d, %q, standard error %q", status, out, said)
			}
			out, _, _ = f.run(t, c.env, []string{"doctor", "--device", "gpu:software"})
			if !regexp.MustCompile(`(?m)^! gpu .*` + c.want + `.*; everything runs on the cpu$`).MatchString(out) {
				t.Errorf("the doctor says\n%s", out)
			}
			if out, said, status = f.run(t, c.env, []string{"embed", "--text", "a cat"}); status != exitDone || said != "" || len(out) < 1000 {
				t.Errorf("without --device: status %d, standard error %q", status, said)
			}
		})
	}
}

const mute = "it has not answered for " + haste

// What a device fails at in the middle of a run is done on the processor, and told
// once.
func TestFaultsInARun(t *testing.T) {
	f := newFaulty(t)
	embed := []string{"embed", taggedFolder(t, map[string][]string{"cat": nil})}
	want, said, status := f.run(t, nil, embed)
	if status != exitDone {
		t.Fatal(said)
	}
	for fault, why := range map[string]string{
		"reset:queries": "it was reset", "memory:queries": "the device is out of memory",
		"hang:queries": mute, "hang-link:queries": mute, "hang-dispatch:queries": mute, "hang-read:queries": mute,
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			out, said, status := f.run(t, f.fresh(t, fault), append(slices.Clone(embed), "--device", "gpu:software"))
			line := regexp.MustCompile(`^sigla: compute on llvmpipe [^:]*: ` + why + `; the cpu goes on\n$`)
			if status != exitDone || out != want || !line.MatchString(said) {
				t.Errorf("status %d, the processor's vector: %v, standard error %q", status, out == want, said)
			}
		})
	}
}

// A training whose device fails in the middle of a step goes on by itself.
func TestFaultsInATraining(t *testing.T) {
	f := newFaulty(t)
	dir := taggedFolder(t, twoKinds)
	for fault, why := range map[string]string{
		"reset:adamw": "it was reset", "memory:adamw": "the device is out of memory",
		"hang:adamw": mute, "hang-link:adamw": mute, "hang-dispatch:adamw": mute, "hang-upload:adamw": mute, "hang-read:adamw": mute,
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			env := append(f.fresh(t, fault), "XDG_DATA_HOME="+t.TempDir()) // it trains a model once at a time
			if _, said, status := f.run(t, env, []string{"index", dir}); status != exitDone {
				t.Fatal(said)
			}
			out, said, status := f.run(t, env, []string{"train", dir, "--complete", "--device", "gpu:software"})
			line := regexp.MustCompile(`(?m)^sigla: on the cpu from step (\d+): llvmpipe [^:]*: ` + why + `$`)
			if status != exitDone || len(line.FindAllString(said, -1)) != 1 {
				t.Fatalf("status %d, standard error\n%s", status, said)
			}
			last := strings.LastIndex(strings.TrimSpace(out), "\n")
			events, err := finetune.ReadEvents(strings.NewReader(out[:last+1]))
			if err != nil || !strings.HasPrefix(out[last+1:], `{"result":`) {
				t.Fatalf("%v\n%s", err, out)
			}
			notes := 0
			for _, e := range events {
				if e.Note != "" {
					notes++
				}
			}
			if e := events[len(events)-1]; e.Step != 200 || notes != 1 {
				t.Errorf("%d notes, the last step is %d", notes, e.Step)
			}
		})
	}
}

// A device that hangs when it is closed spoils nothing of what was done on it.
func TestFaultsAtClose(t *testing.T) {
	f := newFaulty(t)
	dir := taggedFolder(t, twoKinds)
	for name, c := range map[string]struct {
		word, want string
		args       []string
	}{
		"embed": {"queries", `^a cat\n[-+.e0-9 ]{1000,}\n$`, []string{"embed", "--text", "a cat"}},
		"train": {"adamw", `\{"step":2,"steps":2,[^\n]*\n\{"result":\{.*\}\n$`, []string{"train", dir, "--complete", "--epochs", "2"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, said, status := f.run(t, f.fresh(t, "hang-close:"+c.word), append(c.args, "--device", "gpu:software"))
			if status != exitDone || strings.Contains(said, "sigla: ") || !regexp.MustCompile(c.want).MatchString(out) {
				t.Errorf("status %d, standard error %q, standard output\n%s", status, said, out)
			}
		})
	}
}

// Two processes on one device, and one cache, do not disturb each other.
func TestTwoProcesses(t *testing.T) {
	f := newFaulty(t)
	args := []string{"embed", "--text", "a cat", "--device", "gpu:software"}
	type said struct {
		out, err string
		status   int
	}
	results := make(chan said)
	for range 2 {
		go func() {
			var s said
			s.out, s.err, s.status = f.run(t, nil, args)
			results <- s
		}()
	}
	a, b := <-results, <-results
	if a.status != exitDone || a.err != "" || len(a.out) < 1000 || a != b {
		t.Errorf("%d %q, %d %q; the same vectors: %v", a.status, a.err, b.status, b.err, a.out == b.out)
	}
	if again, _, _ := f.run(t, nil, args); again != a.out {
		t.Error("what both left in the cache gives other vectors")
	}
}

// damage has every file below a folder end in noise.
func damage(t *testing.T, dir string) (files int) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		file, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		size, err := file.Seek(0, io.SeekEnd)
		if err == nil {
			_, err = file.WriteAt([]byte(strings.Repeat("noise", 100)), size/2)
		}
		return errors.Join(err, file.Close())
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// A damaged cache, of compiled programs, of what was measured and of what auto
// decided, costs a new trial.
func TestDamagedCache(t *testing.T) {
	f := newFaulty(t)
	args := []string{"embed", "--text", "a cat", "--device", "gpu:software"}
	want, said, status := f.run(t, nil, args)
	if status != exitDone {
		t.Fatal(said)
	}
	f.run(t, nil, []string{"embed", "--text", "a cat"})
	if n := damage(t, f.cache); n < 5 {
		t.Fatalf("the cache has %d files", n)
	}
	if got, said, status := f.run(t, nil, args); status != exitDone || said != "" || got != want {
		t.Errorf("status %d, the same vector: %v, standard error %q", status, got == want, said)
	}
	if _, said, status := f.run(t, nil, args[:3]); status != exitDone || said != "" {
		t.Errorf("auto: status %d, standard error %q", status, said)
	}
}
