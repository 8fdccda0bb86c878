package ui

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestMarks: single photos, ranges, all, the others, none; and what keys then act
// on.
func TestMarks(t *testing.T) {
	for _, c := range []struct {
		keys, want, says string
	}{
		{"", "", "1 of 12"},
		{"space space", "1 2", "2 marked ·  3 of 12"},
		{"space left space", "", "2 of 12"},
		{"right v right right", "2 3 4", "3 marked · ■  4 of 12"},
		{"right v right right v right", "2 3 4", "3 marked ·  5 of 12"},
		{"right v right right space right", "2 3 4", "3 marked"},
		{"v right right esc", "", "3 of 12"},
		{"right right v left left", "1 2 3", "3 marked"},
		{"space space v right esc", "1 2", "2 marked"},
		{"shift+right shift+right left left left", "1 2 3", "3 marked · ■  1 of 12"},
		{"shift+down", "1 2 3 4 5 6", "6 marked"},
		{"end shift+left", "11 12", "2 marked"},
		{"end shift+up", "7 8 9 10 11 12", "6 marked"},
		{"ctrl+a", "1 2 3 4 5 6 7 8 9 10 11 12", "12 marked"},
		{"ctrl+a ctrl+a", "", "1 of 12"},
		{"space ctrl+a", "1 2 3 4 5 6 7 8 9 10 11 12", "12 marked"},
		{"space space i", "3 4 5 6 7 8 9 10 11 12", "10 marked"},
		{"ctrl+a esc", "", "1 of 12"},
		{"v end i", "", "12 of 12"},
		// Marks stay while the sheet shows others, or in another order.
		{"space s n s n", "1", "1 marked"},
		{"space / n a m e : r e d enter ctrl+a", "1 5 9", "3 marked"},
		{"space / n a m e : b l u e enter i", "1 3 7 11", "4 marked"},
		{"right v s n s n", "2", "1 marked"}, // the chosen photo stays chosen
	} {
		d := open(t, 80, 24, photos(t, 12), nil).start()
		d.press(strings.Fields(c.keys)...)
		var got []string
		for position := range d.m.shown() {
			if d.m.marked(position) && !d.m.marks.has(d.m.photo(position)) {
				got = append(got, fmt.Sprint(d.m.photo(position)+1)) // by the range that runs
			}
		}
		for _, id := range d.m.marks.ids() {
			got = append(got, fmt.Sprint(id+1))
		}
		want := strings.Fields(c.want)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%q marks %v, want %v", c.keys, got, want)
		}
		d.has(c.says)
		checkCells(t, d.m)
		if targets := d.m.targets(); c.want == "" && len(targets) != 1 {
			t.Errorf("%q: keys act on %v", c.keys, targets)
		}
	}
}

// TestMarksOfGone: what is gone is not acted on.
func TestMarksOfGone(t *testing.T) {
	dir := photos(t, 4)
	d := open(t, 80, 24, dir, nil).start().press("ctrl+a")
	remove(t, filepath.Join(dir, "002-green.png"))
	if got := present(d.m.o.Gallery, d.press("R").m.targets()); !slices.Equal(got, []int{0, 2, 3}) {
		t.Errorf("targets %v", got)
	}
	none := open(t, 80, 24, t.TempDir(), nil).start().press("space", "v", "ctrl+a", "i", "shift+down", "y", "t", "a")
	if got := none.m.targets(); len(got) > 0 {
		t.Errorf("targets %v of no photos", got)
	}
	checkCells(t, none.m)
}
