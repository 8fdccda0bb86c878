package ui

import (
	"slices"
	"strings"
	"testing"
)

// completeWords is a completer that knows some words, and what to put behind
// "label:".
func completeWords(line string, cursor int) []string {
	word := line[wordStart(line[:cursor]):cursor]
	var fit []string
	for _, w := range []string{"label:", "label:dog", "label:\"sea lion\"", "large", "after:"} {
		if strings.HasPrefix(w, word) {
			fit = append(fit, w)
		}
	}
	return fit
}

func TestCompletion(t *testing.T) {
	d := open(t, 80, 24, photos(t, 2), func(o *Options) { o.Complete = completeWords }).start()
	value := func(want string, cursor int) {
		t.Helper()
		in := d.m.prompt.input
		if in.Value() != want || in.Position() != cursor {
			t.Errorf("the line is %q with the cursor at %d, want %q at %d", in.Value(), in.Position(), want, cursor)
		}
		checkCells(t, d.m)
	}
	// One that is certain stands at once; of several what they have in common.
	d.press("/").write("af").press("tab").hasNot("completion")
	value("after:", 6)
	d.write("2024 l").press("tab")
	value("after:2024 la", 13)
	d.has("4 completions", "label:dog", "label:\"sea lion\"").press("tab", "tab")
	value("after:2024 label:dog", 20)
	d.press("shift+tab")
	value("after:2024 label:", 17)
	d.press("shift+tab", "shift+tab")
	value("after:2024 label:\"sea lion\"", 27)
	// Typing goes on from there, and the list follows; esc closes the list alone.
	d.write("x").hasNot("completion").press("backspace", "tab").hasNot("4 completions")
	value("after:2024 label:\"sea lion\"", 27)
	d.press("home", "tab").has("5 completions").press("esc").hasNot("completions").press("esc")
	if d.m.prompt != nil {
		t.Error("the prompt is still open")
	}
	// In the middle of a line only the word before the cursor changes.
	d.press("/").write("la b").press("left", "left", "tab", "tab")
	value("label: b", 6)
	d.press("esc", "esc", "/").write("zzz").press("tab").hasNot("completion")
	value("zzz", 3)
}

func TestWordStart(t *testing.T) {
	for s, want := range map[string]int{
		"": 0, "a": 0, "a b": 2, "a ": 2, `label:"sea li`: 0, `x label:"sea li`: 2, `"a b" c`: 6, "日 本": 4, "a\u3000b": 4,
	} {
		if got := wordStart(s); got != want {
			t.Errorf("%q: the word starts at %d, want %d", s, got, want)
		}
	}
}

// TestRemember: what is searched for is kept, and what was before is there.
func TestRemember(t *testing.T) {
	var kept []string
	d := open(t, 80, 24, photos(t, 2), func(o *Options) {
		o.History = []string{"older", "old"}
		o.Remember = func(line string) error { kept = append(kept, line); return nil }
	}).start()
	d.press("/").write("red").press("enter", "esc", "/")
	for _, step := range []struct{ key, want string }{
		{"x", "x"}, {"up", "red"}, {"up", "old"}, {"up", "older"}, {"up", "older"}, {"down", "old"}, {"down", "red"}, {"down", "x"},
	} {
		if d.press(step.key); d.m.prompt.input.Value() != step.want {
			t.Errorf("%s shows %q, want %q", step.key, d.m.prompt.input.Value(), step.want)
		}
	}
	if !slices.Equal(kept, []string{"red"}) {
		t.Errorf("kept %q", kept)
	}
}
