package gallery

import (
	"archive/tar"
	"bytes"
	"context"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigla/assets"
	"sigla/cpu"
	"sigla/internal/require"
	"sigla/model"
)

var full = flag.Bool("full", false, "measure on all photos of the collections, not on some")

// benchScanner makes g use the engine that the program uses.
func benchScanner(t testing.TB, g *Gallery) *cpu.Engine {
	t.Helper()
	engine, err := cpu.New(cpu.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { engine.Close() })
	g.UseScanner(engine)
	return engine
}

func loadStarter(t testing.TB) *model.Model {
	t.Helper()
	engine, err := cpu.New(cpu.Options{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := model.Load(engine, model.Memory("starter", assets.Starter()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// unpack writes the files of a collection that keep wants to a new folder.
func unpack(t testing.TB, name string, keep func(name string) bool) string {
	t.Helper()
	f, err := os.Open(require.Data(t, "train", name+".tar"))
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
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag != tar.TypeReg || !keep(h.Name) {
			continue
		}
		var data bytes.Buffer
		if _, err := io.Copy(&data, r); err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(dir, filepath.FromSlash(h.Name)), data.Bytes())
	}
}

// embedded returns the photos under dir, embedded.
func embeddedFolder(t testing.TB, m *model.Model, dir string) *Gallery {
	t.Helper()
	ctx := context.Background()
	g := New()
	benchScanner(t, g)
	if err := g.Scan(ctx, dir); err != nil {
		t.Fatal(err)
	}
	if err := g.Embed(ctx, m, nil); err != nil {
		t.Fatal(err)
	}
	return g
}

// vectorsOfTexts returns the embeddings of texts.
func vectorsOfTexts(t testing.TB, m *model.Model, texts []string) [][]float32 {
	t.Helper()
	rows, err := m.EmbedTexts(context.Background(), texts)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// lines returns the lines of a file of testdata.
func lines(t testing.TB, elem ...string) []string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(append([]string{"testdata"}, elem...)...))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(data)), "\n")
}
