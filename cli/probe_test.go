//go:build gpu && cgo && linux

package cli

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// Whatever becomes of the child process that tries a device is said by --device
// gpu, and costs auto nothing but speed. auto remembers what a driver has done, and
// asks again where that is not known.
func TestFaultsOfTheProbe(t *testing.T) {
	processor, wait := executable, probeTime
	defer func() { executable, probeTime = processor, wait }()
	probeTime = 120 * time.Millisecond
	for name, c := range map[string]struct {
		script  string // "": there is no program
		mode    os.FileMode
		want    string // a regular expression; "": it goes well
		untried bool
		slow    bool // takes its time
	}{
		"well":                {script: `echo '{"renderer":"GPU","flops":1}'`},
		"a driver that talks": {script: `echo 'libGL: hello'; echo '{"renderer":"GPU","flops":1}'`},
		"a driver that stays": {script: `sleep 20 & echo '{"renderer":"GPU","flops":1}'`},
		"no device":           {script: `echo '{"error":"no OpenGL device"}'`, want: `^no OpenGL device$`},
		"crash":               {script: `kill -SEGV $$`, want: `^the driver ended the process that tried it: signal: segmentation fault$`},
		"last words":          {script: `echo 'i965: no' >&2; echo >&2; exit 1`, want: `^the driver ended the process that tried it: exit status 1: i965: no$`},
		"mute":                {script: `exec sleep 20`, slow: true, want: `^the driver has not answered for 120ms$`},
		"silence":             {script: `true`, untried: true, want: `^try the gpu: the process that did has answered ""$`},
		"garbage":             {script: `echo usage: sigla`, untried: true, want: `^try the gpu: the process that did has answered "usage: sigla"$`},
		"another's answer":    {script: `echo '{}'`, untried: true, want: `^try the gpu: the process that did has answered "{}"$`},
		"killed":              {script: `kill -KILL $$`, untried: true, want: `^try the gpu: the process that did was ended: signal: killed$`},
		"interrupted":         {script: `kill -INT $$`, untried: true, want: `^try the gpu: the process that did was ended: signal: interrupt$`},
		"told to end":         {script: `exit 143`, untried: true, want: `^try the gpu: the process that did was ended: exit status 143$`},
		"program gone":        {untried: true, want: `^try the gpu: .*: no such file or directory$`},
		"program not to run":  {script: `true`, mode: 0o644, untried: true, want: `^try the gpu: .*: permission denied$`},
	} {
		t.Run(name, func(t *testing.T) {
			atHome(t)
			path := filepath.Join(t.TempDir(), "sigla")
			if c.mode == 0 {
				c.mode = 0o755
			}
			if c.script != "" {
				if err := os.WriteFile(path, []byte("#!/bin/sh\n"+c.script+"\n"), c.mode); err != nil {
					t.Fatal(err)
				}
			}
			executable = func() (string, error) { return path, nil }
			probeTime = 120 * time.Millisecond
			if !c.slow {
				probeTime = wait
			}
			p, err := probe(context.Background(), false)
			if c.want == "" {
				if err != nil || p.Renderer != "GPU" || p.FLOPS != 1 {
					t.Errorf("%+v, %v", p, err)
				}
				return
			}
			if err == nil || !regexp.MustCompile(c.want).MatchString(err.Error()) || errors.As(err, new(untried)) != c.untried {
				t.Errorf("%v", err)
			}
			autoStays(t)
			if _, err := os.Stat(verdictPath()); (err == nil) == c.untried {
				t.Errorf("what auto remembers: %v", err)
			}
		})
	}
}

// autoStays has auto open a model, which it does on the processor without a word.
func autoStays(t *testing.T) {
	t.Helper()
	var said strings.Builder
	a := &app{stderr: &said, progress: &progress{w: &said}}
	a.settings.device = "auto"
	enc, err := a.load(context.Background(), starter())
	if err != nil {
		t.Fatal(err)
	}
	defer enc.Close()
	if d := enc.Device(); !strings.HasPrefix(d, "cpu ") || strings.Contains(d, "failed") || said.Len() > 0 {
		t.Errorf("auto computes on %s and says %q", d, said.String())
	}
}

// One who has enough need not wait for the child process.
func TestFaultsOfAnImpatientUser(t *testing.T) {
	was := executable
	defer func() { executable = was }()
	path, begun := filepath.Join(t.TempDir(), "sigla"), filepath.Join(t.TempDir(), "begun")
	if err := os.WriteFile(path, []byte("#!/bin/sh\ntouch "+begun+"\nexec sleep 1000\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	executable = func() (string, error) { return path, nil }
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		for ; ; time.Sleep(time.Millisecond) {
			if _, err := os.Stat(begun); err == nil {
				cancel()
				return
			}
		}
	}()
	if _, err := probe(ctx, false); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// A folder for the cache in which nothing can be kept costs each start what is kept
// there, and nothing else.
func TestFaultsOfTheCache(t *testing.T) {
	f := newFaulty(t)
	inTheWay := filepath.Join(t.TempDir(), "cache")
	if err := errors.Join(os.Mkdir(inTheWay, 0o755), os.WriteFile(filepath.Join(inTheWay, "sigla"), []byte("mine"), 0o644)); err != nil {
		t.Fatal(err)
	}
	for name, cache := range map[string]string{
		"a file": filepath.Join(inTheWay, "sigla"), "a file in it": inTheWay, "takes nothing": "/proc/self/task",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, device := range []string{"gpu:software", "auto", "auto"} {
				out, said, status := f.run(t, []string{"XDG_CACHE_HOME=" + cache, "MESA_SHADER_CACHE_DISABLE=true"}, []string{"embed", "--text", "a cat", "--device", device})
				if status != exitDone || said != "" || len(out) < 1000 {
					t.Errorf("--device %s: status %d, standard error %q", device, status, said)
				}
			}
		})
	}
}
