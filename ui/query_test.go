package ui

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/charmbracelet/x/exp/golden"

	"sigla/gallery"
)

func TestQueryScreens(t *testing.T) {
	for _, s := range []struct{ name, line, keys string }{
		{"filters", "-is:tagged on:2024-05-03 format:png", "enter right"},
		{"ranked", "red - 0.5*green is:landscape", "enter"},
		{"nothing", "red tag:nothing", "enter"},
		{"error", "red lable:dog", "enter"},
		{"completions", "red is:", "tab tab"},
	} {
		for _, size := range [][2]int{{80, 24}, {120, 40}} {
			t.Run(fmt.Sprintf("%s/%dx%d", s.name, size[0], size[1]), func(t *testing.T) {
				dir := mixed(t)
				writeSidecars(t, dir)
				golden.RequireEqual(t, inFolder(t, filepath.Dir(dir), func() string {
					d := open(t, size[0], size[1], "pictures", nil).start()
					d.press("/").write(s.line).press(strings.Fields(s.keys)...)
					checkCells(t, d.m)
					return d.text()
				}))
			})
		}
	}
}

// TestQueries: filters choose, terms rank what they leave, and both follow what
// they look at.
func TestQueries(t *testing.T) {
	dir := photos(t, 8)
	writeSidecars(t, dir)
	d := open(t, 120, 40, dir, nil).start()
	ask := func(text string) *driver { t.Helper(); return d.press("/").write(text).press("enter") }
	ask("tag:beach,green").wantNames("001-red.png", "002-green.png").has("“tag:beach,green”", "2 of 8 photos").hasNot("cos")
	d.press("s", "n", "s", "n").wantNames("002-green.png", "001-red.png").press("s", "f")
	ask("red -tag:beach -name:green").has("best first", "cos 0.9", "5 of 8 photos")
	if got := d.names(); got[0] != "005-red.png" || slices.Contains(got, "001-red.png") {
		t.Errorf("ranked are %q", got)
	}
	ask("red - 002-green.png").has("8 photos, best first").hasNot("p 0.")
	ask("tag:beach rating:5 red").has("No photo matches", "0 of 8 photos")
	// A label's filter is what the bars show, also after the bias has moved.
	ask("label:RED").has("of 8 photos")
	for range 40 {
		var want []string
		for id := range d.m.photos.len() {
			if slices.Contains(d.m.held(d.m.photos.at(id)), "red") {
				want = append(want, d.m.photos.at(id).Name)
			}
		}
		d.wantNames(want...).press("[")
	}
	d.press("esc").has("8 photos").hasNot("“")
	for text, said := range map[string]string{
		"lable:dog": "perhaps label: is meant", "beach +": "nothing follows the +", "label:dog": "there is no label dog",
	} {
		ask(text).has("✗", said, "/ "+text).press("esc", "esc")
	}
}

// TestLabelGoneFromQuery: a filter whose label has gone from the set says so; it
// finds a label by its synonym.
func TestLabelGoneFromQuery(t *testing.T) {
	dir := photos(t, 4)
	d := open(t, 120, 40, dir, func(o *Options) {
		o.Labels = names("red", "green")
		o.Labels.Labels[0].Synonyms = []string{"rot"}
	}).start()
	d.press("/").write("label:rot").press("enter").has("2 of 4 photos")
	d.press("tab", "x").has("there is no label rot", "0 of 4 photos")
	d.press("u").has("2 of 4 photos").hasNot("there is no label")
}

// TestFiltersWithoutModel: filters need none.
func TestFiltersWithoutModel(t *testing.T) {
	dir := photos(t, 4)
	writeSidecars(t, dir)
	d := open(t, 120, 40, dir, func(o *Options) { o.Load = noModel }).start()
	d.press("/").write("is:tagged").press("enter").wantNames("001-red.png", "002-green.png")
}

// TestQueryCompletion: tab knows the filters and the values that are here.
func TestQueryCompletion(t *testing.T) {
	dir := nested(t)
	writeSidecars(t, dir)
	d := open(t, 120, 40, dir, func(o *Options) { o.Labels = names("red", "sea lion") }).start()
	for typed, want := range map[string]string{
		"日 fol": "日 folder:", "folder:june": "folder:2024/June", "label:sea": `label:"sea lion"`, "-form": "-format:", "format:p": "format:png", "red is:lan": "red is:landscape",
	} {
		d.press("/").write(typed).press("tab")
		if got := d.m.prompt.input.Value(); got != want {
			t.Errorf("%q is completed to %q, want %q", typed, got, want)
		}
		d.press("esc")
	}
	d.press("/").write("folder:202").press("tab").has("5 completions", "2024/July/at the sea")
	checkCells(t, d.m)
}

// noisy is an encoder whose null prompts fit everything a little.
type noisy struct{ colours }

func (n *noisy) EmbedTexts(ctx context.Context, texts []string) ([][]float32, error) {
	if len(texts) != len(gallery.NullPrompts()) {
		return n.colours.EmbedTexts(ctx, texts)
	}
	vectors, r := make([][]float32, len(texts)), rand.New(rand.NewPCG(1, 2))
	for i := range vectors {
		vectors[i] = unitVector(r.NormFloat64(), r.NormFloat64(), r.NormFloat64(), r.NormFloat64())
	}
	return vectors, nil
}

// TestConfidence: the header says how many fit better than noise, as the floor
// has it.
func TestConfidence(t *testing.T) {
	d := open(t, 120, 40, photos(t, 8), func(o *Options) {
		o.Load = func(context.Context) (Encoder, error) { return &noisy{}, nil }
	}).start()
	d.press("/").write("zebra").press("enter").has("8 photos, best first · none confident; the closest")
	d.press("esc").hasNot("confident")
}
