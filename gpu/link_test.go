//go:build gpu && cgo && linux

package gpu

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// The binary starts on machines without OpenGL: libraries of it, and of X, are
// loaded when they are asked for and nowhere in the dynamic section.
func TestNoLibraryIsLinked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sigla")
	cmd := exec.Command("go", "build", "-tags", "gpu", "-o", path, "sigla")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	libraries, err := f.ImportedLibraries()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range libraries {
		if regexp.MustCompile(`^lib(GL|EGL|OpenGL|X|xcb|wayland)`).MatchString(name) {
			t.Errorf("the binary needs %s", name)
		}
	}
	t.Log(libraries)
}
