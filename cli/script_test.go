package cli

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"sigla/assets"
)

// programs is a folder for what tests build.
var programs string

// withPrograms runs the tests of a package and removes what they have built.
type withPrograms struct{ *testing.M }

func (m withPrograms) Run() int {
	var err error
	if programs, err = os.MkdirTemp("", "sigla-test-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(programs)
	return m.M.Run()
}

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == probeName { // tests try a gpu in a child process, too
		os.Exit(Run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	testscript.Main(withPrograms{m}, map[string]func(){
		"sigla": func() { os.Exit(Run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) },
	})
}

// TestScripts runs testdata/*.txtar: commands, their output, their status.
func TestScripts(t *testing.T) {
	golden, err := filepath.Abs("../model/testdata/golden/hf")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			for _, v := range []string{"XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "HOME"} {
				e.Setenv(v, filepath.Join(e.WorkDir, "home", v))
			}
			e.Setenv("GOLDEN", golden)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"status": status, "photos": photos, "broken": brokenPhotos, "checkpoint": checkpoint, "edit": edit, "cut": cutFile,
			"adapter": adapterCommand,
		},
	})
}

// status runs a command that must end with a certain status: status 3 sigla ….
func status(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N command args...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

// photos copies demo photos into a folder: photos DIR cat.jpg ….
func photos(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: photos DIR NAME...")
	}
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o755))
	for _, name := range args[1:] {
		f, err := assets.Demo().Open(name)
		ts.Check(err)
		var data bytes.Buffer
		_, err = data.ReadFrom(f)
		ts.Check(err)
		ts.Check(os.WriteFile(filepath.Join(dir, name), data.Bytes(), 0o644))
	}
}

// brokenPhotos fills a folder with photos that cannot be read: broken DIR.
func brokenPhotos(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: broken DIR")
	}
	photos(ts, false, []string{args[0], "cat.jpg"})
	dir := ts.MkAbs(args[0])
	cat, err := os.ReadFile(filepath.Join(dir, "cat.jpg"))
	ts.Check(err)
	ts.Check(os.Remove(filepath.Join(dir, "cat.jpg")))
	garbled := bytes.Clone(cat)
	for i := len(garbled) / 4; i < len(garbled)/2; i++ {
		garbled[i] = 0xff
	}
	for name, data := range map[string][]byte{
		"empty.jpg":     {},
		"truncated.jpg": cat[:len(cat)/2],
		"garbled.jpg":   garbled,
		"text.jpg":      []byte("This is not a photo.\n"),
		"huge.png":      pngHeader(60_000, 60_000),
	} {
		ts.Check(os.WriteFile(filepath.Join(dir, name), data, 0o644))
	}
}

// pngHeader is the beginning of a PNG of that size; its pixels are missing.
func pngHeader(width, height uint32) []byte {
	chunk := binary.BigEndian.AppendUint32([]byte("IHDR"), width)
	chunk = binary.BigEndian.AppendUint32(chunk, height)
	chunk = append(chunk, 8, 2, 0, 0, 0)
	file := append([]byte("\x89PNG\r\n\x1a\n"), 0, 0, 0, 13)
	file = append(file, chunk...)
	return binary.BigEndian.AppendUint32(file, crc32.ChecksumIEEE(chunk))
}

// checkpoint copies a small model in the published layout: checkpoint NAME DIR.
func checkpoint(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: checkpoint NAME DIR")
	}
	ts.Check(os.CopyFS(ts.MkAbs(args[1]), os.DirFS(filepath.Join(ts.Getenv("GOLDEN"), args[0]))))
}

// edit replaces the first match of a pattern in a file, once: edit FILE REGEXP
// NEW. In a safetensors file it edits the header and corrects its length.
func edit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: edit FILE REGEXP NEW")
	}
	path := ts.MkAbs(args[0])
	data, err := os.ReadFile(path)
	ts.Check(err)
	head, rest := data, []byte(nil)
	tensors := filepath.Ext(path) == ".safetensors"
	if tensors {
		n := binary.LittleEndian.Uint64(data)
		head, rest = data[8:8+n], data[8+n:]
	}
	re, err := regexp.Compile(args[1])
	ts.Check(err)
	at := re.FindIndex(head)
	if at == nil {
		ts.Fatalf("%s does not match %s", args[0], args[1])
	}
	head = fmt.Appendf(nil, "%s%s%s", head[:at[0]], args[2], head[at[1]:])
	if tensors {
		head = append(binary.LittleEndian.AppendUint64(nil, uint64(len(head))), head...)
	}
	ts.Check(os.WriteFile(path, append(head, rest...), 0o644))
}

// cutFile takes the second half of a file away: cut FILE.
func cutFile(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: cut FILE")
	}
	info, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Check(os.Truncate(ts.MkAbs(args[0]), info.Size()/2))
}
