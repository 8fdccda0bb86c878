package ui

import (
	"bytes"
	"context"
	"errors"
	"io"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/vt"

	"sigla/gallery"
	"sigla/gallery/label"
)

// session is a run of the whole program on a screen in memory.
type session struct {
	t       testing.TB
	keys    *io.PipeWriter
	screen  *screen
	updates atomic.Int64 // messages that have come to Update
	result  chan error
}

// screen is a terminal: what has been written to it, and what that shows.
type screen struct {
	mu      sync.Mutex
	vt      *vt.Emulator
	written bytes.Buffer
}

func newScreen(t testing.TB) *screen {
	s := &screen{vt: vt.NewEmulator(80, 24)}
	// Without a terminal as its input Bubble Tea takes for granted that a line feed
	// returns to the first column, and moves by it whenever that is shorter.
	s.vt.WriteString(ansi.SetModeLineFeedNewLine)
	go io.Copy(io.Discard, s.vt)                               // its answers to questions
	t.Cleanup(func() { s.vt.InputPipe().(io.Closer).Close() }) // Close races with Read
	return s
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.written.Write(p)
	return s.vt.Write(p)
}

func (s *screen) shown() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.vt.String()
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.written.String()
}

// begin runs the program; signals says whether it listens to them.
func begin(t testing.TB, ctx context.Context, signals bool, change func(*Options)) *session {
	t.Helper()
	o := Options{
		Title: "~/pictures", Gallery: gallery.New(), Paths: []string{photos(t, 6)},
		Labels: names("red", "green"),
		Load:   func(context.Context) (Encoder, error) { return &colours{}, nil },
	}
	if change != nil {
		change(&o)
	}
	r, w := io.Pipe()
	s := &session{t: t, keys: w, screen: newScreen(t), result: make(chan error, 1)}
	extra := []tea.ProgramOption{
		tea.WithInput(r), tea.WithOutput(s.screen), tea.WithWindowSize(80, 24),
		tea.WithEnvironment([]string{"TERM=xterm-256color", "COLORTERM=truecolor"}),
		tea.WithFilter(func(_ tea.Model, msg tea.Msg) tea.Msg {
			s.updates.Add(1)
			return msg
		}),
	}
	if !signals {
		extra = append(extra, tea.WithoutSignalHandler())
	}
	go func() { s.result <- run(ctx, o, extra...) }()
	return s
}

// shows waits until the program has written text.
func (s *session) shows(text string) *session {
	s.t.Helper()
	for range 2000 {
		if strings.Contains(s.screen.shown(), text) {
			return s
		}
		time.Sleep(10 * time.Millisecond)
	}
	s.t.Fatalf("never shown: %q in\n%s", text, s.screen.shown())
	return s
}

func (s *session) press(keys string) *session {
	s.t.Helper()
	if _, err := io.WriteString(s.keys, keys); err != nil {
		s.t.Fatal(err)
	}
	return s
}

// end waits for Run to return and checks that the terminal was restored.
func (s *session) end() error {
	s.t.Helper()
	var err error
	select {
	case err = <-s.result:
	case <-time.After(20 * time.Second):
		buf := make([]byte, 1<<20)
		s.t.Fatalf("the program does not end:\n%s", buf[:runtime.Stack(buf, true)])
	}
	out := s.screen.String()
	for on, off := range map[string]string{
		"\x1b[?1049h": "\x1b[?1049l", // alternate screen
		"\x1b[?25l":   "\x1b[?25h",   // cursor
		"\x1b[?2004h": "\x1b[?2004l", // bracketed paste
		"\x1b[?1002h": "\x1b[?1002l", // mouse
		"\x1b[?1006h": "\x1b[?1006l",
	} {
		if strings.LastIndex(out, off) < strings.LastIndex(out, on) {
			s.t.Errorf("%q is not followed by %q at the end: %q", on, off, out[max(0, len(out)-200):])
		}
	}
	return err
}

func TestRun(t *testing.T) {
	procs := runtime.GOMAXPROCS(0)
	enc := &colours{}
	s := begin(t, context.Background(), false, func(o *Options) {
		o.Load = func(context.Context) (Encoder, error) { return enc, nil }
	})
	s.shows("6 embedded").press("]").shows("δ +0.1").press("q")
	if err := s.end(); err != nil {
		t.Error(err)
	}
	if !enc.closed {
		t.Error("the model is still open")
	}
	if now := runtime.GOMAXPROCS(0); now != procs {
		t.Errorf("GOMAXPROCS is %d, was %d", now, procs)
	}
}

// TestIdle: when everything is done nothing of the explorer runs any more: no
// message comes, no command waits, no goroutine is there but those two that
// wait for the terminal and for SIGHUP.
func TestIdle(t *testing.T) {
	s := begin(t, context.Background(), false, nil)
	s.shows("6 embedded").press("]").shows("δ +0.1")
	s.idle(2)
	if err := s.press("q").end(); err != nil {
		t.Error(err)
	}
}

// idle waits until all is quiet for a while, with n goroutines of ours, and
// checks that it stays so.
func (s *session) idle(n int) {
	s.t.Helper()
	var before int64
	var ours []string
	// Until all is quiet for longer than a look at the folders is put off.
	for round, quiet := 0, 0; round < 200 && quiet < 10; round++ {
		before = s.updates.Load()
		time.Sleep(100 * time.Millisecond)
		quiet++
		if ours = goroutines("sigla/"); s.updates.Load() != before || len(ours) != n {
			quiet = 0
		}
	}
	if len(ours) != n {
		s.t.Errorf("%d goroutines, want %d:\n%s", len(ours), n, strings.Join(ours, "\n\n"))
	}
	time.Sleep(300 * time.Millisecond)
	if n := s.updates.Load() - before; n != 0 {
		s.t.Errorf("%d messages while idle", n)
	}
}

// goroutines returns the stacks of those that run code of a package prefix,
// except the tests' own.
func goroutines(prefix string) []string {
	buf := make([]byte, 1<<22)
	var out []string
	for stack := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		test := strings.Contains(stack, "testing.tRunner(") || strings.Contains(stack, "vt.(*Emulator)")
		if strings.Contains(stack, prefix) && !test {
			out = append(out, stack)
		}
	}
	return out
}

// breaking is an encoder that panics in a command.
type breaking struct{ colours }

func (*breaking) EmbedTexts(context.Context, []string) ([][]float32, error) {
	panic(errors.New("broken in a command"))
}

// breakingError panics where it is read.
type breakingError string

func (e breakingError) Error() string { panic("broken in " + string(e)) }

// TestPanics: a panic anywhere restores the terminal and comes back with its
// stack.
func TestPanics(t *testing.T) {
	for _, c := range []struct {
		where  string
		change func(*Options)
		keys   string
	}{
		{"a command", func(o *Options) {
			o.Load = func(context.Context) (Encoder, error) { return &breaking{}, nil }
		}, ""},
		{"View", func(o *Options) {
			o.Load = func(context.Context) (Encoder, error) { return nil, breakingError("View") }
		}, ""},
		{"Update", func(o *Options) {
			o.Save = func(label.Set) error { return breakingError("Update") }
		}, "\t}"},
	} {
		s := begin(t, context.Background(), false, c.change)
		if c.keys != "" {
			s.shows("6 embedded").press(c.keys)
		}
		err := s.end()
		var crash *Crash
		if !errors.As(err, &crash) || !strings.Contains(crash.Error(), "broken in "+c.where) || !strings.Contains(crash.Stack, "breaking") {
			t.Errorf("in %s: Run returned %v", c.where, crash)
		}
	}
}

// TestPanicInWorker: also in the goroutines of the gallery that call us.
func TestPanicInWorker(t *testing.T) {
	ctx, stop := context.WithCancelCause(context.Background())
	g := gallery.New()
	m := newRoot(Options{Gallery: g}, newWork(ctx, stop))
	m.pics = nil // what it needs to break
	if err := g.Scan(ctx, photos(t, 1)); err != nil {
		t.Fatal(err)
	}
	_ = g.Embed(ctx, &colours{}, nil)
	if crash := (*Crash)(nil); !errors.As(context.Cause(ctx), &crash) {
		t.Errorf("the cause is %v, want a crash", context.Cause(ctx))
	}
}

// TestFailuresComeBack: what has failed behind the screen is what Run returns.
func TestFailuresComeBack(t *testing.T) {
	s := begin(t, context.Background(), false, func(o *Options) { o.Load = noModel })
	if err := s.shows("no checkpoint").press("q").end(); err == nil || err.Error() != "open model: no checkpoint in ~/x" {
		t.Errorf("without a model Run returned %v", err)
	}
	s = begin(t, context.Background(), false, func(o *Options) {
		o.Save = func(label.Set) error { return errors.New("save labels: disk full") }
	})
	s.shows("6 embedded").press("\t}").shows("disk full")
	if err := s.press("q").end(); err == nil || err.Error() != "save labels: disk full" {
		t.Errorf("with labels unsaved Run returned %v", err)
	}
}

func TestContextEnds(t *testing.T) {
	why := errors.New("enough")
	ctx, stop := context.WithCancelCause(context.Background())
	gate := make(chan struct{}) // never opened: embedding must give up
	s := begin(t, ctx, false, func(o *Options) {
		o.Load = func(context.Context) (Encoder, error) { return &colours{gate: gate}, nil }
	})
	s.shows("0/6 embedded")
	stop(why)
	if err := s.end(); !errors.Is(err, why) {
		t.Errorf("Run returned %v", err)
	}
}

// TestQuitWhileLoading: a model that arrives after the user has left is closed.
func TestQuitWhileLoading(t *testing.T) {
	gate, enc := make(chan struct{}), &colours{}
	s := begin(t, context.Background(), false, func(o *Options) {
		o.Load = func(context.Context) (Encoder, error) {
			<-gate
			return enc, nil
		}
		o.Save = func(label.Set) error { return nil }
	})
	s.shows("loading the model").press("q")
	time.AfterFunc(50*time.Millisecond, func() { close(gate) })
	if err := s.end(); err != nil {
		t.Error(err)
	}
	if !enc.closed {
		t.Error("the model is still open")
	}
}
