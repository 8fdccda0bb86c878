package ui

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/exp/golden"
)

// nested is a folder with folders in it.
func nested(t testing.TB) string {
	dir := filepath.Join(t.TempDir(), "pictures")
	for i, name := range []string{
		"top.png", "2023/a.png", "2023/b.png", "2024/June/one.png", "2024/June/two.png",
		"2024/July/at the sea/three.png", "2024/four.png", "日本/東京/五.png",
	} {
		c := plainRed
		switch i % 3 {
		case 1:
			c = plainGreen
		case 2:
			c = reddish
		}
		grow(t, filepath.Join(dir, filepath.FromSlash(name)), c, i)
	}
	return dir
}

// listed are the folders on the list, with their depth.
func (d *driver) listed() []string {
	var list []string
	for _, i := range d.m.folders.rows {
		n := d.m.folders.tree.nodes[i]
		list = append(list, fmt.Sprintf("%s%s %d", strings.Repeat(" ", n.depth), n.name, n.photos))
	}
	return list
}

func (d *driver) wantListed(want ...string) *driver {
	d.t.Helper()
	if got := d.listed(); !slices.Equal(got, want) {
		d.t.Errorf("listed are\n%q, want\n%q", got, want)
	}
	checkCells(d.t, d.m)
	return d
}

func TestFolders(t *testing.T) {
	d := open(t, 120, 40, nested(t), nil).start()
	d.m.labels.chosen = "green"
	d.press("f").wantListed("~/pictures 8", " 2023 2", " 2024 4", " 日本 1").has("1 of 4 folders", "untagged", "● green")
	d.press("down", "down", "right").wantListed("~/pictures 8", " 2023 2", " 2024 4", "  July 1", "  June 2", " 日本 1")
	d.press("right", "right").wantListed("~/pictures 8", " 2023 2", " 2024 4", "  July 1", "   at the sea 1", "  June 2", " 日本 1")
	d.press("down", "down", "enter").has("~/pictures/2024/June", "2 of 8 photos").wantNames("2024/June/one.png", "2024/June/two.png")
	// The list comes back where it was; esc goes up level by level.
	d.press("f")
	if n, _ := d.m.folders.chosen(); n.path != "2024/June" {
		t.Errorf("%q is chosen", n.path)
	}
	d.press("esc", "esc").has("~/pictures/2024", "4 of 8 photos").press("esc").has("~/pictures ", "8 photos").press("esc").has("8 photos")
	// The filter finds folders at any depth, and their way.
	d.press("f").write("sea").has("2024/July/at the sea", "“sea”").press("enter").has("1 of 8 photos", "2024/July/at the sea")
	d.press("f").write("nowhere").has("no folder has that").press("enter").press("esc", "esc").hasNot("no folder has")
	d.press("esc", "esc", "esc", "f").write("東").wantListed("  東京 1").press("backspace").wantListed("~/pictures 8", " 2023 2", " 2024 4", " 日本 1")
	// Letters are letters there.
	d.press("q").has("“q”")
	if d.quit {
		t.Error("q quit")
	}
	if d.press("ctrl+c"); !d.quit {
		t.Error("ctrl+c does not quit")
	}
}

// TestFolderCounts are those of the photos.
func TestFolderCounts(t *testing.T) {
	d := open(t, 120, 40, nested(t), nil).start()
	d.m.labels.chosen = "green"
	d.press("f", "down", "down", "right").press(strings.Split(strings.Repeat("[", 30), "")...) // the filter
	d.press("esc", "esc").press(strings.Split(strings.Repeat("[", 60), "")...)                 // the bias
	d.press("f")
	for _, n := range d.m.folders.tree.nodes {
		photos, untagged, above := 0, 0, 0
		for id := range d.m.photos.len() {
			if !n.has(d.m.photos.at(id)) {
				continue
			}
			photos++
			row, ok := d.m.scores.Row(id)
			if !ok {
				t.Fatalf("photo %d is not scored", id)
			}
			if tagged, _ := d.m.labels.holds(row); !tagged {
				untagged++
			}
			if row[1] >= d.m.labels.cuts[1] {
				above++
			}
		}
		if n.photos != photos || n.untagged != untagged || n.above != above {
			t.Errorf("%q: %d photos, %d untagged, %d above; want %d, %d, %d", n.path, n.photos, n.untagged, n.above, photos, untagged, above)
		}
	}
	if root := d.m.folders.tree.nodes[0]; root.untagged == 0 || root.untagged == root.photos {
		t.Errorf("the bias leaves %d of %d untagged: a test of nothing", root.untagged, root.photos)
	}
}

// TestFoldersOfRoots: with several roots each is a folder of the list.
func TestFoldersOfRoots(t *testing.T) {
	a, b := nested(t), assorted(t)
	d := open(t, 120, 40, a, func(o *Options) { o.Paths, o.Title = []string{a, b}, "two places" }).start()
	d.press("f").wantListed("two places 12", " "+a+" 8", " "+b+" 4").press("end", "right", "down", "enter")
	d.has("2 of 12 photos").wantNames("sub/a.png", "sub/deep/c.png")
	d.press("esc").wantNames("b9.png", "b10.png", "sub/a.png", "sub/deep/c.png").press("esc").has("12 photos")
}

// TestFolderAndSearch: a search looks into the folder only, and leaves it as it
// found it.
func TestFolderAndSearch(t *testing.T) {
	d := open(t, 120, 40, nested(t), nil).start()
	d.press("f", "down", "down", "enter", "/").write("red").press("enter").has("“red” in 2024", "4 of 8 photos, best first")
	d.press("esc").has("~/pictures/2024", "4 of 8 photos").press("esc").has("8 photos")
}

func TestFoldersByMouse(t *testing.T) {
	d := open(t, 120, 40, nested(t), nil).start().press("f")
	at := tea.Mouse{X: 5, Y: d.m.lay.left.y + 2, Button: tea.MouseLeft}
	d.send(tea.MouseClickMsg(at))
	d.rest()
	if n, _ := d.m.folders.chosen(); n.path != "2023" {
		t.Errorf("a click chose %q", n.path)
	}
	d.send(tea.MouseClickMsg(at))
	d.rest().has("2 of 8 photos")
}

// TestManyFolders: thousands of folders are drawn a screen at a time.
func TestManyFolders(t *testing.T) {
	d := open(t, 80, 24, nested(t), nil).start().press("f")
	s := survey{}
	f := &d.m.folders
	tr := &tree{at: map[folder]int{}}
	tr.nodes = append(tr.nodes, node{})
	for i := range 5000 {
		tr.nodes = append(tr.nodes, node{folder: folder{true, "", fmt.Sprintf("%04d", i)}, lower: fmt.Sprintf("%04d", i), photos: i})
	}
	tr.join(s.top, true)
	f.tree = tr
	f.list(folder{})
	d.press("end").has("5,001 of 5,001 folders", "4999").press("pgup", "home").has("    1 of 5,001 folders").write("499").has("4990")
	checkCells(t, d.m)
}

func TestFolderScreens(t *testing.T) {
	for _, size := range [][2]int{{80, 24}, {120, 40}} {
		t.Run(fmt.Sprintf("%dx%d", size[0], size[1]), func(t *testing.T) {
			d := open(t, size[0], size[1], nested(t), nil).start()
			d.m.labels.chosen = "green"
			d.press("f", "down", "down", "right", "down")
			checkCells(t, d.m)
			golden.RequireEqual(t, d.text())
		})
	}
}

// Letters are a filter also before there is any folder.
func TestFilterOfNoFolders(t *testing.T) {
	d := open(t, 80, 24, t.TempDir(), nil).start().press("f", "x", "backspace", "right", "left", "enter")
	checkCells(t, d.m)
}
