package gallery

import (
	"errors"
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

// randomRules makes patterns of the pieces that rules are about.
func randomRules(r *rand.Rand) []byte {
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	piece := func() string {
		return pick("a", "b", "ab", "*", "**", "?", "a*", "*b", "*.jpg", "a.jpg", "[ab]", "[!a]", "[^a]*", "[a-c]?", "[]a]", "[[:alpha:]]",
			"[[:digit:]]*", "[a", `\a`, `\*`, `[\]a]`, "a**b", "***", "*a*b*", " a", "[[:what:]]", "é", "b c", "*[!.]*", "1", `a\`)
	}
	var text []byte
	for range r.IntN(6) {
		parts := []string{piece()}
		for r.IntN(2) == 0 {
			parts = append(parts, piece())
		}
		line := pick("", "", "", "!", "/", "!/", "#", `\!`, `\#`) + strings.Join(parts, "/") + pick("", "", "", "/", " ", "  ", `\ `, "/ ", "\t")
		text = append(text, line+pick("\n", "\n", "\r\n")...)
	}
	return text
}

// randomTree makes a tree with rules in it, for us and for git, and returns the
// paths in it.
func randomTree(t *testing.T, r *rand.Rand, root string) (fr folderRules, paths []string) {
	t.Helper()
	fr = folderRules{}
	names := []string{"a", "b", "ab", "aab", "axb", "a.jpg", "b.jpg", "c", "1", "é", "b c", "]", "!", "#a", "!a", "*", "a ", " a", "[a", `a\`, "A", "x\xffy", "a/b", "a/a.jpg", "d/a/b"}
	for _, dir := range []string{".", "d", "d/e", "e"} {
		text := randomRules(r)
		for _, name := range []string{ignoreName, ".gitignore"} {
			writeFile(t, filepath.Join(root, dir, name), text)
		}
		var err error
		if fr[dir], err = readRules(filepath.Join(root, dir)); err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			file := filepath.Join(root, dir, name)
			if r.IntN(3) == 0 {
				os.MkdirAll(file, 0o755)
			} else if os.MkdirAll(filepath.Dir(file), 0o755) == nil {
				os.WriteFile(file, nil, 0o644)
			} // else there is a file where the folder should be
			if _, err := os.Stat(file); err == nil {
				paths = append(paths, path.Join(dir, name))
			}
		}
		if dir != "." {
			paths = append(paths, dir)
		}
	}
	return fr, paths
}

// gitIgnores returns which of the paths git ignores.
func gitIgnores(t *testing.T, git, root string, paths []string) map[string]bool {
	t.Helper()
	if out, err := exec.Command(git, "init", "-q", root).CombinedOutput(); err != nil {
		t.Fatalf("git init: %v: %s", err, out)
	}
	cmd := exec.Command(git, "-C", root, "check-ignore", "--no-index", "-z", "--stdin")
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_SYSTEM="+os.DevNull)
	cmd.Stdin = strings.NewReader(strings.Join(paths, "\x00") + "\x00")
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && (!ok || exit.ExitCode() != 1) { // 1: none
		t.Fatalf("git check-ignore: %v", err)
	}
	ignored := map[string]bool{}
	for name := range strings.SplitSeq(string(out), "\x00") {
		ignored[name] = true
	}
	return ignored
}

// Trees with rules, made at random: git is asked about each file and folder.
func TestIgnoreAsGitDoes(t *testing.T) {
	git, err := exec.LookPath("git")
	if err != nil {
		require.Missing(t, "git", err.Error())
	}
	r := rand.New(rand.NewPCG(1, 2))
	some := 0
	for round := range 25 {
		root := t.TempDir()
		fr, paths := randomTree(t, r, root)
		ignored := gitIgnores(t, git, root, paths)
		for _, name := range paths {
			info, err := os.Stat(filepath.Join(root, name))
			if err != nil {
				t.Fatal(err)
			}
			if got := fr.ignores(name, info.IsDir()); got != ignored[name] {
				t.Errorf("round %d: %q (folder: %v) is ignored: %v, git says %v; rules %+v", round, name, info.IsDir(), got, ignored[name], fr)
			} else if got {
				some++
			}
		}
	}
	if some < 100 {
		t.Errorf("only %d are ignored: the rules are too weak", some)
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
