package ui

import (
	"context"
	"errors"
	"image/color"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sigla/gallery"
)

func follow(o *Options) { o.Watch = true }

// begun starts an explorer that follows its folder, and waits until it has
// embedded n photos.
func begun(t *testing.T, dir string, n int) *driver {
	t.Helper()
	d := open(t, 120, 40, dir, follow)
	d.launch(d.m.start())
	return d.until(func() bool { return d.m.progress.Done == n && !d.m.scanning && !d.m.embedding })
}

// What happens in the folder is on the screen, without a key.
func TestFollow(t *testing.T) {
	dir := photos(t, 6)
	d := begun(t, dir, 6)
	writePhoto(t, filepath.Join(dir, "new.png"), color.NRGBA{230, 20, 20, 255}, 8, 8)
	d.until(func() bool { return d.m.progress.Done == 7 && d.m.scores != nil && d.m.scores.Len() == 7 })
	d.has("7 photos", "new")

	// The chosen photo stays chosen when others go, and the next one follows it.
	d.send(keyPress("right"))
	d.send(keyPress("right"))
	chosen := func() string {
		it, _ := d.m.chosen()
		return it.Name
	}
	if chosen() != "003-blue.png" {
		t.Fatalf("chosen is %s", chosen())
	}
	remove(t, filepath.Join(dir, "001-red.png"))
	d.until(func() bool { return d.m.shown() == 6 })
	if chosen() != "003-blue.png" || d.m.cursor != 1 {
		t.Errorf("chosen is %s at %d", chosen(), d.m.cursor)
	}
	remove(t, filepath.Join(dir, "003-blue.png"))
	d.until(func() bool { return d.m.shown() == 5 && d.m.scores.Len() == 5 })
	if chosen() != "004-dusk.png" || d.m.cursor != 1 {
		t.Errorf("chosen is %s at %d", chosen(), d.m.cursor)
	}
	d.has("5 photos").hasNot("003-blue")
}

// A search loses the photos that are gone, and the chosen one stays.
func TestFollowInSearch(t *testing.T) {
	dir := photos(t, 8)
	d := begun(t, dir, 8)
	for _, k := range append([]string{"/"}, strings.Split("red", "")...) {
		d.send(keyPress(k))
	}
	d.send(keyPress("enter"))
	d.until(func() bool { return d.m.list.query.text == "red" && d.m.shown() == 8 })
	d.send(keyPress("right"))
	it, _ := d.m.chosen()
	first := d.m.photos.at(d.m.photo(0))
	remove(t, first.Path)
	d.until(func() bool { return d.m.shown() == 7 })
	if now, _ := d.m.chosen(); now.ID != it.ID || d.m.cursor != 0 {
		t.Errorf("chosen is %s at %d, was %s", now.Name, d.m.cursor, it.Name)
	}
}

// A photo that is overwritten is shown anew.
func TestFollowOverwritten(t *testing.T) {
	dir := photos(t, 2)
	d := begun(t, dir, 2)
	d.until(func() bool { p, ok := d.m.pics.thumb(0); return ok && !p.rough })
	path := filepath.Join(dir, "001-red.png")
	writePhoto(t, path, color.NRGBA{20, 20, 230, 255}, 30, 30)
	if err := os.Chtimes(path, pictureTime.Add(time.Hour), pictureTime.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	d.until(func() bool {
		p, ok := d.m.pics.thumb(0)
		return ok && p.NRGBAAt(5, 5).B > 200 && d.m.photos.at(0).State == gallery.Ready
	})
	if v := d.m.o.Gallery.Vector(0); v[2] < v[0] {
		t.Errorf("its vector is that of before: %v", v)
	}
}

// A folder that is away leaves its photos on the sheet, with a mark.
func TestFollowAway(t *testing.T) {
	dir := photos(t, 3)
	d := begun(t, dir, 3)
	if err := os.Rename(dir, dir+" away"); err != nil {
		t.Fatal(err)
	}
	d.until(func() bool { return d.m.photos.at(2).Unreachable && len(d.m.skipped) == 1 })
	d.has("3 photos", "out of reach", "⊘")
	if err := os.Rename(dir+" away", dir); err != nil {
		t.Fatal(err)
	}
	d.until(func() bool { return !d.m.photos.at(2).Unreachable && len(d.m.skipped) == 0 })
	d.hasNot("out of reach")
}

// R finds what nobody has told of; the facts name a twin, and the page of
// problems what was left out.
func TestRescan(t *testing.T) {
	dir := photos(t, 2)
	d := open(t, 120, 40, dir, nil).start()
	for _, name := range []string{"001-red.jpg", "001-red.CR2", "clip.mp4"} {
		writePhoto(t, filepath.Join(dir, name), color.NRGBA{230, 20, 20, 255}, 8, 8)
	}
	remove(t, filepath.Join(dir, "002-green.png"))
	d.press("R").has("2 photos", "2 embedded").press("home").has("001-red.jpg", "+ CR2").press("!").has("Left out: 1 .mp4")
}

// TestIdleWhileFollowing: no message and no timer of ours while nothing happens;
// four goroutines of ours wait: for the terminal, for SIGHUP, for the folders and
// for the gallery.
func TestIdleWhileFollowing(t *testing.T) {
	s := begin(t, context.Background(), false, follow)
	s.shows("6 embedded").press("]").shows("δ +0.1")
	s.idle(4)
	if err := s.press("q").end(); err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
