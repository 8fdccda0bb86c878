package ui

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
	"github.com/charmbracelet/x/ansi"

	"sigla/gallery"
	"sigla/gallery/label"
	"sigla/model"
)

func TestMain(m *testing.M) {
	time.Local = time.UTC // dates on golden screens
	os.Exit(m.Run())
}

// colours is an encoder whose world is red, green, blue, and all the rest.
type colours struct {
	gate   chan struct{} // if not nil, Embed waits for it
	closed bool
}

func (*colours) Info() model.Info {
	return model.Info{Name: "colours", LogScale: float32(math.Log(20)), Bias: -12}
}

func (*colours) Device() string { return "cpu test · f32" }

func (c *colours) Close() error {
	if c.closed {
		return errors.New("closed twice")
	}
	c.closed = true
	return nil
}

func (*colours) Prepare(img image.Image) (any, error) {
	b := img.Bounds()
	r, g, bl, _ := img.At(b.Min.X+b.Dx()/2, b.Min.Y+b.Dy()/2).RGBA()
	return unitVector(float64(r), float64(g), float64(bl), 20_000), nil
}

func (c *colours) Embed(ctx context.Context, batch []any) ([][]float32, error) {
	if c.gate != nil {
		select {
		case <-c.gate:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	out := make([][]float32, len(batch))
	for i, v := range batch {
		out[i] = v.([]float32)
	}
	return out, nil
}

func (*colours) EmbedTexts(_ context.Context, texts []string) ([][]float32, error) {
	if len(texts) == len(gallery.NullPrompts()) {
		return nil, errors.New("encode text: in four dimensions all is noise") // see noisy
	}
	out := make([][]float32, len(texts))
	for i, s := range texts {
		if strings.Contains(s, "unspeakable") {
			return nil, errors.New("encode text: no words for it")
		}
		v := []float64{0.1, 0.1, 0.1, 0.1}
		for axis, word := range []string{"red", "green", "blue"} {
			if strings.Contains(s, word) {
				v[axis] = 1
			}
		}
		if v[0]+v[1]+v[2] < 1 {
			v[3] = 1 // something else
		}
		out[i] = unitVector(v...)
	}
	return out, nil
}

func unitVector(v ...float64) []float32 {
	sum := 1e-9
	for _, x := range v {
		sum += x * x
	}
	out := make([]float32, len(v))
	for i, x := range v {
		out[i] = float32(x / math.Sqrt(sum))
	}
	return out
}

// photos writes n small pictures, red, green, blue and mixed in turn, into a
// folder of the test.
func photos(t testing.TB, n int) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "pictures")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	kinds := []struct {
		name string
		c    color.NRGBA
		w, h int
	}{
		{"red", color.NRGBA{230, 20, 20, 255}, 32, 24},
		{"green", color.NRGBA{20, 200, 40, 255}, 24, 32},
		{"blue", color.NRGBA{30, 40, 220, 255}, 32, 24},
		{"dusk", color.NRGBA{180, 60, 160, 255}, 48, 16},
	}
	for i := range n {
		k := kinds[i%len(kinds)]
		writePhoto(t, filepath.Join(dir, fmt.Sprintf("%03d-%s.png", i+1, k.name)), k.c, k.w, k.h)
	}
	return dir
}

// pictureTime is when the test's pictures were made.
var pictureTime = time.Date(2024, 5, 3, 14, 20, 0, 0, time.UTC)

func writePhoto(t testing.TB, path string, c color.NRGBA, w, h int) {
	t.Helper()
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for i := range img.Pix {
		img.Pix[i] = []uint8{c.R, c.G, c.B, c.A}[i%4]
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := png.Encode(f, img); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, pictureTime, pictureTime); err != nil {
		t.Fatal(err)
	}
}

// names makes labels of names.
func names(list ...string) label.Set {
	var s label.Set
	for _, n := range list {
		s.Labels = append(s.Labels, label.Label{Name: n})
	}
	return s
}

// driver runs an explorer without a terminal: it plays Bubble Tea's event
// loop, so that a test can wait until everything has come to rest.
type driver struct {
	t       testing.TB
	m       *root
	msgs    chan tea.Msg
	pending int // commands whose message has not come yet
	quit    bool
	closed  bool
}

// open starts an explorer of that size on the photos in dir. change may alter
// its options.
func open(t testing.TB, w, h int, dir string, change func(*Options)) *driver {
	t.Helper()
	o := Options{
		Title: "~/pictures", Gallery: gallery.New(), Paths: []string{dir},
		Labels: names("red", "green", "blue", "sunset"),
		Load:   func(context.Context) (Encoder, error) { return &colours{}, nil },
		Hint:   "a hint",
	}
	if change != nil {
		change(&o)
	}
	ctx, stop := context.WithCancelCause(context.Background())
	d := &driver{t: t, m: newRoot(o, newWork(ctx, stop)), msgs: make(chan tea.Msg, 1000)}
	t.Cleanup(d.close)
	d.send(tea.ColorProfileMsg{Profile: colorprofile.TrueColor})
	d.send(tea.WindowSizeMsg{Width: w, Height: h})
	return d
}

// close ends the explorer, once.
func (d *driver) close() {
	if d.closed {
		return
	}
	d.closed = true
	if cause := context.Cause(d.m.work.ctx); cause != nil {
		d.t.Error(cause)
	}
	if err := d.m.close(); err != nil {
		d.t.Error(err)
	}
}

// launch runs a command, or those of a batch, beside the test.
func (d *driver) launch(cmd tea.Cmd) {
	if cmd == nil {
		return
	}
	d.pending++
	go func() { d.msgs <- cmd() }()
}

// take hands one message of a command to the explorer.
func (d *driver) take(msg tea.Msg) {
	d.pending--
	switch msg := msg.(type) {
	case nil:
	case tea.QuitMsg:
		d.quit = true
	case tea.BatchMsg:
		for _, cmd := range msg {
			d.launch(cmd)
		}
	default:
		d.launch(d.m.update(msg))
	}
}

// send gives the explorer a message and draws.
func (d *driver) send(msg tea.Msg) {
	d.launch(d.m.update(msg))
	d.m.view()
}

// rest waits until no command is left, and nothing that one has begun.
func (d *driver) rest() *driver {
	d.t.Helper()
	for d.pending > 0 {
		select {
		case msg := <-d.msgs:
			d.take(msg)
		case <-time.After(20 * time.Second):
			d.t.Fatalf("%d commands do not end", d.pending)
		}
	}
	w := d.m.work
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.running != 0 {
		d.t.Fatalf("%d commands run after the last has answered", w.running)
	}
	return d
}

// drain takes the messages that have come.
func (d *driver) drain() {
	for len(d.msgs) > 0 {
		d.take(<-d.msgs)
	}
}

// start begins everything, as Bubble Tea would, and waits for the end of it.
func (d *driver) start() *driver {
	d.t.Helper()
	d.launch(d.m.start())
	return d.rest()
}

// press types keys by their names and waits for what they cause.
func (d *driver) press(keys ...string) *driver {
	d.t.Helper()
	for _, k := range keys {
		d.send(keyPress(k))
		d.rest()
	}
	return d
}

// write types text.
func (d *driver) write(text string) *driver {
	d.t.Helper()
	for _, r := range text {
		d.press(string(r))
	}
	return d
}

func keyPress(name string) tea.KeyPressMsg {
	codes := map[string]rune{
		"left": tea.KeyLeft, "right": tea.KeyRight, "up": tea.KeyUp, "down": tea.KeyDown,
		"pgup": tea.KeyPgUp, "pgdown": tea.KeyPgDown, "home": tea.KeyHome, "end": tea.KeyEnd,
		"enter": tea.KeyEnter, "tab": tea.KeyTab, "esc": tea.KeyEscape,
		"backspace": tea.KeyBackspace, "delete": tea.KeyDelete,
	}
	if c, ok := codes[name]; ok {
		return tea.KeyPressMsg{Code: c}
	}
	if plain, ok := strings.CutPrefix(name, "shift+"); ok {
		codes["tab"] = tea.KeyTab
		return tea.KeyPressMsg{Code: codes[plain], Mod: tea.ModShift}
	}
	if name == "space" {
		return tea.KeyPressMsg{Code: ' ', Text: " "}
	}
	if c, ok := strings.CutPrefix(name, "ctrl+"); ok {
		return tea.KeyPressMsg{Code: rune(c[0]), Mod: tea.ModCtrl}
	}
	return tea.KeyPressMsg{Code: []rune(name)[0], Text: name}
}

// text is the screen without colours.
func (d *driver) text() string {
	d.t.Helper()
	lines, _ := d.m.screen()
	for i, s := range lines {
		lines[i] = strings.TrimRight(ansi.Strip(s), " ")
	}
	return strings.Join(lines, "\n") + "\n"
}

// has checks that the screen shows each of the texts.
func (d *driver) has(texts ...string) *driver {
	d.t.Helper()
	screen := d.text()
	for _, s := range texts {
		if !strings.Contains(screen, s) {
			d.t.Errorf("the screen does not show %q:\n%s", s, screen)
		}
	}
	return d
}

func (d *driver) hasNot(texts ...string) *driver {
	d.t.Helper()
	screen := d.text()
	for _, s := range texts {
		if strings.Contains(screen, s) {
			d.t.Errorf("the screen shows %q:\n%s", s, screen)
		}
	}
	return d
}

// until takes messages until a state is reached.
func (d *driver) until(reached func() bool) *driver {
	d.t.Helper()
	for !reached() {
		select {
		case msg := <-d.msgs:
			d.take(msg)
		case <-time.After(20 * time.Second):
			d.t.Fatalf("not reached:\n%s", d.text())
		}
	}
	return d
}

func remove(t testing.TB, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}
