//go:build gpu && cgo && (linux || windows)

package gpu

import (
	"debug/pe"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigla/internal/require"
)

// The binary for Windows starts on every Windows, also on one without OpenGL: its
// import table has the kernel and the runtime of C, which are parts of the system.
// It exports what makes a laptop use the faster of two GPUs.
func TestImportTable(t *testing.T) {
	const compiler = "x86_64-w64-mingw32-gcc"
	if _, err := exec.LookPath(compiler); err != nil {
		require.Missing(t, "mingw", err.Error())
	}
	path := filepath.Join(t.TempDir(), "sigla.exe")
	cmd := exec.Command("go", "build", "-tags", "gpu", "-o", path, "sigla")
	cmd.Env = append(os.Environ(), "GOOS=windows", "GOARCH=amd64", "CGO_ENABLED=1", "CC="+compiler)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	f, err := pe.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	symbols, err := f.ImportedSymbols() // "name:library"; ImportedLibraries is empty always
	if err != nil || len(symbols) == 0 {
		t.Fatalf("%d imports, %v", len(symbols), err)
	}
	for _, s := range symbols {
		_, library, _ := strings.Cut(s, ":")
		if !slices.Contains([]string{"kernel32.dll", "msvcrt.dll"}, strings.ToLower(library)) {
			t.Errorf("the binary needs %s of %s", s, library)
		}
	}
	names := exported(t, f)
	for _, want := range []string{"NvOptimusEnablement", "AmdPowerXpressRequestHighPerformance"} {
		if !strings.Contains(names, want+"\x00") {
			t.Errorf("the binary does not export %s", want)
		}
	}
}

// exported is the section of exports, whose names end with zeros.
func exported(t *testing.T, f *pe.File) string {
	t.Helper()
	table := f.OptionalHeader.(*pe.OptionalHeader64).DataDirectory[pe.IMAGE_DIRECTORY_ENTRY_EXPORT]
	for _, s := range f.Sections {
		if table.Size > 0 && s.VirtualAddress <= table.VirtualAddress && table.VirtualAddress < s.VirtualAddress+s.VirtualSize {
			data, err := s.Data()
			if err != nil {
				t.Fatal(err)
			}
			from := table.VirtualAddress - s.VirtualAddress
			return string(data[from : from+table.Size])
		}
	}
	return ""
}
