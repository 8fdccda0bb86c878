package ui

import (
	"context"
	"errors"
	"fmt"
	"image/color"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/exp/golden"

	"sigla/gallery"
	"sigla/gallery/label"
	"sigla/gallery/photo"
	"sigla/internal/atomicfile"
	"sigla/model"
)

// mixed is a folder with what folders have: names wide, combining, broken over
// lines and with an escape sequence in them, and a file that is no picture.
func mixed(t testing.TB) string {
	dir := photos(t, 8)
	grey := color.NRGBA{120, 120, 120, 255}
	for _, name := range []string{"日本の写真 夏の海辺で.png", "cafe\u0301 a\u0300 la mode.png", "two\nlines.png", "\x1b[31mred\x1b[2J.png", "👨‍👩‍👧 flag 🇩🇪.png"} {
		writePhoto(t, filepath.Join(dir, name), grey, 20, 20)
	}
	broken := filepath.Join(dir, "009-broken.jpg")
	if err := os.WriteFile(broken, []byte("this is not a picture"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(broken, pictureTime, pictureTime); err != nil {
		t.Fatal(err)
	}
	return dir
}

// screens are all screens of the explorer and how to come to them.
var screens = []struct {
	name   string
	change func(*Options)
	keys   []string
}{
	{"sheet", nil, strings.Fields("right" + strings.Repeat(" [", 15))},
	{"scrolled", nil, []string{"G"}},
	{"large", nil, []string{"right", "enter"}},
	{"labels", nil, []string{"right", "tab", "down", "}"}},
	{"failed", nil, strings.Fields("right right right right right right right right right enter")},
	{"keys", nil, []string{"?"}},
	{"problems", nil, []string{"!"}},
	{"search", nil, strings.Fields("/ d e e p space r e d")},
	{"results", nil, strings.Fields("/ r e d enter right")},
	{"add", nil, strings.Fields("a d o g , space c a t")},
	{"sort", nil, strings.Fields("right tab down s down")},
	{"sorted", nil, strings.Fields("right s n G")},
	{"jobs", nil, []string{"J"}},
	{"completions", func(o *Options) { o.Complete = completeWords }, strings.Fields("/ l a tab tab")},
	{"nolabels", func(o *Options) { o.Labels = label.Set{} }, nil},
	{"nomodel", func(o *Options) {
		o.Load = func(context.Context) (Encoder, error) {
			return nil, errors.New("open model: no checkpoint in ~/x")
		}
	}, nil},
	{"nophotos", func(o *Options) { o.Paths[0], _ = os.MkdirTemp(".", "") }, nil},
}

func TestScreens(t *testing.T) {
	for _, s := range screens {
		for _, size := range [][2]int{{80, 24}, {120, 40}} {
			t.Run(fmt.Sprintf("%s/%dx%d", s.name, size[0], size[1]), func(t *testing.T) {
				// Errors show the path, so it must be the same every time.
				golden.RequireEqual(t, inFolder(t, filepath.Dir(mixed(t)), func() string {
					d := open(t, size[0], size[1], "pictures", s.change).start().press(s.keys...)
					checkCells(t, d.m)
					return d.text()
				}))
			})
		}
	}
}

// inFolder calls f with dir as the working directory.
func inFolder(t testing.TB, dir string, f func() string) string {
	before, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chdir(dir); err != nil {
		t.Fatal(err)
	}
	defer os.Chdir(before)
	return f()
}

// TestScreenWithoutColour: the same screen has no colour left, and pictures in
// characters.
func TestScreenWithoutColour(t *testing.T) {
	d := open(t, 80, 24, photos(t, 4), func(o *Options) { o.NoColor = true }).start()
	golden.RequireEqual(t, d.text())
	d.send(tea.BackgroundColorMsg{Color: color.White})
	for _, s := range []string{"", "enter", "tab", "?"} {
		if s != "" {
			d.press(s)
		}
		if v := d.m.view().Content; strings.Contains(v, "38;") || strings.Contains(v, "48;") {
			t.Errorf("colours after %q: %q", s, v)
		}
	}
	// A terminal that has no colours counts like the wish to have none.
	d = open(t, 80, 24, photos(t, 1), nil).start()
	d.send(tea.ColorProfileMsg{Profile: colorprofile.ASCII})
	if v := d.m.view().Content; strings.Contains(v, "38;") {
		t.Error("colours on a terminal without them")
	}
}

// checkCells fails unless the screen has exactly the cells of the terminal, by
// both ways in which terminals measure text.
func checkCells(t testing.TB, m *root) {
	t.Helper()
	lines, cursor := m.screen()
	if len(lines) != m.h {
		t.Fatalf("%d lines in a terminal of %d", len(lines), m.h)
	}
	if cursor >= m.w {
		t.Fatalf("cursor in column %d of %d", cursor, m.w)
	}
	for i, s := range lines {
		if a, b := ansi.StringWidth(s), ansi.StringWidthWc(s); a != m.w || b != m.w || strings.ContainsAny(s, "\n\r\t") {
			t.Fatalf("line %d of a terminal of %d×%d is %d (%d) cells wide: %q", i, m.w, m.h, a, b, ansi.Strip(s))
		}
	}
}

// TestEverySize draws every screen in terminals from one cell up.
func TestEverySize(t *testing.T) {
	dir := mixed(t)
	writeSidecars(t, dir)
	u := newTutor(t)
	close(u.allow)
	d := tagger(t, 120, 40, dir, t.TempDir())
	d.m.o.Trainer = u
	for _, keys := range []string{"", "enter", "tab", "?", "esc /", "esc esc esc !", "esc s", "esc f", "esc J", "esc tab y esc ctrl+a esc v t m", "e", "a", "esc esc", "esc T", "enter"} {
		d.press(strings.Fields(keys)...)
		for w := 1; w <= 210; w += 1 + w/9 {
			for h := 1; h <= 70; h += 1 + h/9 {
				d.send(tea.WindowSizeMsg{Width: w, Height: h})
				checkCells(t, d.m)
				if w >= 8 && h >= 2 && !d.m.lay.usable() && !strings.Contains(strings.Join(strings.Fields(d.text()), " "), "q quits") {
					t.Fatalf("%d×%d does not say how to leave:\n%s", w, h, d.text())
				}
				if small := w < leastWidth || h < leastHeight; small && w > 40 && !strings.Contains(d.text(), "sigla needs 60×20 cells; q quits") {
					t.Fatalf("%d×%d:\n%s", w, h, d.text())
				}
			}
		}
	}
}

// TestAnything throws keys, clicks, pastes and sizes at the explorer while it
// works; nothing may panic or draw a cell too many.
func TestAnything(t *testing.T) {
	keys := []string{"ctrl+b", "ctrl+f", "esc", "enter", "x", "a", "/", "c", "a", "t", ",", "é", "日", "s", "f", "J", "tab", "shift+tab"}
	for _, k := range Keys() {
		keys = append(keys, k.Keys...)
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	dir := mixed(t)
	grow(t, filepath.Join(dir, "folder", "x.png"), plainRed, 3)
	grow(t, filepath.Join(dir, "folder", "日本", "y.png"), plainGreen, 4)
	data := t.TempDir()
	u := newTutor(t)
	close(u.allow)
	d := open(t, 120, 40, dir, func(o *Options) {
		writable(t, data)(o)
		o.Complete, o.Trainer = completeWords, u
		o.Create = func(string) (File, error) { return atomicfile.Create(filepath.Join(data, "plan"), 0o600) }
	})
	defer d.leave()
	d.launch(d.m.start())
	for range 3000 {
		switch n := rnd.IntN(20); {
		case n == 0:
			d.send(tea.WindowSizeMsg{Width: 1 + rnd.IntN(200), Height: 1 + rnd.IntN(60)})
		case n <= 2:
			at := tea.Mouse{X: rnd.IntN(210) - 5, Y: rnd.IntN(70) - 5, Button: tea.MouseButton(rnd.IntN(8))}
			d.send([]tea.Msg{tea.MouseClickMsg(at), tea.MouseWheelMsg(at), tea.MouseMotionMsg(at), tea.MouseReleaseMsg(at)}[rnd.IntN(4)])
		case n == 3:
			d.send(tea.PasteMsg{Content: "a\x1b[2Jb\ncat\t"})
		default:
			d.send(keyPress(keys[rnd.IntN(len(keys))]))
		}
		checkCells(t, d.m)
		for len(d.msgs) > 0 {
			d.take(<-d.msgs)
		}
	}
	d.rest()
	checkCells(t, d.m)
}

func TestLoadingAndProgress(t *testing.T) {
	model, gate := make(chan struct{}), make(chan struct{})
	d := open(t, 120, 40, photos(t, 6), func(o *Options) {
		o.Load = func(context.Context) (Encoder, error) {
			<-model
			return &colours{gate: gate}, nil
		}
	})
	d.has("looking for photos in ~/pictures", "loading the model")
	d.launch(d.m.start())
	d.until(func() bool { return !d.m.scanning && d.pending == 2 }) // load and watch are left
	d.has("6 photos", "waiting", "loading the model")
	close(model)
	d.until(func() bool { return d.m.embedding && d.m.progress.Embedding })
	d.has("embedding", "0/6 embedded", "t 20.0  b -12.00  δ +0.0", "colours · cpu test · f32")
	d.send(keyPress("right"))
	d.send(keyPress("]"))
	d.has("δ +0.1")
	close(gate)
	d.rest()
	d.has("6 embedded", "0 untagged").hasNot("0/6", "waiting")
}

// TestStatusGivesWay: at every width the status line has whole parts only, and
// what has failed is counted apart from what is missing.
func TestStatusGivesWay(t *testing.T) {
	d := open(t, 120, 40, mixed(t), nil).start().has("13 embedded · ✗ 1")
	d.m.embedding = true
	d.m.progress.Rate, d.m.progress.Left = 12, 65*time.Second
	d.m.info.Name = "a model with quite a name"
	whole := map[string]bool{d.m.info.Name + " · " + deviceKind(d.m.device): true}
	for _, p := range append(d.m.statusParts(), part{"", []string{d.m.o.Hint}}) {
		for _, s := range p.texts {
			whole[strings.TrimSpace(s)] = true
		}
	}
	for w := leastWidth; w < 160; w++ {
		d.m.lay.w = w
		status := strings.TrimSpace(ansi.Strip(d.m.status()))
		for _, s := range strings.Split(status, "│") {
			if !whole[strings.TrimSpace(s)] {
				t.Errorf("%d cells: %q has a part that is cut", w, status)
			}
		}
		if !strings.Contains(status, "14/14") {
			t.Errorf("%d cells: %q does not say how far it is", w, status)
		}
	}
	d.m.embedding = false
}

// Where all does not fit the device's name goes first, and its kind stays where t
// and b have room.
func TestStatusShortensTheDevice(t *testing.T) {
	d := open(t, 120, 40, photos(t, 3), nil).start().has("3 embedded")
	for _, c := range []struct {
		device, kind string
		width        int
	}{
		{"gpu:software llvmpipe (LLVM 15.0.6, 256 bits) · f32", "colours · gpu:software · f32", 80},
		{"gpu A CARD WITH A LONG NAME · bf16 (A CARD failed)", "colours · gpu · bf16 (A CARD failed)", 80},
		{"cpu avx512 · f32", "colours · cpu avx512 · f32", 80},
		{"gpu:software llvmpipe (LLVM 15.0.6, 256 bits) · f32", "colours │ t 20.0  b -12.00  δ +0.0", 56},
	} {
		d.m.device, d.m.lay.w = c.device, c.width
		if got := ansi.Strip(d.m.status()); !strings.Contains(got, c.kind+" │ ") {
			t.Errorf("%q: no %q", got, c.kind)
		}
	}
}

// Where its name has no room the kind of what trains is told.
func TestTrainShortensTheDevice(t *testing.T) {
	u := newTutor(t)
	d := school(t, 100, 30, u).press("T")
	d.send(keyPress("enter"))
	d.told(u, 120, 120)
	for device, want := range map[string]string{
		"cpu avx512 · bf16": "on cpu avx512 · bf16",
		"gpu:software llvmpipe (LLVM 15.0.6, 256 bits) · f32": "on gpu:software · f32",
	} {
		d.m.train.plan.Device = device
		if pace := ansi.Strip(d.m.trainFigures(100)[1]); !strings.Contains(pace, want) {
			t.Errorf("%q: no %q", pace, want)
		}
	}
}

// What the bias does, and the last hint, are told in whole words at every width.
func TestCountsAreNotCut(t *testing.T) {
	cut := regexp.MustCompile(`\)\s+[a-z]`)
	d := open(t, leastWidth, leastHeight, mixed(t), nil).start()
	for w := leastWidth; w < 160; w++ {
		d.send(tea.WindowSizeMsg{Width: w, Height: leastHeight})
		d.m.tally.tags, d.m.tally.moved, d.m.tally.changed = 98765, -54321, 1234
		d.has("98,765 (-54,321)", " ? keys\n")
		if screen := d.text(); cut.MatchString(screen) && !strings.Contains(screen, "changed: 1,234") && !strings.Contains(screen, "changed 1,234") {
			t.Errorf("%d cells: what is told is cut:\n%s", w, screen)
		}
	}
}

// Where the explorer has no room, keys do nothing that would not be seen.
func TestKeysWithoutRoom(t *testing.T) {
	for _, before := range []string{"", "/ d o", "s", "?"} {
		d := open(t, 120, 40, mixed(t), nil).start()
		d.press(strings.Fields(before)...)
		want := d.text()
		d.send(tea.WindowSizeMsg{Width: 50, Height: 10})
		d.press("x", "]", "s", "f", "enter", "/", "g")
		for _, key := range []string{"q", "ctrl+c", "ctrl+z"} {
			if d.m.key(keyPress(key)) == nil {
				t.Errorf("after %q: %s does nothing", before, key)
			}
		}
		d.send(tea.WindowSizeMsg{Width: 120, Height: 40})
		if have := d.text(); have != want {
			t.Errorf("after %q the screen is\n%s\nit was\n%s", before, have, want)
		}
	}
}

// TestFacts: the name keeps its room, and a date is said to be of the photo
// only if the photo says so.
func TestFacts(t *testing.T) {
	d := open(t, 120, 40, photos(t, 1), nil).start()
	it := gallery.Photo{Name: "panda/image_0008.jpg", Size: 5_300_000, Modified: pictureTime, Info: photo.Info{Width: 4000, Height: 3000}}
	taken := it
	taken.Info.Taken = time.Date(2019, 1, 2, 10, 30, 0, 0, time.UTC)
	for _, c := range []struct {
		it   gallery.Photo
		w    int
		want string
	}{
		{taken, 70, "panda/image_0008.jpg" + spaces(15) + "4000×3000  5.3 MB  2019-01-02 10:30"},
		{taken, 50, "…/image_0008.jpg     4000×3000  5.3 MB  2019-01-02"},
		{taken, 42, "panda/image_0008.jpg     4000×3000  5.3 MB"},
		{taken, 38, "…/image_0008.jpg     4000×3000  5.3 MB"},
		{taken, 25, "panda/image_0008.jpg"},
		{it, 70, "panda/image_0008.jpg" + spaces(12) + "4000×3000  5.3 MB  modified 2024-05-03"},
		{it, 50, "panda/image_0008.jpg" + spaces(13) + "4000×3000  5.3 MB"},
	} {
		if got := strings.TrimSpace(ansi.Strip(d.m.facts(c.it, c.w, 2)[0])); got != c.want {
			t.Errorf("%d cells:\n%q, want\n%q", c.w, got, c.want)
		}
	}
}

// busy is a model that is embedding: whoever asks it something waits.
type busy struct {
	colours
	embedding bool
	asked     int
}

func (b *busy) Info() model.Info {
	if b.embedding {
		b.asked++
	}
	return b.colours.Info()
}

func (b *busy) Device() string {
	if b.embedding {
		b.asked++
	}
	return b.colours.Device()
}

// TestScreenNeverAsksTheModel, for the answer may take a whole batch.
func TestScreenNeverAsksTheModel(t *testing.T) {
	enc := &busy{}
	d := open(t, 120, 40, photos(t, 8), func(o *Options) {
		o.Load = func(context.Context) (Encoder, error) { return enc, nil }
	}).start()
	enc.embedding = true
	d.press("right", "]", "enter", "tab", "}", "?", "esc", "!").has("colours · cpu test · f32", "t 20.0")
	if enc.asked > 0 {
		t.Errorf("the model was asked %d times", enc.asked)
	}
}
