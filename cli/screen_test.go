//go:build unix

package cli

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// The whole explorer, as a person uses it, on the binary as it is released.
func TestDemoOnTerminal(t *testing.T) {
	c := launch(t, 120, 40, "demo")
	c.matches(`\b23(/23)? embedded`)
	first := c.shows("astronaut")

	c.press("lll") // to the fourth photo
	c.shows("coffee-cup.jpg")
	c.changes(first)
	c.press("]]]")
	c.shows("+0.3")
	c.press("aespresso\r")
	c.matches(`espresso +0\.\d\d`)
	c.press("/a dog\r")
	c.shows("23 photos, best first")
	c.press("\x1b") // alone, or it would begin the sequence of another key
	c.shows("sigla  demo")
	c.press("?")
	c.shows("bias δ down")
	c.press("?")
	c.resize(80, 24)
	c.matches(`bias δ .*\+0\.3 +tags +\d`)
	c.resize(120, 40)
	c.shows("photos changed")
	c.press("q")
	if status := c.exit(); status != 0 {
		t.Errorf("exit status %d after q, want 0", status)
	}
	c.restored()
	if _, err := os.Stat(filepath.Join(c.home, "data")); err == nil {
		t.Error("the demo has written into the user's data folder")
	}
}

// Signals leave the terminal as it was and remove the demo's photos.
func TestSignalsOnTerminal(t *testing.T) {
	for _, test := range []struct {
		signal syscall.Signal
		status int
	}{{syscall.SIGINT, 130}, {syscall.SIGTERM, 143}, {syscall.SIGHUP, 129}} {
		t.Run(test.signal.String(), func(t *testing.T) {
			c := launch(t, 80, 24, "demo")
			c.shows("sigla")
			if err := c.cmd.Process.Signal(test.signal); err != nil {
				t.Fatal(err)
			}
			if status := c.exit(); status != test.status {
				t.Errorf("exit status %d, want %d; the screen is\n%s", status, test.status, c.screen())
			}
			c.restored()
		})
	}
}

// A terminal too small to draw in gets a message, and q works.
func TestSmallTerminal(t *testing.T) {
	c := launch(t, 59, 19, "demo")
	c.shows("60×20")
	for _, size := range [][2]int{{1, 1}, {2, 1}, {1, 30}, {10, 3}, {200, 1}, {60, 20}} {
		c.resize(size[0], size[1])
	}
	c.shows("sigla")
	c.resize(1, 1)
	c.press("q")
	if status := c.exit(); status != 0 {
		t.Errorf("exit status %d after q, want 0", status)
	}
	c.restored()
}

// Labels that were added are there again the next time, from the user's folder;
// the photos' folder is as it was.
func TestLabelsAreKept(t *testing.T) {
	folder := t.TempDir()
	photo, err := os.ReadFile("../assets/demo/dahlia.jpg")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "dahlia.jpg"), photo, 0o444); err != nil {
		t.Fatal(err)
	}
	c := launch(t, 120, 40, folder)
	c.matches(`\b1(/1)? embedded`)
	c.press("aspace suit\r")
	c.shows("added 1 label")
	c.press("q")
	if status := c.exit(); status != 0 {
		t.Fatalf("exit status %d after q, want 0", status)
	}
	saved, err := os.ReadFile(filepath.Join(c.home, "config", "sigla", "labels", "everyday.toml"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(saved), `'space suit'`) && !strings.Contains(string(saved), `"space suit"`) {
		t.Errorf("the saved set lacks the label:\n%s", saved)
	}
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 1 {
		t.Errorf("the photos' folder has %v, %v; want one photo", entries, err)
	}
}

// An error is printed on the terminal once, in one line, without colours that
// were not asked for.
func TestErrorOnTerminal(t *testing.T) {
	c := launch(t, 80, 24, "score", "--nonsense")
	if status := c.exit(); status != exitUsage {
		t.Errorf("exit status %d, want %d", status, exitUsage)
	}
	<-c.read
	if got, want := strings.TrimSpace(c.screen()), "sigla: unknown flag: --nonsense\nTry \"sigla score --help\"."; got != want {
		t.Errorf("the screen is\n%s\nwant\n%s", got, want)
	}
}
