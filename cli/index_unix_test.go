//go:build unix

package cli

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"maps"
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
	"sigla/internal/require"
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

// tagged puts a sidecar beside every photo of a folder.
func tagged(t *testing.T, folder string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(folder, "*.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range names {
		text := fmt.Sprintf(`<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">`+
			`<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/" dc:subject="number %d"/></rdf:RDF></x:xmpmeta>`, i)
		if err := os.WriteFile(name+".xmp", []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// Killed at whatever moment, an index run leaves a catalog that the next one
// finishes, in which every vector and every tag is that of its photo.
func TestIndexIsKilled(t *testing.T) {
	folder, killed, whole := variants(t, 5), t.TempDir(), t.TempDir()
	tagged(t, folder)
	if _, err := program(); err != nil { // not a part of the run
		t.Fatal(err)
	}
	start := time.Now()
	index(t, whole, folder)
	took := time.Since(start)

	kills := require.Rounds(2, 20, 200)
	ran := 0
	for range kills {
		cmd := indexer(t, killed, folder)
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// Early moments come more often: each run goes on where the one before
		// was killed, and most are to be killed before all is done.
		time.Sleep(time.Duration(rand.Float64() * rand.Float64() * float64(took) / 2))
		cmd.Process.Kill()
		if err := cmd.Wait(); err == nil {
			ran++ // to its end
		} else if out.Len() > 0 {
			t.Errorf("after a kill: %s", out.String())
		}
	}
	t.Logf("a run takes %v; %d of %d came to their end; the last: %s", took, ran, kills, index(t, killed, folder))
	if got := index(t, killed, folder); !strings.HasPrefix(got, "115 photos: 0 embedded, 115 from the catalog, 0 failed;") || !strings.HasSuffix(got, "\n115 tags on 115 photos\n") {
		t.Error(got)
	}
	compareCatalogs(t, filepath.Join(killed, "sigla"), filepath.Join(whole, "sigla"))
}

// compareCatalogs says that two catalogs are in order, that each of their files
// has the hash of its content, and that they agree on its vector and its tags.
func compareCatalogs(t *testing.T, dirs ...string) {
	t.Helper()
	ctx := context.Background()
	vectors := make(map[string][]float32) // by path, of the catalog before
	var tags map[string]string            // likewise
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
		found := sourcesOf(t, c, root)
		if tags != nil && !maps.Equal(tags, found) {
			t.Error("the catalogs have different tags")
		}
		tags = found
		c.Close()
	}
}

// sourcesOf returns what was read of each file of a root.
func sourcesOf(t *testing.T, c *catalog.Catalog, root catalog.Root) map[string]string {
	t.Helper()
	found := make(map[string]string)
	err := c.EachSource(context.Background(), root, func(f catalog.File, s catalog.Source) error {
		s.File = 0
		found[f.Path+" "+s.Name] = fmt.Sprint(s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
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
