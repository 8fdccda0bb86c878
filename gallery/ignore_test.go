package gallery

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"sigla/internal/require"
)

// folderRules are the rules of some folders, by their path below a root.
type folderRules map[string]rules

// ignores says what git says of a path: the rules of the innermost folder come
// first, and nothing below a folder that is left out comes back.
func (fr folderRules) ignores(name string, folder bool) bool {
	for i, c := range name {
		if c == '/' && fr.ignores(name[:i], true) {
			return true
		}
	}
	for dir := path.Dir(name); ; dir = path.Dir(dir) {
		if ignored, ok := fr[dir].match(strings.TrimPrefix(strings.TrimPrefix(name, dir), "/"), folder); ok {
			return ignored
		}
		if dir == "." {
			return false
		}
	}
}

// Patterns made of the pieces that rules are about, on a tree made of the same:
// git is asked about each file and folder of it.
func TestIgnoreAsGitDoes(t *testing.T) {
	git, err := exec.LookPath("git")
	if err != nil {
		require.Missing(t, "git", err.Error())
	}
	r := rand.New(rand.NewPCG(1, 2))
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	piece := func() string {
		return pick("a", "b", "ab", "*", "**", "?", "a*", "*b", "*.jpg", "a.jpg", "[ab]", "[!a]", "[^a]*", "[a-c]?", "[]a]", "[[:alpha:]]",
			"[[:digit:]]*", "[a", `\a`, `\*`, `[\]a]`, "a**b", "***", "*a*b*", " a", "[[:what:]]", "é", "b c", "*[!.]*", "1", `a\`)
	}
	line := func() string {
		parts := []string{piece()}
		for r.IntN(2) == 0 {
			parts = append(parts, piece())
		}
		return pick("", "", "", "!", "/", "!/", "#", `\!`, `\#`) + strings.Join(parts, "/") + pick("", "", "", "/", " ", "  ", `\ `, "/ ", "\t") + pick("\n", "\n", "\r\n")
	}
	names := []string{"a", "b", "ab", "aab", "axb", "a.jpg", "b.jpg", "c", "1", "é", "b c", "]", "!", "#a", "!a", "*", "a ", " a", "[a", `a\`, "A", "x\xffy", "a/b", "a/a.jpg", "d/a/b"}
	for round := range 60 {
		root := t.TempDir()
		if out, err := exec.Command(git, "init", "-q", root).CombinedOutput(); err != nil {
			t.Fatalf("git init: %v: %s", err, out)
		}
		fr := folderRules{}
		var ask []string
		for _, dir := range []string{".", "d", "d/e", "e"} {
			if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
				t.Fatal(err)
			}
			if dir != "." {
				ask = append(ask, dir)
			}
			var text strings.Builder
			for range r.IntN(6) {
				text.WriteString(line())
			}
			for _, name := range []string{ignoreName, ".gitignore"} {
				writeFile(t, filepath.Join(root, dir, name), []byte(text.String()))
			}
			var err error
			if fr[dir], err = readRules(filepath.Join(root, dir)); err != nil {
				t.Fatal(err)
			}
			for _, name := range names {
				file := path.Join(dir, name)
				if info, err := os.Stat(filepath.Join(root, file)); err == nil && info.IsDir() || r.IntN(3) == 0 && !strings.Contains(name, "/") {
					err = os.MkdirAll(filepath.Join(root, file), 0o755)
				} else if err := os.MkdirAll(filepath.Dir(filepath.Join(root, file)), 0o755); err == nil {
					os.WriteFile(filepath.Join(root, file), nil, 0o644)
				}
				if _, err := os.Stat(filepath.Join(root, file)); err == nil {
					ask = append(ask, file)
				}
			}
		}
		cmd := exec.Command(git, "-C", root, "check-ignore", "--no-index", "-z", "--stdin")
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_SYSTEM="+os.DevNull)
		cmd.Stdin = strings.NewReader(strings.Join(ask, "\x00") + "\x00")
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if exit, ok := err.(*exec.ExitError); err != nil && (!ok || exit.ExitCode() != 1) {
			t.Fatalf("git check-ignore: %v: %s", err, stderr.String())
		}
		ignored := map[string]bool{}
		for name := range strings.SplitSeq(string(out), "\x00") {
			ignored[name] = true
		}
		for _, name := range ask {
			info, err := os.Stat(filepath.Join(root, name))
			if err != nil {
				t.Fatal(err)
			}
			if got := fr.ignores(name, info.IsDir()); got != ignored[name] {
				t.Errorf("round %d: %q (folder: %v) is ignored: %v, git says %v", round, name, info.IsDir(), got, ignored[name])
				why, _ := exec.Command(git, "-C", root, "check-ignore", "--no-index", "-v", "--", name).Output()
				t.Logf("git's reason: %q; ours have %+v", why, fr)
			}
		}
		if t.Failed() {
			return
		}
	}
}

func TestIgnoreRules(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, ignoreName), []byte("\ufeff# private\r\nprivate/\r\n*.png\r\n!keep.png\n/top.jpg\nraw/**/x.jpg\n"))
	r, err := readRules(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path                     string
		folder, ignored, matched bool
	}{
		{"private", true, true, true}, {"private", false, false, false}, {"a/b/private", true, true, true},
		{"a.png", false, true, true}, {"b/keep.png", false, false, true}, {"top.jpg", false, true, true}, {"a/top.jpg", false, false, false},
		{"raw/x.jpg", false, true, true}, {"raw/1/2/x.jpg", false, true, true}, {"raw/1/2/y.jpg", false, false, false},
	} {
		if ignored, matched := r.match(c.path, c.folder); ignored != c.ignored || matched != c.matched {
			t.Errorf("%s: ignored %v, matched %v", c.path, ignored, matched)
		}
	}
	if r, err := readRules(t.TempDir()); err != nil || len(r.patterns) > 0 {
		t.Errorf("no file: %v, %v", r, err)
	}
	if err := os.Mkdir(filepath.Join(dir, "d"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "d", ignoreName), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := readRules(filepath.Join(dir, "d")); err == nil {
		t.Error("a folder was read as rules")
	}
}

// A pattern of many stars is compared in good time.
func TestIgnoreManyStars(t *testing.T) {
	text := strings.Repeat("a", 200)
	for _, p := range []string{strings.Repeat("a*", 60) + "b", strings.Repeat("*a", 60) + "b", strings.Repeat("**/", 6) + "b"} {
		if glob(p, text, true) == matches {
			t.Errorf("%s matches", p)
		}
	}
}
