//go:build unix

package cli

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/term"
	"github.com/charmbracelet/x/vt"
	"github.com/creack/pty"

	"sigla/internal/require"
)

// program builds the program once, as a release is built.
var program = sync.OnceValues(func() (string, error) {
	path := filepath.Join(programs, "sigla")
	cmd := exec.Command("go", "build", "-o", path, "sigla")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the program: %w\n%s", err, out)
	}
	return path, nil
})

// console is the program on a pseudo-terminal whose screen can be read.
type console struct {
	tb     testing.TB
	cmd    *exec.Cmd
	pty    *os.File
	before *term.State // of the line, before the program ran
	home   string      // the program's files
	temp   string      // and its temporary ones
	start  time.Time
	wrote  chan struct{} // the program wrote something; latest wins
	read   chan struct{} // closed when the program has closed the terminal

	mu    sync.Mutex
	vt    *vt.Emulator
	modes map[int]bool // private modes that are on
}

// launch starts the program with its own home and a terminal of that size.
func launch(tb testing.TB, cols, rows int, args ...string) *console {
	tb.Helper()
	path, err := program()
	if err != nil {
		tb.Fatal(err)
	}
	return launchBinary(tb, path, cols, rows, args...)
}

func launchBinary(tb testing.TB, path string, cols, rows int, args ...string) *console {
	tb.Helper()
	return launchWith(tb, nil, path, cols, rows, args...)
}

// launchWith sets variables of the environment besides.
func launchWith(tb testing.TB, env []string, path string, cols, rows int, args ...string) *console {
	tb.Helper()
	home, temp := tb.TempDir(), tb.TempDir()
	c := &console{tb: tb, home: home, temp: temp, wrote: make(chan struct{}, 1), read: make(chan struct{}), modes: map[int]bool{}}
	c.vt = vt.NewEmulator(cols, rows)
	c.vt.SetCallbacks(vt.Callbacks{
		EnableMode:  func(m ansi.Mode) { c.setMode(m, true) },
		DisableMode: func(m ansi.Mode) { c.setMode(m, false) },
	})
	c.cmd = exec.Command(path, args...)
	c.cmd.Env = append(os.Environ(), "TERM=xterm-256color", "COLORTERM=truecolor", "NO_COLOR=", "TMPDIR="+temp, "HOME="+home,
		"XDG_CONFIG_HOME="+filepath.Join(home, "config"), "XDG_DATA_HOME="+filepath.Join(home, "data"), "XDG_CACHE_HOME="+filepath.Join(home, "cache"), "XDG_STATE_HOME="+filepath.Join(home, "state"))
	c.cmd.Env = append(c.cmd.Env, env...)
	master, tty, err := pty.Open()
	if err != nil {
		require.Missing(tb, "pty", "no pseudo-terminal: "+err.Error())
	}
	c.pty = master
	pty.Setsize(master, &pty.Winsize{Cols: uint16(cols), Rows: uint16(rows)})
	if c.before, err = term.GetState(tty.Fd()); err != nil {
		tb.Fatal(err)
	}
	c.cmd.Stdin, c.cmd.Stdout, c.cmd.Stderr = tty, tty, tty
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	c.start = time.Now()
	err = c.cmd.Start()
	tty.Close() // with the program's end, reading from the master ends
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		c.cmd.Process.Kill()
		c.cmd.Wait()
		master.Close()
		c.vt.Close()
	})
	go c.listen()
	go io.Copy(master, c.vt) // what a terminal answers when it is asked
	return c
}

// setMode is called by the emulator, that is with mu held.
func (c *console) setMode(m ansi.Mode, on bool) {
	if m, ok := m.(ansi.DECMode); ok {
		c.modes[int(m)] = on
	}
}

// listen feeds the emulator with what the program writes.
func (c *console) listen() {
	defer close(c.read)
	buf := make([]byte, 64<<10)
	for {
		n, err := c.pty.Read(buf)
		if n > 0 {
			c.mu.Lock()
			c.vt.Write(buf[:n])
			c.mu.Unlock()
			select {
			case c.wrote <- struct{}{}:
			default:
			}
		}
		if err != nil {
			return
		}
	}
}

// screen is what a person reads now.
func (c *console) screen() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.vt.String()
}

// await waits until the screen is as ok wants it. The limit is far above what
// any machine needs; it only ends a test that will not come to anything.
func (c *console) await(what string, ok func(screen string) bool) string {
	c.tb.Helper()
	limit := time.After(60 * time.Second)
	for {
		if screen := c.screen(); ok(screen) {
			return screen
		}
		select {
		case <-c.wrote:
		case <-c.read:
			if screen := c.screen(); ok(screen) {
				return screen
			}
			c.tb.Fatalf("the program ended before %s; the screen is\n%s", what, c.screen())
		case <-limit:
			c.tb.Fatalf("waited in vain for %s; the screen is\n%s", what, c.screen())
		}
	}
}

// shows waits for a piece of text on the screen.
func (c *console) shows(text string) string {
	c.tb.Helper()
	return c.await(fmt.Sprintf("%q", text), func(screen string) bool { return strings.Contains(screen, text) })
}

// matches waits for a pattern on the screen.
func (c *console) matches(pattern string) string {
	c.tb.Helper()
	return c.await(pattern, regexp.MustCompile(pattern).MatchString)
}

// changes waits until the screen differs from before.
func (c *console) changes(before string) string {
	c.tb.Helper()
	return c.await("a change", func(screen string) bool { return screen != before })
}

// press types keys.
func (c *console) press(keys string) {
	c.tb.Helper()
	if _, err := io.WriteString(c.pty, keys); err != nil {
		c.tb.Fatal(err)
	}
}

// resize makes the terminal another size, as dragging a window's corner does.
func (c *console) resize(cols, rows int) {
	c.tb.Helper()
	c.mu.Lock()
	c.vt.Resize(cols, rows)
	c.mu.Unlock()
	if err := pty.Setsize(c.pty, &pty.Winsize{Cols: uint16(cols), Rows: uint16(rows)}); err != nil {
		c.tb.Fatal(err)
	}
}

// exit waits for the program to end and returns its exit status.
func (c *console) exit() int {
	c.tb.Helper()
	timer := time.AfterFunc(60*time.Second, func() { c.cmd.Process.Kill() })
	defer timer.Stop()
	err := c.cmd.Wait()
	var status *exec.ExitError
	if err != nil && !errors.As(err, &status) {
		c.tb.Fatal(err)
	}
	if !c.cmd.ProcessState.Exited() {
		c.tb.Fatalf("the program was ended by %v; the screen is\n%s", err, c.screen())
	}
	return c.cmd.ProcessState.ExitCode()
}

// restored checks that the terminal is as it was and no temporary file is left.
func (c *console) restored() {
	c.tb.Helper()
	<-c.read
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.vt.IsAltScreen() {
		c.tb.Error("the alternate screen is still on")
	}
	if c.vt.CursorHidden() {
		c.tb.Error("the cursor is still hidden")
	}
	// 1000…1016: mouse, focus and alternate scroll; 2004: paste; 2026: updates held back.
	for _, mode := range slices.Sorted(maps.Keys(c.modes)) {
		if on := c.modes[mode]; on && (mode >= 1000 && mode <= 1016 || mode == 2004 || mode == 2026) {
			c.tb.Errorf("terminal mode ?%d is still on", mode)
		}
	}
	after, err := term.GetState(c.pty.Fd())
	if err != nil {
		c.tb.Fatal(err)
	}
	if !reflect.DeepEqual(c.before, after) {
		c.tb.Errorf("the line's settings were %+v and are now %+v", c.before, after)
	}
	left, err := os.ReadDir(c.temp)
	if err != nil {
		c.tb.Fatal(err)
	}
	for _, f := range left {
		c.tb.Errorf("%s is left in the temporary folder", f.Name())
	}
}
