//go:build unix

package cli

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sigla/assets"
	"sigla/gallery/catalog"
)

// variants writes copies of the demo photos that differ in what follows the
// picture: other content, another vector for each photo.
func variants(t *testing.T, each int) string {
	t.Helper()
	dir := t.TempDir()
	names, err := fs.Glob(assets.Demo(), "*.jpg")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		photo, err := fs.ReadFile(assets.Demo(), name)
		if err != nil {
			t.Fatal(err)
		}
		for i := range each {
			path := filepath.Join(dir, fmt.Sprintf("%d-%s", i, name))
			if err := os.WriteFile(path, fmt.Appendf(photo, "%d", i), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}

// indexer is the program that indexes a folder into a data folder.
func indexer(t *testing.T, data, folder string) *exec.Cmd {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "index", folder)
	cmd.Env = append(os.Environ(), "XDG_DATA_HOME="+data, "XDG_CONFIG_HOME="+data, "XDG_CACHE_HOME="+data)
	return cmd
}

func index(t *testing.T, data, folder string) string {
	t.Helper()
	out, err := indexer(t, data, folder).CombinedOutput()
	if err != nil {
		t.Fatalf("index: %v\n%s", err, out)
	}
	return string(out)
}

// Killed at whatever moment, an index run leaves a catalog that the next one
// finishes, in which every vector is that of its photo.
func TestIndexIsKilled(t *testing.T) {
	folder, killed, whole := variants(t, 5), t.TempDir(), t.TempDir()
	if _, err := program(); err != nil { // not a part of the run
		t.Fatal(err)
	}
	start := time.Now()
	index(t, whole, folder)
	took := time.Since(start)

	ran := 0
	for range 6 {
		cmd := indexer(t, killed, folder)
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(rand.Int64N(int64(took)/2)) + time.Millisecond)
		cmd.Process.Kill()
		if err := cmd.Wait(); err == nil {
			ran++ // to its end
		} else if out.Len() > 0 {
			t.Errorf("after a kill: %s", out.String())
		}
	}
	t.Logf("a run takes %v; %d of 6 came to their end; the last: %s", took, ran, index(t, killed, folder))
	if got := index(t, killed, folder); !strings.HasPrefix(got, "115 photos: 0 embedded, 115 from the catalog, 0 failed;") {
		t.Error(got)
	}
	compareCatalogs(t, filepath.Join(killed, "sigla"), filepath.Join(whole, "sigla"))
}

// compareCatalogs says that two catalogs are in order, that each of their files
// has the hash of its content, and that they agree on its vector.
func compareCatalogs(t *testing.T, dirs ...string) {
	t.Helper()
	ctx := context.Background()
	vectors := make(map[string][]float32) // by path, of the catalog before
	for _, dir := range dirs {
		problems, err := catalog.Verify(ctx, dir)
		if err != nil || len(problems) > 0 {
			t.Errorf("verify: %v, %v", problems, err)
		}
		c, err := catalog.Open(ctx, dir)
		if err != nil {
			t.Fatal(err)
		}
		st, err := c.Status(ctx)
		if err != nil || len(st.Models) != 1 || len(st.Roots) != 1 {
			t.Fatalf("status %+v, %v", st, err)
		}
		x, err := c.Vectors(ctx, st.Models[0].Model)
		if err != nil {
			t.Fatal(err)
		}
		root := st.Roots[0].Root
		err = c.EachFile(ctx, root, func(f catalog.File) error {
			content, err := os.ReadFile(filepath.Join(root.Path, f.Path))
			if err != nil {
				return err
			}
			hash, err := catalog.HashOf(bytes.NewReader(content))
			row, ok := x.Find(f.Hash)
			v := make([]float32, st.Models[0].Dim)
			if ok {
				catalog.Widen(v, x.Row(row))
			}
			if !ok || hash != f.Hash || !f.Missing.IsZero() {
				t.Errorf("%s: vector %v, hash %s, want %s", f.Path, ok, f.Hash, hash)
			}
			for i, other := range vectors[f.Path] {
				if math.Abs(float64(v[i]-other)) > 1e-3 {
					t.Errorf("%s has two vectors", f.Path)
					break
				}
			}
			vectors[f.Path] = v
			return err
		})
		if err != nil || len(vectors) != st.Models[0].Vectors {
			t.Errorf("%d files, %d vectors, error %v", len(vectors), st.Models[0].Vectors, err)
		}
		x.Close()
		c.Close()
	}
}

// What the explorer has embedded is there the next time.
func TestExplorerKeepsVectors(t *testing.T) {
	folder := variants(t, 1)
	c := launch(t, 120, 40, folder)
	c.matches(`(^|[^/\d])23(/23)? embedded`)
	c.press("q")
	if status := c.exit(); status != 0 {
		t.Fatalf("exit status %d after q, want 0", status)
	}
	if got := index(t, filepath.Join(c.home, "data"), folder); !strings.HasPrefix(got, "23 photos: 0 embedded, 23 from the catalog") {
		t.Error(got)
	}
}
