package ui

import (
	"context"
	"fmt"
	"image/color"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigla/gallery"
)

// names are what the sheet shows from its beginning.
func (d *driver) names() []string {
	var list []string
	for i := range d.m.shown() {
		list = append(list, d.m.photos.at(d.m.photo(i)).Name)
	}
	return list
}

func (d *driver) wantNames(want ...string) *driver {
	d.t.Helper()
	if got := d.names(); !slices.Equal(got, want) {
		d.t.Errorf("the sheet shows\n%q, want\n%q", got, want)
	}
	for i := range d.m.shown() { // and positions and places agree
		if id := d.m.photo(i); d.m.list.place(id) != i {
			d.t.Errorf("photo %d at position %d has place %d", id, i, d.m.list.place(id))
		}
	}
	return d
}

// grow writes a photo whose file has so many more bytes and days than others.
func grow(t testing.TB, path string, c color.NRGBA, more int) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	writePhoto(t, path, c, 8, 8)
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(make([]byte, 100*more)); err != nil {
		t.Fatal(err)
	}
	at := pictureTime.AddDate(0, 0, more)
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
}

var (
	plainRed   = color.NRGBA{230, 20, 20, 255}
	plainGreen = color.NRGBA{20, 200, 40, 255}
	reddish    = color.NRGBA{180, 60, 160, 255}
)

// assorted is a folder whose photos every order puts in another one.
func assorted(t testing.TB) string {
	dir := filepath.Join(t.TempDir(), "pictures")
	grow(t, filepath.Join(dir, "b10.png"), plainGreen, 2)
	grow(t, filepath.Join(dir, "b9.png"), plainRed, 0)
	grow(t, filepath.Join(dir, "sub", "a.png"), reddish, 3)
	grow(t, filepath.Join(dir, "sub", "deep", "c.png"), plainGreen, 1)
	return dir
}

func TestOrders(t *testing.T) {
	d := open(t, 120, 40, assorted(t), nil).start()
	b9, b10, a, c := "b9.png", "b10.png", "sub/a.png", "sub/deep/c.png"
	d.wantNames(b9, b10, a, c).press("right", "right") // a
	at := func() string {
		it, _ := d.m.chosen()
		return it.Name
	}
	for _, step := range []struct {
		keys string
		said string
		want []string
	}{
		{"s n", "4 photos, A–Z", []string{a, b9, b10, c}},
		{"s n", "4 photos, Z–A", []string{c, b10, b9, a}},
		{"s d", "4 photos, newest first", []string{a, b10, c, b9}},
		{"s r esc", "4 photos, oldest first", []string{b9, c, b10, a}},
		{"s b", "4 photos, largest first", []string{a, b10, c, b9}},
		{"s f", "4 photos", []string{b9, b10, a, c}},
		{"s enter", "4 photos, last first", []string{c, a, b10, b9}},
		{"s down enter", "4 photos, A–Z", []string{a, b9, b10, c}},
		{"s f", "4 photos", []string{b9, b10, a, c}},
	} {
		d.press(strings.Fields(step.keys)...).has(step.said).wantNames(step.want...)
		if at() != a {
			t.Errorf("after %s %s is chosen, not %s", step.keys, at(), a)
		}
		if d.m.overlay != overlayNone {
			t.Errorf("after %s the list is still open", step.keys)
		}
	}
	// By a label: the most probable first, and what is not scored at the end.
	d.press("s", "p").has("no label is chosen")
	d.m.labels.chosen = "red"
	d.press("s").has("probability of red").press("p").has("most red first").wantNames(b9, a, b10, c)
	d.press("s", "p").has("least red first").wantNames(b10, c, a, b9)
	// By a photo: a search, which is one more order.
	d.press("s", "l").has("“sub/a.png”", "best first", "cos 1.000")
	if d.names()[0] != a || d.m.cursor != 0 {
		t.Errorf("most like %s is %v", a, d.names())
	}
	d.press("s", "n").has("“sub/a.png”", "4 photos, A–Z", "cos 1.000").wantNames(a, b9, b10, c)
	d.press("s").has("match").press("m").has("best first").press("esc").has("least red first")
	d.press("s", "m").has("nothing is searched for").press("s", "s").hasNot("sort by")
	d.press("s", "q")
	if !d.quit {
		t.Error("q does not quit from the list of orders")
	}
}

// TestOrderIsStable: equal photos stand as they were found, in both directions.
func TestOrderIsStable(t *testing.T) {
	d := open(t, 120, 40, photos(t, 30), nil).start()
	found := d.names()
	d.press("s", "d").wantNames(found...).press("s", "d").wantNames(found...)
}

// TestUnscoredComeLast, whichever way round.
func TestUnscoredComeLast(t *testing.T) {
	d := open(t, 120, 40, mixed(t), nil).start()
	d.m.labels.chosen = "blue"
	for range 2 {
		names := d.press("s", "p").names()
		if last := names[len(names)-1]; last != "009-broken.jpg" || len(names) != 14 {
			t.Errorf("the last of %d is %s", len(names), last)
		}
	}
}

// TestNewPhotosFallIntoPlace: the chosen photo keeps its row while others come
// before and after it, also in the order of folders.
func TestNewPhotosFallIntoPlace(t *testing.T) {
	dir := photos(t, 60)
	d := open(t, 120, 40, dir, nil).start()
	for _, order := range []string{"f", "n"} {
		if order != "f" {
			d.press("s", order)
		}
		d.press("home", "down", "down", "down", "down", "down", "down")
		it, _ := d.m.chosen()
		row := d.m.cursor/d.m.lay.grid.cols - d.m.top
		for i := range 9 {
			writePhoto(t, filepath.Join(dir, fmt.Sprintf("0%s%d.png", order, i)), plainRed, 8, 8)
			writePhoto(t, filepath.Join(dir, fmt.Sprintf("z%s%d.png", order, i)), plainRed, 8, 8)
		}
		if err := d.m.o.Gallery.Scan(context.Background(), dir); err != nil {
			t.Fatal(err)
		}
		d.launch(d.m.lookAgain())
		d.rest()
		d.press("left", "right") // any message
		names := d.names()
		if !slices.IsSortedFunc(names, gallery.CompareNames) || len(names) != len(d.names()) {
			t.Errorf("order %s: %q", order, names)
		}
		if now, _ := d.m.chosen(); now.ID != it.ID {
			t.Errorf("order %s: %s was chosen and now %s is", order, it.Name, now.Name)
		}
		if now := d.m.cursor/d.m.lay.grid.cols - d.m.top; now != row {
			t.Errorf("order %s: the chosen photo was in row %d and is in %d", order, row, now)
		}
	}
	if n := d.m.shown(); n != 96 {
		t.Errorf("%d photos", n)
	}
}

// TestNamedFiles keep the order in which they are named.
func TestNamedFiles(t *testing.T) {
	dir := photos(t, 4)
	d := open(t, 120, 40, dir, func(o *Options) {
		o.Paths = []string{filepath.Join(dir, "003-blue.png"), filepath.Join(dir, "001-red.png"), dir}
	}).start()
	d.wantNames("003-blue.png", "001-red.png", "002-green.png", "004-dusk.png")
	if d.m.unordered {
		t.Error("they count as out of order")
	}
}

// TestLateListing: a slow order that was overtaken does not come back.
func TestLateListing(t *testing.T) {
	d := open(t, 120, 40, assorted(t), nil).start()
	first := d.names()
	d.m.want.order = order{by: byName}
	d.m.wished()
	slow := d.m.relist()
	d.press("s", "f").wantNames(first...)
	d.send(slow())
	d.rest().wantNames(first...).has("4 photos")
}

// TestOrdersScroll: the screen is whole at every step from one order to
// another, wherever one stands.
func TestOrdersScroll(t *testing.T) {
	d := open(t, 120, 40, photos(t, 60), nil).start()
	for _, from := range []string{"home", "end", "space"} {
		d.press(from)
		for _, keys := range [][2]string{{"s", "n"}, {"s", "n"}, {"s", "f"}, {"s", "f"}, {"s", "f"}} {
			before, _ := d.m.chosen()
			for _, key := range keys {
				d.send(keyPress(key))
				checkCells(t, d.m)
			}
			d.rest()
			checkCells(t, d.m)
			g := d.m.lay.grid
			if row := d.m.cursor/g.cols - d.m.top; row < 0 || row >= g.rows {
				t.Errorf("from %s: the chosen photo is in row %d of %d", from, row, g.rows)
			}
			if now, _ := d.m.chosen(); now.ID != before.ID {
				t.Errorf("from %s: photo %d was chosen and now %d is", from, before.ID, now.ID)
			}
		}
	}
}
