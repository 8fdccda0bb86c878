//go:build unix

package cli

import (
	"crypto/sha256"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sigla/gallery/sidecar"
	"sigla/internal/require"
)

// sumsOf returns the hashes of all files below a folder.
func sumsOf(t *testing.T, dir string) map[string][sha256.Size]byte {
	t.Helper()
	sums := make(map[string][sha256.Size]byte)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		sums[path] = sha256.Sum256(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return sums
}

// shelf is a folder of real photos of many makers, ten of them with a sidecar in
// the manner of a program.
func shelf(t *testing.T) string {
	t.Helper()
	dir := require.Unpack(t, "metadata", "exif-samples.tar")
	var photos []string
	for path := range sumsOf(t, dir) {
		if strings.HasSuffix(path, ".jpg") {
			photos = append(photos, path)
		}
	}
	if slices.Sort(photos); len(photos) < 20 {
		t.Fatalf("%d photos", len(photos))
	}
	others, err := filepath.Glob("../gallery/sidecar/testdata/*.xmp")
	if err != nil || len(others) < 10 {
		t.Fatalf("sidecars: %d, %v", len(others), err)
	}
	for i, path := range others[:10] {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(photos[i]+".xmp", text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// The explorer writes tags beside real photos of many makers and takes them
// back: photos are not touched, sidecars of other programs keep what they had,
// and in the end every byte is what it was.
func TestExplorerWritesTags(t *testing.T) {
	dir := shelf(t)
	before := sumsOf(t, dir)

	c := launch(t, 120, 40, dir)
	c.matches(`[^/0-9][1-9][0-9] embedded`)
	c.press("\t")
	c.matches(`▸ \w+`)
	c.press("y")
	c.matches(`✓ .* · u undoes it`)
	c.press("t")
	c.matches(`1 sidecar: `)
	c.press("m")
	c.matches(`[1-9][0-9]+ sidecars?: `)
	c.press("a")
	c.matches(`write [0-9]+ sidecars, \+[0-9]+ -[0-9]+ tags\?`)
	if now := sumsOf(t, dir); !maps.Equal(before, now) {
		t.Error("something was written before anybody said yes")
	}
	c.press("y")
	screen := c.matches(`sidecars written`)
	after := sumsOf(t, dir)
	written := 0
	for path, sum := range after {
		switch old, there := before[path]; {
		case there && old == sum:
		case !strings.HasSuffix(path, ".xmp"):
			t.Errorf("%s was changed", path)
		default:
			written++
			if _, err := sidecar.ReadFile(path); err != nil {
				t.Error(err)
			}
		}
	}
	if written < 10 {
		t.Errorf("%d sidecars are written; the screen was\n%s", written, screen)
	}
	c.press("u")
	c.matches(`take back the run of .*y yes`)
	c.press("y")
	c.matches(`sidecars taken back`)
	if now := sumsOf(t, dir); !maps.Equal(before, now) {
		t.Error("undone, the files are not what they were")
	}
	c.press("q")
	if status := c.exit(); status != 0 {
		t.Errorf("exit status %d after q", status)
	}
	c.restored()
}

// killed looks at what a program that was killed has left in a folder, and reports
// whether its run had come to no end.
func killed(t *testing.T, c *console, dir string) bool {
	t.Helper()
	written, _ := filepath.Glob(filepath.Join(dir, "*.xmp"))
	runs, _ := filepath.Glob(filepath.Join(c.home, "data", "sigla", "runs", "*.jsonl"))
	if len(written) == 0 || len(runs) != 1 {
		t.Fatalf("%d sidecars and %d runs are written; the screen was\n%s", len(written), len(runs), c.screen())
	}
	run, err := os.ReadFile(runs[0])
	if err != nil {
		t.Fatal(err)
	}
	cutOff := !strings.Contains(string(run), `"state":"applied"`)
	t.Logf("killed when %d sidecars were written, before the end: %v", len(written), cutOff)
	return cutOff
}

// A program that is killed while it writes has left each sidecar old or new; the
// next start finishes the run, says so, and can take it back.
func TestExplorerKilledWhileWriting(t *testing.T) {
	dir := variants(t, 20)
	before := sumsOf(t, dir)
	c := launch(t, 120, 40, dir)
	c.matches(`[^/]460(/460)? embedded`)
	c.press("tm")
	c.matches(`[1-9][0-9]* sidecars?: `)
	c.press("a")
	c.shows("y yes")
	c.press("y")
	for began := time.Now(); time.Since(began) < time.Minute; {
		if list, _ := filepath.Glob(filepath.Join(dir, "*.xmp")); len(list) > 0 {
			break
		}
	}
	c.cmd.Process.Kill()
	c.cmd.Wait()
	cutOff := killed(t, c, dir)
	for path, sum := range before {
		if text, err := os.ReadFile(path); err != nil || sha256.Sum256(text) != sum {
			t.Errorf("%s was changed: %v", path, err)
		}
	}

	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	env := []string{"XDG_DATA_HOME=" + filepath.Join(c.home, "data")}
	c = launchWith(t, env, path, 120, 40, dir)
	c.matches(`[^/]460(/460)? embedded`)
	c.press("t")
	if cutOff {
		c.matches(`what a program that was cut off had begun is finished: [1-9][0-9]* sidecars`)
	}
	c.press("u")
	c.matches(`take back the run of .*y yes`)
	c.press("y")
	c.matches(`sidecars? taken back`)
	if now := sumsOf(t, dir); !maps.Equal(before, now) {
		t.Errorf("undone, %d files are left that were not there", len(now)-len(before))
	}
	c.press("q")
	if status := c.exit(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	undo := exec.Command(path, "undo")
	undo.Env = append(os.Environ(), env...)
	if out, err := undo.CombinedOutput(); err == nil || !strings.Contains(string(out), "no application of tags to take back") {
		t.Errorf("sigla undo: %s, %v", out, err)
	}
}
