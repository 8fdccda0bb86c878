package ui

import (
	"context"
	"errors"
	"testing"

	tea "charm.land/bubbletea/v2"
)

func noModel(context.Context) (Encoder, error) {
	return nil, errors.New("open model: no checkpoint in ~/x")
}

func TestSearch(t *testing.T) {
	d := open(t, 120, 40, photos(t, 12), nil).start().press("right", "right")
	d.press("/").write("blue").press("enter")
	d.has("“blue”", "12 photos, best first", "p 1.00", "003-blue.png")
	if id := d.m.photo(0); id != 2 {
		t.Errorf("the best photo is %d", id)
	}
	// Results are the whole gallery, ranked as the gallery ranks.
	if len(d.m.search.hits) != 12 {
		t.Errorf("%d results", len(d.m.search.hits))
	}
	for i := 1; i < len(d.m.search.hits); i++ {
		if d.m.search.hits[i-1].Cosine < d.m.search.hits[i].Cosine {
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
	first := d.m.find("red")
	second := d.m.find("green")
	d.m.update(second())
	d.m.update(first())
	d.rest().has("“green”")
	third := d.m.find("blue")
	d.press("esc")
	d.m.update(third())
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
	d.until(func() bool { return d.m.search.active })
	if n := len(d.m.search.hits); n == 0 || n == 40 {
		t.Errorf("%d results while embedding", n)
	}
	close(gate)
	d.rest().has("40 photos, best first")
}

func TestSearchWithoutModel(t *testing.T) {
	d := open(t, 120, 40, photos(t, 2), func(o *Options) { o.Load = noModel }).start()
	d.press("/").write("red").press("enter").has("✗ open model: no checkpoint in ~/x")
}
