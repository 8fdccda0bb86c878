package ui

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/exp/golden"

	"sigla/gallery/sidecar"
)

// sidecarOf is a sidecar with these tags, paths with "|", and stars.
func sidecarOf(stars int, tags ...string) string {
	return fmt.Sprintf(`<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
		<rdf:Description xmlns:lr="http://ns.adobe.com/lightroom/1.0/" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="%d">
		<lr:hierarchicalSubject><rdf:Bag><rdf:li>%s</rdf:li></rdf:Bag></lr:hierarchicalSubject></rdf:Description></rdf:RDF></x:xmpmeta>`,
		stars, strings.Join(tags, "</rdf:li><rdf:li>"))
}

// writeSidecars writes some beside the photos of a folder.
func writeSidecars(t testing.TB, dir string) {
	t.Helper()
	for name, text := range map[string]string{
		"001-red.png.xmp":    sidecarOf(3, "places|Beach", "SUNSET", "friends|Ann", "a rather long tag that is cut", "another one"),
		"002-green.xmp":      sidecarOf(-1, "colours|green"),
		"003-blue.png.xmp":   sidecarOf(5),
		"004-dusk.png.xmp":   "<broken",
		"two\nlines.xmp":     sidecarOf(0, "\u202eright", "日本"),
		"nobody.png.xmp":     sidecarOf(1, "nothing"),
		"009-broken.jpg.XMP": sidecarOf(0, "torn"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTagScreens(t *testing.T) {
	for _, s := range []struct{ name, keys string }{
		{"sheet", "right" + strings.Repeat(" [", 15)},
		{"large", "right enter"},
		{"rejected", "right right enter"},
		{"problems", "!"},
	} {
		for _, size := range [][2]int{{80, 24}, {120, 40}} {
			t.Run(fmt.Sprintf("%s/%dx%d", s.name, size[0], size[1]), func(t *testing.T) {
				dir := mixed(t)
				writeSidecars(t, dir)
				golden.RequireEqual(t, inFolder(t, filepath.Dir(dir), func() string {
					d := open(t, size[0], size[1], "pictures", nil).start().press(strings.Fields(s.keys)...)
					checkCells(t, d.m)
					return d.text()
				}))
			})
		}
	}
}

// TestTagsWithoutModel: tags need none, nor labels.
func TestTagsWithoutModel(t *testing.T) {
	dir := photos(t, 2)
	writeSidecars(t, dir)
	d := open(t, 120, 40, dir, func(o *Options) {
		o.Load = func(context.Context) (Encoder, error) { return nil, errors.New("open model: no checkpoint in ~/x") }
	}).start()
	d.has("✓ Beach, SUNSET, Ann, a rather long tag that…  ★★★", "001-red      ✓")
	for _, s := range strings.Split(d.text(), "\n") {
		if tagged := strings.Contains(s, "✓") && strings.Contains(s, " … "); tagged != strings.Contains(s, "   sunset ") {
			t.Errorf("marked %v: %s", tagged, s)
		}
	}
}

// TestUntagged: a photo that somebody has tagged is not without tags, whatever
// the labels say.
func TestUntagged(t *testing.T) {
	dir := photos(t, 8)
	untagged := func() int {
		d := open(t, 120, 40, dir, func(o *Options) { o.Labels = names("sunset") }).start()
		for id := range d.m.photos.len() {
			p := d.m.photos.at(id)
			if want, err := sidecar.Read(p.Path); err != nil || p.Tagged != (len(want.Tags) > 0) {
				t.Errorf("%s: tagged %v, %v", p.Name, p.Tagged, err)
			}
		}
		d.has(fmt.Sprintf("8 photos · %d untagged", d.m.tally.untagged))
		return d.m.tally.untagged
	}
	if n := untagged(); n != 8 {
		t.Errorf("%d untagged of 8 that no label holds for", n)
	}
	writeSidecars(t, dir)
	if err := os.Remove(filepath.Join(dir, "004-dusk.png.xmp")); err != nil {
		t.Fatal(err)
	}
	if n := untagged(); n != 6 {
		t.Errorf("%d untagged of 8 when 2 have tags", n)
	}
}

// TestTagLine: in a narrow pane the names are cut and the rating stays.
func TestTagLine(t *testing.T) {
	dir := photos(t, 1)
	writeSidecars(t, dir)
	d := open(t, 120, 40, dir, nil).start()
	it, _ := d.m.chosen()
	for w, want := range map[int]string{
		30: "✓ Beach, SUNSET, Ann, a …  ★★★",
		12: "✓ Beac…  ★★★",
	} {
		line := d.m.tagLine(it, w)
		if got := ansi.Strip(line); ansi.StringWidth(got) != w || got != want {
			t.Errorf("%d cells: %q, want %q", w, got, want)
		}
	}
	it.ID++
	if got := ansi.Strip(d.m.tagLine(it, 20)); got != spaces(20) {
		t.Errorf("of another photo: %q", got)
	}
}

// TestTaggedLabels: a label is marked by its name, its path or a synonym.
func TestTaggedLabels(t *testing.T) {
	dir := photos(t, 2)
	writeSidecars(t, dir)
	d := open(t, 120, 40, dir, func(o *Options) {
		o.Labels = names("beach", "places", "times|sunset", "ann", "mountain", "dusk")
		o.Labels.Labels[5].Synonyms = []string{"evening", "Sunset"}
	}).start()
	check := func(want ...string) {
		t.Helper()
		var got []string
		for _, l := range d.m.labels.set.Labels {
			for _, r := range d.m.rows() {
				if r.Name == l.Name && r.tagged {
					got = append(got, r.Name)
				}
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("marked %q, want %q", got, want)
		}
	}
	check("beach", "places", "times|sunset", "ann", "dusk")
	d.press("right")
	check()
	d.press("left")
	check("beach", "places", "times|sunset", "ann", "dusk")
}
