package catalog

import (
	"cmp"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"sigla/internal/require"
)

func decisions(t testing.TB, c *Catalog) []Decision {
	t.Helper()
	list := got(c.Decisions(bg))(t)
	for i := range list {
		list[i].When = list[i].When.UTC()
	}
	slices.SortFunc(list, func(a, b Decision) int { return cmp.Compare(a.Label, b.Label) })
	return list
}

func wantDecisions(t testing.TB, c *Catalog, want ...Decision) {
	t.Helper()
	if have := decisions(t, c); !slices.Equal(have, want) {
		t.Errorf("answers %+v\nwant %+v", have, want)
	}
}

var (
	dog  = Decision{Photo: hashN(1), Label: "animals|dog", Verdict: Accept, When: noon, Who: "Änne \"<&>\n"}
	cat  = Decision{Photo: hashN(1), Label: "cat", Verdict: Reject, When: noon}
	kite = Decision{Photo: hashN(2), Label: "kite", Verdict: Accept, When: noon.Add(time.Nanosecond)}
)

func TestDecide(t *testing.T) {
	dir := t.TempDir()
	c := openAt(t, dir)
	wantDecisions(t, c)
	must(t, c.Decide(bg))
	before := dog
	before.Verdict = Reject
	must(t, c.Decide(bg, before, cat, kite))
	must(t, c.Decide(bg, dog))
	taken := kite
	taken.Verdict = Withdraw
	must(t, c.Decide(bg, taken))
	wantDecisions(t, c, dog, cat)
	for _, bad := range []Decision{
		{Label: "x", Verdict: Accept},
		{Photo: hashN(1), Verdict: Accept},
		{Photo: hashN(1), Label: "\xff", Verdict: Accept},
		{Photo: hashN(1), Label: "x", Who: "\xff", Verdict: Accept},
		{Photo: hashN(1), Label: "x", Verdict: 2},
	} {
		if c.Decide(bg, kite, bad) == nil {
			t.Errorf("stored %+v", bad)
		}
	}
	wantDecisions(t, c, dog, cat)
	now := kite
	now.When = time.Time{}
	must(t, c.Decide(bg, now))
	if age := time.Since(decisions(t, c)[2].When); age < 0 || age > time.Hour {
		t.Errorf("an answer of now is %v old", age)
	}
	closed(t, c)

	// The log alone is enough.
	must(t, os.Remove(c.path(databaseName)))
	c = openAt(t, dir)
	must(t, c.Decide(bg, taken))
	wantDecisions(t, c, dog, cat)
	log := string(got(os.ReadFile(c.path(logName)))(t))
	if lines := strings.Split(log, "\n"); len(lines) != 8 ||
		lines[1] != `{"photo":"`+hashN(1).String()+`","label":"cat","verdict":"reject","when":"2026-05-01T12:00:00Z"}` {
		t.Errorf("the log is\n%s", log)
	}
}

// Whatever happens to the end of the log, whole answers count, a torn one does
// not, and the next one begins on a line of its own.
func TestTornLog(t *testing.T) {
	line := string(got(encodeLines([]Decision{cat}))(t))
	first := string(got(encodeLines([]Decision{dog}))(t))
	c := openAt(t, t.TempDir())
	for cut := range len(line) + 1 {
		must(t, os.WriteFile(c.path(logName), []byte(first+line[:cut]), 0o600))
		got(c.one.Exec("DELETE FROM decisions; UPDATE replayed SET bytes = 0"))(t)
		must(t, c.settle(bg))
		want := []Decision{dog}
		if cut >= len(line)-1 {
			want = append(want, cat)
		}
		wantDecisions(t, c, want...)
		if cut%25 != 0 {
			continue
		}
		must(t, c.Decide(bg, kite))
		wantDecisions(t, c, append(want, kite)...)
		if _, bad := decodeLines(got(os.ReadFile(c.path(logName)))(t)); len(bad) != 0 {
			t.Fatalf("cut at %d: lines %v of the log are none", cut, bad)
		}
	}
}

func TestLogThatWasChanged(t *testing.T) {
	dir := t.TempDir()
	c := openAt(t, dir)
	path := c.path(logName)
	taken := kite
	taken.Verdict = Withdraw
	must(t, c.Decide(bg, dog, cat, kite))
	must(t, c.Decide(bg, taken))
	closed(t, c)
	for name, log := range map[string]string{
		"removed":     "",
		"shortened":   string(got(encodeLines([]Decision{kite, cat}))(t)),
		"torn junk":   strings.Repeat("junk", 1000),
		"short lines": "a\nb",
	} {
		must(t, os.WriteFile(path, []byte(log), 0o600))
		if log == "" {
			must(t, os.Remove(path))
		}
		c := openAt(t, dir)
		wantDecisions(t, c, dog, cat)
		closed(t, c)
		// Again the log alone is enough.
		must(t, os.Remove(c.path(databaseName)))
		c = openAt(t, dir)
		if wantDecisions(t, c, dog, cat); t.Failed() {
			t.Fatalf("after the log was %s", name)
		}
		closed(t, c)
	}
}

// Whatever happens to the log, the next answer is stored, and is its last line.
func TestMangledLog(t *testing.T) {
	lines := got(encodeLines([]Decision{dog, cat, dog, kite}))(t)
	c := openAt(t, t.TempDir())
	r := rand.New(rand.NewPCG(9, 10))
	for range require.Rounds(8, 60, 60) {
		log := mangle(r, lines)
		must(t, os.WriteFile(c.path(logName), log, 0o600))
		got(c.one.Exec("DELETE FROM decisions; UPDATE replayed SET bytes = ?", r.IntN(2*len(lines))))(t)
		must(t, c.settle(bg))
		must(t, c.Decide(bg, kite))
		if behind := got(c.logBehind(bg))(t); behind {
			t.Fatalf("the log is still behind after\n%q", log)
		}
		if !slices.Contains(decisions(t, c), kite) {
			t.Fatalf("an answer was lost after\n%q", log)
		}
		data := got(os.ReadFile(c.path(logName)))(t)
		if again, _ := decodeLines(data); len(again) == 0 || again[len(again)-1] != kite {
			t.Fatalf("the log does not end with the last answer after\n%q", log)
		}
	}
}
