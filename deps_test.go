package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// rooms says which packages of this module each package may import. A name
// that ends in /* stands for every package below it.
// It is policy: change the code to fit it, or argue for changing it. Rooms of
// the design stand here before they are built.
var rooms = map[string]string{
	"backend":                 "",
	"backend/ref":             "backend",
	"backend/backendtest":     "backend backend/ref",
	"cpu":                     "backend",
	"shaders":                 "",
	"gpu/egl":                 "",
	"gpu/gl":                  "",
	"gpu/wgl":                 "",
	"gpu":                     "backend shaders gpu/* internal/atomicfile",
	"model/hub":               "",
	"model/preprocess":        "",
	"model/safetensors":       "",
	"model/tokenize":          "",
	"model":                   "backend model/*",
	"gallery/catalog":         "internal/filelock",
	"gallery/label":           "internal/atomicfile",
	"gallery/photo":           "",
	"gallery/query":           "",
	"gallery/sidecar":         "gallery/sidecar/journal",
	"gallery/sidecar/journal": "internal/filelock",
	"gallery":                 "gallery/*",
	"finetune":                "backend model model/safetensors internal/atomicfile internal/filelock",
	"assets":                  "",
	"ui/chart":                "",
	"ui/pixels":               "",
	"ui":                      "finetune gallery gallery/* model ui/* assets",
	"cli":                     "backend cpu gpu finetune model model/* gallery gallery/* ui ui/* assets internal/atomicfile",
	"internal/atomicfile":     "",
	"internal/filelock":       "",
	"internal/require":        "", // for tests: what a machine may lack
	".":                       "cli",
}

// sources calls visit for every Go file of this module. Generators (folders
// that begin with _) are modules of their own and come only if asked for.
func sources(t *testing.T, generators bool, visit func(path string)) {
	t.Helper()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch name := d.Name(); {
		case err != nil:
			return err
		case d.IsDir() && path != "." && (name == "testdata" || name[0] == '.' || name[0] == '_' && !generators):
			return fs.SkipDir
		case !d.IsDir() && strings.HasSuffix(name, ".go"):
			visit(path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// mayImport reports whether the list of rooms names pkg.
func mayImport(list, pkg string) bool {
	for room := range strings.FieldsSeq(list) {
		if below, ok := strings.CutSuffix(room, "*"); room == pkg || ok && strings.HasPrefix(pkg, below) {
			return true
		}
	}
	return false
}

func TestRooms(t *testing.T) {
	sources(t, false, func(path string) {
		room := filepath.ToSlash(filepath.Dir(path))
		may, ok := rooms[room]
		if !ok {
			t.Errorf("%s: package %s is not listed in rooms", path, room)
		}
		if strings.HasSuffix(path, "_test.go") {
			return // a test may stand on any engine or model it needs
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, imp := range f.Imports {
			p, _ := strconv.Unquote(imp.Path.Value)
			if p, ok := strings.CutPrefix(p, "sigla/"); ok && !mayImport(may, p) {
				t.Errorf("%s: package %s may not import %s", path, room, p)
			}
		}
	})
}

// The default build is one static binary: no C, and no purego, whose dlopen
// makes a binary dynamic even without cgo. Only builds tagged gpu or turbo may
// use them.
func TestDefaultBuildIsStatic(t *testing.T) {
	for _, cgo := range []string{"0", "1"} {
		cmd := exec.Command("go", "list", "-deps", "-f", "{{.ImportPath}} {{.Standard}} {{len .CgoFiles}}", ".")
		cmd.Env = append(os.Environ(), "CGO_ENABLED="+cgo)
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("go list with CGO_ENABLED=%s: %v", cgo, err)
		}
		for line := range strings.Lines(string(out)) {
			f := strings.Fields(line)
			pkg, standard, cgoFiles := f[0], f[1] == "true", f[2]
			if strings.HasPrefix(pkg, "github.com/ebitengine/purego") {
				t.Errorf("CGO_ENABLED=%s: the default build imports %s", cgo, pkg)
			}
			if pkg == "runtime/cgo" && cgo == "0" || !standard && cgoFiles != "0" {
				t.Errorf("CGO_ENABLED=%s: the default build needs C for %s", cgo, pkg)
			}
		}
	}
}
