package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"testing"
)

// A file or a function that has grown past these lines has more than one idea.
const (
	maxFileLines = 500
	maxFuncLines = 60
)

// long names the files ("cli/x.go") and functions ("cli/x.go: name") that may
// be longer, each with its reason. Generated files are not counted.
var long = map[string]string{}

func TestSizes(t *testing.T) {
	used := map[string]bool{}
	check := func(name string, lines, most int) {
		if lines <= most {
			return
		}
		used[name] = true
		if long[name] == "" {
			t.Errorf("%s has %d lines, at most %d: split it", name, lines, most)
		}
	}
	sources(t, true, func(path string) {
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		if ast.IsGenerated(f) {
			return
		}
		name := filepath.ToSlash(path)
		check(name, fset.File(f.FileStart).LineCount(), maxFileLines)
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok {
				check(name+": "+fn.Name.Name, fset.Position(fn.End()).Line-fset.Position(fn.Pos()).Line+1, maxFuncLines)
			}
		}
	})
	for name := range long {
		if !used[name] {
			t.Errorf("%s is excepted but not long: remove the exception", name)
		}
	}
}
