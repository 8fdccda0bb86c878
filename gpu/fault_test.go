//go:build gpu && cgo && (linux || windows)

package gpu

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigla/backend"
	"sigla/internal/require"
)

// A failure sticks: what comes after does nothing, and every Read tells.
func TestFailureSticks(t *testing.T) {
	e := open(t).(*engine)
	b := e.Alloc(4, backend.Scratch)
	e.Write(b, []float32{1, 2, 3, 4})
	e.add(func(d *device) { d.fail(errors.New("it was reset")) })
	e.Zero(b)
	for range 2 {
		err := e.Read(make([]float32, 4), b)
		var device *DeviceError
		if !errors.As(err, &device) || !strings.HasSuffix(err.Error(), "it was reset") {
			t.Errorf("read after a reset: %v", err)
		}
	}
	if err := e.Close(); err == nil {
		t.Error("close says nothing of the failure")
	}
	if err := e.Read(make([]float32, 4), b); err == nil {
		t.Error("read from a closed engine")
	}
}

// Shaders that do not compile are an error of the engine, not a crash.
func TestBrokenShader(t *testing.T) {
	e := open(t).(*engine)
	b := e.Alloc(4, backend.Scratch)
	e.run(kernel{file: "elements", defines: []string{"ADD", "main nonsense("}, bufs: []backend.Buf{b, b, b}, sizes: ints(4, 4)}.each(4))
	if err := e.Read(make([]float32, 4), b); err == nil || !strings.Contains(err.Error(), "shader elements") {
		t.Errorf("%v", err)
	}
	e.Close()
}

// OpenGL's own errors come back from Read.
func TestGLError(t *testing.T) {
	e := open(t).(*engine)
	b := e.Alloc(4, backend.Scratch)
	e.run(kernel{file: "elements", defines: []string{"RELU6"}, bufs: []backend.Buf{b, b}, sizes: ints(4), x: 1 << 20, y: 1})
	if err := e.Read(make([]float32, 4), b); err == nil || !strings.Contains(err.Error(), "OpenGL error 0x501") {
		t.Errorf("too many work groups: %v", err)
	}
	e.Close()
}

// cached opens an engine with a cache, and has it compute something.
func cached(t *testing.T, dir string) tuning {
	t.Helper()
	opened, err := Open(Options{Software: true, Cache: dir})
	if err != nil {
		require.Missing(t, "gl", err.Error())
	}
	e := opened.(*engine)
	a, c := e.Alloc(64*64, backend.Scratch), e.Alloc(64*64, backend.Scratch)
	values := make([]float32, 64*64)
	for i := range values {
		values[i] = 1
	}
	e.Write(a, values)
	e.MatMul(c, a, a, backend.Mat{M: 64, N: 64, K: 64})
	if err := e.Read(values, c); err != nil || values[77] != 64 {
		t.Errorf("product %g, %v", values[77], err)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	return e.tuning
}

// The cache is used the next time; what is damaged in it, or was put there by
// somebody else, is not believed.
func TestCache(t *testing.T) {
	dir := t.TempDir()
	want := cached(t, dir)
	if got := cached(t, dir); got != want {
		t.Errorf("tuned to %+v again, had %+v", got, want)
	}
	jsons, _ := filepath.Glob(filepath.Join(dir, "*.json"))
	programs, _ := filepath.Glob(filepath.Join(dir, "*", "*"))
	if len(jsons) != 1 || len(programs) == 0 {
		t.Fatalf("the cache has %v and %d programs", jsons, len(programs))
	}
	for _, path := range programs {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for i := len(data) / 2; i < len(data); i += 7 {
			data[i] ^= 0xff
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	forged := want
	forged[0].Tile.PerRow = 1000
	data, err := json.Marshal(forged)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(jsons[0], data, 0o644); err != nil {
		t.Fatal(err)
	}
	if got := cached(t, dir); !got.valid() {
		t.Errorf("believed a shape of %+v", got)
	}
}

// Without a way to a context there is an error, and no crash.
func TestNoHardware(t *testing.T) {
	e, err := Open(Options{})
	if err == nil {
		t.Logf("this machine has %s", e.Info().Renderer)
		e.Close()
		return
	}
	if !strings.Contains(err.Error(), "computes on the processor") && !strings.Contains(err.Error(), "libEGL") {
		t.Errorf("%v", err)
	}
}
