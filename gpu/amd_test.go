//go:build gpu && cgo && linux

package gpu

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sigla/backend"
	"sigla/internal/require"
)

// No program keeps in memory what belongs in registers, on two generations of GPUs
// that need not be there: Mesa's compiler for AMD says of each what it takes, which
// -v prints.
func TestRegistersOnAMD(t *testing.T) {
	tool := compilerOfAMD(t)
	dir := t.TempDir()
	keys := realPrograms(t)
	var files []string
	for i, key := range keys {
		files = append(files, forVulkan(t, filepath.Join(dir, fmt.Sprint(i)), key))
	}
	for _, family := range []string{"VEGA10", "NAVI21"} {
		t.Run(family, func(t *testing.T) {
			cmd := exec.Command(tool, files...)
			cmd.Env = append(os.Environ(), "RADV_FORCE_FAMILY="+family, "MESA_SHADER_CACHE_DISABLE=true")
			var said strings.Builder
			cmd.Stderr = &said
			out, err := cmd.Output()
			if err != nil {
				require.Missing(t, "radv", fmt.Sprintf("%v: %s", err, said.String()))
			}
			i := 0
			for line := range strings.Lines(string(out)) {
				found := statistics(line)
				if found["VGPRs"] == 0 || found["Spilled VGPRs"]+found["Spilled SGPRs"]+found["Scratch size"] > 0 {
					t.Errorf("%q: %v", keys[i], found)
				}
				t.Logf("%q: %d registers, %d bytes shared, %d waves a SIMD, %d instructions", keys[i], found["VGPRs"],
					found["LDS size"], found["Subgroups per SIMD"], found["Instructions"])
				i++
			}
			if i != len(keys) {
				t.Errorf("%d of %d programs: %s", i, len(keys), said.String())
			}
		})
	}
}

// realPrograms are the programs with the widths of heads that SigLIP has.
func realPrograms(t *testing.T) []string {
	e := open(t).(*engine)
	for _, dim := range []int{64, 72} {
		n := 32 * dim
		var b [9]backend.Buf
		for i := range b {
			b[i] = e.Alloc(n, backend.Scratch)
		}
		a := backend.Attn{Batch: 1, Heads: 1, Queries: 32, Keys: 32, Dim: dim}
		lse := e.Alloc(32, backend.Scratch)
		e.Attention(b[0], lse, b[1], b[2], b[3], a)
		e.AttentionGrad(b[4], b[5], b[6], b[7], b[0], lse, b[1], b[2], b[3], a)
	}
	var keys []string
	e.wait(func(d *device) {
		for key := range d.programs {
			keys = append(keys, key)
		}
	})
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	keys = append(keys, programs(t)...)
	slices.Sort(keys)
	return slices.Compact(keys)
}

// compilerOfAMD builds testdata/amd.c.
func compilerOfAMD(t *testing.T) string {
	t.Helper()
	tool := filepath.Join(t.TempDir(), "amd")
	compiler := "gcc"
	if cc := os.Getenv("CC"); cc != "" {
		compiler = cc
	}
	if out, err := exec.Command(compiler, "-Wall", "-Werror", "-o", tool, "testdata/amd.c", "-lvulkan").CombinedOutput(); err != nil {
		require.Missing(t, "radv", string(out))
	}
	drivers, err := filepath.Glob("/usr/share/vulkan/icd.d/radeon_icd*.json")
	if err != nil || len(drivers) == 0 {
		require.Missing(t, "radv", "Mesa's Vulkan driver for AMD is not there (mesa-vulkan-drivers)")
	}
	t.Setenv("VK_ICD_FILENAMES", drivers[0])
	return tool
}

// forVulkan compiles a program to SPIR-V for Vulkan, whose uniforms are a block of
// push constants, and returns the file.
func forVulkan(t *testing.T, path, key string) string {
	t.Helper()
	_, source := sourceOf(key)
	var members strings.Builder
	for line := range strings.Lines(source) {
		if _, member, is := strings.Cut(line, ") uniform "); is {
			source = strings.Replace(source, line, "\n", 1)
			members.WriteString(member)
		}
	}
	version, rest, _ := strings.Cut(source, "\n")
	source = fmt.Sprintf("%s\nlayout(push_constant) uniform Uniforms {\n%s};\n%s", version, &members, rest)
	if err := os.WriteFile(path+".comp", []byte(source), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("glslangValidator", "-V", "-o", path, path+".comp").CombinedOutput(); err != nil {
		if _, lost := exec.LookPath("glslangValidator"); lost != nil {
			require.Missing(t, "glslang", lost.Error())
		}
		t.Fatalf("%q: %s", key, out)
	}
	return path
}

// statistics reads a line of testdata/amd.c.
func statistics(line string) map[string]int {
	found := make(map[string]int)
	for _, word := range strings.Split(strings.TrimSpace(line), "\t")[1:] {
		name, value, _ := strings.Cut(word, "=")
		if n, err := strconv.Atoi(value); err == nil {
			found[name] = n
		}
	}
	return found
}
