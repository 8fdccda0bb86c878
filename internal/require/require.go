// Package require gives tests what a machine may lack. A test that needs it is
// skipped where it is missing and says so; where SIGLA_REQUIRE lists it
// ("data,exiftool,gl,glslang,mingw,pillow,pty,radv,turbojpeg"), as continuous integration does, the test fails instead.
package require

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Data returns a path inside the folder of large test data that SIGLA_DATA
// names, as Data(t, "train", "caltech101.tar"). The data comes from public
// collections and is not part of the repository.
func Data(t testing.TB, elem ...string) string {
	t.Helper()
	root := os.Getenv("SIGLA_DATA")
	if root == "" {
		Missing(t, "data", "SIGLA_DATA names no folder of test data")
	}
	path := filepath.Join(append([]string{root}, elem...)...)
	if _, err := os.Stat(path); err != nil {
		Missing(t, "data", err.Error())
	}
	return path
}

// Unpack unpacks a tar file of the large test data (see Data) and returns the
// folder, which goes with the test.
func Unpack(t testing.TB, elem ...string) string {
	t.Helper()
	f, err := os.Open(Data(t, elem...))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	dir := t.TempDir()
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if err == io.EOF {
			return dir
		}
		if err == nil && h.Typeflag == tar.TypeReg {
			err = unpack(filepath.Join(dir, filepath.FromSlash(h.Name)), r)
		}
		if err != nil {
			t.Fatalf("unpack %s: %v", f.Name(), err)
		}
	}
}

func unpack(path string, r io.Reader) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Close())
}

// Rounds returns how often a test repeats what it does: long where SIGLA_LONG is
// set, as .ci/run long sets it; brief with go test -short, for the race detector
// slows some code down a lot; else usual.
func Rounds(brief, usual, long int) int {
	switch {
	case os.Getenv("SIGLA_LONG") != "":
		return long
	case testing.Short():
		return brief
	}
	return usual
}

// Missing ends a test that cannot run because something is not here: as failed
// if SIGLA_REQUIRE lists what, else as skipped for that reason.
func Missing(t testing.TB, what, reason string) {
	t.Helper()
	if slices.Contains(strings.Split(os.Getenv("SIGLA_REQUIRE"), ","), what) {
		t.Fatalf("SIGLA_REQUIRE lists %s: %s", what, reason)
	}
	t.Skip(reason)
}
