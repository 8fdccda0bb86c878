// Package shaders holds the compute shaders of the gpu engine, GLSL 4.30. A
// program is a file with a list of names defined: one file has all forms of an
// operation.
package shaders

import (
	"embed"
	"fmt"
	"strings"
)

//go:embed *.comp header.glsl
var files embed.FS

// Source returns the text of a program: the file, such as "matmul", with
// definitions "NAME" or "NAME value" above it. It panics if there is no such
// file.
func Source(file string, defines ...string) string {
	header, err := files.ReadFile("header.glsl")
	if err != nil {
		panic(err)
	}
	body, err := files.ReadFile(file + ".comp")
	if err != nil {
		panic(err)
	}
	// The version has to come first.
	version, rest, _ := strings.Cut(string(header), "\n")
	var b strings.Builder
	fmt.Fprintln(&b, version)
	for _, d := range defines {
		fmt.Fprintln(&b, "#define", d)
	}
	fmt.Fprintln(&b, "#line 1 0")
	b.WriteString(rest)
	fmt.Fprintln(&b, "#line 1 1")
	b.Write(body)
	return b.String()
}
