package ui

import (
	"path/filepath"
	"testing"

	tea "charm.land/bubbletea/v2"
)

func TestMoving(t *testing.T) {
	d := open(t, 120, 40, photos(t, 30), nil).start()
	g := d.m.lay.grid
	if g.cols != 4 || g.rows != 4 {
		t.Fatalf("the sheet is %d × %d", g.cols, g.rows)
	}
	for _, step := range []struct {
		key       string
		at, first int // photo chosen, first row on screen
	}{
		{"left", 0, 0}, {"up", 0, 0}, {"right", 1, 0}, {"l", 2, 0}, {"h", 1, 0},
		{"down", 5, 0}, {"j", 9, 0}, {"j", 13, 0}, {"j", 17, 1}, {"k", 13, 1},
		{"pgdown", 29, 4}, {"pgup", 13, 0}, {"end", 29, 4}, {"down", 29, 4},
		{"home", 0, 0}, {"G", 29, 4}, {"g", 0, 0},
		{"ctrl+f", 16, 4}, {"down", 20, 4}, {"down", 24, 4}, {"right", 25, 4}, {"right", 26, 4}, {"right", 27, 4},
		{"down", 29, 4}, // the last row is shorter
		{"down", 29, 4}, {"right", 29, 4},
	} {
		d.press(step.key)
		if d.m.cursor != step.at || d.m.top != step.first {
			t.Fatalf("after %s: photo %d, first row %d; want %d, %d", step.key, d.m.cursor, d.m.top, step.at, step.first)
		}
		checkCells(t, d.m)
	}
	d.press("home", "enter").has("001-red.png", "esc sheet").press("right").has("002-green.png")
	d.press("pgdown").has("012-dusk.png").press("esc").has("/ search")
	if d.m.cursor != 11 {
		t.Errorf("after the large view: photo %d", d.m.cursor)
	}
}

// TestResize: the chosen photo stays chosen and on screen at every size.
func TestResize(t *testing.T) {
	d := open(t, 120, 40, photos(t, 60), nil).start().press("end", "up", "up")
	chosen := d.m.cursor
	for _, size := range [][2]int{{60, 20}, {200, 60}, {1, 1}, {80, 24}, {99, 33}, {100, 33}, {0, 0}, {120, 40}} {
		d.send(tea.WindowSizeMsg{Width: size[0], Height: size[1]})
		d.rest()
		if size[0] > 0 {
			checkCells(t, d.m)
		}
		if g := d.m.lay.grid; g.cols > 0 {
			if row := d.m.cursor/g.cols - d.m.top; d.m.cursor != chosen || row < 0 || row >= g.rows {
				t.Errorf("%v: photo %d in row %d of %d", size, d.m.cursor, row, g.rows)
			}
		}
	}
	before := d.m.lay.grid
	if d.press("+"); d.m.lay.grid.cols >= before.cols {
		t.Errorf("after +: %v, before %v", d.m.lay.grid, before)
	}
	if d.press("-"); d.m.lay.grid != before {
		t.Errorf("after + and -: %v, before %v", d.m.lay.grid, before)
	}
}

func TestMouse(t *testing.T) {
	d := open(t, 120, 40, photos(t, 60), nil).start()
	l := d.m.lay
	at := func(x, y int) tea.Mouse { return tea.Mouse{X: x, Y: y, Button: tea.MouseLeft} }
	wheel := func(x, y int, b tea.MouseButton) {
		d.send(tea.MouseWheelMsg{X: x, Y: y, Button: b})
		d.rest()
	}
	d.send(tea.MouseClickMsg(at(l.grid.column(2)+3, l.left.y+l.grid.cellH+1)))
	if d.m.cursor != 6 {
		t.Errorf("a click into the second row, third column chose %d", d.m.cursor)
	}
	wheel(5, 10, tea.MouseWheelDown)
	wheel(5, 10, tea.MouseWheelDown)
	if d.m.top != 2 || d.m.cursor != 10 {
		t.Errorf("after scrolling two rows: first row %d, photo %d", d.m.top, d.m.cursor)
	}
	for range 50 {
		wheel(5, 10, tea.MouseWheelDown)
	}
	if d.m.top != d.m.lastTop() || d.m.cursor/l.grid.cols < d.m.top {
		t.Errorf("at the end: first row %d of %d, photo %d", d.m.top, d.m.lastTop(), d.m.cursor)
	}
	wheel(5, 10, tea.MouseWheelUp)

	// Labels are chosen by a click, the slider by click and drag.
	d.send(tea.MouseClickMsg(at(l.labels.x+4, l.labels.y+labelHead+1)))
	if rows := d.m.rows(); d.m.focus != onLabels || d.m.labels.chosen != rows[1].Name {
		t.Errorf("a click on the second label chose %q", d.m.labels.chosen)
	}
	d.send(tea.MouseClickMsg(at(l.labels.x+4, l.labels.y))) // the heading
	d.send(tea.MouseClickMsg(at(l.slider.x+l.slider.w-1, l.slider.y)))
	if d.m.score.Delta != 2 {
		t.Errorf("a click at the end of the slider: δ = %v", d.m.score.Delta)
	}
	d.send(tea.MouseMotionMsg(at(l.slider.x, l.slider.y)))
	if d.m.score.Delta != -2 {
		t.Errorf("dragged to its start: δ = %v", d.m.score.Delta)
	}

	// A second click on the chosen photo opens it, one on the picture closes it.
	x, y := l.grid.column(0)+3, l.left.y+1
	d.send(tea.MouseClickMsg(at(x, y)))
	d.send(tea.MouseClickMsg(at(x, y)))
	if !d.m.large {
		t.Error("a click on the chosen photo did not open it")
	}
	d.send(tea.MouseClickMsg(at(x, y)))
	if d.m.large {
		t.Error("a click on the large picture did not close it")
	}
	d.rest()
}

// TestWant: what is on screen is what the gallery and the loader are told, and
// nothing is loaded twice.
func TestWant(t *testing.T) {
	d := open(t, 120, 40, photos(t, 100), func(o *Options) {
		o.Load = noModel
	}).start()
	page := d.m.lay.grid.cols * d.m.lay.grid.rows
	if len(d.m.window) != page || d.m.window[0] != 0 {
		t.Errorf("on screen: %v", d.m.window)
	}
	// Without a model thumbnails come from the loader: the page and the next.
	if n := len(d.m.pics.thumbs.entries); n != 2*page {
		t.Errorf("%d thumbnails, want %d", n, 2*page)
	}
	d.press("end")
	if last := d.m.window[len(d.m.window)-1]; last != 99 {
		t.Errorf("at the end, on screen: %v", d.m.window)
	}
	if _, ok := d.m.pics.thumb(50); ok {
		t.Error("a photo that was never near the screen was loaded")
	}
	if p := d.m.pics; p.loading >= 0 || p.peeking != 0 {
		t.Errorf("at rest, but loading %d and peeking at %d", p.loading, p.peeking)
	}
}

// TestThumbnailsForNothing: photos that are decoded for embedding are not
// decoded again.
func TestThumbnailsForNothing(t *testing.T) {
	d := open(t, 120, 40, photos(t, 40), nil).start()
	for id := range 40 {
		if _, ok := d.m.pics.thumb(id); !ok {
			t.Errorf("photo %d was embedded and has no thumbnail", id)
		}
	}
}

// TestPhotoGone: a photo that was deleted after the scan is a mark.
func TestPhotoGone(t *testing.T) {
	dir := photos(t, 5)
	d := open(t, 120, 40, dir, func(o *Options) { o.Load = noModel })
	d.launch(d.m.scan())
	d.rest()
	d.m.pics = newPictures(d.m.work)
	remove(t, filepath.Join(dir, "003-blue.png"))
	d.send(tea.WindowSizeMsg{Width: 120, Height: 40})
	d.rest().has("✗ unreadable", "no such file")
	d.press("right", "right").has("✗ cannot be read")
}
