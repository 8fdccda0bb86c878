//go:build gpu && cgo && (linux || windows)

package gpu

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"sigla/backend"
	"sigla/internal/require"
	"sigla/shaders"
)

// eachTile calls f with every tile as the only one.
func eachTile(e *engine, f func()) {
	was := e.tuning
	for _, s := range was {
		e.tuning = only(s)
		f()
	}
	e.tuning = was
}

// everything issues every form of every kernel once; the sizes do not matter.
func everything(e *engine) {
	n := 3 * 4 * 8
	var b [10]backend.Buf
	for i := range b {
		b[i] = e.Alloc(n, backend.Scratch)
	}
	e.CopyRows(b[0], b[1], 3, 4, 8, 8)
	e.Add(b[0], b[1], b[2])
	e.SumRows(b[0].Slice(0, 32), b[1], 3, 32)
	many, more := e.Alloc(600, backend.Scratch), e.Alloc(600, backend.Scratch)
	e.SumRows(b[0].Slice(0, 1), many, 600, 1)
	e.LayerNormGrad(more, b[0].Slice(0, 1), b[1].Slice(0, 1), many, many, b[2].Slice(0, 1), many, many, 600, 1)
	products(e, b[:])
	for kind := backend.GELUTanh; kind <= backend.GELUQuick; kind++ {
		e.GELU(b[0], b[1], kind)
		e.GELUGrad(b[0], b[1], b[2], kind)
	}
	none, row, col := backend.Buf{}, b[4].Slice(0, 3), b[5].Slice(0, 32)
	for _, keep := range [][2]backend.Buf{{none, none}, {row, none}, {none, row}, {row, b[6].Slice(0, 3)}} {
		e.LayerNorm(b[0], keep[0], keep[1], b[1], col, b[7].Slice(0, 32), 3, 32, 1e-6)
		e.Normalize(b[0], keep[0], b[1], 3, 32)
	}
	e.LayerNormGrad(b[0], b[1].Slice(0, 32), b[2].Slice(0, 32), b[3], b[7], col, row, b[6].Slice(0, 3), 3, 32)
	e.NormalizeGrad(b[0], b[1], b[2], row, 3, 32)
	attentions(e)
	e.DepthwiseConv(b[0].Slice(0, 16), b[1].Slice(0, 16), b[2].Slice(0, 9), b[3].Slice(0, 1), backend.Conv{Batch: 1, Height: 4, Width: 4, Channels: 1, Kernel: 3, Stride: 1})
	e.ReLU6(b[0], b[1])
	at := func(i int) backend.Buf { return b[9].Slice(i, 1) }
	e.SigmoidLoss(at(0), b[0], b[1], at(1), at(2), b[2], b[3], at(3), at(4),
		backend.Pairs{Rows: 12, Cols: 12, Dim: 8, Diagonal: true, Except: []backend.Pair{{Row: 1, Col: 2, Label: 1}}})
	e.SoftmaxLoss(at(0), b[0], b[1], at(1), b[2], b[3], at(3), backend.Pairs{Rows: 12, Cols: 12, Dim: 8, Default: -1, Diagonal: true})
	e.Peak()
	e.SumSquares(at(0), b[1])
	e.AdamW(b[0], b[1], b[2], b[3], backend.Adam{Step: 1})
}

// products issues matrix products in all forms.
func products(e *engine, b []backend.Buf) {
	for i := range 16 {
		m := backend.Mat{M: 8, N: 12, K: 8, TransA: i&1 != 0, TransB: i&2 != 0, Add: i&4 != 0}
		if i&8 != 0 {
			m.Bias = b[3].Slice(0, 12)
		}
		if i&12 == 0 { // adding and the bias are at the end, whatever the tile
			eachTile(e, func() {
				e.MatMul(b[0], b[1].Slice(0, 64), b[2], m)
				e.MatMul(b[0].Slice(1, 84), b[1].Slice(0, 56), b[2], backend.Mat{M: 7, N: 12, K: 8, TransA: m.TransA, TransB: m.TransB})
			})
		} else {
			e.MatMul(b[0], b[1].Slice(0, 64), b[2], m)
		}
	}
	for _, add := range []bool{false, true} { // in parts
		e.MatMul(b[0].Slice(0, 1), e.temporary("many", 512), e.temporary("more", 512), backend.Mat{M: 1, N: 1, K: 512, TransA: true, Add: add})
	}
}

// programs are the files and definitions of all programs.
func programs(t *testing.T) (keys []string) {
	collect := func(e *engine) {
		e.wait(func(d *device) {
			for key := range d.programs {
				keys = append(keys, key)
			}
		})
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
	e := open(t).(*engine)
	everything(e)
	collect(e)
	for _, s := range []Storage{F16, BF16} {
		e := openStorage(t, s)
		w := e.Alloc(64, backend.Weight)
		e.Write(w, make([]float32, 64))
		x := e.plain("x", w)
		for i := range 4 {
			m := backend.Mat{M: 8, N: 8, K: 8, TransA: i&1 != 0, TransB: i&2 != 0}
			y := e.Alloc(64, backend.Scratch)
			e.MatMul(y, x, w, m)
			e.MatMul(y, w, x, m)
		}
		collect(e)
	}
	return keys
}

// sourceOf is the file and the text of a program.
func sourceOf(key string) (file, source string) {
	words := strings.Split(strings.TrimSuffix(key, "\n"), "\n")
	return words[0], shaders.Source(words[0], words[1:]...)
}

// Every program that an engine makes is valid GLSL to the reference compiler,
// which refuses what Mesa lets pass.
func TestShadersAreValid(t *testing.T) {
	tool, err := exec.LookPath("glslangValidator")
	if err != nil {
		require.Missing(t, "glslang", err.Error())
	}
	keys := programs(t)
	used, dir, said := make(map[string]bool), t.TempDir(), make(map[string]string)
	args := []string{}
	for i, key := range keys {
		file, source := sourceOf(key)
		used[file] = true
		path := filepath.Join(dir, fmt.Sprintf("%d.comp", i))
		said[path] = fmt.Sprintf("%q", key)
		if err := os.WriteFile(path, []byte(source), 0o644); err != nil {
			t.Fatal(err)
		}
		args = append(args, path)
	}
	// It names a file on a line of its own, before what it says of it.
	if out, err := exec.Command(tool, args...).CombinedOutput(); err != nil {
		for line := range strings.Lines(string(out)) {
			if name := strings.TrimSpace(line); said[name] != "" {
				line = said[name] + "\n"
			}
			t.Error(line)
		}
	}
	t.Logf("%d programs", len(keys))
	all, err := filepath.Glob("../shaders/*.comp")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range all {
		if name := strings.TrimSuffix(filepath.Base(path), ".comp"); !used[name] {
			t.Errorf("%s.comp is not used", name)
		}
	}
}

// OpenGL 4.3 promises a compute shader 8 buffers.
func TestBindings(t *testing.T) {
	paths, err := filepath.Glob("../shaders/*.comp")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no shaders: %v", err)
	}
	for _, path := range paths {
		source, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		declared := regexp.MustCompile(`\bbinding\s*=\s*(\d+)`).FindAllSubmatch(source, -1)
		if len(declared) == 0 {
			t.Errorf("%s has no bindings", path)
		}
		for _, d := range declared {
			if i, err := strconv.Atoi(string(d[1])); err != nil || i >= 8 {
				t.Errorf("%s has binding %s", path, d[1])
			}
		}
	}
}

// Sizes at which drivers stop counting: Mesa's ends a loop after 65,535 steps,
// all loops of an invocation together, and no dimension may have more groups.
func TestLargeSizes(t *testing.T) {
	e := open(t).(*engine)
	const n = 300_000
	ones := make([]float32, n)
	for i := range ones {
		ones[i] = 1
	}
	long := e.Alloc(n, backend.Scratch)
	e.Write(long, ones)
	one := func() float32 {
		t.Helper()
		var got [1]float32
		if err := e.Read(got[:], e.temporary("one", 1)); err != nil {
			t.Fatal(err)
		}
		return got[0]
	}
	dst := e.temporary("one", 1)
	e.MatMul(dst, long, long, backend.Mat{M: 1, N: 1, K: n})
	if got := one(); got != n {
		t.Errorf("a product %d deep is %g", n, got)
	}
	e.Zero(dst)
	e.SumRows(dst, long, n, 1)
	if got := one(); got != n {
		t.Errorf("the sum of %d rows is %g", n, got)
	}
	e.Zero(dst)
	e.SumSquares(dst, long)
	if got := one(); got != n {
		t.Errorf("the sum of %d squares is %g", n, got)
	}
	// A row a work group, more rows than a dimension has.
	rows := e.Alloc(n, backend.Scratch)
	e.Normalize(rows, backend.Buf{}, long, n/2, 2)
	got := make([]float32, n)
	if err := e.Read(got, rows); err != nil {
		t.Fatal(err)
	}
	for i, v := range got {
		if math.Abs(float64(v)-math.Sqrt2/2) > 1e-6 {
			t.Fatalf("element %d of %d unit rows is %g", i, n/2, v)
		}
	}
	e.Close()
}
