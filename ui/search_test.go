package ui

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	tea "charm.land/bubbletea/v2"
)

func noModel(context.Context) (Encoder, error) {
	return nil, errors.New("open model: no checkpoint in ~/x")
}

func TestSearch(t *testing.T) {
	d := open(t, 120, 40, photos(t, 12), nil).start().press("right", "right")
	d.press("/").write("blue").press("enter")
	d.has("“blue”", "12 photos, best first", "cos 0.9", "003-blue.png")
	if id := d.m.photo(0); id != 2 {
		t.Errorf("the best photo is %d", id)
	}
	// Results are the whole gallery, ranked as the gallery ranks.
	if len(d.m.list.ids) != 12 {
		t.Errorf("%d results", len(d.m.list.ids))
	}
	for i := 1; i < len(d.m.list.ids); i++ {
		if l := d.m.list; l.cosines[l.ids[i-1]] < l.cosines[l.ids[i]] {
			t.Errorf("result %d is better than the one before", i)
		}
	}
	d.press("right", "enter").has("007-blue.png", "esc sheet")
	d.press("esc").has("“blue”").press("esc").hasNot("“blue”").has("~/pictures")
	if d.m.cursor != 6 {
		t.Errorf("after the search photo %d is chosen, want the one chosen in it", d.m.cursor)
	}

	d.press("/").write("unspeakable").press("enter").has("✗ search \"unspeakable\": encode text: no words for it")
	d.press("/", "enter").hasNot("“")

	// A paste is a search, and its keys are no commands.
	d.send(tea.PasteMsg{Content: "green\x1b[2J"})
	d.press("enter").has("“green", "002-green.png")
	if d.quit {
		t.Error("quit")
	}
}

// TestLateAnswers: what belongs to an earlier question is dropped.
func TestLateAnswers(t *testing.T) {
	d := open(t, 120, 40, photos(t, 4), nil).start()
	first, _ := d.m.find("red")
	second, _ := d.m.find("green")
	d.send(second())
	d.send(first())
	d.rest().has("“green”")
	third, _ := d.m.find("blue")
	d.press("esc")
	d.send(third())
	d.rest().hasNot("“blue”")

	// The same for the labels: the classifier of an older set is not taken.
	old := d.m.classify()
	d.press("a").write("dusk").press("enter")
	classes := d.m.classes
	d.m.update(old())
	if d.m.classes != classes {
		t.Error("an older classifier has replaced a newer one")
	}
}

// TestSearchWhileEmbedding: photos embedded after a search join its results.
func TestSearchWhileEmbedding(t *testing.T) {
	gate := make(chan struct{}, 1)
	d := open(t, 120, 40, photos(t, 40), func(o *Options) {
		o.Load = func(context.Context) (Encoder, error) { return &colours{gate: gate}, nil }
	})
	d.launch(d.m.start())
	d.until(func() bool { return d.m.embedding })
	d.send(keyPress("/"))
	for _, r := range "red" {
		d.send(keyPress(string(r)))
	}
	gate <- struct{}{}
	d.until(func() bool { return d.m.progress.Done > 0 })
	d.send(keyPress("enter"))
	d.until(func() bool { return d.m.list.query.text != "" })
	if n := len(d.m.list.ids); n == 0 || n == 40 {
		t.Errorf("%d results while embedding", n)
	}
	close(gate)
	d.rest().has("40 photos, best first")
}

func TestSearchWithoutModel(t *testing.T) {
	d := open(t, 120, 40, photos(t, 2), func(o *Options) { o.Load = noModel }).start()
	// What was typed is not lost.
	d.press("/").write("red").press("enter").has("✗ open model: no checkpoint in ~/x", "/ red")
	d.press("esc").hasNot("/ red")
	open(t, 60, 20, photos(t, 1), func(o *Options) {
		o.Load = func(context.Context) (Encoder, error) {
			return nil, errors.New("open model /home/me/models/one: read config.json: not a model")
		}
	}).start().has("✗ read config.json: not a model")
}

// TestSearchHistory: a search begins empty; up has those before.
func TestSearchHistory(t *testing.T) {
	d := open(t, 120, 40, photos(t, 4), nil).start()
	for _, text := range []string{"red", "blue", "unspeakable", "blue"} {
		d.press("/").write(text).press("enter")
	}
	for _, step := range []struct{ key, want string }{
		{"/", ""}, {"up", "blue"}, {"up", "unspeakable"}, {"up", "red"}, {"up", "red"}, {"down", "unspeakable"}, {"down", "blue"}, {"down", ""}, {"down", ""},
	} {
		if d.press(step.key); d.m.prompt.input.Value() != step.want {
			t.Errorf("%s shows %q, want %q", step.key, d.m.prompt.input.Value(), step.want)
		}
	}
	d.press("up", "up", "up", "enter").has("“red”")
}

// TestSearchByPhoto: the path of a photo is searched for by what it shows,
// whether it is among the photos or not; the path of nothing is a text.
func TestSearchByPhoto(t *testing.T) {
	other := filepath.Join(photos(t, 3), "003-blue.png")
	d := open(t, 120, 40, photos(t, 8), nil).start()
	for text, best := range map[string]int{"002-green.png": 1, other: 2} {
		d.press("/").write(text).press("enter")
		if got := d.m.photo(0); got != best {
			t.Errorf("the best match of %s is %d", text, got)
		}
		d.has("cos 1.000").hasNot("p 1.00")
	}
	d.press("/").write("nowhere/red.png").press("enter").has("“nowhere/red.png”", "8 photos, best first")
	if d.m.list.query.photo || d.m.photo(0) != 0 {
		t.Error("a path of nothing was not taken as text")
	}
	broken := filepath.Join(t.TempDir(), "a.jpg")
	if err := os.WriteFile(broken, []byte("text"), 0o644); err != nil {
		t.Fatal(err)
	}
	d.press("/").write(broken).press("enter").has("✗", "not a picture")
}
