//go:build unix

package cli

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// trip fills a folder with demo photos in folders of their own.
func trip(t *testing.T) string {
	t.Helper()
	photos, err := filepath.Glob("../assets/demo/*.jpg")
	if err != nil || len(photos) < 9 {
		t.Fatalf("demo photos: %d, %v", len(photos), err)
	}
	dir := t.TempDir()
	for i, path := range photos[:9] {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(dir, fmt.Sprintf("day %d", i/3+1), fmt.Sprintf("%c.jpg", 'i'-i))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// The real program sorts its sheet, looks into a folder, pauses, and remembers
// what was searched for, without a scratch on the terminal.
func TestExplorer(t *testing.T) {
	c := launch(t, 120, 40, trip(t))
	c.matches(` 9(/9)? embedded`)
	c.matches(`day 1/g\.jpg`)
	c.press("sn")
	c.matches(`9 photos, A–Z .*`)
	c.press("g")
	c.matches(`day 3/a\.jpg`)
	c.press("sn")
	c.shows("9 photos, Z–A")
	c.press("sf")
	c.matches(`9 photos [^,]`)

	c.press("f")
	c.shows("4 folders")
	c.press("2\r")
	c.matches(`3 of 9 photos`)
	c.matches(`day 2/[def]\.jpg`)
	c.press("\x1b")
	c.matches(` of 9 ─`)

	c.press("J")
	c.matches(`✓ embedding +█+│? +9/9`)
	c.press("p")
	c.shows("nothing is being embedded")
	c.press("J/a bird\r")
	c.shows("“a bird”")
	c.press("q")
	if status := c.exit(); status != 0 {
		t.Errorf("exit status %d after q", status)
	}
	c.restored()
	if kept, err := os.ReadFile(filepath.Join(c.home, "state", "sigla", "history")); string(kept) != "a bird\n" {
		t.Errorf("the history is %q, %v", kept, err)
	}
}

// Pause holds the embedding up, q leaves while it does, and the next start goes
// on where it was.
func TestPauseAndLeave(t *testing.T) {
	folder := t.TempDir()
	photos, err := filepath.Glob("../assets/demo/*.jpg")
	if err != nil || len(photos) == 0 {
		t.Fatal(err)
	}
	for _, path := range photos {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 20 { // each of another content
			to := filepath.Join(folder, fmt.Sprintf("%02d-%s", i, filepath.Base(path)))
			if err := os.WriteFile(to, append(data, byte(i)), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	n := 20 * len(photos)
	c := launch(t, 120, 40, folder)
	c.matches(fmt.Sprintf(`[1-9]/%d embedded`, n))
	c.press("p")
	screen := c.shows("embedded · paused")
	c.press("J")
	c.matches(`‖ embedding`)
	c.press("q")
	if status := c.exit(); status != 0 {
		t.Errorf("exit status %d after q, paused; the screen was\n%s", status, screen)
	}
	c.restored()

	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	c = launchWith(t, []string{"XDG_DATA_HOME=" + filepath.Join(c.home, "data")}, path, 120, 40, folder)
	c.matches(fmt.Sprintf(`\b%d(/%d)? embedded`, n, n))
	io.WriteString(c.pty, "q")
	if status := c.exit(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	if strings.Contains(c.screen(), "✗") {
		t.Errorf("something has failed:\n%s", c.screen())
	}
}

// The demo keeps no history.
func TestDemoKeepsNoHistory(t *testing.T) {
	c := launch(t, 120, 40, "demo")
	c.matches(`tags: +[1-9]`)
	c.press("/a bird\r")
	c.shows("“a bird”")
	c.press("q")
	if status := c.exit(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	if _, err := os.Stat(filepath.Join(c.home, "state")); !os.IsNotExist(err) {
		t.Errorf("the demo has left a state folder: %v", err)
	}
}
