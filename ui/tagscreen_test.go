package ui

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image/color"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/exp/golden"

	"sigla/gallery"
	"sigla/gallery/catalog"
	"sigla/gallery/sidecar"
	"sigla/gallery/sidecar/journal"
	"sigla/internal/atomicfile"
)

// writable gives an explorer a catalog and a journal in a folder.
func writable(t testing.TB, data string) func(*Options) {
	return func(o *Options) {
		g := o.Gallery
		g.UseCatalog(func(ctx context.Context) (*catalog.Catalog, error) { return catalog.Open(ctx, data) })
		g.UseModel(catalog.Model{Digest: "colours", Dim: 4})
		o.Journal = func(ctx context.Context) (*journal.Journal, error) {
			return journal.Open(ctx, filepath.Join(data, "runs"))
		}
		o.Create = func(path string) (File, error) { return atomicfile.Create(path, 0o644) }
	}
}

// tagger opens an explorer that can write; when it is closed so is its catalog.
func tagger(t testing.TB, w, h int, dir, data string) *driver {
	t.Helper()
	var g *gallery.Gallery
	t.Cleanup(func() { // after the driver's
		if err := errors.Join(g.CatalogErr(), g.Close()); err != nil {
			t.Error(err)
		}
	})
	d := open(t, w, h, dir, func(o *Options) {
		writable(t, data)(o)
		g = o.Gallery
	})
	return d.start()
}

// leave closes an explorer and its catalog, so that another may be opened.
func (d *driver) leave() {
	d.t.Helper()
	d.close()
	if err := d.m.o.Gallery.Close(); err != nil {
		d.t.Error(err)
	}
}

// files returns what is in a folder, by name.
func files(t testing.TB, dir string) map[string]string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]string)
	for _, f := range list {
		text, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all[f.Name()] = string(text)
	}
	return all
}

// tagsOn are the tags that the files of a photo have on disk.
func tagsOn(t testing.TB, photo string) sidecar.Set {
	t.Helper()
	tags, err := sidecar.Read(photo)
	if err != nil {
		t.Fatal(err)
	}
	return tags.Set()
}

// now is what changes from run to run on a golden screen.
var now = regexp.MustCompile(`20[0-9]{2}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}`)

func TestTagsScreens(t *testing.T) {
	for _, s := range []struct{ name, keys string }{
		{"answered", "tab y right n esc shift+right"},
		{"empty", "t"},
		{"answers", "tab y right y right n right y esc t"},
		{"model", "tab right right n esc t m down"},
		{"why", "tab y right n esc t m e"},
		{"ask", "tab y esc t a"},
		{"applied", "tab y right y esc t a y"},
		{"undo", "tab y right y esc t a y u"},
		{"failed", "tab y right right right y esc t m a y end"},
	} {
		for _, size := range [][2]int{{60, 20}, {80, 24}, {120, 40}} {
			t.Run(fmt.Sprintf("%s/%dx%d", s.name, size[0], size[1]), func(t *testing.T) {
				dir := mixed(t)
				writeSidecars(t, dir)
				data := t.TempDir()
				golden.RequireEqual(t, inFolder(t, filepath.Dir(dir), func() string {
					d := tagger(t, size[0], size[1], "pictures", data).press(strings.Fields(s.keys)...)
					checkCells(t, d.m)
					return now.ReplaceAllString(d.text(), "2024-05-03 14:20")
				}))
			})
		}
	}
}

// TestTagsScreenInOtherColours: it reads without colour, and on a light ground.
func TestTagsScreenInOtherColours(t *testing.T) {
	dir := photos(t, 4)
	writeSidecars(t, dir)
	d := tagger(t, 80, 24, dir, t.TempDir()).press("tab", "y", "esc", "t", "m")
	dark := d.m.view().Content
	d.send(tea.BackgroundColorMsg{Color: color.White})
	if light := d.m.view().Content; light == dark {
		t.Error("it is the same on a light ground")
	}
	d.m.o.NoColor = true
	d.send(tea.BackgroundColorMsg{Color: color.White})
	d.send(tea.ColorProfileMsg{})
	if v := d.m.view().Content; strings.Contains(v, "38;") || strings.Contains(v, "48;") {
		t.Errorf("colours: %q", v)
	}
	d.has("✓red", "●blue")
}

// TestApplyAndUndo: what the page says is what is on disk, photos and sheet
// follow, and undoing restores every byte.
func TestApplyAndUndo(t *testing.T) {
	dir, data := photos(t, 4), t.TempDir() // more would be copies of these, which share answers
	writeSidecars(t, dir)
	remove(t, filepath.Join(dir, "004-dusk.png.xmp")) // which is broken
	before := files(t, dir)
	d := tagger(t, 120, 40, dir, data)
	d.press("tab", "y", "esc", "right", "right", "right", "y", "t")
	d.has("2 sidecars: 1 new, 1 changed", "+2 -0 tags", "✓red", "004-dusk.png.xmp", "2 of 4 photos listed").hasNot("●")
	d.press("a").has("write 2 sidecars, +2 -0 tags?", "y yes").press("x").has("nothing was done")
	if now := files(t, dir); fmt.Sprint(now) != fmt.Sprint(before) {
		t.Error("files were written before anybody said yes")
	}
	d.press("a", "y").has("✓ 2 sidecars written; u takes that back", "Nothing to write")
	if !tagsOn(t, filepath.Join(dir, "001-red.png")).Has("red") || !tagsOn(t, filepath.Join(dir, "004-dusk.png")).Has("red") {
		t.Error("the tag is not in the files")
	}
	d.press("esc").has("✓ red").press("g").has("✓ Beach, SUNSET, Ann, a rather long")
	d.press("t", "u").has("take back the run of", "2 sidecars?").press("y").has("✓ 2 sidecars taken back", "2 sidecars: 1 new, 1 changed")
	if now := files(t, dir); fmt.Sprint(now) != fmt.Sprint(before) {
		t.Error("undone, the files are not what they were")
	}
	if d.press("esc", "end", "g"); d.m.own.set.Has("red") || !d.m.own.set.Has("sunset") {
		t.Errorf("the tags shown are %v", d.m.own.tags)
	}
	d.press("t", "u").has("nothing to take back")
}

// TestModelsTags: what the model says is written if that is wanted, is taken back
// when it says so no longer, and a person's tags stay whatever it says.
func TestModelsTags(t *testing.T) {
	dir, data := photos(t, 4), t.TempDir()
	red := filepath.Join(dir, "001-red.png")
	if err := os.WriteFile(red+".xmp", []byte(sidecarOf(0, "RED", "sunset")), 0o644); err != nil {
		t.Fatal(err)
	}
	d := tagger(t, 120, 40, dir, data)
	d.press("t").has("Nothing to write").press("m").has("3 sidecars: 3 new, 0 changed", "●green", "+4 -0").hasNot("001-red")
	d.press("a", "y").has("3 sidecars written")
	if !tagsOn(t, filepath.Join(dir, "002-green.png")).Has("green") {
		t.Error("green is not in the file")
	}
	// Nothing holds any more: what was set by the model goes, and no more.
	d.press("esc")
	for range 120 {
		d.m.biasBy(-1)
	}
	d.rest().press("t").has("3 sidecars: 0 new, 3 changed", "+0 -4", "○green").hasNot("001-red")
	d.press("m").has("Nothing to write").press("m", "a", "y").has("3 sidecars written")
	if set := tagsOn(t, red); !set.Has("red") || !set.Has("sunset") {
		t.Error("a person's tags are gone")
	}
	if _, err := os.Stat(filepath.Join(dir, "002-green.png.xmp")); !os.IsNotExist(err) {
		t.Errorf("a sidecar without tags is left: %v", err)
	}
	// A person may take them out.
	d.press("esc", "g", "tab").choose("red").press("n", "esc", "t").has("1 sidecar: 0 new, 1 changed", "✗RED").press("a", "y")
	if set := tagsOn(t, red); set.Has("red") || !set.Has("sunset") {
		t.Error("what a person rejected is still there, or more is gone")
	}
}

// TestTakenOutElsewhere: W11 through the screen. What somebody took out of a
// sidecar in another program does not come back, and is a rejection.
func TestTakenOutElsewhere(t *testing.T) {
	dir, data := photos(t, 3), t.TempDir()
	d := tagger(t, 120, 40, dir, data)
	d.press("t", "m", "a", "y").has("3 sidecars written").press("esc")
	path := filepath.Join(dir, "002-green.png.xmp")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(string(text), "<rdf:li>green</rdf:li>", "")), 0o644); err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(time.Minute)
	if err := os.Chtimes(path, later, later); err != nil {
		t.Fatal(err)
	}
	d.press("R", "t").has("Nothing to write", "1 tag taken out elsewhere").press("e").has("sigla had set it and somebody took it out of a sidecar", "taken out since")
	d.press("a").has("remember what was taken out elsewhere as rejected, 1 tag?").press("y", "esc")
	if v := d.m.answers.About(d.m.photos.at(1).Content, gallery.NewVocabulary(d.m.labels.set), "green")[0]; v.Verdict != catalog.Reject || v.Who != "sidecar" {
		t.Errorf("%+v", v)
	}
	for range 30 {
		d.m.biasBy(1)
	}
	d.rest().press("t").hasNot("●green")
	d.leave()
	d = tagger(t, 120, 40, dir, data).press("t", "m").has("Nothing to write").hasNot("taken out", "002-green")
	if tagsOn(t, filepath.Join(dir, "002-green.png")).Has("green") {
		t.Error("it came back")
	}
	// A person sets it again.
	d.press("esc", "g", "right", "tab").choose("green")
	if d.press("y", "esc", "t", "a", "y"); !tagsOn(t, filepath.Join(dir, "002-green.png")).Has("green") {
		t.Errorf("a person cannot set it:\n%s", d.text())
	}
}

// TestApplyFailures: files that cannot be written are listed, and the others are
// written.
func TestApplyFailures(t *testing.T) {
	dir, data := photos(t, 4), t.TempDir()
	d := tagger(t, 120, 40, dir, data)
	for _, name := range []string{"002-green.png.xmp", "003-blue.png.xmp"} { // after they were looked at
		if err := os.WriteFile(filepath.Join(dir, name), []byte(sidecarOf(1, "someone's")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	d.press("t", "m", "a", "y").has("2 sidecars written, 2 not", "✗ 2 not written (! lists them)", "there is a file of that name meanwhile")
	d.press("!").has("Sidecars left alone: 2", "002-green.png.xmp", "003-blue.png.xmp")
	for i, name := range []string{"001-red.png", "002-green.png", "003-blue.png", "004-dusk.png"} {
		set := tagsOn(t, filepath.Join(dir, name))
		if written := i == 0 || i == 3; set.Has("red") != written || set.Has("someone's") == written {
			t.Errorf("%s has the wrong tags", name)
		}
	}
	// They are read now, and can be written.
	d.press("R", "t").has("2 sidecars: 0 new, 2 changed").press("a", "y").has("✓ 2 sidecars written")
	if set := tagsOn(t, filepath.Join(dir, "002-green.png")); !set.Has("green") || !set.Has("someone's") {
		t.Error("it was not written, or not kept")
	}
}

// TestCutOff: what a program that was killed has begun is finished at the next
// start, which says so, and can be taken back.
func TestCutOff(t *testing.T) {
	dir, data := photos(t, 6), t.TempDir()
	before := files(t, dir)
	d := tagger(t, 120, 40, dir, data)
	d.press("t", "m", "a", "y").has("6 sidecars written")
	after := files(t, dir)
	d.leave()
	// As it was between two files: three are new, and the run has no end.
	runs, err := filepath.Glob(filepath.Join(data, "runs", "*.jsonl"))
	if err != nil || len(runs) != 1 {
		t.Fatal(runs, err)
	}
	text, err := os.ReadFile(runs[0])
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(strings.TrimSpace(string(text)), "\n")
	if !strings.Contains(lines[len(lines)-1], "applied") {
		t.Fatalf("the last line is %s", lines[len(lines)-1])
	}
	if err := os.WriteFile(runs[0], []byte(strings.Join(lines[:len(lines)-1], "")), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"001-red.png.xmp", "003-blue.png.xmp", "006-green.png.xmp"} {
		remove(t, filepath.Join(dir, name))
	}
	d = tagger(t, 120, 40, dir, data).has("what a program that was cut off had begun is finished: 6 sidecars")
	if now := files(t, dir); fmt.Sprint(now) != fmt.Sprint(after) {
		t.Error("it is not finished")
	}
	if !d.m.photos.at(0).Tagged {
		t.Error("the sheet does not know of the tags")
	}
	d.press("t").has("is finished: 6 sidecars").press("u", "y").has("✓ 6 sidecars taken back")
	if now := files(t, dir); fmt.Sprint(now) != fmt.Sprint(before) {
		t.Error("undone, the files are not what they were")
	}
}

// TestStopWriting: an application can be stopped, q asks before it does so, and
// what was written can be taken back.
func TestStopWriting(t *testing.T) {
	dir, data := photos(t, 3), t.TempDir()
	d := tagger(t, 120, 40, dir, data).press("t", "m")
	gate, held := make(chan struct{}), d.m.o.Journal
	d.m.o.Journal = func(ctx context.Context) (*journal.Journal, error) {
		<-gate
		return held(ctx)
	}
	d.send(keyPress("a"))
	d.send(keyPress("y"))
	d.has("writing", "s stop writing")
	d.send(keyPress("q"))
	if d.has("q again stops that and leaves"); d.quit {
		t.Error("q does not ask")
	}
	d.send(keyPress("s"))
	d.send(keyPress("a"))
	d.has("tags are being written already")
	close(gate)
	d.rest()
	if now := files(t, dir); len(now) != 3 {
		t.Errorf("stopped before the first file, there are %d", len(now))
	}
	if d.press("q"); !d.quit {
		t.Error("q does not leave when nothing is written")
	}
}

// TestLeaveWhileWriting: Run says what it has left when the user leaves while
// tags are written.
func TestLeaveWhileWriting(t *testing.T) {
	d := tagger(t, 120, 40, photos(t, 3), t.TempDir()).press("t", "m")
	begun := make(chan struct{})
	d.m.o.Journal = func(ctx context.Context) (*journal.Journal, error) {
		close(begun)
		<-ctx.Done()
		return nil, ctx.Err()
	}
	d.send(keyPress("a"))
	d.send(keyPress("y"))
	for running := true; running; {
		select {
		case msg := <-d.msgs:
			d.take(msg)
		case <-begun:
			running = false
		}
	}
	d.send(keyPress("J"))
	d.has("● writing tags")
	d.closed = true
	if err := d.m.close(); err == nil || !strings.Contains(err.Error(), `writing tags was stopped: 0 sidecars done`) {
		t.Errorf("it says %v", err)
	}
}

// TestExport: the plan goes to a file, an object a photo.
func TestExport(t *testing.T) {
	dir, data := photos(t, 4), t.TempDir()
	out := filepath.Join(t.TempDir(), "plan.jsonl")
	d := tagger(t, 120, 40, dir, data).press("t", "x").has("there is no plan to export").press("m", "x").has("export plan to: sigla-plan.jsonl")
	d.press("ctrl+u").write(out).press("enter").has("the plan of 4 photos is in")
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	var added []string
	for line := range strings.Lines(string(text)) {
		var p sidecar.PhotoPlan
		if err := json.Unmarshal([]byte(line), &p); err != nil || len(p.Files) != 1 || !p.Files[0].New {
			t.Errorf("%s: %v", line, err)
		}
		added = append(added, strings.Join(p.Added, " "))
	}
	if want := []string{"red", "green", "blue", "red blue"}; !slices.Equal(added, want) {
		t.Errorf("added %q, want %q", added, want)
	}
	d.press("x", "ctrl+u").write(filepath.Join(dir, "no", "folder")).press("enter").has("✗")
	if list := files(t, dir); len(list) != 4 {
		t.Errorf("files were made: %d", len(list))
	}
}

// TestWhyRefused: of a photo whose sidecar is broken the page says that, and does
// not say that anything would be written.
func TestWhyRefused(t *testing.T) {
	dir := photos(t, 4)
	writeSidecars(t, dir)
	tagger(t, 120, 40, dir, t.TempDir()).press("end", "tab", "y", "esc", "space", "t", "e").has("why: ", "✗ refused", "1 photo refused").hasNot("made to agree")
}

// TestScope: the page is of the marked photos or, without any, of those listed.
func TestScope(t *testing.T) {
	d := tagger(t, 120, 40, photos(t, 8), t.TempDir()).press("t", "m").has("8 sidecars", "8 of 8 photos listed")
	d.press("esc", "/").write("name:blue").press("enter", "t").has("2 sidecars", "2 of 2 photos listed").press("end", "enter").has("2 of 2 ─")
	if d.m.overlay != overlayNone || d.m.photo(d.m.cursor) != 6 {
		t.Errorf("Enter goes to photo %d", d.m.photo(d.m.cursor))
	}
	d.press("esc", "g", "space", "space", "space", "t").has("3 sidecars", "3 of 3 marked photos")
	d.press("down", "down", "down", "down").has("3 of 3 ─").press("home").has("1 of 3 ─")
}

// TestManyRows: with thousands of rows only those on screen are drawn, and no key
// looks at all of them.
func TestManyRows(t *testing.T) {
	d := tagger(t, 80, 24, photos(t, 1), t.TempDir()).press("t", "m")
	for n := range 50_000 {
		d.m.tags.draft.rows = append(d.m.tags.draft.rows, tagRow{id: 0, file: fmt.Sprintf("%05d.jpg.xmp", n), what: "new", added: []tagWord{{"●", "red"}}})
	}
	allocs := testing.AllocsPerRun(20, func() {
		d.m.update(keyPress("pgdown"))
		d.m.view()
	})
	if allocs > 3000 {
		t.Errorf("a page takes %.0f allocations", allocs)
	}
	d.rest().press("end").has("50,001 of 50,001", "49999.jpg.xmp").press("up").has("50,000 of 50,001")
	if !slices.IsSortedFunc(d.m.tags.draft.rows[1:], func(a, b tagRow) int { return strings.Compare(a.file, b.file) }) {
		t.Error("rows were moved")
	}
}
