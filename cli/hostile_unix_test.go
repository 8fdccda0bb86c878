//go:build unix

package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/charmbracelet/x/ansi"
)

// hostileNames are names that a file system takes and a terminal, a shell or a
// parser may stumble over. The first is the photo that is looked for.
var hostileNames = []string{
	"\u202egpj.tac.jpg", // shown from right to left
	"new\nline.jpg", "tab\there.jpg", "\x1b[31mred\x1b[2J.jpg", "\xff\xfe\x80.jpg", "'; DROP TABLE files; --.jpg", `"quoted", comma.jpg`,
	"%41?#&=.jpg", "-rf.jpg", " .jpg", "e\u0301 é.jpg", "שלום.jpg", "日本語.jpg", strings.Repeat("x", 251) + ".jpg", "a\u200bb\ufeff.jpg",
}

// A photo may have any name: it is found, indexed, searched for, written as
// JSON, NUL-ended text and CSV, and drawn.
func TestHostileNames(t *testing.T) {
	cat, err := os.ReadFile("../assets/demo/cat.jpg")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "a\nb\x1b[7m")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, name := range hostileNames {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, append(cat, name...), 0o644); err != nil {
			t.Logf("this file system takes no %q: %v", name, err)
			continue
		}
		want = append(want, path)
	}
	data := t.TempDir()
	if got := index(t, data, dir); !strings.HasPrefix(got, "15 photos: 15 embedded, 0 from the catalog, 0 failed;") && len(want) == len(hostileNames) {
		t.Error(got)
	}
	run := func(args ...string) string {
		cmd := indexer(t, data, dir)
		cmd.Args = append(cmd.Args[:1], args...)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%q: %v", args, err)
		}
		return string(out)
	}
	got := strings.Split(strings.TrimSuffix(run("search", "a cat", dir, "-0"), "\x00"), "\x00")
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("found %q\nwant  %q", got, want)
	}
	lines := strings.Split(strings.TrimSpace(run("search", "a cat", dir, "--format", "json")), "\n")
	for _, line := range lines {
		var m match
		if err := json.Unmarshal([]byte(line), &m); err != nil || !strings.HasPrefix(m.Path, dir) {
			t.Errorf("line %q: %v", line, err)
		}
	}
	if len(lines) != len(want) {
		t.Errorf("%d lines for %d photos", len(lines), len(want))
	}
}

func TestHostileNamesOnTerminal(t *testing.T) {
	dir := t.TempDir()
	cat, err := os.ReadFile("../assets/demo/cat.jpg")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range hostileNames {
		if err := os.WriteFile(filepath.Join(dir, name), append(cat, name...), 0o644); err != nil {
			t.Logf("this file system takes no %q: %v", name, err)
		}
	}
	c := launch(t, 120, 40, dir)
	c.matches(`embedded`)
	for range hostileNames {
		c.press("l")
		lines := strings.Split(strings.TrimRight(c.screen(), "\n"), "\n")
		for i, line := range lines {
			if ansi.StringWidth(line) > 120 || strings.ContainsFunc(line, func(r rune) bool { return unicode.IsControl(r) || r == '\u202e' }) {
				t.Fatalf("line %d: %q", i, line)
			}
		}
		if !strings.Contains(lines[0], "sigla") {
			t.Fatalf("the header is gone: %q", lines[0])
		}
	}
	c.press("q")
	if status := c.exit(); status != 0 {
		t.Errorf("exit status %d after q", status)
	}
}
